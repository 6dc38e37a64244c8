"""The recipe of a file of several pages: how pages are cut, where the segments are, and what is between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint

from pixzip.image.picture import Frame
from pixzip.originals.pages.cuts import Cut

_NONE, _CUT = 0, 1


class Run(NamedTuple):
    """Bytes between segments, and segments that follow them without a gap.

    Attributes:
        gap: number of bytes.
        first, segments: number of the first segment, and how many.
    """

    gap: int
    first: int
    segments: int


@dataclass(frozen=True)
class Recipe:
    """
    Attributes:
        flags: of the kind.
        cuts: how each page is cut; None for none.
        runs: where segments are.
        tail: number of bytes behind the last segment.
        patch: what is between the segments, see `patch`.
    """

    flags: int
    cuts: tuple[Cut | None, ...]
    runs: tuple[Run, ...]
    tail: int
    patch: bytes

    @property
    def gaps(self) -> int:
        """The number of bytes between the segments."""
        return self.tail + sum(run.gap for run in self.runs)

    def pack(self) -> bytes:
        """The wire form."""
        out = bytearray([self.flags])
        for body, same in groupby(b"" if cut is None else cut.pack() for cut in self.cuts):
            out += varint(len(list(same))) + bytes([_CUT if body else _NONE]) + body
        out += varint(len(self.runs))
        expected = 0
        for run in self.runs:
            out += varint(run.gap) + varint(_folded(run.first - expected)) + varint(run.segments)
            expected = run.first + run.segments
        return bytes(out) + varint(self.tail) + self.patch


def read(data: bytes, frames: Sequence[Frame], read_cut: Callable[[Reader, Frame], Cut]) -> Recipe:
    """The inverse of `Recipe.pack`.

    Args:
        read_cut: reads how a page is cut.
    Raises:
        BitstreamError: the recipe is damaged.
    """
    reader = Reader(data)
    flags, cuts = reader.byte("flags of pages"), list[Cut | None]()
    while len(cuts) < len(frames):
        count, kind = reader.varint("number of pages"), reader.byte("kind of pages")
        if not 1 <= count <= len(frames) - len(cuts) or kind not in (_NONE, _CUT):
            raise BitstreamError(f"recipe has {count} pages of kind {kind}, {len(frames) - len(cuts)} are left")
        cuts += [read_cut(reader, frames[len(cuts)]) if kind == _CUT else None] * count
    number = reader.varint("number of runs")
    if number > len(data):
        raise BitstreamError(f"recipe of {len(data)} bytes declares {number} runs of segments")
    runs, expected = list[Run](), 0
    for _ in range(number):
        gap, first = reader.varint("bytes between"), expected + _unfolded(reader.varint("segment"))
        runs.append(Run(gap, first, reader.varint("number of segments")))
        expected = first + runs[-1].segments
    return Recipe(flags, tuple(cuts), tuple(runs), reader.varint("bytes behind"), reader.rest())


def check_runs(runs: Sequence[Run], segments: int) -> None:
    """
    Args:
        segments: number of segments.
    Raises:
        BitstreamError: a run has no segments, one that is not there, or one that another run has.
    """
    at = 0
    for run in sorted(runs, key=lambda run: run.first):
        if run.first < at or not 1 <= run.segments <= segments - run.first:
            raise BitstreamError(
                f"recipe has segments {run.first} to {run.first + run.segments - 1} of {segments}, or twice"
            )
        at = run.first + run.segments


def _folded(number: int) -> int:
    """An integer as one that is not negative."""
    return 2 * number if number >= 0 else -2 * number - 1


def _unfolded(number: int) -> int:
    return -(number + 1 >> 1) if number & 1 else number >> 1
