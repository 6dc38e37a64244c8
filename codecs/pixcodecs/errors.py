"""Every error pixzip raises on purpose; each message says what was found and what was expected."""


class PixzipError(Exception):
    """Base of all of them; the command line turns one into a line and exit code 2."""


class BitstreamError(PixzipError):
    """A file is damaged, truncated, foreign or hostile."""


class UnsupportedImageError(PixzipError):
    """An image, or what was asked of it, is something this version does not code."""


class ModelMismatchError(PixzipError):
    """A model is missing, damaged, or not the one a file was written with."""
