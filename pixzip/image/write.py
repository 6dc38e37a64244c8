"""A picture -> an image file, at once or by rows, without loss or not at all: finds the format by its suffix."""

from typing import BinaryIO

from pixcodecs.errors import UnsupportedImageError

from pixzip.image import formats
from pixzip.image.formats.base import Format
from pixzip.image.picture import Frame, Layout, Picture
from pixzip.image.rows import RowWriter


def write(picture: Picture, suffix: str = ".png") -> bytes:
    """An image file that `load` turns back into the same samples and colours.

    Unlike PNG, other formats keep only a part of the metadata: see `lost`.

    Args:
        suffix: names the format.
    Raises:
        UnsupportedImageError: the format is lossy or unknown, or cannot hold this picture.
    """
    return _holding(picture, suffix).write(picture)


def create_rows(stream: BinaryIO, frame: Frame, suffix: str = ".png") -> RowWriter | None:
    """Like `write`, but the rows come a few at a time, and only these are in memory.

    Args:
        stream: takes the file, from its own start, and stays open.
        frame: all that the picture is but its samples.
        suffix: names the format.
    Returns:
        None for formats that have to be written at once, and for TIFF if the stream cannot go back.
    Raises:
        UnsupportedImageError: the format is lossy or unknown, or cannot hold this picture.
    """
    sink = _holding(frame, suffix).create_rows(stream, frame)
    return None if sink is None else RowWriter(frame, sink)


def check_suffix(suffix: str, layout: Layout, depth: int, transparency: bool = False) -> None:
    """
    Args:
        transparency: whether the picture has a transparent colour, or a palette with alphas.
    Raises:
        UnsupportedImageError: `write` would refuse such a picture.
    """
    if why := _named(suffix).refuses(layout, depth, transparency):
        raise UnsupportedImageError(f"{suffix} {why}")


def lost(picture: Picture | Frame, suffix: str) -> list[str]:
    """The types of the metadata chunks that a file of this format will not have, sorted.

    Raises:
        UnsupportedImageError: `write` would refuse the picture.
    """
    return _holding(picture, suffix).lost(picture.metadata)


def _holding(picture: Picture | Frame, suffix: str) -> Format:
    """The format that a suffix names, once it is known to hold the picture."""
    check_suffix(suffix, picture.layout, picture.depth, bool(picture.transparency))
    return _named(suffix)


def _named(suffix: str) -> Format:
    """The format that is written under a suffix.

    Raises:
        UnsupportedImageError: there is none.
    """
    written = {known: form for form in formats.FORMATS if form.depths for known in sorted(form.suffixes)}
    if form := written.get(suffix.lower()):
        return form
    raise UnsupportedImageError(f"output format {suffix or 'without a suffix'!r} is not one of {' '.join(written)}")
