"""Strips of TIFF files as libtiff, through Pillow, compresses them."""

import io
from typing import Any

import tifffile
from PIL import Image


def encode(segment: bytes, rows: int, compression: str) -> bytes:
    """The compressed bytes of a strip or tile.

    Args:
        segment: its bytes.
        rows: its number of rows.
        compression: Pillow's name, "tiff_lzw" or "packbits".
    """
    out = io.BytesIO()
    image = Image.frombytes("L", (len(segment) // rows, rows), segment)
    image.save(out, "TIFF", compression=compression, strip_size=len(segment) + 1)
    out.seek(0)
    with tifffile.TiffFile(out) as file:
        page: Any = file.pages.first
        (start,), (size,) = page.dataoffsets, page.databytecounts
    return out.getvalue()[start : start + size]
