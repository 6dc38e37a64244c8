"""Tiles: independent parts of a large image.

Tiles can be decoded alone, in any order, or together as rows of one batch.  They cost a little rate, because
the first row and column of a tile have no neighbours.
"""

from typing import NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.models.wavefront.taps import SLOPE

#: Largest side of a tile; an image of up to `WHOLE_PIXELS` is one tile.
TILE_SIDE = 1024
WHOLE_PIXELS = 1 << 20
#: A long image with fewer pixels in a step of the wavefront is cut into as many tiles, of so many pixels or more.
_SLIVER_TILES, _SLIVER_PIXELS = 8, 1 << 12
#: Smallest side of a tile in the format.
LEAST_SIDE = 16


class Window(NamedTuple):
    """Part of an image."""

    x: int
    y: int
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Slices of rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def check_inside(self, width: int, height: int) -> None:
        """
        Raises:
            PixzipError: the window is not inside an image of this size.
        """
        x, y = self.x, self.y
        if min(x, y) < 0 or min(self[2:]) < 1 or x + self.width > width or y + self.height > height:
            where = f"{x},{y},{self.width},{self.height}"
            raise PixzipError(f"region {where} is not inside the image of {width}x{height} pixels")

    def overlap(self, other: "Window") -> "Window | None":
        """The intersection, or None if it is empty."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Window(x, y, right - x, bottom - y) if x < right and y < bottom else None


def tile_sides(width: int, height: int, largest: int | None = None, asked: int | None = None) -> tuple[int, int]:
    """Width and height of the tiles of an image.

    Tiles of one image have nearly equal sizes, because the wavefront is slow on slivers.  A sliver is cut across, so
    that several pixels are coded together, which takes a quarter of the time and some 20 bytes a tile.

    Args:
        largest: largest side of a tile that the model supports; None without a limit.
        asked: largest side of a tile that the user wants, at least `LEAST_SIDE`; None for the usual one.
    """
    if asked:
        side = min(asked, largest or asked)
        columns, rows = -(-width // side), -(-height // side)
        if columns * rows == 1:
            return width, height
        return max(-(-width // columns), LEAST_SIDE), max(-(-height // rows), LEAST_SIDE)
    side, whole = (largest, largest * largest) if largest else (TILE_SIDE, WHOLE_PIXELS)
    if width * height <= whole:
        parts = min(_SLIVER_TILES // min(height, -(-width // SLOPE)), width * height // _SLIVER_PIXELS)
        if parts < 2 or largest:
            return width, height
        return (max(width, LEAST_SIDE), -(-height // parts)) if height > width else (-(-width // parts), LEAST_SIDE)
    columns, rows = -(-width // side), -(-height // side)
    return -(-width // columns), -(-height // rows)
