"""What the families of pages have in common: how a page is cut into segments, and where these are in the file."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader

from pixzip.image.pages import Pages
from pixzip.image.picture import Frame, Picture
from pixzip.originals.record import Reason
from pixzip.originals.source import FEW_BYTES, Output, samples_bytes

#: Most segments of a file.
MOST_SEGMENTS = 1 << 22


class Cut(Protocol):
    """How the samples of a page are cut into segments."""

    @property
    def is_exact(self) -> bool:
        """Whether segments are the same with every version of every library."""

    def pack(self) -> bytes:
        """The wire form."""

    def check(self, frame: Frame, most_bytes: int) -> None:
        """
        Args:
            most_bytes: of one segment before it is coded.
        Raises:
            BitstreamError: segments take memory out of proportion.
        """

    def count(self, frame: Frame) -> int:
        """The number of segments of a page."""

    def segments(self, picture: Picture) -> Callable[[int, Output], Iterator[bytes]]:
        """A function from the number of a segment, and an output whose time is used up, to its bytes, in parts."""


def check_samples(frame: Frame) -> None:
    """Refuse a page that is large and not made in parts.

    Raises:
        BitstreamError: it has too many samples.
    """
    if (size := samples_bytes(frame)) > FEW_BYTES:
        raise BitstreamError(f"original has {size} bytes of samples in a frame, expected at most {FEW_BYTES}")


class Place(NamedTuple):
    """A segment in a file: number of the page, number in the page, offset and length."""

    page: int
    number: int
    start: int
    size: int


class Found(NamedTuple):
    """What was found in a file.

    Attributes:
        flags: a byte for the family.
        cuts: how each page is cut; None for a page of which nothing comes back.
        places: segments that come back.
        why: why others do not.
    """

    flags: int
    cuts: list[Cut | None]
    places: list[Place]
    why: Reason = Reason.FORM


class Kind(NamedTuple):
    """What is particular to the files of a kind.

    Attributes:
        read: reads a cut of a page, and raises BitstreamError for a damaged one.
        find: (file, pages, thoroughness) -> what was found.
        predict: (pages, flags, cuts, spans) -> parts of what is between the segments, for the dictionary; see `Layout`.
    """

    read: Callable[[Reader, Frame], Cut]
    find: Callable[[bytes, Pages, int], Found]
    predict: Callable[[Pages, int, Sequence[Cut | None], "Layout"], Iterator[bytes]]


class Layout:
    """Numbers of the segments of all pages, one after another, and where they are in the file.

    Attributes:
        starts: the number of the first segment of each page, and the number of all.
        spans: (number of segments, 2) int64: offset and length of each; 0, 0 for those that are not there.
    """

    def __init__(self, frames: Sequence[Frame], cuts: Sequence[Cut | None]) -> None:
        """
        Raises:
            BitstreamError: there are too many segments.
        """
        counts = [0 if cut is None else cut.count(frame) for frame, cut in zip(frames, cuts, strict=True)]
        self.starts = list(accumulate(counts, initial=0))
        if self.starts[-1] > MOST_SEGMENTS:
            raise BitstreamError(f"original has {self.starts[-1]} segments, expected at most {MOST_SEGMENTS}")
        self.spans: NDArray[np.int64] = np.zeros((self.starts[-1], 2), np.int64)

    def page(self, segment: int) -> tuple[int, int]:
        """The page of a segment, and its number in the page."""
        page = bisect_right(self.starts, segment) - 1
        return page, segment - self.starts[page]

    def of_page(self, page: int) -> NDArray[np.int64]:
        """The spans of a page."""
        return self.spans[self.starts[page] : self.starts[page + 1]]
