"""Limits of all versions of the container."""

from pixcodecs.errors import UnsupportedImageError

#: Bytes of a model's digest that form its id.
MODEL_ID_BYTES = 8
#: Version of files that are stacks of images.
STACK_VERSION = 3
#: Version of files that keep another file as it is.
KEPT_VERSION = 4
#: Version of files of several pages or frames.
PAGES_VERSION = 5
#: Version of files that hold a model of other files.
MODEL_VERSION = 6
#: Versions whose header is not that of one image, and what such a file is.
OTHER_VERSIONS = {
    STACK_VERSION: "a stack of images",
    KEPT_VERSION: "another file that is kept as it is",
    PAGES_VERSION: "several pages or frames: `pixzip decompress` or pixzip.decode_pages gives them",
    MODEL_VERSION: "a model that other files need, and no image: --model takes it",
}
MAX_SIDE = 65535
#: Most pixels that a decoder accepts by default; Pillow's hard limit is twice this.
MAX_PIXELS = 89_478_485
#: Most bytes of samples that a decoder accepts by default, and those that each byte of the file adds.
MAX_SAMPLE_BYTES = 4 * MAX_PIXELS
SAMPLE_BYTES_A_BYTE = 16
#: Most pixels of one tile that a decoder accepts by default; it holds several copies of a tile at once.
MAX_TILE_PIXELS = 1 << 25
#: Longest kept file that a decoder accepts by default, and the bytes that each byte of the `.pxz` file adds.
MAX_KEPT_BYTES = 1 << 26
KEPT_BYTES_A_BYTE = 16
#: Most pixels of the JPEG XL streams of a kept file, times the scans of each, that a decoder accepts by default.
MAX_KEPT_WORK = 1 << 36
#: Way out of an error about a limit.
LIFT = "--no-pixel-limit or max_pixels=None lifts the limit if you trust the file"


def check_shape(width: int, height: int) -> None:
    """Refuse sizes that the format cannot hold.

    Raises:
        UnsupportedImageError: a side is zero or above `MAX_SIDE`.
    """
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UnsupportedImageError(f"image is {width}x{height} pixels, sides must be 1 to {MAX_SIDE}")
