"""Whole files: pictures in, `.pxz` bytes out, and back."""

from pixzip.bands import check_rows, compress_rows, decompress_rows
from pixzip.decoder import Decoded, decompress, parse, recover
from pixzip.encoder import as_array, as_picture, compress
from pixzip.evaluation import evaluate
from pixzip.machines import engine, resolve_device

__all__ = [
    "Decoded", "as_array", "as_picture", "check_rows", "compress", "compress_rows", "decompress", "decompress_rows",
    "engine", "evaluate", "parse", "recover", "resolve_device",
]  # fmt: skip
