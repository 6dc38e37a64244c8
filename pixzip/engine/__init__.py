"""Code images to payloads with models and entropy coders, on any device.  This package knows no tiles and no files."""

#: Kernels contain functions and numbers of these packages alone, see `pixcodecs.kernel_cache`.
KERNEL_SOURCES = ("pixzip.engine", "pixzip.models")
