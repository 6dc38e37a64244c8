"""The head of a block of kind 14: where blocks lie, how chroma is sampled, the tables; `docs/format.md`, section 17."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.errors import BitstreamError
from pixcodecs.jpeg.tables import ZIGZAG, Table, standard
from pixcodecs.primitives import Reader

#: (vertical, horizontal) pixels for each sample of chroma, by the number in a file: 4:4:4, 4:2:2, 4:2:0, 4:4:0.
SAMPLINGS = ((1, 1), (1, 2), (2, 2), (2, 1))
NAMES = ("4:4:4", "4:2:2", "4:2:0", "4:4:0")
_PLAIN, _BEYOND_RIGHT, _BEYOND_BOTTOM, _RESERVED = 4, 8, 16, 0xE0


class Layout(NamedTuple):
    """How a picture lies on the samples of a JPEG.

    Attributes:
        sampling: index in `SAMPLINGS`; 0 in grey.
        plain: whether chroma is repeated, not interpolated.
        top, left: rows and columns of luma before the picture.
        beyond_right, beyond_bottom: whether chroma of the last blocks is used beyond the picture's edge.
        tables: (64,) of luma, and of chroma if there is any, row by row.
    """

    sampling: int
    plain: bool
    top: int
    left: int
    beyond_right: bool
    beyond_bottom: bool
    tables: tuple[Table, ...]

    @property
    def quality(self) -> int:
        """The quality whose standard tables these are, 1 to 100; 0 if there is none."""
        for quality in range(100, 0, -1):
            if all((t == standard(quality, bool(i))).all() for i, t in enumerate(self.tables)):
                return quality
        return 0

    @property
    def about_quality(self) -> int:
        """The quality, 1 to 100, whose standard table of luma is nearest by the sum of its steps."""
        sums = [abs(int(standard(q, False).sum()) - int(self.tables[0].sum())) for q in range(1, 101)]
        return 1 + sums.index(min(sums))

    def blocks(self, height: int, width: int) -> list[tuple[int, int]]:
        """Rows and columns of blocks of each channel for a picture of these sides."""
        vertical, horizontal = SAMPLINGS[self.sampling]
        chroma = -(-(self.top + height) // (8 * vertical)), -(-(self.left + width) // (8 * horizontal))
        luma = -(-(self.top + height) // 8), -(-(self.left + width) // 8)
        return [luma, chroma, chroma] if len(self.tables) > 1 else [luma]

    def geometry(self, height: int, width: int) -> NDArray[np.int64]:
        """(7,): top, left, vertical, horizontal, whether fancy, rows and columns of chroma that are used."""
        vertical, horizontal = SAMPLINGS[self.sampling]
        rows, columns = -(-(self.top + height) // vertical), -(-(self.left + width) // horizontal)
        rows = -(-rows // 8) * 8 if self.beyond_bottom else rows
        columns = -(-columns // 8) * 8 if self.beyond_right else columns
        return np.array([self.top, self.left, vertical, horizontal, not self.plain, rows, columns], np.int64)

    def pack(self) -> bytes:
        """The head's bytes."""
        flags = self.sampling | self.plain * _PLAIN
        flags |= self.beyond_right * _BEYOND_RIGHT | self.beyond_bottom * _BEYOND_BOTTOM
        quality = self.quality
        head = bytes([flags, self.top << 4 | self.left, quality])
        return head if quality else head + b"".join(t[ZIGZAG].astype(np.uint8).tobytes() for t in self.tables)


def parse(reader: Reader, channels: int) -> Layout:
    """The inverse of `Layout.pack`.

    Raises:
        BitstreamError: a field is out of its range.
    """
    flags, offset = reader.byte("layout of a JPEG"), reader.byte("offset of a JPEG")
    quality = reader.byte("quality of a JPEG")
    vertical, horizontal = SAMPLINGS[flags & 3]
    top, left = offset >> 4, offset & 15
    if channels not in (1, 3) or flags & _RESERVED or (channels == 1 and flags):
        raise BitstreamError(f"JPEG block has layout {flags:#04x}, which {channels} channels cannot have")
    if top >= 8 * vertical or left >= 8 * horizontal:
        raise BitstreamError(f"JPEG block starts at row {top} and column {left} of {8 * vertical}x{8 * horizontal}")
    if quality > 100:
        raise BitstreamError(f"JPEG block has quality {quality}, expected 0 to 100")
    tables = []
    for i in range(1 if channels == 1 else 2):
        if quality:
            tables.append(standard(quality, bool(i)))
            continue
        table = np.zeros(64, np.int64)
        table[ZIGZAG] = np.frombuffer(reader.take(64, "table of a JPEG"), np.uint8)
        if not table.all():
            raise BitstreamError("JPEG block has a table with a zero")
        tables.append(table)
    plain, right, bottom = (bool(flags & bit) for bit in (_PLAIN, _BEYOND_RIGHT, _BEYOND_BOTTOM))
    return Layout(flags & 3, plain, top, left, right, bottom, tuple(tables))
