"""The errors that pixzip raises on purpose; each message says what was found and what was expected."""


class PixzipError(Exception):
    """Base of all pixzip errors; the command line prints one line and exits with code 2."""


class BitstreamError(PixzipError):
    """A file is damaged, truncated, foreign or hostile."""


class UnsupportedImageError(PixzipError):
    """An image, or a requested operation on it, is not supported by this version."""


class ModelMismatchError(PixzipError):
    """A model is missing, damaged, or not the one with which a file was written."""
