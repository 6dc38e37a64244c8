"""Convert image files to pictures and back, exactly.

Every format is read and written by a library that preserves its content: bits per sample, order of the palette,
metadata.  An image that a library or a picture would change is refused, and the error names the reason.
"""

from pixzip.image.formats.base import Loaded
from pixzip.image.pages import LoadedPages, Page, Pages
from pixzip.image.read import (
    check_head,
    declared_pixels,
    has_pages,
    load,
    load_pages,
    lossy_kind,
    open_large,
    open_rows,
    pixels_in,
)  # fmt: skip
from pixzip.image.rows import RowReader, RowWriter
from pixzip.image.write import (
    check_frame,
    check_memory,
    check_suffix,
    create_rows,
    lost,
    lost_of_pages,
    write,
    write_pages,
)  # fmt: skip

__all__ = [
    "Loaded", "LoadedPages", "Page", "Pages", "RowReader", "RowWriter",
    "check_frame", "check_head", "check_memory", "check_suffix", "create_rows", "declared_pixels",
    "has_pages", "load", "load_pages", "lossy_kind", "lost", "lost_of_pages", "open_large", "open_rows", "pixels_in",
    "write", "write_pages",
]  # fmt: skip
