"""Tiles: a large image is coded as independent parts.

A tile costs a little rate, for its first row and column have no neighbours, and gives parts that are decoded
alone, in any order, and as rows of one batch.
"""

from typing import NamedTuple

#: Sides of a tile. An image up to `WHOLE_PIXELS` is one tile.
TILE_SIDE = 1024
WHOLE_PIXELS = 1 << 20


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
        """Rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def overlap(self, other: "Window") -> "Window | None":
        """The part that both have."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Window(x, y, right - x, bottom - y) if x < right and y < bottom else None


def tile_sides(width: int, height: int, largest: int | None = None) -> tuple[int, int]:
    """Width and height of the tiles of an image.

    Tiles of one image are of nearly equal size: the wavefront is slowest on slivers.

    Args:
        largest: side of a tile, where a model takes no larger ones.
    """
    side, whole = (largest, largest * largest) if largest else (TILE_SIDE, WHOLE_PIXELS)
    if width * height <= whole:
        return width, height
    columns, rows = -(-width // side), -(-height // side)
    return -(-width // columns), -(-height // rows)
