"""The compiled range encoder, for symbols whose cumulative frequencies are all known in advance.

It writes the same words as `range.Encoder`, without the rows of 16 frequencies per symbol.
"""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders.base import EDGE_BITS, TOTAL, Edges
from pixcodecs.compiled import compiled

_TOTAL = TOTAL
_EDGE_BITS, _EDGE = EDGE_BITS, (1 << EDGE_BITS) - 1
_SHARES = np.float32((1 << 24) - 16)
_WORD, _SHARE = np.uint64(32), np.uint64(24)
_LOW_WORD = np.uint64(0xFFFFFFFF)


@compiled
def _carry(words, n):
    """Add one to the number formed by the first n words."""
    while n:
        n -= 1
        words[n] += np.uint32(1)
        if words[n]:
            break


@compiled
def encode(edges, values, words):
    """Code an image in the order of `docs/format.md`; return the number of words.

    `edges` is (H, W, C, 2) int64: for a value's bin and for the value, the cumulative frequencies below it and below
    the next one, 21 bits each.  `values` is (H, W, C) uint8.  `words` is uint32, with two more words than symbols.
    """
    h, w, channels = values.shape
    low, span, n = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF), 0
    for t in range(w + 2 * h - 2):
        first, last = max(0, (t - w + 2) // 2), min(h - 1, t // 2)
        for c in range(channels):
            for digit in range(2):
                for y in range(first, last + 1):
                    x = t - 2 * y
                    start, stop, total = edges[y, x, c, digit] >> _EDGE_BITS, edges[y, x, c, digit] & _EDGE, _TOTAL
                    symbol = values[y, x, c] >> 4
                    if digit:
                        bin_start, bin_stop = edges[y, x, c, 0] >> _EDGE_BITS, edges[y, x, c, 0] & _EDGE
                        start, stop, total = start - bin_start, stop - bin_start, bin_stop - bin_start
                        symbol = values[y, x, c] & 15
                    scale = _SHARES / np.float32(total)
                    left = np.int64(np.float32(start) * scale) + symbol
                    right = np.int64(1 << 24)
                    if symbol < 15:
                        right = np.int64(np.float32(stop) * scale) + symbol + 1
                    unit = span >> _SHARE
                    before = low
                    low = low + unit * np.uint64(left)
                    if low < before:
                        _carry(words, n)
                    span = unit * np.uint64(right - left)
                    if span >> _WORD == np.uint64(0):
                        words[n] = np.uint32(low >> _WORD)
                        n += 1
                        low, span = low << _WORD, span << _WORD
    head, top = low + _LOW_WORD, low + span
    if head < low:
        _carry(words, n)
    words[n] = np.uint32(head >> _WORD)
    words[n + 1] = np.uint32(0)
    same = (head < low) == (top < low) and head >> _WORD == top >> _WORD
    return n + 2 if same else n + 1


def from_edges(edges: Edges, values: NDArray[np.uint8]) -> bytes:
    """(H, W, C, 2) edges and (H, W, C) samples in coding order -> a payload, see `EntropyCoder.from_edges`."""
    words = np.empty(2 * values.size + 2, np.uint32)
    n = encode(np.ascontiguousarray(edges), np.ascontiguousarray(values), words)
    return words[:n].astype("<u4").tobytes()
