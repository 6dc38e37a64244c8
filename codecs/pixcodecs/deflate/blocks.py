"""Blocks of deflate from tokens: stored, with the fixed codes or with codes of their own, whichever zlib takes [1].

[1] Gailly and Adler, zlib 1.2.13, trees.c: `_tr_flush_block`, `send_all_trees` and `compress_block`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import compiled, inlined
from pixcodecs.deflate import huffman, symbols
from pixcodecs.deflate.symbols import DISTANCES, END, LENGTHS, LITERALS, ORDER, Table, distance_symbol, length_symbol

_STORED, _FIXED, _OWN = range(3)
#: Most bytes of data of a block that has them as they are.
MOST_STORED = 65535
#: Most bits of the codes of lengths, and their least number.
_MOST_OF_LENGTHS, _LEAST_HEADS = 7, 4
#: Most bits of a token, and of the head of a block.
_TOKEN_BITS, _HEAD_BITS = 48, 8192


@inlined
def _put(out, bits, value, count):
    """Append `count` bits; `bits` are the place in `out`, the bits that wait and their number."""
    bits[1] |= value << bits[2]
    bits[2] += count
    while bits[2] >= 8:
        out[bits[0]] = bits[1] & 255
        bits[1] >>= 8
        bits[0], bits[2] = bits[0] + 1, bits[2] - 8


@compiled
def _put_all(out, bits, values, counts, n):
    for i in range(n):
        _put(out, bits, values[i], counts[i])


@compiled
def _count(tokens, n, literals, far):
    """How often each literal, length and distance occurs."""
    literals[:] = 0
    far[:] = 0
    for i in range(n):
        value, distance = np.int64(tokens[0, i]), np.int64(tokens[1, i])
        if distance:
            literals[257 + length_symbol(value)] += 1
            far[distance_symbol(distance)] += 1
        else:
            literals[value] += 1
    literals[END] = 1


@compiled
def _put_tokens(out, bits, tokens, n, code, lengths, more, far_code, distances, far_more):
    """Append the tokens of a block, and its end.

    Args:
        code, far_code: (2, N) codes and their lengths, of literals and lengths, and of distances.
        lengths, more, distances, far_more: see `symbols`.
    """
    for i in range(n):
        value, distance = np.int64(tokens[0, i]), np.int64(tokens[1, i])
        if distance == 0:
            _put(out, bits, code[0, value], code[1, value])
            continue
        k, d = length_symbol(value), distance_symbol(distance)
        _put(out, bits, code[0, 257 + k], code[1, 257 + k])
        _put(out, bits, value - lengths[k], more[257 + k])
        _put(out, bits, far_code[0, d], far_code[1, d])
        _put(out, bits, distance - distances[d], far_more[d])
    _put(out, bits, code[0, END], code[1, END])


def _code(lengths: Table) -> Table:
    """(2, N) the codes of given lengths, and the lengths."""
    codes = np.zeros_like(lengths)
    huffman.codes_of(lengths, codes)
    return np.stack([codes, lengths])


class _Alphabet:
    """Symbols of one kind in a block: their counts and their code.

    Attributes:
        counts: (NODES,), of which the first are those of the symbols.
        lengths: (N,) bits of the code of each symbol up to the last with a code.
    """

    def __init__(self, more: Table, most: int) -> None:
        """
        Args:
            more: bits beyond each symbol.
            most: bits of the longest code.
        """
        self._more, self._most = more, most
        self.counts, self.lengths = np.zeros(huffman.NODES, np.int64), np.zeros(0, np.int64)
        self._nodes = np.zeros((4, huffman.NODES), np.int64)
        self._numbers = np.zeros(huffman.LONGEST_CODE + 1, np.int64)

    def bits(self, lengths: Table) -> int:
        """The bits that all symbols take with codes of given lengths."""
        return int(self.counts[: len(self._more)] @ (lengths[: len(self._more)] + self._more))

    def fit(self) -> int:
        """Make the code for the counts; returns the bits that all symbols take."""
        heap, depths, parents, lengths = self._nodes
        counts = self.counts.copy()
        last = huffman.lengths_of(
            counts, len(self._more), self._most, heap, depths, parents, self._numbers, lengths
        )  # fmt: skip
        self.lengths = lengths[: last + 1].copy()
        return self.bits(lengths)


class Writer:
    """Writes the blocks of one stream."""

    def __init__(self, tokens: int) -> None:
        """
        Args:
            tokens: most tokens of a block.
        """
        self._out = np.zeros((tokens * _TOKEN_BITS + _HEAD_BITS) // 8, np.uint8)
        #: See `_put`.
        self._bits = np.zeros(3, np.int64)
        self._literals = _Alphabet(symbols.LITERAL_BITS, huffman.LONGEST_CODE)
        self._distances = _Alphabet(symbols.DISTANCE_BITS, huffman.LONGEST_CODE)
        self._lengths = _Alphabet(symbols.LENGTH_BITS, _MOST_OF_LENGTHS)
        self._runs = np.zeros((2, LITERALS + DISTANCES), np.int64)

    def block(self, tokens: NDArray[np.uint16], n: int, data: bytes | None, *, last: bool) -> bytes:
        """The whole bytes of the stream that a block adds.

        Args:
            tokens: the first n are the block's, see `matching.advance`.
            data: what the tokens stand for; None if the block cannot have them as they are.
        """
        literals, far = self._literals, self._distances
        _count(tokens, n, literals.counts, far.counts)
        fixed = literals.bits(symbols.FIXED_LITERALS) + far.bits(symbols.FIXED_DISTANCES)
        own = literals.fit() + far.fit()
        split = huffman.runs(literals.lengths, self._runs, 0)
        runs = self._runs[:, : huffman.runs(far.lengths, self._runs, split)]
        self._lengths.counts[:LENGTHS] = np.bincount(runs[0], minlength=LENGTHS)
        own += self._lengths.fit()
        sizes = np.zeros(LENGTHS, np.int64)
        sizes[: len(self._lengths.lengths)] = self._lengths.lengths
        heads = max(k for k in range(LENGTHS) if k < _LEAST_HEADS or sizes[ORDER[k]]) + 1
        own += 3 * heads + 14
        own_bytes, fixed_bytes = (own + 10) >> 3, (fixed + 10) >> 3
        if data is not None and len(data) + 4 <= min(own_bytes, fixed_bytes):
            return self._stored(data, last)
        if fixed_bytes <= own_bytes:
            self._put([(_FIXED << 1) + last], [3])
            self._tokens(tokens, n, _FIXED_CODE, _FIXED_FAR)
        else:
            head = [(_OWN << 1) + last, len(literals.lengths) - 257, len(far.lengths) - 1, heads - 4]
            self._put(head, [3, 5, 5, 4])
            self._put(sizes[list(ORDER[:heads])], np.full(heads, 3))
            codes, sizes = _code(sizes)
            self._put(_alternating(codes[runs[0]], runs[1]), _alternating(sizes[runs[0]], symbols.LENGTH_BITS[runs[0]]))
            self._tokens(tokens, n, _code(literals.lengths), _code(far.lengths))
        return self._taken(last)

    def _stored(self, data: bytes, last: bool) -> bytes:
        self._put([(_STORED << 1) + last], [3])
        size = len(data)
        head = self._taken(True)
        return head + size.to_bytes(2, "little") + (size ^ MOST_STORED).to_bytes(2, "little") + data

    def _put(self, values: Any, counts: Any) -> None:
        _put_all(self._out, self._bits, np.array(values, np.int64), np.array(counts, np.int64), len(values))

    def _tokens(self, tokens: NDArray[np.uint16], n: int, code: Table, far: Table) -> None:
        _put_tokens(
            self._out, self._bits, tokens, n, code, symbols.FIRST_LENGTH, symbols.LITERAL_BITS,
            far, symbols.FIRST_DISTANCE, symbols.DISTANCE_BITS,
        )  # fmt: skip

    def _taken(self, whole: bool) -> bytes:
        """The whole bytes so far; with bits of zero up to the next byte, if wanted."""
        if whole and self._bits[2]:
            self._put([0], [8 - self._bits[2]])
        out = self._out[: self._bits[0]].tobytes()
        self._bits[0] = 0
        return out


def _alternating(a: Table, b: Table) -> Table:
    return np.stack([a, b], 1).ravel()


_FIXED_CODE, _FIXED_FAR = _code(symbols.FIXED_LITERALS), _code(symbols.FIXED_DISTANCES)
