"""A file of which ranges are read, elsewhere."""

import io
from collections.abc import Callable

from pixcodecs.forking import cached_property


class Ranges(io.RawIOBase):
    """A readable file over a function that gives ranges; its size is asked for only if the first range is all full."""

    def __init__(self, size: Callable[[], int], read: Callable[[int, int], bytes]) -> None:
        """
        Args:
            size: gives the size of the file.
            read: start, end -> the bytes there, fewer at the end of the file.
        """
        self._ask, self._read, self._at = size, read, 0

    @cached_property
    def _size(self) -> int:
        return self._ask()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, out: memoryview) -> int:  # type: ignore[override]
        start, end = self._at, self._at + len(out)
        if start:
            end = min(end, self._size)
        if start >= end:
            return 0
        found = self._read(start, end)
        out[: len(found)] = found
        self._at += len(found)
        if not start and len(found) < end:
            self._size = len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = 0 if whence == io.SEEK_SET else self._at if whence == io.SEEK_CUR else self._size
        if base + offset < 0:
            raise ValueError(f"position is {base + offset}, expected no less than 0")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at
