"""Bits of given probabilities in the compiled range coder: `docs/format.md`, section 13."""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders import range_numba
from pixcodecs.compiled import compiled, inlined

_WHOLE, _ENDED, _DAMAGED = np.int64(range_numba.WHOLE), np.int64(-2), np.int64(-1)


@inlined
def put_bit(state, bit, p, words, first):
    """Append a bit that has the probability p of 2^16 of being 1."""
    split = 256 * (65536 - p)
    range_numba.put(state, split if bit else np.int64(0), _WHOLE if bit else split, words, first)


@inlined
def take_bit(state, p, words, first, end):
    """Remove a bit; -1 if no encoder writes such words, -2 if they ended before it."""
    split, limit = 256 * (65536 - p), range_numba.quantile(state)
    if limit < 0:
        return _DAMAGED
    bit = np.int64(limit >= split)
    taken = range_numba.take(state, split if bit else np.int64(0), _WHOLE if bit else split, words, first, end)
    return bit if taken else _ENDED


@compiled
def _encode(bits, chances, state, words):
    for i in range(bits.shape[0]):
        put_bit(state, bits[i], chances[i], words, 0)
    return range_numba.finish(state, words, 0)


def encode(bits: NDArray[np.int64], chances: NDArray[np.int64]) -> bytes:
    """The payload of (B,) bits, given the probabilities, 1 to 65535 of 2^16, that they are 1."""
    words = np.empty(len(bits) + 2, np.uint32)
    n = _encode(bits, chances, range_numba.new_states(1)[0], words)
    return words[:n].astype("<u4").tobytes()
