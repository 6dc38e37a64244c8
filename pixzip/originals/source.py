"""What every family of formats works with: the picture as rows, the file that is written again, and its limits."""

import hashlib
import io
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np
from pixcodecs.container.limits import LIFT
from pixcodecs.errors import BitstreamError, PixzipError

from pixzip.image.picture import Frame, Picture, Samples

_PIECE_BYTES = 1 << 20
#: Most bytes of an original: for each byte of samples, again for these bytes of them; for each byte of metadata and
#: recipe; and beside these.
_SAMPLES_FACTOR, FEW_BYTES, _EXTRAS_FACTOR, _MORE_BYTES = 2, 1 << 26, 4, 1 << 20
#: The same for each page of an original of several pages.
_PAGE_BYTES = 1 << 10
_IMITATION_FACTOR = 4
#: How many times as slow as here a reader may be.
_SLOWER = 4
#: Time of zlib's level 6 for a byte.
_WORK_SECONDS = 5e-8


class RebuildError(PixzipError):
    """An original does not come back here, although the picture is whole."""

    def __init__(self, found: str) -> None:
        """
        Args:
            found: what is wrong.
        """
        super().__init__(
            f"the original's bytes do not come back: {found}; the pixels are exact, but encoders here write other "
            "streams than where the file was made"
        )


@dataclass(frozen=True)
class Source:
    """A picture as rows, from first to last, which can be read several times.

    Attributes:
        parts: yields (n, W, C) arrays of rows.
        is_large: whether the rows are too many to hold in memory at once.
        upward: the same from last to first; None to turn all rows at once.
    """

    frame: Frame
    parts: Callable[[], Iterable[Samples]]
    is_large: bool = False
    upward: Callable[[], Iterable[Samples]] | None = None

    @property
    def samples_bytes(self) -> int:
        """Bytes of all samples."""
        return samples_bytes(self.frame)

    def rows(self, *, upward: bool = False) -> Iterable[Samples]:
        """All rows in parts, from first to last or from last to first."""
        if not upward:
            return self.parts()
        return self.upward() if self.upward else iter([self.samples()[::-1]])

    def samples(self) -> Samples:
        """All rows at once."""
        parts = list(self.parts())
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def of_picture(picture: Picture) -> Source:
    """A picture in memory."""
    return Source(picture.frame, partial(iter, (picture.samples,)))


class Clock:
    """Bounds the processor time of rebuilding, without that to decode the picture, which has a bound of its own.

    Attributes:
        expected_s: the longest time of work that was announced.
    """

    def __init__(self, most_s: float | None) -> None:
        """
        Args:
            most_s: most processor time; None lifts the limit.
        """
        self._most, self._began, self._aside, self.expected_s = most_s, time.process_time(), 0.0, 0.0

    @property
    def spent_s(self) -> float:
        """The processor time of rebuilding so far."""
        return time.process_time() - self._began - self._aside

    @property
    def trusted_s(self) -> float:
        """The processor time within which other machines rebuild the same."""
        return max(self.expected_s, _SLOWER * self.spent_s)

    def aside(self, parts: Callable[[], Iterable[Samples]]) -> Iterator[Samples]:
        """Yield the rows of a picture, whose decoding does not count."""
        began = time.process_time()
        rows = iter(parts())
        while True:
            part = next(rows, None)
            self._aside += time.process_time() - began
            if part is None:
                return
            yield part
            began = time.process_time()

    def expect(self, work: float) -> None:
        """Refuse work that is estimated to take too long.

        Args:
            work: in units of zlib's level 6 for a byte.
        Raises:
            BitstreamError: it would take too long.
        """
        self.expected_s = max(self.expected_s, work * _WORK_SECONDS)
        self._check(work * _WORK_SECONDS)

    def check(self) -> None:
        """
        Raises:
            BitstreamError: the time is spent.
        """
        self._check(self.spent_s)

    def _check(self, seconds: float) -> None:
        if self._most is not None and seconds > self._most:
            raise BitstreamError(
                f"rebuilding the original takes more than {self._most:.0f} s of processor time: {LIFT}"
            )


class Output:
    """The file that is being written, which refuses to grow beyond the original or to take too long.

    Attributes:
        left: bytes that are still to come.
        agreed: bytes that are as in the original, if it is given.
        clock: bounds the time.
    """

    def __init__(
        self, file: BinaryIO, size_bytes: int, seconds: float | Clock | None, original: BinaryIO | None = None
    ) -> None:  # fmt: skip
        """
        Args:
            file: empty; can be sought and read.
            size_bytes: length of the original.
            seconds: most processor time; None lifts the limit; or what bounds it already.
            original: the original; the first byte that differs ends the work.
        """
        self._file, self.left = file, size_bytes
        self._original, self.agreed = original, 0
        if original:
            original.seek(0)
        #: Most bytes of an imitation of the original.
        self.most_bytes = _IMITATION_FACTOR * size_bytes + _MORE_BYTES
        self.clock = seconds if isinstance(seconds, Clock) else Clock(seconds)

    def beside(self, file: BinaryIO) -> "Output":
        """Another output, for an imitation of the original, within the same time."""
        return Output(file, self.most_bytes, self.clock)

    def write(self, data: bytes) -> None:
        """
        Raises:
            RebuildError: the file becomes larger than the original, or differs from it.
        """
        self._take(len(data))
        if self._original and self._original.read(len(data)) != data:
            raise RebuildError("other bytes are written")
        self.agreed += len(data)
        self._file.write(data)

    def _take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise RebuildError("they become more than they were")

    def check_room(self, count: int) -> None:
        """
        Raises:
            RebuildError: so many bytes more would make the file larger than the original.
        """
        if count > self.left:
            raise RebuildError("they become more than they were")

    def reserve(self, count: int) -> None:
        """Leave room for bytes that are patched later.

        Raises:
            RebuildError: see `write`.
        """
        self._take(count)
        if self._original:
            self._original.seek(count, io.SEEK_CUR)
        self.agreed += count
        self._file.write(bytes(count))

    def patch(self, at: int, data: bytes) -> None:
        """Write over bytes that were written before."""
        self._file.seek(at)
        self._file.write(data)
        self._file.seek(0, io.SEEK_END)

    def tell(self) -> int:
        return self._file.tell()


def samples_bytes(frame: Frame) -> int:
    """Bytes of the samples of a picture."""
    return frame.width * frame.height * frame.layout.channels * frame.dtype.itemsize


def check_size(size_bytes: int, frame: Frame, recipe_bytes: int) -> None:
    """Refuse a length that is out of proportion to the picture.

    Raises:
        BitstreamError: the original would be too large.
    """
    check_total(size_bytes, samples_bytes(frame), recipe_bytes + extras_bytes(frame))


def check_total(size_bytes: int, samples: int, extras: int, pages: int = 0) -> None:
    """The same for the bytes of samples and of all else, of several pages.

    Raises:
        BitstreamError: the original would be too large.
    """
    most = _SAMPLES_FACTOR * (samples + min(samples, FEW_BYTES)) + _EXTRAS_FACTOR * extras + _MORE_BYTES
    most += _PAGE_BYTES * pages
    if size_bytes > most:
        raise BitstreamError(f"record of the original declares {size_bytes} bytes, expected at most {most}")


def extras_bytes(frame: Frame) -> int:
    """The bytes of a picture's palette and metadata."""
    return len(frame.palette) + sum(len(chunk.data) for chunk in frame.metadata)


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """All bytes of a file, from its start."""
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        yield piece


def digest(file: BinaryIO) -> tuple[int, bytes]:
    """Length and SHA-256 of a file."""
    found, size = hashlib.sha256(), 0
    for piece in pieces(file):
        found.update(piece)
        size += len(piece)
    return size, found.digest()


def check_digest(file: BinaryIO, size_bytes: int, sha256: bytes) -> None:
    """
    Raises:
        RebuildError: a file has other bytes than the original.
    """
    found = digest(file)
    if found != (size_bytes, sha256):
        raise RebuildError(f"SHA-256 is {found[1].hex()}, expected {sha256.hex()}")
