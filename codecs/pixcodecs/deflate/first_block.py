"""What the first block of a deflate stream tells of its encoder: its size in tokens and data, and its matches [1].

Encoders give themselves away: zlib ends a block when a buffer of 2^n - 1 tokens is full, filters drop short matches.

[1] Decoding follows Adler, puff.c, zlib/contrib: codes by the number of symbols of each length.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import compiled, inlined
from pixcodecs.deflate import symbols
from pixcodecs.deflate.huffman import LONGEST_CODE
from pixcodecs.deflate.symbols import END, FIRST_DISTANCE, FIRST_LENGTH, LITERAL_BITS, SHORTEST

#: Kinds of blocks.
STORED, FIXED, OWN = range(3)
#: Symbols of a fixed code of literals and lengths.
_FIXED_SYMBOLS = 288
#: Places of the reader: the bit, the bits there are, whether they were too few or wrong.
_BIT, _BITS, _BAD = range(3)
#: Places of the result.
_TOKENS, _DATA, _LEAST, _FAR = range(4)
#: More than the length of any match.
_NONE = 1 << 10


#: Most tokens that are kept.
_KEPT = 1 << 13
_NO_TOKENS: NDArray[np.uint16] = np.zeros((2, 0), np.uint16)


@dataclass(frozen=True)
class FirstBlock:
    """
    Attributes:
        kind: STORED, FIXED or OWN, for codes of its own.
        is_last: whether the stream has no other.
        bits: its length.
        tokens: literals and matches.
        size_bytes: data that it stands for.
        shortest: length of its shortest match, 0 without one.
        far: greatest distance of a match of three bytes, 0 without one.
        kept: (2, N) the first tokens: literals, or the lengths of matches; 0, or the distances.
    """

    kind: int
    is_last: bool
    bits: int
    tokens: int = 0
    size_bytes: int = 0
    shortest: int = 0
    far: int = 0
    kept: NDArray[np.uint16] = field(default_factory=_NO_TOKENS.copy, compare=False)

    def ends(self) -> NDArray[Any]:
        """(N,) bytes of data up to the end of each token that is kept."""
        return np.cumsum(np.where(self.kept[1], self.kept[0], 1), dtype=np.int64)


@inlined
def _take(body, reader, count):
    """The next bits; 0 if there are too few."""
    value, at = np.int64(0), reader[_BIT]
    if at + count > reader[_BITS]:
        reader[_BAD] = 1
        return value
    for k in range(count):
        value |= np.int64((body[(at + k) >> 3] >> ((at + k) & 7)) & 1) << k
    reader[_BIT] = at + count
    return value


@inlined
def _symbol(body, reader, numbers, ordered):
    """The next symbol of a code; 0 and `_BAD` if there is none."""
    code, first, place = np.int64(0), np.int64(0), np.int64(0)
    at = reader[_BIT]
    for bits in range(1, LONGEST_CODE + 1):
        if at >= reader[_BITS]:
            break
        code |= np.int64((body[at >> 3] >> (at & 7)) & 1)
        at += 1
        count = numbers[bits]
        if code - count < first:
            reader[_BIT] = at
            return np.int64(ordered[place + code - first])
        place += count
        first = (first + count) << 1
        code <<= 1
    reader[_BAD] = 1
    return np.int64(0)


@compiled
def _ordered(lengths, numbers, ordered):
    """The number of codes of each length, and their symbols in the order of their codes."""
    numbers[:] = 0
    n = 0
    for bits in range(1, LONGEST_CODE + 1):
        for symbol in range(lengths.shape[0]):
            if lengths[symbol] == bits:
                numbers[bits] += 1
                ordered[n] = symbol
                n += 1


@compiled
def _lengths(body, reader, numbers, ordered, lengths):
    """Read the lengths of the codes of a block."""
    i = 0
    while i < lengths.shape[0] and not reader[_BAD]:
        symbol = _symbol(body, reader, numbers, ordered)
        if symbol < 16:
            lengths[i] = symbol
            i += 1
            continue
        value = lengths[i - 1] if symbol == 16 and i else np.int64(0)
        count = _take(body, reader, 7 if symbol == 18 else symbol - 14) + (11 if symbol == 18 else 3)
        while count and i < lengths.shape[0]:
            lengths[i] = value
            i, count = i + 1, count - 1


@compiled
def _tokens(body, reader, numbers, ordered, far_numbers, far_ordered, lengths, more, distances, kept, out):
    """Read the tokens of a block up to its end."""
    while not reader[_BAD]:
        symbol = _symbol(body, reader, numbers, ordered)
        if symbol == END:
            return
        n = out[_TOKENS]
        out[_TOKENS] += 1
        if symbol < END:
            out[_DATA] += 1
            if n < kept.shape[1]:
                kept[0, n], kept[1, n] = symbol, 0
            continue
        if symbol - 257 >= lengths.shape[0]:
            reader[_BAD] = 1
            return
        length = lengths[symbol - 257] + _take(body, reader, more[symbol])
        place = _symbol(body, reader, far_numbers, far_ordered)
        if place >= distances.shape[0]:
            reader[_BAD] = 1
            return
        distance = distances[place] + _take(body, reader, max(np.int64(0), (place >> 1) - 1))
        out[_DATA] += length
        out[_LEAST] = min(out[_LEAST], length)
        if n < kept.shape[1]:
            kept[0, n], kept[1, n] = length, distance
        if length == SHORTEST:
            out[_FAR] = max(out[_FAR], distance)


def read(body: bytes) -> FirstBlock | None:
    """The first block of a raw deflate stream, or of its beginning; None if its end is not there, or it is damaged."""
    data, reader = np.frombuffer(body, np.uint8), np.array([0, 8 * len(body), 0], np.int64)
    if len(body) < 5:
        return None
    last, kind = bool(body[0] & 1), body[0] >> 1 & 3
    reader[_BIT] = 3
    if kind == STORED:
        size = int.from_bytes(body[1:3], "little")
        return FirstBlock(STORED, last, 8 * (size + 5), size_bytes=size) if len(body) >= size + 5 else None
    if kind == FIXED:
        lengths, far = symbols.FIXED_LITERALS, symbols.FIXED_DISTANCES
    elif kind == OWN:
        lengths, far = _own(data, reader)
    else:
        return None
    out, kept = np.array([0, 0, _NONE, 0], np.int64), np.zeros((2, _KEPT), np.uint16)
    _tokens(data, reader, *_code(lengths), *_code(far), FIRST_LENGTH, LITERAL_BITS, FIRST_DISTANCE, kept, out)
    if reader[_BAD]:
        return None
    tokens, size, least, greatest = map(int, out)
    return FirstBlock(kind, last, int(reader[_BIT]), tokens, size, least % _NONE, greatest, kept[:, :tokens])


def _own(data: NDArray[np.uint8], reader: symbols.Table) -> tuple[symbols.Table, symbols.Table]:
    """The lengths of the codes of literals and of distances, which a block begins with."""
    head = int.from_bytes(data[:3].tobytes(), "little") >> 3
    count, far_count, own_count = (head & 31) + 257, (head >> 5 & 31) + 1, (head >> 10 & 15) + 4
    lengths = np.zeros(symbols.LENGTHS, np.int64)
    at = 17
    for k in symbols.ORDER[:own_count]:
        lengths[k] = (int.from_bytes(data[at >> 3 : (at >> 3) + 2].tobytes(), "little") >> (at & 7)) & 7
        at += 3
    reader[_BIT] = at
    found = np.zeros(count + far_count, np.int64)
    _lengths(data, reader, *_code(lengths), found)
    return found[:count], found[count:]


def _code(lengths: symbols.Table) -> tuple[symbols.Table, symbols.Table]:
    numbers, ordered = np.zeros(LONGEST_CODE + 1, np.int64), np.zeros(_FIXED_SYMBOLS, np.int64)
    _ordered(lengths, numbers, ordered)
    return numbers, ordered
