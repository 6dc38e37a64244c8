"""Digits of samples in the compiled loop: the intervals that coders need, and both coders, symbol by symbol.

A decoder finds a digit by binary search, so that it computes 4 of the 17 cumulative frequencies; an encoder needs
two.  The intervals are those of the rows of 16 frequencies that other coders get.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import range_numba, rans_numba
from pixcodecs.coders.base import TOTAL
from pixcodecs.compiled import inlined

from pixzip.engine.backends.numba.colours import refined
from pixzip.engine.backends.numba.mixture import below, digit_below, share_below

_TOTAL = TOTAL
#: Entropy coders in the compiled loop.
RANGE, RANS = 0, 1
#: What a decoder gives instead of a digit: the payload is damaged, or has ended.
DAMAGED, ENDED = -1, -2
_SURE = np.int64(range_numba.SURE)
_RANGE, _DAMAGED, _ENDED = RANGE, np.int64(DAMAGED), np.int64(ENDED)


class Streams(NamedTuple):
    """Coded data of one or several images.

    Attributes:
        coder: `RANGE` or `RANS`.
        of_image: (N,) int64: the stream of each image.
        words: (S,) uint32: the words of all streams.
        first, end: (S,) int64: each stream's words.
        states: (S, 4) uint64: states of the range coder, see `range_numba`; number of words in the last column.
        lanes: (L,) int64: states of rANS lanes of all streams.
        first_lane, lane_mask: (S,) int64: each stream's lanes; their number less one.
    """

    coder: int
    of_image: NDArray[np.int64]
    words: NDArray[np.uint32]
    first: NDArray[np.int64]
    end: NDArray[np.int64]
    states: NDArray[np.uint64]
    lanes: NDArray[np.int64]
    first_lane: NDArray[np.int64]
    lane_mask: NDArray[np.int64]


@inlined
def raw_below(heads, m, i, deep, sample):
    """`share_below` or `below` a sample, which colours seen refine."""
    if deep:
        return share_below(heads, m, i, sample)
    frequency = np.int64(below(heads, m, i, sample))
    if m.colours.number[i] and 0 < sample < 256:
        return refined(m.colours, i, sample, frequency)
    return frequency


@inlined
def edge_below(deep, low, high, raw, digit):
    """The frequency below a digit."""
    return digit_below(low, high - low, raw, digit) if deep else raw - low


@inlined
def interval(heads, m, i, deep, low, high, prefix, shift, digit):
    """A digit's cumulative frequencies, the total, and `raw_below` the digit and the next one.

    Args:
        low, high: `raw_below` the digit 0 and the digit 16.
        prefix: the digits before.
        shift: bits of the digits after this one.
    """
    total = _TOTAL if deep else high - low
    first, last, start, stop = low, high, np.int64(0), np.int64(total)
    if digit > 0:
        first = raw_below(heads, m, i, deep, (prefix * 16 + digit) << shift)
        start = edge_below(deep, low, high, first, digit)
    if digit < 15:
        last = raw_below(heads, m, i, deep, (prefix * 16 + digit + 1) << shift)
        stop = edge_below(deep, low, high, last, digit + 1)
    return start, stop, np.int64(total), first, last


@inlined
def row_of(heads, m, i, deep, low, high, prefix, shift, out):
    """Write the (16,) frequencies of a digit, see `interval`."""
    start = np.int64(0)
    for e in range(16):
        stop = np.int64(_TOTAL if deep else high - low)
        if e < 15:
            stop = edge_below(
                deep, low, high, raw_below(heads, m, i, deep, (prefix * 16 + e + 1) << shift), np.int64(e + 1)
            )
        out[e] = stop - start
        start = stop


@inlined
def decode_digit(heads, m, i, deep, low, high, prefix, shift, s, stream, lane):
    """Decode a digit of pixel i: the digit, `DAMAGED` or `ENDED`; and `raw_below` it
    and below the next digit.  `s` is a Streams."""
    total = np.int64(_TOTAL if deep else high - low)
    is_range = s.coder == _RANGE
    scale, limit, sure = np.float32(0), np.int64(0), np.int64(-1)
    state = s.states[stream]
    if is_range:
        scale = range_numba.scale_of(total)
        limit = range_numba.quantile(state)
        if limit < 0:
            return _DAMAGED, low, high
        near, sure = range_numba.about(limit, total), _SURE
    else:
        lane = s.first_lane[stream] + (lane & s.lane_mask[stream])
        near = rans_numba.limit_of(s.lanes[lane], total)
    a, b, first, last, start, stop = 0, 16, low, high, np.int64(0), total
    for _ in range(4):
        middle = (a + b) >> 1
        raw = raw_below(heads, m, i, deep, (prefix * 16 + middle) << shift)
        edge = edge_below(deep, low, high, raw, middle)
        reached = edge <= near
        if abs(edge - near) <= sure:  # too near for a comparison without the coder's floats
            reached = range_numba.left_of(edge, middle, scale) <= limit
        if reached:
            a, first, start = middle, raw, edge
        else:
            b, last, stop = middle, raw, edge
    if is_range:
        left = range_numba.left_of(start, a, scale)
        right = range_numba.left_of(stop, b, scale) if b < 16 else np.int64(range_numba.WHOLE)
        if not range_numba.take(state, left, right, s.words, s.first[stream], s.end[stream]):
            return _ENDED, low, high
    elif not rans_numba.take(s.lanes, lane, start, stop, total, s.words, state, s.first[stream], s.end[stream]):
        return _ENDED, low, high
    return np.int64(a), first, last
