"""Errors of the command line: one line per error, and exit codes."""

from typing import Any

import click
from pixcodecs.errors import PixzipError

EXIT_ERROR = 2
#: Code that a shell reports for a process ended by SIGPIPE.
EXIT_PIPE = 141
#: Errors of one file that do not affect the others.
FILE_ERRORS = (PixzipError, OSError, MemoryError)


def text_of(error: BaseException) -> str:
    """The text of an error in one line."""
    if isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = str(error) or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)
    return " ".join(text.split())


def report(name: str | None, error: BaseException) -> None:
    """Print an error as a line on standard error."""
    name = name or (error.filename if isinstance(error, OSError) else None)
    where = f"{name}: " if name else ""
    click.echo(f"pixzip: {where}{text_of(error)}", err=True)


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as a line on standard error; takes the place of `warnings.showwarning`."""
    click.echo(f"pixzip: {' '.join(str(message).split())}", err=True)
