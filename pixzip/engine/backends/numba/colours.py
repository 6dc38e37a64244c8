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
from pixzip.models.wavefront.lattices import bitmaps
from pixzip.models.wavefront.taps import SLOPE

_TOTAL, _CLASSES, _LIMIT, _PRIOR = TOTAL, C.CLASSES, C.LIMIT, C.PRIOR
_SLOPE = SLOPE
_MOST, _MOST_WITH_LATTICE = C.MOST_VALUES, C.MOST_WITH_LATTICE
_LEAST, _SPARE = C.LEAST_SHARE, 16 * (TOTAL - 256)
_WORDS = 1 << 18
_ONE = np.uint64(1)

Int64 = NDArray[np.int64]


class Colours(NamedTuple):
    """The colours of a batch's images, and what they mean for the pixels of a step.

    Attributes:
        at: (N,) int64 row of an image in the next three arrays, or -1.
        bitmap: (S, 2^18) uint64: bit 256 (256 a + b) + v is set where the colour (a, b, v) occurred.
        hits, uses: (2, S, CLASSES) int64: how often a class gave a likely value, and how often it was used; then how
            often, of likely values, one that had occurred.
        lattices: (L, 2^18) uint64 bitmaps of colours on lattices.
        lattice_at: (N,) int64 an image's row of `lattices`, or -1.
        number: (M,) int64 likely values: those that occurred with a pixel's known channels, or are on the lattice with
            them; 0 where frequencies stay as they are.
        values: (M, V) uint8, these values in order.
        starts: (M, 16) int64 numbers of the values below 0, 16, 32...
        below: (M, V + 1, 2) int64 frequencies of the values before each: of those that occurred, and of the others.
        inner, middle, outer: (M,) int64 factors, of 2^20, of the frequencies of values that occurred, of other likely
            values, and of unlikely ones.
        kinds: (M, 2) int64 classes of a pixel, or -1.
    """

    at: Int64
    bitmap: NDArray[np.uint64]
    hits: Int64
    uses: Int64
    lattices: NDArray[np.uint64]
    lattice_at: Int64
    number: Int64
    values: NDArray[np.uint8]
    starts: Int64
    below: Int64
    inner: Int64
    middle: Int64
    outer: Int64
    kinds: Int64


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
    hits, uses = (np.zeros((2, count, _CLASSES), np.int64) for _ in range(2))
    return Seen(np.zeros((count, _WORDS), np.uint64), hits, uses)


def colours(
    sizes: Sequence[tuple[int, int]], most: int, *, remembered: bool, shared: Seen | None = None,
    lattices: Sequence[int] = (), order: tuple[int, ...] = (0, 1, 2),
) -> Colours:  # fmt: skip
    """No colours yet.

    Args:
        sizes: (height, width) of the images.
        most: number of pixels in the largest step.
        remembered: whether images of enough pixels remember their colours.
        shared: colours seen before, which these images share; None if each has its own.
        lattices: number of the lattice of each image; no image has one if there are none.
        order: the image's channels in coding order.
    """
    large = np.array([state_bytes(size) > 0 for size in sizes]) & remembered
    at, seen = np.cumsum(large) - 1, unseen(int(large.sum()))
    if shared is not None and large.any():
        at, seen = np.zeros_like(at), shared
    used = [number if on else 0 for number, on in zip(lattices or [0] * len(sizes), large, strict=True)]
    regular, lattice_at = bitmaps(used, order)
    m, values = most if remembered else 0, C.MOST_WITH_LATTICE if len(regular) else C.MOST_VALUES
    return Colours(
        at=np.where(large, at, -1), bitmap=seen.bitmap, hits=seen.hits, uses=seen.uses,
        lattices=regular, lattice_at=lattice_at,
        number=np.zeros(most, np.int64), values=np.zeros((m, values), np.uint8), starts=np.zeros((m, 16), np.int64),
        below=np.zeros((m, values + 1, 2), np.int64), inner=np.zeros(m, np.int64), middle=np.zeros(m, np.int64),
        outer=np.zeros(m, np.int64), kinds=np.full((m, 2), -1),
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
    seen, others = c.below[i, r, 0], c.below[i, r, 1]
    return ((c.inner[i] * seen + c.middle[i] * others + c.outer[i] * (frequency - seen - others)) >> 20) + value


@inlined
def _has(bitmap, row, index):
    """1 where a colour is in a bitmap, else 0."""
    return np.int64((bitmap[row, index >> 6] >> np.uint64(index & 63)) & _ONE)


@inlined
def _look(c, row, which, first, most, i):
    """Write the likely values, out of the 256 bits from bit `first`, and return their number."""
    number = np.int64(0)
    for word in range(4):
        bits = c.bitmap[row, (first >> 6) + word]
        if which >= 0:
            bits |= c.lattices[which, (first >> 6) + word]
        for part in range(4):
            c.starts[i, 4 * word + part] = min(number, most)
            some = np.int64((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF))
            value = 64 * word + 16 * part
            while some:
                if some & 1:
                    if number < most:
                        c.values[i, number] = value
                    number += 1
                some >>= 1
                value += 1
    return number


@inlined
def _share(c, which, row, kind, part, whole):
    """The share, of 2^16, of what has the frequency `part` of `whole`, as a class has learned it."""
    first = (part << 18) // whole
    share = ((c.hits[which, row, kind] << 16) + first) // (c.uses[which, row, kind] + _PRIOR)
    return max(_LEAST, min((1 << 16) - _LEAST, share))


@inlined
def _kind(one, other):
    """The class of the odds of two frequencies."""
    return max(0, min(_CLASSES - 1, half_octave(one) - half_octave(other) + _CLASSES // 2))


@inlined
def _weigh(c, i, row):
    """Compute the factors of pixel i from `c.below`."""
    seen, others = c.below[i, c.number[i], 0], c.below[i, c.number[i], 1]
    likely = seen + others
    c.kinds[i, 0] = _kind(likely, _TOTAL - likely)
    share = _share(c, 0, row, c.kinds[i, 0], likely, np.int64(_TOTAL))
    of_seen = of_others = share
    if seen and others:
        c.kinds[i, 1] = _kind(seen, others)
        part = _share(c, 1, row, c.kinds[i, 1], seen, likely)
        of_seen, of_others = (share * part) >> 16, (share * ((1 << 16) - part)) >> 16
    c.inner[i] = of_seen * _SPARE // seen if seen else 0
    c.middle[i] = of_others * _SPARE // others if others else 0
    c.outer[i] = ((1 << 16) - share) * _SPARE // (_TOTAL - likely)


@compiled
def look(channel, first, stop, heads, p, m, pixels):
    """Before a channel of the step's pixels `first` to `stop` - 1 is coded: find the likely values."""
    c = m.colours
    for i in range(first, stop):
        c.number[i], c.kinds[i, 0], c.kinds[i, 1] = 0, -1, -1
        row, which = c.at[p.image[i]], c.lattice_at[p.image[i]]
        if channel < 2 or row < 0:
            continue
        known = pixels[p.address[i]]
        start = (np.int64(known[0]) << 16) + (np.int64(known[1]) << 8)
        most = np.int64(_MOST_WITH_LATTICE if which >= 0 else _MOST)
        number = _look(c, row, which, start, most, i)
        if not 0 < number <= most:
            continue
        after, upper = np.int64(-1), np.int64(0)
        c.below[i, 0, 0] = c.below[i, 0, 1] = 0
        for r in range(number):
            value = np.int64(c.values[i, r])
            lower = upper if value == after else np.int64(below(heads, m, i, value))
            after = value + 1
            upper = np.int64(below(heads, m, i, after))
            new = 1 - _has(c.bitmap, row, start + value)
            c.below[i, r + 1, new] = c.below[i, r, new] + upper - lower
            c.below[i, r + 1, 1 - new] = c.below[i, r, 1 - new]
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
                elif c.kinds[i, 0] >= 0:
                    seen = likely = _has(c.bitmap, row, index)
                    if c.lattice_at[n] >= 0:
                        likely |= _has(c.lattices, c.lattice_at[n], index)
                    c.uses[0, row, c.kinds[i, 0]] += 1
                    c.hits[0, row, c.kinds[i, 0]] += likely
                    if likely and c.kinds[i, 1] >= 0:
                        c.uses[1, row, c.kinds[i, 1]] += 1
                        c.hits[1, row, c.kinds[i, 1]] += seen
                address += places.pitch[n] - _SLOPE
                i += 1
            i += count if row < 0 else 0
    for which in range(2):
        for row in range(c.hits.shape[1]):
            for kind in range(_CLASSES):
                while c.uses[which, row, kind] > _LIMIT:
                    c.uses[which, row, kind] >>= 1
                    c.hits[which, row, kind] >>= 1
