"""Compiled interleaved rANS for CPUs: what `pixcodecs.coders.rans` does, one symbol after another."""

import numpy as np
from pixcodecs.coders import rans

from pixzip.engine.backends.numba.trunk import compiled
from pixzip.engine.backends.torch.frequencies import EDGE_BITS

_PRECISION, _LOWEST = rans.PRECISION, rans.LOWEST
_MASK = (1 << _PRECISION) - 1
_EDGE_BITS, _EDGE = EDGE_BITS, (1 << EDGE_BITS) - 1


@compiled
def intervals(symbols, freqs, out):
    """(M,) symbols under (M, K) float32 frequencies -> (M,) int64 `out`: starts and sizes of their shares."""
    for i in range(symbols.shape[0]):
        below, total = np.int64(0), np.int64(0)
        for k in range(freqs.shape[1]):
            if k < symbols[i]:
                below += np.int64(freqs[i, k])
            total += np.int64(freqs[i, k])
        start = (below << _PRECISION) // total
        end = ((below + np.int64(freqs[i, symbols[i]])) << _PRECISION) // total
        out[i] = start << _PRECISION | end - start


@compiled
def decode(states, words, read, freqs, symbols):
    """(M, K) float32 frequencies -> (M,) int32 `symbols`; returns how many words are read, more than there are for an
    end that came too early."""
    lanes = states.shape[0]
    for i in range(freqs.shape[0]):
        x = states[i & lanes - 1]
        slot = x & _MASK
        total = np.int64(0)
        for k in range(freqs.shape[1]):
            total += np.int64(freqs[i, k])
        # edge <= slot as long as below * 2^20 < (slot + 1) * total
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
    """(H, W, S) int64 shares of the S symbols of every pixel, in the order in which they are decoded, into `states` and
    the end of `words`; returns where the words begin."""
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
    """(N, 2) int64 cumulative frequencies around N samples' bins and values, 21 bits each -> (N, 2) shares."""
    for i in range(edges.shape[0]):
        bin_start, bin_stop = edges[i, 0] >> _EDGE_BITS, edges[i, 0] & _EDGE
        start, stop = (edges[i, 1] >> _EDGE_BITS) - bin_start, (edges[i, 1] & _EDGE) - bin_start
        total = bin_stop - bin_start
        out[i, 0] = bin_start << _PRECISION | total
        left = (start << _PRECISION) // total
        out[i, 1] = left << _PRECISION | ((stop << _PRECISION) // total - left)
