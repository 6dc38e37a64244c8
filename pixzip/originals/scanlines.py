"""The scanlines of a PNG file: packed, filtered by given types, of the whole image or of the passes of Adam7 [1].

The filters of a file are an encoder's choice, a byte for each row, so they are kept; the filtered bytes follow.

[1] https://www.w3.org/TR/png-3/#9Filters and #8Interlace
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pixzip.image.picture import Frame, Samples

FILTERS = 5
_BAND_BYTES = 1 << 20
#: First column and row, and steps between columns and rows, of the passes of Adam7.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class Pass(NamedTuple):
    """The part of an image that is coded as an image of its own."""

    x: int
    y: int
    columns: int
    rows: int
    width: int
    height: int


def passes(frame: Frame, interlaced: bool) -> list[Pass]:
    """The passes that are not empty, in their order: one of the whole image, or those of Adam7."""
    forms = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    found = [Pass(*f, -(-(frame.width - f[0]) // f[2]), -(-(frame.height - f[1]) // f[3])) for f in forms]
    return [p for p in found if p.width > 0 and p.height > 0]


def row_bytes(frame: Frame, width: int) -> int:
    """Bytes of a row of so many pixels, without its filter."""
    return -(-width * frame.layout.channels * frame.depth // 8)


def total_bytes(frame: Frame, interlaced: bool) -> int:
    """Bytes of all scanlines, with their filters."""
    return sum((1 + row_bytes(frame, p.width)) * p.height for p in passes(frame, interlaced))


def packed(samples: Samples, depth: int) -> NDArray[np.uint8]:
    """(N, W, C) samples as (N, bytes of a row) of a PNG file."""
    rows, width, channels = samples.shape
    if depth == 16:
        samples = samples.astype(">u2")
    data = samples.tobytes() if depth >= 8 else _bits(samples, depth, width * channels)
    return np.frombuffer(data, np.uint8).reshape(rows, -1)


def _bits(samples: Samples, depth: int, run: int) -> bytes:
    return bytes(imagecodecs.packints_encode(np.ascontiguousarray(samples), depth, runlen=run))


class Filtering:
    """Filters rows, band after band."""

    def __init__(self, frame: Frame, filters: bytes) -> None:
        """
        Args:
            filters: the type, 0 to 4, of every row.
        """
        self._frame, self._types = frame, np.frombuffer(filters, np.uint8)
        self._distance = max(1, frame.layout.channels * frame.depth // 8)
        self._at = 0
        self._above: NDArray[np.uint8] | None = None

    def scanlines(self, samples: Samples, interlaced: bool) -> Iterator[bytes]:
        """The filtered scanlines of the next rows, or of all passes of a whole image, in pieces.

        Args:
            samples: (N, W, C).
        """
        if not interlaced:
            yield from self._pieces(samples)
            return
        for p in passes(self._frame, True):
            self._above = None
            yield from self._pieces(samples[p.y :: p.rows, p.x :: p.columns])

    def _pieces(self, samples: Samples) -> Iterator[bytes]:
        size = row_bytes(self._frame, samples.shape[1])
        above = np.zeros(size, np.uint8) if self._above is None else self._above
        step = max(1, _BAND_BYTES // size)
        for top in range(0, len(samples), step):
            piece, above = self._band(samples[top : top + step], above)
            yield piece
        self._above = above

    def _band(self, samples: Samples, above: NDArray[np.uint8]) -> tuple[bytes, NDArray[np.uint8]]:
        """The next scanlines, and their last row without a filter.

        Args:
            samples: (N, W, C).
            above: the row before them.
        """
        rows = packed(samples, self._frame.depth)
        types = self._types[self._at : self._at + len(rows)]
        self._at += len(rows)
        upper = np.concatenate([above[None], rows[:-1]])
        out = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
        out[:, 0] = types
        for kind in np.unique(types):
            chosen = np.flatnonzero(types == kind)
            own = slice(None) if len(chosen) == len(rows) else chosen
            out[own, 1:] = _filtered(int(kind), rows[own], upper[own], self._distance)
        return out.tobytes(), rows[-1]


def _filtered(kind: int, x: NDArray[np.uint8], up: NDArray[np.uint8], distance: int) -> NDArray[Any]:
    """Rows after a filter."""
    if kind == 0:
        return x
    if kind == 2:
        return x - up
    left = np.zeros_like(x)
    left[:, distance:] = x[:, :-distance]
    if kind == 1:
        return x - left
    if kind == 3:
        return x - ((left & up) + ((left ^ up) >> 1))  # the floor of the mean, within 8 bits
    corner = np.zeros_like(x)
    corner[:, distance:] = up[:, :-distance]
    return x - _paeth(left, up, corner)


def _paeth(a: NDArray[np.uint8], b: NDArray[np.uint8], c: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of left, above and corner, the one next to left + above - corner."""
    wide = c.astype(np.int16)
    to_a, to_b = b - wide, a - wide
    to_c = np.abs(to_a + to_b)
    np.abs(to_a, out=to_a)
    np.abs(to_b, out=to_b)
    is_a = (to_a <= to_b) & (to_a <= to_c)
    return np.where(is_a, a, np.where(to_b <= to_c, b, c))
