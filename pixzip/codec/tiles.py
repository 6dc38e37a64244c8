"""Tiles: independent parts of a large image.

Tiles can be decoded alone, in any order, or together as rows of one batch.  They cost a little rate, because
the first row and column of a tile have no neighbours.
"""

from typing import NamedTuple

#: Largest side of a tile; an image of up to `WHOLE_PIXELS` is one tile.
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
        """Slices of rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def overlap(self, other: "Window") -> "Window | None":
        """The intersection, or None if it is empty."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Window(x, y, right - x, bottom - y) if x < right and y < bottom else None


def tile_sides(width: int, height: int, largest: int | None = None) -> tuple[int, int]:
    """Width and height of the tiles of an image.

    Tiles of one image have nearly equal sizes, because the wavefront is slow on slivers.

    Args:
        largest: largest side of a tile that the model supports; None without a limit.
    """
    side, whole = (largest, largest * largest) if largest else (TILE_SIDE, WHOLE_PIXELS)
    if width * height <= whole:
        return width, height
    columns, rows = -(-width // side), -(-height // side)
    return -(-width // columns), -(-height // rows)
