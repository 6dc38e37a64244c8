"""Whole files: pictures in, `.pxz` bytes out, and back."""

from pixzip.bands import check_rows, compress_rows, decompress_rows
from pixzip.decoder import Decoded, decompress, parse, recover
from pixzip.encoder import as_array, as_picture, compress
from pixzip.evaluation import evaluate
from pixzip.machines import batch_pixels, coding_device, engine, resolve_device

__all__ = [
    "Decoded", "as_array", "as_picture", "batch_pixels", "check_rows", "coding_device", "compress", "compress_rows",
    "decompress", "decompress_rows", "engine", "evaluate", "parse", "recover", "resolve_device",
]  # fmt: skip
