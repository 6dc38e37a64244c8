"""Whole files: convert pictures to `.pxz` bytes and back."""

from pixzip.codec.by_rows import check_rows, compress_rows, decompress_parts, decompress_rows
from pixzip.codec.decoder import Decoded, decompress, recover
from pixzip.codec.encoder import as_array, as_picture, compress
from pixzip.codec.evaluation import evaluate
from pixzip.codec.opening import Opening, opened
from pixzip.codec.options import Options
from pixzip.codec.verification import verify
from pixzip.engine.device import coding_device, resolve_device
from pixzip.engine.executor import Local

__all__ = [
    "Decoded", "Local", "Opening", "Options", "as_array", "as_picture", "check_rows", "coding_device", "compress",
    "compress_rows", "decompress", "decompress_parts", "decompress_rows", "evaluate", "opened", "recover",
    "resolve_device", "verify",
]  # fmt: skip
