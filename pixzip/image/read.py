"""An image file -> a picture, at once or by rows: finds the reader."""

import logging
from pathlib import Path

from pixcodecs.container.image import MAX_PIXELS

from pixzip.image.formats import pillow, png, png_rows, pnm, tiff, tiff_rows
from pixzip.image.formats.base import Loaded, one_error
from pixzip.image.rows import RowReader

for _name in ("imagecodecs", "tifffile"):
    logging.getLogger(_name).addHandler(logging.NullHandler())  # else their remarks go to standard error

_LONGEST_SIGNATURE = 8


def load(source: bytes | Path, max_pixels: int | None = MAX_PIXELS) -> Loaded:
    """The picture in an image file, and the names of what a picture does not hold.

    Args:
        source: the file, or where it is.
        max_pixels: refuse larger images before decoding them; None lifts the limit.
    Raises:
        UnsupportedImageError: no image, a damaged one, or one that would not come back as it was.
        OSError: the file cannot be read.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    read = pillow.read
    if data.startswith(png.SIGNATURE):
        read = png.read
    elif data.startswith(tiff.SIGNATURES):
        read = tiff.read
    elif pnm.is_pnm(data):
        read = pnm.read
    with one_error():
        return read(data, max_pixels)


def open_rows(path: Path, max_pixels: int | None = MAX_PIXELS) -> RowReader | None:
    """As `load`, but the rows come a few at a time, and only these are in memory.

    Returns:
        None for formats that have to be read at once.
    Raises:
        UnsupportedImageError: as `load`; what is wrong with the samples only `RowReader.read` may find.
        OSError: the file cannot be read.
    """
    file = path.open("rb")
    try:
        head = file.read(_LONGEST_SIGNATURE)
        file.seek(0)
        opened = None
        with one_error():
            if head.startswith(png.SIGNATURE):
                opened = png_rows.open_rows(file, max_pixels)
            elif head.startswith(tiff.SIGNATURES):
                opened = tiff_rows.open_rows(file, max_pixels)
            elif pnm.is_pnm(head):
                opened = pnm.open_rows(file, max_pixels)
    except BaseException:
        file.close()
        raise
    if opened is None:
        file.close()
        return None
    return RowReader(file, opened)


def open_large(path: Path, pixels: int, max_pixels: int | None = MAX_PIXELS) -> RowReader | None:
    """`open_rows` of an image of more than so many pixels; None for smaller ones too.

    Raises:
        UnsupportedImageError, OSError: see `open_rows`.
    """
    with path.open("rb") as file:
        head = file.read(png.HEAD_BYTES)
    if png.pixels(head) in range(pixels + 1):  # a glance, for `open_rows` checks the whole file
        return None
    reader = open_rows(path, max_pixels)
    if reader and reader.frame.width * reader.frame.height <= pixels:
        reader.close()
        return None
    return reader
