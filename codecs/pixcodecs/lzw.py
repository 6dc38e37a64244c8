"""The LZW streams of GIF [1] by any encoder that takes the longest match: they differ in where they clear the table.

A code is one bit wider when a decoder's table, which is one entry behind, has grown to the next power of two.

[1] Graphics Interchange Format, Version 89a, CompuServe, 1990, appendix F
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import bit_length, compiled, inlined

#: Bits of the first symbols, and of the longest code.
LEAST_BITS, MOST_BITS, _CODE_BITS = 1, 8, 12
_ENTRIES = 1 << _CODE_BITS
#: Places of the state of bits.
_BIT, _BAD = range(2)


class Stream(NamedTuple):
    """What a stream tells of its encoder.

    Attributes:
        clears: the number of codes before each clear code, since the one before it.
        size_bytes: bytes up to the code that ends the stream.
    """

    clears: list[int]
    size_bytes: int


@inlined
def _width(bits, n):
    """The bits of a code.

    Args:
        n: codes since the last clear code.
    """
    return min(np.int64(_CODE_BITS), bit_length((np.int64(1) << bits) + 1 + max(np.int64(1), n)))


@inlined
def _put(out, state, code, width):
    at = state[_BIT]
    if at + width > 8 * out.shape[0]:
        state[_BAD] = 1
        return
    for k in range(width):
        out[(at + k) >> 3] |= np.uint8(((code >> k) & 1) << ((at + k) & 7))
    state[_BIT] = at + width


@compiled
def _encode(pixels, bits, clears, table, out, state):
    """Write a stream; `table` is (4096, 256) uint16: the code of a string and a further symbol, or 0."""
    clear = np.int64(1) << bits
    at, n, done = np.int64(0), np.int64(0), np.int64(0)
    table[:clear] = 0
    while not state[_BAD]:
        if done < clears.shape[0] and n == clears[done]:
            _put(out, state, clear, _width(bits, n))
            table[:clear] = 0
            n, done = np.int64(0), done + 1
            continue
        if at == pixels.shape[0]:
            break
        code = np.int64(pixels[at])
        at += 1
        while at < pixels.shape[0]:
            longer = np.int64(table[code, pixels[at]])
            if longer == 0:
                break
            code, at = longer, at + 1
        _put(out, state, code, _width(bits, n))
        entry = clear + 2 + n
        if at < pixels.shape[0] and entry < _ENTRIES:
            table[entry] = 0
            table[code, pixels[at]] = entry
        n += 1
    _put(out, state, clear + 1, _width(bits, n))


@compiled
def _parse(data, bits, clears, state):
    """Find the clear codes of a stream; returns their number."""
    clear = np.int64(1) << bits
    n, found = np.int64(0), np.int64(0)
    while True:
        width, at = _width(bits, n), state[_BIT]
        if at + width > 8 * data.shape[0] or found == clears.shape[0]:
            state[_BAD] = 1
            return found
        code = np.int64(0)
        for k in range(width):
            code |= np.int64((data[(at + k) >> 3] >> ((at + k) & 7)) & 1) << k
        state[_BIT] = at + width
        if code == clear + 1:
            return found
        n += 1
        if code == clear:
            clears[found] = n - 1
            n, found = np.int64(0), found + 1


def parse(data: bytes, bits: int) -> Stream | None:
    """What a stream tells of its encoder; None if it does not end, or clears its table for nothing.

    Args:
        data: a stream, and perhaps more.
        bits: of its first symbols, `LEAST_BITS` to `MOST_BITS`.
    """
    clears, state = np.zeros(16 + len(data) // 64, np.int64), np.zeros(2, np.int64)
    count = _parse(np.frombuffer(data, np.uint8), bits, clears, state)
    return None if state[_BAD] else Stream(clears[:count].tolist(), -(-int(state[_BIT]) // 8))


def encode(pixels: NDArray[np.uint8], bits: int, clears: Sequence[int]) -> bytes:
    """A stream.

    Args:
        pixels: (N,) symbols below 2^bits.
        bits: see `parse`.
        clears: see `Stream`; those for which there are too few pixels are left out.
    Raises:
        ValueError: a symbol has more bits.
    """
    if len(pixels) and int(pixels.max()) >> bits:
        raise ValueError(f"symbols go up to {pixels.max()}, expected less than 2**{bits}")
    table = np.zeros((_ENTRIES, 1 << MOST_BITS), np.uint16)
    out, state = np.zeros((len(pixels) + len(clears) + 1) * _CODE_BITS // 8 + 1, np.uint8), np.zeros(2, np.int64)
    _encode(np.ascontiguousarray(pixels), bits, np.array(clears, np.int64), table, out, state)
    return out[: -(-int(state[_BIT]) // 8)].tobytes()
