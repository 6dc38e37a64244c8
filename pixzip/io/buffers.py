"""Open files as bytes that are read when they are sliced.

Unlike a mapped file, which ends the process with SIGBUS where another program has truncated it, a part that has
vanished is an error of this file.
"""

import io
import os
from abc import ABC, abstractmethod

from pixcodecs import forking
from pixcodecs.errors import BitstreamError

#: Bytes that a short slice reads at once, so that parsers can take a file byte by byte.
_WINDOW_BYTES = 1 << 16
#: Most bytes that systems read in one call.
_CALL_BYTES = 1 << 30
#: Held while a position is set and used, on systems that cannot read at a position.
_SEEKING = forking.Lock()


class FileBuffer:
    """The bytes of a regular file; a `Buffer` that keeps the file open, and at most 64 KiB of it in memory."""

    def __init__(self, descriptor: int) -> None:
        """
        Args:
            descriptor: of the file, open for reading; is duplicated.
        """
        self._descriptor = os.dup(descriptor)
        self._size = os.fstat(self._descriptor).st_size
        self._window = 0, b""  # position, bytes

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        """The bytes from `part.start` to `part.stop`.

        Raises:
            BitstreamError: the file is shorter than it was when it was opened.
            OSError: the file cannot be read.
        """
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError(f"slice has a step of {step}, expected 1")
        size = max(0, stop - start)
        if size > _WINDOW_BYTES:
            return self._read(start, size)
        at, found = self._window
        if not at <= start <= start + size <= at + len(found):
            self._window = at, found = start, self._read(start, min(_WINDOW_BYTES, self._size - start))
        return found[start - at : start - at + size]

    def _read(self, start: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (part := _read_at(self._descriptor, min(size, _CALL_BYTES), start)):
            parts.append(part)
            start, size = start + len(part), size - len(part)
        if size:
            raise BitstreamError(f"file has changed while it was read: it had {self._size} bytes, now {start}")
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_at(descriptor: int, size: int, start: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, start)
    with _SEEKING:
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.read(descriptor, size)


class Seekable(io.RawIOBase, ABC):
    """A readable file with a position; `readinto` reads at it and moves it on."""

    _at = 0

    @abstractmethod
    def _length(self) -> int:
        """The size of the file."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = 0 if whence == os.SEEK_SET else self._at if whence == os.SEEK_CUR else self._length()
        if base + offset < 0:
            raise ValueError(f"position is {base + offset}, expected no less than 0")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at


class BufferFile(Seekable):
    """A readable file with a position of its own over a `FileBuffer`."""

    def __init__(self, buffer: FileBuffer) -> None:
        self._buffer = buffer

    def _length(self) -> int:
        return len(self._buffer)

    def readinto(self, out: memoryview) -> int:  # type: ignore[override]
        found = self._buffer[self._at : self._at + len(out)]
        out[: len(found)] = found
        self._at += len(found)
        return len(found)
