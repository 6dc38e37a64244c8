"""The coding loop as one compiled call for many steps: trunk, heads, digits and entropy coder, in one or more threads.

Every thread owns a part of each step's pixels.  Threads meet once a step, and in a decoder twice a channel more,
because one thread reads the payload.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import range_numba, rans_numba
from pixcodecs.coders.base import TOTAL
from pixcodecs.compiled import compiled, inlined, pasted

from pixzip.engine.backends.numba.digits import decode_digit, interval, row_of
from pixzip.engine.backends.numba.features import features
from pixzip.engine.backends.numba.mixture import Mixtures, mixtures
from pixzip.engine.backends.numba.sync import meet
from pixzip.engine.backends.numba.trunk import Int64, Scratch, trunk
from pixzip.engine.schedule import BACK, RING
from pixzip.models.wavefront.tables import CDF_FULL
from pixzip.models.wavefront.taps import MASK_B

_RING, _TOTAL, _FULL = RING, TOTAL, CDF_FULL
_BACK, _DY, _DX = np.array(BACK, np.int64), *(np.array(axis, np.int64) for axis in zip(*MASK_B, strict=True))
#: What becomes of known samples: payloads, bits, or rows of frequencies; `DECODE` has none.
DECODE, ENCODE, MEASURE, ROWS = 0, 1, 2, 3
_ENCODE, _MEASURE, _ROWS = ENCODE, MEASURE, ROWS


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


class Work(NamedTuple):
    """What is read and written beside the network's own buffers.

    Attributes:
        pixels: (P, C) uint16 padded buffer.
        prefix, low, high: (M,) int64 state of a digit's search.
        edges: (2, M, C, D, 4) int32: start, stop, total and digit of every symbol of a step, for steps of even and odd
            number, so that threads go on while one writes.
        shares: (S, C D) int64 of every pixel in raster order, image after image, for rANS.
        shares_at: (N,) int64: each image's first row of `shares`.
        bits: (P,) float64 for `MEASURE`.
        rows: (Q, 16) int32 frequencies of all symbols for `ROWS`: step by step, channel by channel, digit by digit.
        status: (1,) int64: 0, or the number below zero that `digits.decode_digit` gave.
    """

    pixels: NDArray[np.uint16]
    prefix: Int64
    low: Int64
    high: Int64
    edges: NDArray[np.int32]
    shares: Int64
    shares_at: Int64
    bits: NDArray[np.float64]
    rows: NDArray[np.int32]
    status: Int64


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


@inlined
def store(value, i, channel, address, m, pixels):
    """Store a sample and its residuals."""
    unit = m.units[i]
    residual, most = np.int32(value - m.centre[i, channel]), np.int32(127 << unit)
    pixels[address, channel] = value
    m.fine[i, channel] = max(-most, min(most, residual))
    m.known[i, channel] = max(-127, min(127, (residual + ((1 << unit) >> 1)) >> unit))


@pasted
def _decode_channel(channel, count, places, p, heads, m, s, work):
    """Decode a channel of all pixels of a step; False if that fails."""
    deep = places.digits > 2
    for i in range(count):
        work.prefix[i], work.low[i], work.high[i] = 0, 0, (_FULL if deep else _TOTAL)
    for d in range(places.digits):
        shift = 4 * (places.digits - 1 - d)
        image, begin = np.int64(-1), 0
        for i in range(count):
            if p.image[i] != image:
                image, begin = p.image[i], (i if s.lanes.shape[0] else 0)
            digit, low, high = decode_digit(
                heads, m, i, deep, work.low[i], work.high[i], work.prefix[i], shift, s, s.of_image[image], i - begin
            )
            if digit < 0:
                work.status[0] = digit
                return False
            work.prefix[i], work.low[i], work.high[i] = work.prefix[i] * 16 + digit, low, high
    for i in range(count):
        store(work.prefix[i], i, channel, p.address[i], m, work.pixels)
    return True


@pasted
def _use(channel, t, i, places, p, heads, m, work, mode, row, count):
    """Compute the intervals of a pixel's known sample; `row` and `count` tell where its rows of frequencies are."""
    deep = places.digits > 2
    value = np.int64(work.pixels[p.address[i], channel])
    low, high, prefix = np.int64(0), np.int64(_FULL if deep else _TOTAL), np.int64(0)
    bits = 0.0
    for d in range(places.digits):
        shift = 4 * (places.digits - 1 - d)
        digit = value >> shift & 15
        if mode == _ROWS:
            row_of(heads, m, i, deep, low, high, prefix, shift, work.rows[row + d * count])
        start, stop, total, low, high = interval(heads, m, i, deep, low, high, prefix, shift, digit)
        prefix = prefix * 16 + digit
        if mode == _MEASURE:
            bits += np.log2(np.float64(total)) - np.log2(np.float64(stop - start))
        elif mode == _ENCODE and work.shares.shape[0]:
            x = t - 2 * p.y[i]
            at = work.shares_at[p.image[i]] + p.y[i] * places.width[p.image[i]] + x
            work.shares[at, channel * places.digits + d] = rans_numba.share(start, stop, total)
        elif mode == _ENCODE:
            edges = work.edges[t & 1, i, channel, d]
            edges[0], edges[1], edges[2], edges[3] = start, stop, total, digit
    if mode == _MEASURE:
        work.bits[p.address[i]] += bits
    store(value, i, channel, p.address[i], m, work.pixels)


@pasted
def _write(t, places, s, work):
    """Append a step's symbols to the range coder's streams."""
    edges = work.edges[t & 1]
    for channel in range(edges.shape[1]):
        for d in range(places.digits):
            i = 0
            for n in range(places.height.shape[0]):
                stream = s.of_image[n]
                for _ in range(in_flight(places, n, t)[1]):
                    e = edges[i, channel, d]
                    scale = range_numba.scale_of(np.int64(e[2]))
                    left = range_numba.left_of(np.int64(e[0]), np.int64(e[3]), scale)
                    right = np.int64(range_numba.WHOLE)
                    if e[3] < 15:
                        right = range_numba.left_of(np.int64(e[1]), np.int64(e[3]) + 1, scale)
                    range_numba.put(s.states[stream], left, right, s.words, s.first[stream])
                    i += 1


@pasted
def _begin(part, parts, t, places, network, rings, p, scratch, m, pixels):
    """Run the trunk for this thread's pixels of step t.

    Returns:
        The step's size, this thread's first pixel and the one after its last, and its views of buffers.
    """
    count, i, j = fill(places, t, part, parts, rings.shape[1] - 1, p)
    own = Scratch(
        scratch.features[i:j], scratch.activations[i:j], scratch.others[i:j], scratch.stream[i:j],
        scratch.hidden[i:j], scratch.own[: j - i], scratch.repeated,
    )  # fmt: skip
    mine = Mixtures(
        m.weights[i:j], m.means[i:j], m.slopes[i:j], m.units[i:j], m.tops[i:j], m.centre[i:j], m.known[i:j],
        m.fine[i:j], m.inputs[i:j], m.outputs[i:j],
    )  # fmt: skip
    if i < j:
        for row in range(i, j):
            m.tops[row] = places.tops[p.image[row]]
            if places.units.shape[0]:
                m.units[row] = places.units[p.image[row]]
        features(
            pixels, places.inside, p.address[i:j], p.image[i:j], places.offsets, places.units, places.levels,
            scratch.repeated[part], mine.centre, own.features,
        )  # fmt: skip
        trunk(network, rings, p.taps[i:j], own)
    return count, i, j, own, mine


@compiled
def encode(part, parts, counter, steps, places, network, heads, rings, p, scratch, m, s, work, mode):
    """Code the known samples of steps[0] to steps[1] - 1 as thread `part` of `parts`.

    Args:
        counter: (1,) int64 zero, by which the threads meet.
        steps: (2,) int64.
        places, network, heads, p, scratch, m, s, work: see Places, Trunk, Heads, StepPixels, Scratch, Mixtures, Streams
            and Work.
        rings: (B, R, W) int16; the last row is zero.
        mode: `ENCODE`, `MEASURE` or, in one thread, `ROWS`.
    """
    meetings, first_row = 0, np.int64(0)
    for t in range(steps[0], steps[1]):
        count, i, j, own, mine = _begin(part, parts, t, places, network, rings, p, scratch, m, work.pixels)
        if not count:
            continue
        for channel in range(m.centre.shape[1]):
            if i < j:
                mixtures(channel, heads, own.hidden, own.own, mine)
            for row in range(i, j):
                _use(channel, t, row, places, p, heads, m, work, mode, first_row + row, count)
            first_row += count * places.digits
        meetings += 1
        meet(counter.ctypes.data, meetings, parts)
        if part == 0 and mode == _ENCODE and not work.shares.shape[0]:
            _write(t, places, s, work)


@compiled
def decode(part, parts, counter, steps, places, network, heads, rings, p, scratch, m, s, work):
    """Decode the samples of steps[0] to steps[1] - 1, see `encode`; ends early with a number in `work.status`."""
    meetings, at = 0, counter.ctypes.data
    for t in range(steps[0], steps[1]):
        count, i, j, own, mine = _begin(part, parts, t, places, network, rings, p, scratch, m, work.pixels)
        if not count:
            continue
        for channel in range(m.centre.shape[1]):
            if i < j:
                mixtures(channel, heads, own.hidden, own.own, mine)
            meetings += 1
            meet(at, meetings, parts)
            if part == 0:
                _decode_channel(channel, count, places, p, heads, m, s, work)
            meetings += 1
            meet(at, meetings, parts)
            if work.status[0] < 0:
                return
