"""webdataset: a handler that decodes the fields of samples that are `.pxz` files."""

from pixzip.adapters.webdataset_handler import pxz

__all__ = ["pxz"]
