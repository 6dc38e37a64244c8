"""An image file -> a picture: finds the reader, and makes one kind of error of all of theirs."""

import logging
import warnings
from pathlib import Path

from pixcodecs.container import MAX_PIXELS
from pixcodecs.errors import UnsupportedImageError

from pixzip.image import pillow_formats, png, pnm, tiff
from pixzip.image.loaded import Loaded

for _name in ("imagecodecs", "tifffile"):
    logging.getLogger(_name).addHandler(logging.NullHandler())  # else their remarks go to standard error


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
    read = pillow_formats.read
    if data.startswith(png.SIGNATURE):
        read = png.read
    elif data.startswith(tiff.SIGNATURES):
        read = tiff.read
    elif pnm.is_pnm(data):
        read = pnm.read
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on metadata, which is kept as it is
            return read(data, max_pixels)
    except (UnsupportedImageError, MemoryError):
        raise
    except Exception as e:  # noqa: BLE001 (libraries raise whatever their parsing runs into)
        detail = " ".join(str(e).split()) or type(e).__name__
        raise UnsupportedImageError(f"image cannot be decoded: {detail}") from None
