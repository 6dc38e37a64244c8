"""What a reader of any format returns, the checks that it makes before it decodes, and the errors it raises."""

import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pixcodecs.container.image import check_shape
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.picture import Frame, Picture, Samples


class Loaded(NamedTuple):
    """A picture, and the names of what else the file held that a picture does not."""

    picture: Picture
    dropped: list[str]


class Opened(NamedTuple):
    """As `Loaded`, with the samples still to come.

    Attributes:
        bands: (N, W, C), the rows from the first to the last, any number of them at a time.  What is wrong
            with the file is raised before its last rows come, be it behind them.
    """

    frame: Frame
    dropped: list[str]
    bands: Generator[Samples, None, None]


@contextmanager
def one_error() -> Iterator[None]:
    """Makes one kind of error of those of all the libraries, and keeps their remarks to itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on metadata, which is kept as it is
            yield
    except (UnsupportedImageError, MemoryError):
        raise
    except Exception as e:  # noqa: BLE001 (libraries raise whatever their parsing runs into)
        detail = " ".join(str(e).split()) or type(e).__name__
        raise UnsupportedImageError(f"image cannot be decoded: {detail}") from None


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
