"""A file of which ranges are read, elsewhere."""

from collections.abc import Callable

from pixcodecs.forking import cached_property

from pixzip.io.buffers import Seekable


class Ranges(Seekable):
    """A readable file over a function that gives ranges; its size is asked for only if the first range is all full."""

    def __init__(self, size: Callable[[], int], read: Callable[[int, int], bytes], head: bytes = b"") -> None:
        """
        Args:
            size: gives the size of the file.
            read: start, end -> the bytes there, fewer at the end of the file.
            head: the first bytes, as far as they are known.
        """
        self._ask, self._read, self._head = size, read, head

    @cached_property
    def _size(self) -> int:
        return self._ask()

    def _length(self) -> int:
        return self._size

    def readinto(self, out: memoryview) -> int:  # type: ignore[override]
        start, end = self._at, self._at + len(out)
        if start < len(self._head):
            known = self._head[start:end]
            out[: len(known)] = known
            self._at += len(known)
            return len(known)
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
