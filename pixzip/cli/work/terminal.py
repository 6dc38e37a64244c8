"""Tables and bars on a terminal, by Rich."""

from collections.abc import Container, Mapping, Sequence
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from pixzip.io.text import escaped

#: Columns that a bar leaves free for the terminal's ^C, so that the line can still be cleared.
_FOR_AN_INTERRUPT = 3


def table(
    rows: Sequence[Mapping[str, str]], numbers: Container[str], *, folded: str = "", stderr: bool = False
) -> None:
    """Print rows as a table with a heading.

    Args:
        numbers: names of right-aligned columns.
        folded: name of the column that wraps on a narrow terminal.
    """
    shown = Table(box=None, pad_edge=False)
    for name in rows[0]:
        justify: Literal["left", "right"] = "right" if name in numbers else "left"
        wraps = name == folded
        shown.add_column(name, justify=justify, overflow="fold" if wraps else "ellipsis", no_wrap=not wraps)
    for row in rows:
        shown.add_row(*(Text(escaped(cell)) for cell in row.values()))
    Console(stderr=stderr).print(shown)


def bar(*, with_text: bool) -> Progress:
    """A bar on standard error, which disappears at its end.

    Args:
        with_text: show the field `text` beside the bar, instead of the share done and the time left.
    """
    columns: Sequence[str | ProgressColumn] = Progress.get_default_columns()
    if with_text:
        columns = TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[text]}")
    console = Console(stderr=True)
    console.width -= _FOR_AN_INTERRUPT
    return Progress(*columns, console=console, transient=True, redirect_stdout=False)  # stdout is for results only


def training_bar() -> Progress:
    """A bar on standard error with the field `text` beside it, which remains at its end."""
    columns = (BarColumn(), TextColumn("{task.fields[text]}"))
    return Progress(*columns, console=Console(stderr=True), refresh_per_second=2)
