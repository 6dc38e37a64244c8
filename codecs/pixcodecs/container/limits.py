"""Limits that every version of the container has."""

from pixcodecs.errors import UnsupportedImageError

#: How much of a model's digest names it.
MODEL_ID_BYTES = 8
#: The version of files that are stacks of many images, not one.
STACK_VERSION = 3
MAX_SIDE = 65535
#: Pixels a decoder accepts without being told otherwise; twice this is Pillow's own hard limit.
MAX_PIXELS = 89_478_485


def check_shape(width: int, height: int) -> None:
    """Refuse what the format cannot hold.

    Raises:
        UnsupportedImageError: a side is zero or above `MAX_SIDE`.
    """
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UnsupportedImageError(f"image is {width}x{height} pixels, sides must be 1 to {MAX_SIDE}")
