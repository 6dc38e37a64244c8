"""The compiled range coder, for symbols whose cumulative frequencies are computed one by one.

It reads and writes the same words as `range`, without the rows of 16 frequencies per symbol.  The state of a coder is
(4,) uint64: low, range, point (decoder) and the number of words read or written.
"""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders.base import EDGE_BITS, TOTAL, Edges
from pixcodecs.compiled import compiled, inlined
from pixcodecs.errors import BitstreamError

_TOTAL = TOTAL
_EDGE_BITS, _EDGE = EDGE_BITS, (1 << EDGE_BITS) - 1
_SHARES, _UNIT = np.float32((1 << 24) - 16), 1 / ((1 << 24) - 16)
#: See `about`.
SURE = 3
_WORD, _SHARE = np.uint64(32), np.uint64(24)
_LOW_WORD = np.uint64(0xFFFFFFFF)


@inlined
def _carry(words, n):
    """Add one to the number formed by the first n words."""
    while n:
        n -= 1
        words[n] += np.uint32(1)
        if words[n]:
            break


#: Range of a coder that has coded nothing.
SPAN = 2**64 - 1
#: End of the last symbol's interval.
WHOLE = 1 << 24
_WHOLE = WHOLE


@inlined
def scale_of(total):
    """Parts of 2^24 per unit of frequency in a row of 16 with this sum."""
    return _SHARES / np.float32(total)


@inlined
def left_of(below, symbol, scale):
    """The start of a symbol's interval, of 2^24, from the frequency below it."""
    return np.int64(np.float32(below) * scale) + symbol


def new_states(n: int) -> NDArray[np.uint64]:
    """(N, 4) states of encoders that have coded nothing."""
    states = np.zeros((n, 4), np.uint64)
    states[:, 1] = SPAN
    return states


@inlined
def about(position, total):
    """About the largest frequency below a symbol that starts at a position of 2^24 or before it.

    Frequencies up to `SURE` less are at such symbols, those more than `SURE` above are not; `left_of` decides between.
    The shares of 16 symbols move a start by less than 2 of 2^20 units, rounding to float32 by less than a fourth.
    """
    return np.int64(np.float64((position + 1) * total) * _UNIT)


@compiled
def start(state, words, first, end):
    """Start decoding the words `first` to `end`."""
    state[0], state[1], state[3] = 0, np.uint64(0xFFFFFFFFFFFFFFFF), 2
    point = np.uint64(words[first]) << _WORD if first < end else np.uint64(0)
    state[2] = point | (np.uint64(words[first + 1]) if first + 1 < end else np.uint64(0))


@inlined
def quantile(state):
    """The position of the next symbol, of 2^24; -1 if no encoder writes such words."""
    found = np.int64((state[2] - state[0]) // (state[1] >> _SHARE))
    return found if 0 <= found < _WHOLE else np.int64(-1)


@inlined
def take(state, left, right, words, first, end):
    """Remove a symbol of the interval from left to right; False if the words ended before it."""
    unit = state[1] >> _SHARE
    low, span = state[0] + unit * np.uint64(left), unit * np.uint64(right - left)
    if span >> _WORD == np.uint64(0):
        at = first + np.int64(state[3])
        low, span = low << _WORD, span << _WORD
        state[2] = state[2] << _WORD | (np.uint64(words[at]) if at < end else np.uint64(0))
        state[3] += np.uint64(1)
        if at > end:
            return False
    state[0], state[1] = low, span
    return True


@compiled
def is_exhausted(state, length):
    """Whether a stream of `length` words may end here."""
    if np.int64(state[3]) < length:
        return False
    return state[1] == np.uint64(0xFFFFFFFFFFFFFFFF) or state[2] - state[0] < (_LOW_WORD << np.uint64(1)) + np.uint64(1)


@inlined
def put(state, left, right, words, first):
    """Append a symbol of the interval from left to right."""
    unit, before = state[1] >> _SHARE, state[0]
    low = before + unit * np.uint64(left)
    n = np.int64(state[3])
    if low < before:
        _carry(words[first:], n)
    span = unit * np.uint64(right - left)
    if span >> _WORD == np.uint64(0):
        words[first + n] = np.uint32(low >> _WORD)
        state[3] += np.uint64(1)
        low, span = low << _WORD, span << _WORD
    state[0], state[1] = low, span


@compiled
def finish(state, words, first):
    """Append the last words; return the number of words."""
    low, span, n = state[0], state[1], np.int64(state[3])
    if span == np.uint64(0xFFFFFFFFFFFFFFFF) and n == 0:
        return 0
    head, top = low + _LOW_WORD, low + span
    if head < low:
        _carry(words[first:], n)
    words[first + n] = np.uint32(head >> _WORD)
    words[first + n + 1] = np.uint32(0)
    same = (head < low) == (top < low) and head >> _WORD == top >> _WORD
    return n + 2 if same else n + 1


@compiled
def encode(edges, values, state, words):
    """Code an image in the order of `docs/format.md`; return the number of words.

    `edges` is (H, W, C, 2) int64: for a value's bin and for the value, the cumulative frequencies below it and below
    the next one, 21 bits each.  `values` is (H, W, C) uint8.  `words` is uint32, with two more words than
    symbols.  `state` is one of `new_states`.
    """
    h, w, channels = values.shape
    for t in range(w + 2 * h - 2):
        first, last = max(0, (t - w + 2) // 2), min(h - 1, t // 2)
        for c in range(channels):
            for digit in range(2):
                for y in range(first, last + 1):
                    x = t - 2 * y
                    below, stop, total = edges[y, x, c, digit] >> _EDGE_BITS, edges[y, x, c, digit] & _EDGE, _TOTAL
                    symbol = values[y, x, c] >> 4
                    if digit:
                        bin_start, bin_stop = edges[y, x, c, 0] >> _EDGE_BITS, edges[y, x, c, 0] & _EDGE
                        below, stop, total = below - bin_start, stop - bin_start, bin_stop - bin_start
                        symbol = values[y, x, c] & 15
                    scale = scale_of(total)
                    right = left_of(stop, symbol + 1, scale) if symbol < 15 else np.int64(_WHOLE)
                    put(state, left_of(below, symbol, scale), right, words, 0)
    return finish(state, words, 0)


def parse(payload: bytes) -> NDArray[np.uint32]:
    """The words of a payload.

    Raises:
        BitstreamError: its length is no multiple of 4 bytes.
    """
    if len(payload) % 4:
        raise BitstreamError(f"payload has {len(payload)} bytes, expected a multiple of 4")
    return np.frombuffer(payload, "<u4").astype(np.uint32)


def from_edges(edges: Edges, values: NDArray[np.uint8]) -> bytes:
    """(H, W, C, 2) edges and (H, W, C) samples in coding order -> a payload, see `EntropyCoder.from_edges`."""
    words = np.empty(2 * values.size + 2, np.uint32)
    n = encode(np.ascontiguousarray(edges), np.ascontiguousarray(values), new_states(1)[0], words)
    return words[:n].astype("<u4").tobytes()
