"""Whole files: pictures in, `.pxz` bytes out, and back."""

from pixzip.codec.by_rows import check_rows, compress_rows, decompress_rows
from pixzip.codec.decoder import Decoded, decompress, parse, recover
from pixzip.codec.encoder import as_array, as_picture, compress
from pixzip.codec.evaluation import evaluate
from pixzip.engine.executor import batch_pixels, coding_device, engine, resolve_device

__all__ = [
    "Decoded", "as_array", "as_picture", "batch_pixels", "check_rows", "coding_device", "compress", "compress_rows",
    "decompress", "decompress_rows", "engine", "evaluate", "parse", "recover", "resolve_device",
]  # fmt: skip
