"""Everything that the command line prints goes through this module, so that no file or name controls a terminal.

A line may quote names, metadata and errors as they are: they are escaped here, line ends included.
"""

import json
import sys
from typing import Any

import click

from pixzip.io.text import escaped, shortened


def say(text: str, console: Any = None) -> None:
    """Print a message as one line on standard error.

    Args:
        console: Rich's console of a progress bar, above which the line appears; None if there is no bar.
    """
    line = shortened(escaped(text))
    if console is None:
        click.echo(_encodable(line, sys.stderr), err=True)
        return
    from rich.text import Text

    console.print(Text(line), soft_wrap=True)


def show(text: str) -> None:
    """Print a line of a result on standard output."""
    click.echo(_encodable(escaped(text), sys.stdout))


def show_json(value: Any) -> None:
    """Print a value as a line of JSON on standard output, in ASCII and exact: names keep all characters."""
    click.echo(json.dumps(value))


def _encodable(line: str, stream: Any) -> str:
    """The line without characters that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)
