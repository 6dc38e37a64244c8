"""What a reader did with every byte of a file, so that nothing is lost in silence.

A reader says which bytes it took: samples, metadata that a picture holds, and structure, which follows from both.
Bytes that it knows and leaves have a name.  All others are found here, and named by their place.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Self

_PIECE_BYTES = 1 << 16
#: Most gaps that are named one by one.
_MOST_NAMED = 4


class Span(NamedTuple):
    """Bytes of a file, from start to before end."""

    start: int
    end: int

    def __str__(self) -> str:
        return counted(self.end - self.start)


class Account:
    """The bytes of a file that a reader knows, in any order; they may overlap."""

    def __init__(self) -> None:
        self._known: list[Span] = []
        self._left: dict[str, None] = {}

    @classmethod
    def of(cls, *parts: tuple[int, int]) -> Self:
        """The account of a file in which only these (start, size) are known, and a picture holds them all."""
        account = cls()
        for start, size in parts:
            account.take(start, size)
        return account

    def take(self, start: int, size: int) -> None:
        """Enter bytes that a picture holds, or that follow from what it holds."""
        if size > 0:
            self._known.append(Span(start, start + size))

    def leave(self, start: int, size: int, name: str) -> None:
        """Enter bytes that the reader knows and that a picture does not hold.

        Args:
            name: what they are, for people, e.g. "extension area".
        """
        self.take(start, size)
        self._left[name] = None

    def gaps(self, size: int) -> Iterator[Span]:
        """Yield the bytes of a file of this size that were not entered, by increasing start."""
        end = 0
        for span in sorted(self._known):
            if span.start > end:
                yield Span(end, min(span.start, size))
            end = max(end, span.end)
            if end >= size:
                return
        if end < size:
            yield Span(end, size)

    def names(self, file: BinaryIO) -> list[str]:
        """Names of all that a picture does not hold: what was left, and every byte that was not entered.

        Args:
            file: the file; its position changes.
        """
        size, found = file.seek(0, os.SEEK_END), list(self._left)
        gaps = [gap for gap in self.gaps(size) if not _is_padding(file, gap, size)]
        behind = gaps.pop() if gaps and gaps[-1].end == size else None
        found += [f"{gap} at {gap.start}" for gap in gaps[:_MOST_NAMED]]
        if more := gaps[_MOST_NAMED:]:
            found.append(f"{counted(sum(gap.end - gap.start for gap in more))} at {len(more)} other places")
        return found + ([f"{behind} behind the image"] if behind else [])


def counted(size: int) -> str:
    """A number of bytes in words."""
    return "1 byte" if size == 1 else f"{size} bytes"


def _is_padding(file: BinaryIO, gap: Span, size: int) -> bool:
    """Whether a gap only aligns what follows: zero bytes between two parts, or one that makes the size even."""
    if gap.end == size and gap != Span(size - 1, size - size % 2):
        return False
    file.seek(gap.start)
    left = gap.end - gap.start
    while left:
        found = file.read(min(left, _PIECE_BYTES))
        if not found or any(found):
            return False
        left -= len(found)
    return True
