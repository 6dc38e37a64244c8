"""Where the pixels of a step are in memory."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.compiled import compiled, inlined

from pixzip.engine.schedule import BACK, RING
from pixzip.models.wavefront.taps import MASK_B

Int64 = NDArray[np.int64]

_RING = RING
_BACK, _DY, _DX = np.array(BACK, np.int64), *(np.array(axis, np.int64) for axis in zip(*MASK_B, strict=True))


class Places(NamedTuple):
    """Where the images of a batch are in memory, see `engine.schedule.Schedule`.

    Attributes:
        height, width, base, pitch: (N,) int64 sides, first addresses and address steps between rows.
        first_row, most: (N,) int64: first row of a ring's slot, and number of rows that an image takes there.
        offsets: (N, T) int64 offsets of the taps' addresses.
        units, levels, tops: (N,) int64: see `features` and `Mixtures`; the first two are empty for 8 bits.
        inside: (P,) bool: whether an address is a pixel of an image.
        slot: number of rows of a ring's slot.
        digits: number of digits of a sample.
    """

    height: Int64
    width: Int64
    base: Int64
    pitch: Int64
    first_row: Int64
    most: Int64
    offsets: Int64
    units: Int64
    levels: Int64
    tops: Int64
    inside: NDArray[np.bool_]
    slot: int
    digits: int


class StepPixels(NamedTuple):
    """The pixels of a step, (M,) int64, and (M, T) rows of the rings that their taps read."""

    image: Int64
    y: Int64
    address: Int64
    taps: Int64


@inlined
def in_flight(places, n, t):
    """The first row of image n in step t, and the number of its rows."""
    first = max(0, (t - places.width[n] + 2) // 2)
    return first, max(0, min(places.height[n] - 1, t // 2) - first + 1)


@compiled
def fill(places, t, part, parts, zero_row, p):
    """Write this thread's pixels of step t into `p`, a StepPixels; return the step's size and this thread's range."""
    m = 0
    for n in range(places.height.shape[0]):
        m += in_flight(places, n, t)[1]
    i, j = m * part // parts, m * (part + 1) // parts
    start = 0
    for n in range(places.height.shape[0]):
        first, count = in_flight(places, n, t)
        for row in range(max(i, start), min(j, start + count)):
            y = first + row - start
            x = t - 2 * y
            p.image[row], p.y[row] = n, y
            p.address[row] = places.base[n] + y * places.pitch[n] + x
            for k in range(_BACK.shape[0]):
                if y + _DY[k] < 0 or x + _DX[k] < 0 or x + _DX[k] >= places.width[n]:
                    p.taps[row, k] = zero_row
                else:
                    slot = (t - _BACK[k]) % _RING * places.slot
                    p.taps[row, k] = slot + places.first_row[n] + (y + _DY[k]) % places.most[n]
        start += count
    return m, i, j
