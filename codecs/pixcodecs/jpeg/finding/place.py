"""Where the blocks of eight by eight begin: at the offset where most coefficients are zero."""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.jpeg.finding.fitting import COSINES
from pixcodecs.jpeg.finding.grid import count_zeros

Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]

#: Side of the windows that are looked at, the most of them, and how many are chosen from in each direction.
_SIDE, _WINDOWS, _LINES = 24, 64, 24
#: Share of the samples of a window that must be known.
_KNOWN = 0.98
#: How many more zeros there are at the right offset than at the median of all.
_MORE = 1.04
_MARGIN = 16


def zeros_by_offset(planes: list[Plane], known: list[Mask]) -> NDArray[np.int64]:
    """(8, 8): how many coefficients are zero in blocks that begin at each offset, in lively windows of all planes."""
    zeros = np.zeros(64, np.int64)
    for plane, mask in zip(planes, known, strict=True):
        height, width = plane.shape
        if min(height, width) < _SIDE:
            continue
        ys, xs = (np.unique(np.linspace(0, n - _SIDE, _LINES).astype(np.int64)) for n in (height, width))
        lively = []
        for y in ys:
            for x in xs:
                window = slice(y, y + _SIDE), slice(x, x + _SIDE)
                if (mask[window] == 1).mean() >= _KNOWN:
                    lively.append((int(np.abs(np.diff(plane[window].astype(np.int32), axis=1)).sum()), int(y), int(x)))
        lively.sort(reverse=True)
        chosen = lively[:: max(1, len(lively) // (2 * _WINDOWS))][:_WINDOWS]
        windows = np.array([(y, x) for _, y, x in chosen], np.int64).reshape(-1, 2)
        count_zeros(plane, windows, zeros, COSINES, np.empty((3, 64)))
    return zeros.reshape(8, 8)


def origin(plane: Plane, known: Mask) -> tuple[int, int] | None:
    """Rows and columns of the first block before the picture, 0 to 7 each; None if there are no blocks."""
    zeros = zeros_by_offset([plane], [known])
    best = int(zeros.argmax())
    if zeros.max() == 0:  # nothing to see: the picture is small or clipped
        return 0, 0
    if zeros.flat[best] < _MORE * np.median(zeros) + _MARGIN:
        return None
    return -(best >> 3) % 8, -(best & 7) % 8
