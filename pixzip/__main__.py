"""`python -m pixzip` and the installed command; signals end them quietly from the first import on."""

import contextlib
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from types import FrameType, TracebackType

from pixzip.io import outlets, signals
from pixzip.io.text import escaped

_SHOW_CURSOR = b"\x1b[?25h"
_CLEAR_LINE = b"\r\x1b[K"


def _end(number: int, frame: FrameType | None) -> None:
    """Print what was done, and die of the signal, as a shell expects.

    Unlike an exception, which compiled code that calls Python may swallow, this always ends the process.
    """
    with contextlib.suppress(OSError):  # the terminal may be gone
        if os.isatty(2):
            os.write(2, _SHOW_CURSOR + _CLEAR_LINE)  # a progress bar hides the cursor and leaves its line
        os.write(2, signals.line().encode())
    with contextlib.suppress(Exception):
        signals.last()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an error in pixzip itself, whose text may quote a file."""
    text = "".join(traceback.format_exception(kind, error, trace))
    if sys.stderr:
        sys.stderr.write("\n".join(escaped(line) for line in text.split("\n")))


def _roomy(command: Callable[[], None]) -> None:
    """Run a command on a stack of a megabyte.

    CPython 3.11 and later keep the frames of Python functions in pieces of 16 KiB, and map and unmap a piece whenever a
    call crosses its end, which takes a second of the system's time when numba compiles [1].  A frame that claims to be
    large gets a large piece, which the frames above it share.

    [1] `push_chunk` in Python/pystate.c
    """
    command()


_roomy.__code__ = _roomy.__code__.replace(co_stacksize=70_000)  # in words of 8 bytes; the piece has twice as many


def main() -> None:
    """Run the command line."""
    sys.excepthook = _fail
    outlets.hold_descriptors()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _end)
    from pixzip import cli
    from pixzip.cli.errors import show_warning

    warnings.showwarning = show_warning
    _roomy(partial(cli.main, prog_name="pixzip"))


if __name__ == "__main__":
    main()
