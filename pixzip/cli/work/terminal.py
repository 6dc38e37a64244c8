"""Tables and bars on a terminal, by Rich."""

from collections.abc import Container, Mapping, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from pixzip.io.text import escaped

#: Columns that a bar leaves free for the terminal's ^C, so that the line can still be cleared.
_FOR_AN_INTERRUPT = 3
#: Columns from which on a folded text can be read.
_LEAST_FOLDED = 12


def table(
    rows: Sequence[Mapping[str, str]], numbers: Container[str], *, folded: str = "", stderr: bool = False
) -> None:
    """Print rows as a table with a heading, or each row as lines where the terminal is too narrow.

    Args:
        numbers: names of right-aligned columns.
        folded: name of the column that wraps on a narrow terminal.
    """
    cells = [{name: escaped(cell) for name, cell in row.items()} for row in rows]
    console = Console(stderr=stderr)
    fits = _fits(cells, folded, console.width)
    console.print(_across(cells, numbers, folded) if fits else _down(cells))


def _fits(rows: Sequence[Mapping[str, str]], folded: str, width: int) -> bool:
    """Whether the columns other than the folded one are shown as a whole, and some of the folded one."""
    widths = {name: max(len(name), *(cell_len(row[name]) for row in rows)) for name in rows[0]}
    if folded:
        widths[folded] = min(widths[folded], _LEAST_FOLDED)
    return sum(widths.values()) + 2 * (len(widths) - 1) <= width


def _across(rows: Sequence[Mapping[str, str]], numbers: Container[str], folded: str) -> Table:
    """A line for each row, below a heading."""
    shown = Table(box=None, pad_edge=False)
    for name in rows[0]:
        justify: Literal["left", "right"] = "right" if name in numbers else "left"
        wraps = name == folded
        shown.add_column(name, justify=justify, overflow="fold" if wraps else "ellipsis", no_wrap=not wraps)
    for row in rows:
        shown.add_row(*map(Text, row.values()))
    return shown


def _down(rows: Sequence[Mapping[str, str]]) -> Table:
    """A line for each cell, for narrow terminals; an empty line between rows."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for i, row in enumerate(rows):
        if i:
            shown.add_row()
        for name, cell in row.items():
            shown.add_row(name, Text(cell))
    return shown


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
