"""Standard output and standard error of a command that may lose them: full disks, closed pipes, closed descriptors."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any


class StandardOutputError(Exception):
    """Standard output takes no more; it ends the command, because the fault is of no single file.

    Attributes:
        reader_left: whether the program that read standard output has ended, as `head` does: no error.
    """

    def __init__(self, text: str, reader_left: bool = False) -> None:
        super().__init__(text)
        self.reader_left = reader_left


class _Outlet:
    """A stream whose errors are handled in one place."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __bool__(self) -> bool:
        return self._stream is not None

    @property
    def buffer(self) -> Any:
        return type(self)(self._stream.buffer)

    def write(self, data: Any) -> Any:
        return self._checked("write", data)

    def flush(self) -> None:
        self._checked("flush")

    def _checked(self, action: str, *args: Any) -> Any:
        raise NotImplementedError


class _Output(_Outlet):
    """Standard output: all that is written to it arrives, or the command ends."""

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def _checked(self, action: str, *args: Any) -> Any:
        if self._stream is None:
            raise StandardOutputError("standard output is closed")
        try:
            return getattr(self._stream, action)(*args)
        except OSError as e:
            raise StandardOutputError(f"standard output: {e.strerror}", e.errno == errno.EPIPE) from None


class _Errors(_Outlet):
    """Standard error: the work goes on without its messages."""

    def _checked(self, action: str, *args: Any) -> Any:
        with contextlib.suppress(OSError):
            return getattr(self._stream, action)(*args)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Let standard output raise `StandardOutputError` and nothing else, and standard error no errors at all."""
    before = sys.stdout, sys.stderr
    sys.stdout = _Output(sys.stdout)
    if sys.stderr:
        sys.stderr = _Errors(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        _settle_stdout()


def _settle_stdout() -> None:
    """Discard output that standard output no longer takes, so that the interpreter does not report it again at exit."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def hold_descriptors() -> None:
    """Open the null device in place of closed standard streams, whose descriptors outputs would get otherwise.

    What a library prints would be written into these outputs.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
