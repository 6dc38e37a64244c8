"""What a reader of any format returns, and the check that it makes before it decodes."""

from typing import NamedTuple

from pixcodecs.container import check_shape
from pixcodecs.errors import UnsupportedImageError

from pixzip.picture import Picture


class Loaded(NamedTuple):
    """A picture, and the names of what else the file held that a picture does not."""

    picture: Picture
    dropped: list[str]


def check_size(width: int, height: int, max_pixels: int | None) -> None:
    """
    Raises:
        UnsupportedImageError: a side does not fit the container, or there are more pixels than allowed.
    """
    check_shape(width, height)
    if max_pixels is not None and width * height > max_pixels:
        raise UnsupportedImageError(f"image has more than {max_pixels} pixels: lift the limit if you trust the file")


def check_frames(frames: int) -> None:
    """
    Raises:
        UnsupportedImageError: there are several.
    """
    if frames != 1:
        raise UnsupportedImageError(f"image has {frames} frames, only single images are supported yet")
