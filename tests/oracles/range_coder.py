"""The range coder of `docs/format.md` in plain Python, so that the format outlives the library.

Numbers are Python integers: the encoder keeps all digits in one integer, so that carries need no special care.
"""

from collections.abc import Sequence

import numpy as np

WORD, PRECISION = 32, 24
MASK = (1 << 64) - 1


def boundaries(freqs: Sequence[int]) -> list[int]:
    """(K,) frequencies -> (K + 1,) bounds of the symbols' intervals, 0 to 2^24."""
    total, below, out = sum(int(f) for f in freqs), 0, []
    scale = np.float32((1 << PRECISION) - len(freqs)) / np.float32(total)
    for i, f in enumerate(freqs):
        out.append(int(np.float32(below) * scale) + i)
        below += int(f)
    return [*out, 1 << PRECISION]


class PlainEncoder:
    def __init__(self) -> None:
        self.low, self.range, self.words = 0, MASK, 0  # low: all digits; words: number of words before the last two

    def encode(self, symbol: int, freqs: Sequence[int]) -> None:
        ends = boundaries(freqs)
        self.encode_interval(ends[symbol], ends[symbol + 1])

    def encode_interval(self, left: int, right: int) -> None:
        """Append a symbol that owns the interval from left to right of 2^24."""
        scale = self.range >> PRECISION
        self.low += scale * left
        self.range = scale * (right - left)
        if self.range < 1 << WORD:
            self.low, self.range, self.words = self.low << WORD, self.range << WORD, self.words + 1

    def finish(self) -> bytes:
        if self.range == MASK and not self.words:
            return b""
        point = self.low + (1 << WORD) - 1
        head, top = point >> WORD, (self.low + self.range) >> WORD
        words = [head >> WORD * i & 0xFFFFFFFF for i in reversed(range(self.words + 1))]
        if top == head:
            words.append(0)
        return b"".join(word.to_bytes(4, "little") for word in words)


class PlainDecoder:
    def __init__(self, payload: bytes) -> None:
        self.words = [int.from_bytes(payload[i : i + 4], "little") for i in range(0, len(payload), 4)]
        self.at, self.low, self.range = 2, 0, MASK
        self.point = self.word(0) << WORD | self.word(1)

    def word(self, i: int) -> int:
        return self.words[i] if i < len(self.words) else 0

    def decode(self, freqs: Sequence[int]) -> int:
        ends = boundaries(freqs)
        scale = self.range >> PRECISION
        quantile = ((self.point - self.low) & MASK) // scale
        if quantile >= 1 << PRECISION:
            raise ValueError("not a payload of these frequencies")
        symbol = max(i for i in range(len(freqs)) if ends[i] <= quantile)
        self.low = (self.low + scale * ends[symbol]) & MASK
        self.range = scale * (ends[symbol + 1] - ends[symbol])
        if self.range < 1 << WORD:
            self.low, self.range = self.low << WORD & MASK, self.range << WORD
            self.point = (self.point << WORD | self.word(self.at)) & MASK
            self.at += 1
        return symbol
