"""Inputs and the standard streams; the file name "-" stands for standard input or output."""

import io
import os
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from pixcodecs.container import signature
from pixcodecs.errors import PixzipError

from pixzip.io import stores, upward
from pixzip.io.buffers import BufferFile, FileBuffer
from pixzip.io.upward import StoreFolder

STANDARD = "-"
#: Most bytes of a pipe or device, which is kept in memory: an endless one ends in an error.
MAX_STREAM_BYTES = 1 << 30
#: Larger `.pxz` files are read in parts.  Smaller ones are not kept open, because a batch may have thousands.
MAX_WHOLE_BYTES = 16 << 20
#: What is read of a file at a URL to see what it is.
PEEK_BYTES = 1 << 16
_PIECE_BYTES = 1 << 20


class Input:
    """An input, opened once: a file, a pipe, a device, a URL or standard input; a context manager that closes it.

    What is not a regular file can be read only once, so it is kept in memory.

    Attributes:
        name: name of the input as the user gave it.
        stat: status of a regular file when it was opened; None for other inputs.
    """

    def __init__(self, name: str) -> None:
        """
        Raises:
            PixzipError: standard input is closed, or a URL's store is not known here.
            OSError: the input cannot be opened.
        """
        self.name = name
        place = stores.plain(name)
        remote = stores.is_url(place)
        self._stream = _opened(place)
        self.stat = None if remote or name == STANDARD else _regular(os.fstat(self._stream.fileno()))
        self._buffer = FileBuffer(self._stream.fileno()) if self.stat else None
        self._kept = io.BytesIO()
        self._ended = False

    @property
    def size_bytes(self) -> int:
        """The size of a file, or the number of bytes that were read so far."""
        return self._kept.tell() if self._buffer is None else len(self._buffer)

    def head(self, size: int) -> bytes:
        """The first bytes, fewer if there are no more.

        Raises:
            PixzipError, OSError: the input cannot be read.
        """
        if self._buffer is not None:
            return self._buffer[:size]
        self._keep(size)
        return self._kept.getvalue()[:size]

    def read(self) -> bytes:
        """All bytes.

        Raises:
            PixzipError: the file changed meanwhile, or a pipe gives more than `MAX_STREAM_BYTES`.
            OSError: the input cannot be read.
        """
        if self._buffer is not None:
            data = self._buffer[:]
            self.check_unchanged()
            return data
        self._keep(MAX_STREAM_BYTES + 1)
        if self._kept.tell() > MAX_STREAM_BYTES:
            raise PixzipError(f"a pipe or device gives more than {MAX_STREAM_BYTES} bytes: save them to a file first")
        return self._kept.getvalue()

    def file(self) -> BinaryIO:
        """A new file at the start of the input, with a position of its own.

        Raises:
            PixzipError, OSError: see `read`.
        """
        if self._buffer is not None:
            return io.BufferedReader(BufferFile(self._buffer))
        return io.BytesIO(self.read())

    def pxz(self) -> signature.Buffer:
        """The bytes of a `.pxz` file; only the used parts of a large one are read.

        Raises:
            BitstreamError: the input does not start like a `.pxz` file.
            PixzipError, OSError: see `read`.
        """
        start = self.head(len(signature.SIGNATURE) + 1)
        if not start.startswith(signature.SIGNATURE):
            from pixcodecs.container import image as container

            container.read_header(start)  # raises the exact error without reading the rest
        large = self._buffer is not None and len(self._buffer) > MAX_WHOLE_BYTES
        return cast(FileBuffer, self._buffer) if large else self.read()

    def check_unchanged(self) -> None:
        """
        Raises:
            PixzipError: another program has written to the file since it was opened.
        """
        if self.stat is not None:
            now = os.fstat(self._stream.fileno())
            if (now.st_size, now.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns):
                raise PixzipError("file has changed while it was read")

    def close(self) -> None:
        if self.name != STANDARD:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _keep(self, size: int) -> None:
        """Read until so many bytes are kept, or to the end."""
        while not self._ended and self._kept.tell() < size:
            piece: bytes | None = self._stream.read(min(_PIECE_BYTES, size - self._kept.tell()))
            if piece is None:  # a pipe that does not block has nothing yet
                select.select([self._stream], [], [])
                continue
            self._kept.write(piece)
            self._ended = not piece


def _opened(place: str) -> BinaryIO:
    if place == STANDARD:
        return _stdin()
    if stores.is_url(place):
        return io.BytesIO(stores.read(place, MAX_STREAM_BYTES))
    return Path(place).open("rb")


def _regular(status: os.stat_result) -> os.stat_result | None:
    """The status of a regular file that has a size, unlike the system's own files in /proc."""
    return status if stat.S_ISREG(status.st_mode) and status.st_size else None


def status_of(name: str) -> os.stat_result | None:
    """The status of a regular file; None for standard input, URLs, pipes and devices, whose status is not an image's.

    Raises:
        OSError: there is no such input.
    """
    name = stores.plain(name)
    status = None if name == STANDARD or stores.is_url(name) else os.stat(name)  # noqa: PTH116 (a million calls)
    return status if status and stat.S_ISREG(status.st_mode) else None


def read(name: str) -> bytes:
    """Read a whole input.

    Raises:
        PixzipError, OSError: the input cannot be read, see `Input`.
    """
    with Input(name) as source:
        return source.read()


def read_pxz(name: str) -> signature.Buffer:
    """Open a `.pxz` input, of which only the used parts are read if it is a large file.

    Raises:
        BitstreamError: the input does not start like a `.pxz` file.
        PixzipError, OSError: the input cannot be read, see `Input`.
    """
    with Input(name) as source:
        return source.pxz()


def folder_of(name: str) -> Path | StoreFolder | None:
    """The folder of an input, in which and above which model files may be; None for what is no file."""
    name = stores.plain(name)
    if stores.is_url(name):
        return upward.folder_of(name)
    return None if name == STANDARD else Path(name).parent


def is_one_stack(inputs: Sequence[str]) -> bool:
    """Whether the only input is a stack file; False for standard input, which is not read in advance.

    Raises:
        PixzipError, OSError: the input cannot be read.
    """
    try:
        return len(inputs) == 1 and signature.is_stack(peek(inputs[0]))
    except (FileNotFoundError, IsADirectoryError):  # files below a URL
        return False


def opened(name: str) -> BinaryIO:
    """A regular file, or one at a URL, that can seek and of which only parts are read; to be closed by the caller.

    Raises:
        PixzipError: see `stores.read`.
        OSError: the file cannot be opened.
    """
    return stores.opened(name) if stores.is_url(name) else open(name, "rb")  # noqa: PTH123 (a million calls)


def peek(name: str) -> signature.Buffer:
    """A regular file, of which nothing is read yet, or the first `PEEK_BYTES` of one at a URL; empty for what is none.

    Raises:
        PixzipError, OSError: the input cannot be read.
    """
    name = stores.plain(name)
    if stores.is_url(name):
        return stores.head(name, PEEK_BYTES)
    if name == STANDARD or not Path(name).is_file():
        return b""
    with Path(name).open("rb") as stream:
        return FileBuffer(stream.fileno())


def _stdin() -> BinaryIO:
    if not sys.stdin:
        raise PixzipError("standard input is closed")
    return sys.stdin.buffer


def is_terminal() -> bool:
    """Whether standard error is a terminal."""
    return bool(sys.stderr) and sys.stderr.isatty()
