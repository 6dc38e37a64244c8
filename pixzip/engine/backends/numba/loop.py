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

from pixzip.engine.backends.numba.adapt import learn, move, solve
from pixzip.engine.backends.numba.colours import look, remember
from pixzip.engine.backends.numba.digits import decode_digit, interval, row_of
from pixzip.engine.backends.numba.features import features
from pixzip.engine.backends.numba.mixture import Mixtures, mixtures
from pixzip.engine.backends.numba.places import fill, in_flight
from pixzip.engine.backends.numba.sync import meet
from pixzip.engine.backends.numba.trunk import Int64, Scratch, trunk
from pixzip.models.wavefront.tables import CDF_FULL

_TOTAL, _FULL = TOTAL, CDF_FULL
#: What becomes of known samples: payloads, bits, or rows of frequencies; `DECODE` has none.
DECODE, ENCODE, MEASURE, ROWS = 0, 1, 2, 3
_ENCODE, _MEASURE, _ROWS = ENCODE, MEASURE, ROWS


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
def store(value, i, channel, address, m, pixels):
    """Store a sample and its residuals."""
    unit = m.units[i]
    residual, most = np.int32(value - m.centre[i, channel]), np.int32(127 << unit)
    pixels[address, channel] = value
    m.fine[i, channel] = max(-most, min(most, residual))
    m.known[i, channel] = max(-127, min(127, (residual + ((1 << unit) >> 1)) >> unit))


@pasted
def _decode_channel(channel, t, count, places, p, heads, m, e, s, work):
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
        if e.errors.shape[0]:
            learn(work.prefix[i], i, channel, t, p, m, e)
    return True


@pasted
def _use(channel, t, i, places, p, heads, m, e, work, mode, row, count):
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
            edge = work.edges[t & 1, i, channel, d]
            edge[0], edge[1], edge[2], edge[3] = start, stop, total, digit
    if mode == _MEASURE:
        work.bits[p.address[i]] += bits
    store(value, i, channel, p.address[i], m, work.pixels)
    if e.errors.shape[0]:
        learn(value, i, channel, t, p, m, e)


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
                    edge = edges[i, channel, d]
                    scale = range_numba.scale_of(np.int64(edge[2]))
                    left = range_numba.left_of(np.int64(edge[0]), np.int64(edge[3]), scale)
                    right = np.int64(range_numba.WHOLE)
                    if edge[3] < 15:
                        right = range_numba.left_of(np.int64(edge[1]), np.int64(edge[3]) + 1, scale)
                    range_numba.put(s.states[stream], left, right, s.words, s.first[stream])
                    i += 1


@pasted
def begin(part, parts, t, places, network, rings, p, scratch, m, e, pixels):
    """Run the trunk for this thread's pixels of step t, and solve its share of the equations.

    Returns:
        The step's size, this thread's first pixel and the one after its last, and its views of buffers.
    """
    count, i, j = fill(places, t, part, parts, rings.shape[1] - 1, p)
    if e.errors.shape[0]:
        solve(part, parts, t, places, e)
    own = Scratch(
        scratch.features[i:j], scratch.activations[i:j], scratch.others[i:j], scratch.stream[i:j],
        scratch.hidden[i:j], scratch.own[: j - i], scratch.repeated,
    )  # fmt: skip
    mine = Mixtures(
        m.weights[i:j], m.means[i:j], m.slopes[i:j], m.units[i:j], m.tops[i:j], m.centre[i:j], m.known[i:j],
        m.fine[i:j], m.inputs[i:j], m.outputs[i:j], m.colours,
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
def encode(part, parts, counter, steps, places, network, heads, rings, p, scratch, m, e, s, work, mode):
    """Code the known samples of steps[0] to steps[1] - 1 as thread `part` of `parts`.

    Args:
        counter: (1,) int64 zero, by which the threads meet.
        steps: (2,) int64.
        places, network, heads, p, scratch, m, e, s, work: see Places, Trunk, Heads, StepPixels, Scratch, Mixtures,
            Equations, Streams and Work.
        rings: (B, R, W) int16; the last row is zero.
        mode: `ENCODE`, `MEASURE` or, in one thread, `ROWS`.
    """
    meetings, first_row, adapts = 0, np.int64(0), e.errors.shape[0] > 0
    remembers = m.colours.bitmap.shape[0] > 0
    for t in range(steps[0], steps[1]):
        count, i, j, own, mine = begin(part, parts, t, places, network, rings, p, scratch, m, e, work.pixels)
        if not count:
            continue
        if adapts:
            meetings += 1
            meet(counter.ctypes.data, meetings, parts)
        for channel in range(m.centre.shape[1]):
            if i < j:
                mixtures(channel, heads, own.hidden, own.own, mine)
                if adapts:
                    move(channel, t, i, j, places, p, m, e, work.pixels)
                    if remembers:
                        look(channel, i, j, heads, p, m, work.pixels)
            for row in range(i, j):
                _use(channel, t, row, places, p, heads, m, e, work, mode, first_row + row, count)
            first_row += count * places.digits
        meetings += 1
        meet(counter.ctypes.data, meetings, parts)
        if part == 0 and remembers:
            remember(t, places, m.colours, work.pixels)
        if part == 0 and mode == _ENCODE and not work.shares.shape[0]:
            _write(t, places, s, work)


@compiled
def decode(part, parts, counter, steps, places, network, heads, rings, p, scratch, m, e, s, work):
    """Decode the samples of steps[0] to steps[1] - 1, see `encode`; ends early with a number in `work.status`."""
    meetings, at, adapts = 0, counter.ctypes.data, e.errors.shape[0] > 0
    remembers = m.colours.bitmap.shape[0] > 0
    for t in range(steps[0], steps[1]):
        count, i, j, own, mine = begin(part, parts, t, places, network, rings, p, scratch, m, e, work.pixels)
        if not count:
            continue
        if adapts:
            meetings += 1
            meet(at, meetings, parts)
        for channel in range(m.centre.shape[1]):
            if i < j:
                mixtures(channel, heads, own.hidden, own.own, mine)
                if adapts:
                    move(channel, t, i, j, places, p, m, e, work.pixels)
                    if remembers:
                        look(channel, i, j, heads, p, m, work.pixels)
            meetings += 1
            meet(at, meetings, parts)
            if part == 0:
                _decode_channel(channel, t, count, places, p, heads, m, e, s, work)
            meetings += 1
            meet(at, meetings, parts)
            if work.status[0] < 0:
                return
        if part == 0 and remembers:
            remember(t, places, m.colours, work.pixels)
