"""Errors of the command line: one line per error, and exit codes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pixcodecs.errors import PixzipError

from pixzip.cli.say import say
from pixzip.io.streams import STANDARD

EXIT_ERROR = 2
#: Code that a shell reports for a process ended by SIGPIPE.
EXIT_PIPE = 141
#: Errors of one file that do not affect the others.
FILE_ERRORS = (PixzipError, OSError, MemoryError)


def text_of(error: BaseException) -> str:
    """The text of an error; one of a library is in one line."""
    if isinstance(error, PixzipError):
        return str(error)  # may quote a file or name, which stays exact
    if isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = str(error) or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)
    return " ".join(text.split())


def report(name: str | None, error: BaseException) -> None:
    """Print an error as a line on standard error."""
    name = name or (error.filename if isinstance(error, OSError) else None)
    where = f"{name}: " if name else ""
    say(f"pixzip: {where}{text_of(error)}")


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as a line on standard error; takes the place of `warnings.showwarning`."""
    say(f"pixzip: warning: {message}")


@contextmanager
def naming(name: str) -> Iterator[None]:
    """End the program at the first error, with a line that names the input unless it is standard input."""
    try:
        yield
    except BrokenPipeError:
        raise
    except FILE_ERRORS as e:
        report(None if name == STANDARD else name, e)
        sys.exit(EXIT_ERROR)
