"""Interleaved rANS compiled for CPUs: codes like `rans`, symbol by symbol."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders import base, rans
from pixcodecs.coders.base import EDGE_BITS, Edges, Rows, Shape, Symbols
from pixcodecs.compiled import compiled, inlined
from pixcodecs.errors import BitstreamError

_PRECISION, _LOWEST = rans.PRECISION, rans.LOWEST
_MASK = (1 << _PRECISION) - 1
_EDGE_BITS, _EDGE = EDGE_BITS, (1 << EDGE_BITS) - 1


@compiled
def keep(symbols, freqs, t, s, out):
    """Write the shares of symbol s of step t's pixels into (H, W, S) `out`; see `rans.intervals_of`."""
    w = out.shape[1]
    first = max(0, (t - w + 2) // 2)
    for i in range(symbols.shape[0]):
        below, total = np.int64(0), np.int64(0)
        for k in range(freqs.shape[1]):
            if k < symbols[i]:
                below += np.int64(freqs[i, k])
            total += np.int64(freqs[i, k])
        start = (below << _PRECISION) // total
        end = ((below + np.int64(freqs[i, symbols[i]])) << _PRECISION) // total
        out[first + i, t - 2 * (first + i), s] = start << _PRECISION | end - start


@inlined
def limit_of(state, total):
    """The largest frequency below a symbol that the state reaches, in a row with this sum."""
    # a symbol is reached if and only if below * 2^20 < (slot + 1) * total
    return ((state & _MASK) + 1) * total - 1 >> _PRECISION


@inlined
def take(lanes, lane, below, stop, total, words, counts, first, end):
    """Remove a symbol with these cumulative frequencies from a lane's state; False if the words ended before it.

    Args:
        counts: (4,) uint64, whose last entry is the number of words read.
        first, end: the stream's words.
    """
    x = lanes[lane]
    start = (below << _PRECISION) // total
    x = ((stop << _PRECISION) // total - start) * (x >> _PRECISION) + (x & _MASK) - start
    if x < _LOWEST:
        at = first + np.int64(counts[3])
        if at >= end:
            return False
        x = x << 32 | np.int64(words[at])
        counts[3] += np.uint64(1)
    lanes[lane] = x
    return True


@inlined
def share(below, stop, total):
    """A symbol's share in one integer, see `rans.intervals_of`."""
    start = (below << _PRECISION) // total
    return start << _PRECISION | ((stop << _PRECISION) // total - start)


@compiled
def decode(states, words, read, freqs, symbols):
    """Decode (M,) int32 `symbols` with (M, K) float32 frequencies; return the number of words read, which exceeds the
    length of `words` if the payload ended too early."""
    lanes = states.shape[0]
    for i in range(freqs.shape[0]):
        x = states[i & lanes - 1]
        slot = x & _MASK
        total = np.int64(0)
        for k in range(freqs.shape[1]):
            total += np.int64(freqs[i, k])
        # edge <= slot if and only if below * 2^20 < (slot + 1) * total
        limit = ((slot + 1) * total - 1) >> _PRECISION
        symbol, below = 0, np.int64(0)
        while symbol < freqs.shape[1] - 1 and below + np.int64(freqs[i, symbol]) <= limit:
            below += np.int64(freqs[i, symbol])
            symbol += 1
        start = (below << _PRECISION) // total
        end = ((below + np.int64(freqs[i, symbol])) << _PRECISION) // total
        x = (end - start) * (x >> _PRECISION) + slot - start
        if x < _LOWEST:
            if read >= words.shape[0]:
                return words.shape[0] + 1
            x = x << 32 | np.int64(words[read])
            read += 1
        states[i & lanes - 1] = x
        symbols[i] = symbol
    return read


@compiled
def encode(packed, states, words):
    """Encode (H, W, S) int64 shares, the S symbols of a pixel in decoding order, into `states` and the end of `words`;
    return the start of the words."""
    h, w, symbols = packed.shape
    lanes, at = states.shape[0], words.shape[0]
    for t in range(w + 2 * h - 3, -1, -1):
        first = max(0, (t - w + 2) // 2)
        last = min(h - 1, t // 2)
        for s in range(symbols - 1, -1, -1):
            for y in range(last, first - 1, -1):
                share, lane = packed[y, t - 2 * y, s], y - first & lanes - 1
                start, freq = share >> _PRECISION, share & _MASK
                x = states[lane]
                if x >= freq << 43:
                    at -= 1
                    words[at] = np.uint32(x & 0xFFFFFFFF)
                    x >>= 32
                states[lane] = (x // freq << _PRECISION) + x % freq + start
    return at


@compiled
def shares(edges, out):
    """Convert (N, 2) int64 edges of N samples' bins and values, of 21 bits each, to (N, 2) shares in `out`."""
    for i in range(edges.shape[0]):
        bin_start, bin_stop = edges[i, 0] >> _EDGE_BITS, edges[i, 0] & _EDGE
        start, stop = (edges[i, 1] >> _EDGE_BITS) - bin_start, (edges[i, 1] & _EDGE) - bin_start
        total = bin_stop - bin_start
        out[i, 0] = bin_start << _PRECISION | total
        left = (start << _PRECISION) // total
        out[i, 1] = left << _PRECISION | ((stop << _PRECISION) // total - left)


class Encoder(base.Encoder):
    """Stores the share of every symbol, 8 bytes each, because the last symbol is coded first."""

    def __init__(self, shape: Shape) -> None:
        h, w, channels, digits = shape
        #: (H, W, C D) shares.
        self.shares = np.zeros((h, w, channels * digits), np.int64)
        self._step, self._symbol = 0, 0

    def encode(self, symbols: Symbols, freqs: Rows) -> None:
        h, w, count = self.shares.shape
        if not self._symbol:
            while min(h - 1, self._step // 2) < (self._step - w + 2) // 2:  # one column: every second step is empty
                self._step += 1
        keep(symbols, np.ascontiguousarray(freqs), self._step, self._symbol, self.shares)
        self._symbol += 1
        if self._symbol == count:
            self._step, self._symbol = self._step + 1, 0

    def finish(self) -> bytes:
        return payload(self.shares)


class Decoder(rans.Decoder, base.Decoder):
    """The compiled `rans.Decoder`."""

    def decode(self, freqs: Rows) -> Symbols:
        symbols = np.empty(len(freqs), np.int32)
        self.read = decode(self.states, self.words, self.read, np.ascontiguousarray(freqs), symbols)
        if self.read > len(self.words):
            raise BitstreamError("payload ends before its last pixel")
        return symbols


def payload(packed: NDArray[np.int64], lanes: int | None = None) -> bytes:
    """`rans.encode` of (H, W, C D) shares.

    Args:
        lanes: number of lanes; None for `rans.lanes_for`.
    """
    lanes = lanes or rans.lanes_for(packed)
    states, words = np.full(lanes, rans.LOWEST, np.int64), np.empty(packed.size, np.uint32)
    at = encode(packed, states, words)
    return rans.pack(states, words[at:])


def _shares(edges: Edges) -> NDArray[np.int64]:
    out = np.empty(edges.shape, np.int64)
    shares(np.ascontiguousarray(edges).reshape(-1, 2), out.reshape(-1, 2))
    return out.reshape(*edges.shape[:2], -1)


def from_edges(edges: Edges, values: NDArray[np.uint8]) -> bytes:
    """(H, W, C, 2) edges -> a payload, see `EntropyCoder.from_edges`."""
    return payload(_shares(edges))


def with_all_lanes(edges: Edges, values: NDArray[np.uint8]) -> Sequence[bytes]:
    """The payload with the largest number of lanes; a small trial image has only one otherwise."""
    return (payload(_shares(edges), 1 << rans.MOST_LANES_LOG2),)
