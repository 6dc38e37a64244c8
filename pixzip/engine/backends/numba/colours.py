"""Colours seen, in the compiled loop: see `models.wavefront.colours`."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import TOTAL
from pixcodecs.compiled import bit_length, compiled, inlined

from pixzip.engine.backends.numba.mixture import below
from pixzip.engine.backends.numba.places import in_flight
from pixzip.models.wavefront import colours as C
from pixzip.models.wavefront.taps import SLOPE

_TOTAL, _CLASSES, _LIMIT, _PRIOR = TOTAL, C.CLASSES, C.LIMIT, C.PRIOR
_SLOPE = SLOPE
_MOST, _LEAST, _SPARE = C.MOST_VALUES, C.LEAST_SHARE, 16 * (TOTAL - 256)
_WORDS = 1 << 18
_ONE = np.uint64(1)

Int64 = NDArray[np.int64]


class Colours(NamedTuple):
    """The colours of a batch's images, and what they mean for the pixels of a step.

    Attributes:
        at: (N,) int64 row of an image in the next three arrays, or -1.
        bitmap: (S, 2^18) uint64: bit 256 (256 a + b) + v is set where the colour (a, b, v) occurred.
        hits, uses: (S, CLASSES) int64: how often a class gave a value that had occurred, and how often it was used.
        number: (M,) int64 values that occurred with a pixel's known channels; 0 where frequencies stay as they are.
        values: (M, MOST_VALUES) uint8, these values in order.
        starts: (M, 16) int64 numbers of the values below 0, 16, 32...
        below: (M, MOST_VALUES + 1) int64 frequencies of the values before each.
        inner, outer: (M,) int64 factors, of 2^20, of the frequencies of these values and of the others.
        kind: (M,) int64 class of a pixel, or -1.
    """

    at: Int64
    bitmap: NDArray[np.uint64]
    hits: Int64
    uses: Int64
    number: Int64
    values: NDArray[np.uint8]
    starts: Int64
    below: Int64
    inner: Int64
    outer: Int64
    kind: Int64


def state_bytes(size: tuple[int, int]) -> int:
    """Bytes of the bitmap of an image of (height, width) that may remember its colours; 0 if it is too small."""
    return 8 * _WORDS if size[0] * size[1] >= C.LEAST_PIXELS else 0


class Seen(NamedTuple):
    """What was learned: see `Colours`."""

    bitmap: NDArray[np.uint64]
    hits: Int64
    uses: Int64


def unseen(count: int) -> Seen:
    """No colours yet, for each of some images."""
    hits, uses = (np.zeros((count, _CLASSES), np.int64) for _ in range(2))
    return Seen(np.zeros((count, _WORDS), np.uint64), hits, uses)


def colours(sizes: Sequence[tuple[int, int]], most: int, *, remembered: bool, shared: Seen | None = None) -> Colours:
    """No colours yet.

    Args:
        sizes: (height, width) of the images.
        most: number of pixels in the largest step.
        remembered: whether images of enough pixels remember their colours.
        shared: colours seen before, which these images share; None if each has its own.
    """
    large = np.array([state_bytes(size) > 0 for size in sizes]) & remembered
    at, seen = np.cumsum(large) - 1, unseen(int(large.sum()))
    if shared is not None and large.any():
        at, seen = np.zeros_like(at), shared
    m = most if remembered else 0
    return Colours(
        at=np.where(large, at, -1), bitmap=seen.bitmap, hits=seen.hits, uses=seen.uses,
        number=np.zeros(most, np.int64), values=np.zeros((m, _MOST), np.uint8), starts=np.zeros((m, 16), np.int64),
        below=np.zeros((m, _MOST + 1), np.int64), inner=np.zeros(m, np.int64), outer=np.zeros(m, np.int64),
        kind=np.full(m, -1),
    )  # fmt: skip


@inlined
def half_octave(frequency):
    """The half octave of a frequency: twice floor(log2 f), and 1 more from 1.5 times that power of two on."""
    bits = bit_length(frequency) - 1
    return 2 * bits + ((frequency >> max(bits - 1, np.int64(0))) & 1 if bits else 0)


@inlined
def refined(c, i, value, frequency):
    """The frequency below a value of pixel i, 1 to 255, given that of the mixture."""
    r = c.starts[i, value >> 4]
    while r < c.number[i] and c.values[i, r] < value:
        r += 1
    seen = c.below[i, r]
    return ((c.inner[i] * seen + c.outer[i] * (frequency - seen)) >> 20) + value


@inlined
def _look(c, row, first, i):
    """Write the values that occurred, out of the 256 bits from bit `first`, and return their number."""
    number = np.int64(0)
    for word in range(4):
        bits = c.bitmap[row, (first >> 6) + word]
        for part in range(4):
            c.starts[i, 4 * word + part] = min(number, np.int64(_MOST))
            some = np.int64((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF))
            value = 64 * word + 16 * part
            while some:
                if some & 1:
                    if number < _MOST:
                        c.values[i, number] = value
                    number += 1
                some >>= 1
                value += 1
    return number


@inlined
def _weigh(c, i, row):
    """Compute the factors of pixel i from `c.below`."""
    seen = c.below[i, c.number[i]]
    others = _TOTAL - seen
    kind = max(0, min(_CLASSES - 1, half_octave(seen) - half_octave(others) + _CLASSES // 2))
    share = ((c.hits[row, kind] << 16) + seen * _PRIOR // 16) // (c.uses[row, kind] + _PRIOR)
    share = max(_LEAST, min((1 << 16) - _LEAST, share))
    c.kind[i] = kind
    c.inner[i] = share * _SPARE // seen
    c.outer[i] = ((1 << 16) - share) * _SPARE // others


@compiled
def look(channel, first, stop, heads, p, m, pixels):
    """Before a channel of the step's pixels `first` to `stop` - 1 is coded: find the values that occurred."""
    c = m.colours
    for i in range(first, stop):
        c.number[i], c.kind[i] = 0, -1
        row = c.at[p.image[i]]
        if channel < 2 or row < 0:
            continue
        known = pixels[p.address[i]]
        number = _look(c, row, (np.int64(known[0]) << 16) + (np.int64(known[1]) << 8), i)
        if not 0 < number <= _MOST:
            continue
        after, upper = np.int64(-1), np.int64(0)
        c.below[i, 0] = 0
        for r in range(number):
            value = np.int64(c.values[i, r])
            lower = upper if value == after else np.int64(below(heads, m, i, value))
            after = value + 1
            upper = np.int64(below(heads, m, i, after))
            c.below[i, r + 1] = c.below[i, r] + upper - lower
        c.number[i] = number
        _weigh(c, i, row)


@inlined
def _index(colour):
    """The bit of a pixel's colour."""
    return (np.int64(colour[0]) << 16) + (np.int64(colour[1]) << 8) + np.int64(colour[2])


@compiled
def remember(t, places, c, pixels):
    """Record the colours of step t; other threads may have begun the next step."""
    for twice in range(2):  # first all uses are counted, then colours are added
        i = 0
        for n in range(places.height.shape[0]):
            row = c.at[n]
            first, count = in_flight(places, n, t)
            address = places.base[n] + first * (places.pitch[n] - _SLOPE) + t
            for _ in range(count if row >= 0 else 0):
                index = _index(pixels[address])
                if twice:
                    c.bitmap[row, index >> 6] |= _ONE << np.uint64(index & 63)
                elif c.kind[i] >= 0:
                    c.uses[row, c.kind[i]] += 1
                    c.hits[row, c.kind[i]] += np.int64((c.bitmap[row, index >> 6] >> np.uint64(index & 63)) & _ONE)
                address += places.pitch[n] - _SLOPE
                i += 1
            i += count if row < 0 else 0
    for row in range(c.hits.shape[0]):
        for kind in range(_CLASSES):
            while c.uses[row, kind] > _LIMIT:
                c.uses[row, kind] >>= 1
                c.hits[row, kind] >>= 1
