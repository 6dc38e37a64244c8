"""The interleaved rANS of `docs/format.md` in plain Python, so that the format outlives any library.

Numbers are Python integers, symbols are coded one at a time, and the caller gives the lane of each.
"""

from collections.abc import Sequence

WORD, PRECISION = 32, 20
LOWEST, HIGHEST = 1 << 31, (1 << 63) - 1


def edges(freqs: Sequence[int]) -> list[int]:
    """(K,) frequencies -> (K + 1,) starts of the symbols' shares of 2^20, and 2^20."""
    total = sum(int(f) for f in freqs)
    return [(sum(int(f) for f in freqs[:i]) << PRECISION) // total for i in range(len(freqs) + 1)]


class PlainRansEncoder:
    """Takes symbols in decoding order; `finish` codes them from last to first."""

    def __init__(self, lanes: int, start: Sequence[int] = ()) -> None:
        """
        Args:
            start: final states of the decoder; empty for those of the format.
        """
        self.states = list(start) or [LOWEST] * lanes
        self.shares: list[tuple[int, int, int]] = []  # lane, edge, size

    def encode(self, lane: int, symbol: int, freqs: Sequence[int]) -> None:
        ends = edges(freqs)
        self.shares.append((lane, ends[symbol], ends[symbol + 1] - ends[symbol]))

    def finish(self) -> bytes:
        words: list[int] = []
        for lane, edge, size in reversed(self.shares):
            x = self.states[lane]
            if x >= size << 43:
                words.append(x & 0xFFFFFFFF)
                x >>= WORD
            self.states[lane] = (x // size << PRECISION) + x % size + edge
        assert all(LOWEST <= x <= HIGHEST for x in self.states)
        head = bytes([len(self.states).bit_length() - 1]) + b"".join(x.to_bytes(8, "little") for x in self.states)
        return head + b"".join(word.to_bytes(4, "little") for word in reversed(words))


class PlainRansDecoder:
    def __init__(self, payload: bytes) -> None:
        """
        Raises:
            ValueError: the payload has too many lanes, is truncated, or has a state out of range.
        """
        if not payload or payload[0] > 8:
            raise ValueError("lanes")
        self.lanes = 1 << payload[0]
        rest = payload[1 + 8 * self.lanes :]
        if len(payload) < 1 + 8 * self.lanes or len(rest) % 4:
            raise ValueError("length")
        self.states = [int.from_bytes(payload[1 + 8 * i : 9 + 8 * i], "little") for i in range(self.lanes)]
        if not all(LOWEST <= x <= HIGHEST for x in self.states):
            raise ValueError("state")
        self.words = [int.from_bytes(rest[i : i + 4], "little") for i in range(0, len(rest), 4)]

    def decode(self, lane: int, freqs: Sequence[int]) -> int:
        """
        Raises:
            IndexError: no word is left.
        """
        ends, x = edges(freqs), self.states[lane]
        slot = x % (1 << PRECISION)
        symbol = max(i for i in range(len(freqs)) if ends[i] <= slot)
        x = (ends[symbol + 1] - ends[symbol]) * (x >> PRECISION) + slot - ends[symbol]
        if x < LOWEST:
            x = x << WORD | self.words.pop(0)
        self.states[lane] = x
        return symbol

    def ended(self) -> bool:
        """Whether the payload is exhausted."""
        return not self.words and self.states == [LOWEST] * self.lanes
