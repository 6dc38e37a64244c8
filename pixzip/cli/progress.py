"""Bars on standard error, where that is a terminal."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from types import TracebackType
from typing import Any, Self

import click

from pixzip.io import streams

#: A bar appears for what takes longer.
DELAY_S = 1.0
#: Columns that a bar leaves free: the terminal writes ^C there, and the line can still be cleared.
_FOR_AN_INTERRUPT = 3


@cache  # what it says, it says but once
def _say_compiling() -> None:
    click.echo("pixzip: compiling kernels for this machine, once: some tens of seconds", err=True)


def _compiling_is_said() -> AbstractContextManager[Any]:
    """Name the reason for a long silence: kernels that are not in numba's cache, as on a machine's first run."""
    try:
        from numba.core import event
    except ImportError:  # nothing is compiled, then
        return nullcontext()

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            _say_compiling()

        def on_end(self, event: Any) -> None:
            pass

    found: AbstractContextManager[Any] = event.install_listener("numba:compile", Listener())
    return found


class Bar:
    """Progress on standard error, if that is a terminal: `with Bar("decoding") as bar: work(progress=bar)`."""

    def __init__(self, label: str, wanted: bool = True) -> None:
        self.label = label
        self._wanted = wanted and streams.is_terminal()
        self._started = time.monotonic()
        self._progress: Any = None
        self._task: Any = None
        self._compiling = _compiling_is_said() if self._wanted else nullcontext()

    def __enter__(self) -> Self:
        self._compiling.__enter__()
        return self

    def __call__(self, done: float, total: float) -> None:
        """Show that `done` of `total` is done."""
        if not self._wanted or (self._progress is None and time.monotonic() - self._started < DELAY_S):
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import Progress

            console = Console(stderr=True)
            console.width -= _FOR_AN_INTERRUPT
            self._progress = Progress(
                *self.columns(), console=console, transient=True, redirect_stdout=False
            )  # which is the results' alone
            self._task = self._progress.add_task(self.label, total=total, completed=done, text=self.text(done, total))
            self._progress.start()
            return
        self._progress.update(self._task, completed=done, total=total, text=self.text(done, total))

    def columns(self) -> tuple[Any, ...]:
        """What a line has; rich's own choice."""
        from rich.progress import Progress

        return Progress.get_default_columns()

    def text(self, done: float, total: float) -> str:
        """What a column may show."""
        return ""

    def say(self, text: str) -> None:
        """A line on standard error, above the bar."""
        if self._progress is None:
            click.echo(text, err=True)
        else:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._compiling.__exit__(kind, error, at)
        if self._progress is not None:
            self._progress.stop()


class FilesBar(Bar):
    """One bar for all files.

    Attributes:
        before, after: bytes of the files that are written, and of what was written.
    """

    def __init__(self, label: str, size_bytes: int, wanted: bool) -> None:
        """
        Args:
            size_bytes: of all files.
        """
        super().__init__(label, wanted)
        self._size = size_bytes
        self._bytes = self._pixels = self._shown_pixels = 0.0
        self.before = self.after = 0

    def advance(self, size_bytes: float, pixels: float) -> None:
        """So much more is done."""
        self._bytes += size_bytes
        self._pixels += pixels
        self._show(self._bytes, self._pixels)

    def part(self, size_bytes: float, pixels: float) -> Callable[[int, int], None]:
        """The progress callback of what comes next; `advance` counts it when it is done."""

        def progress(done: int, total: int) -> None:
            share = done / max(total, 1)
            self._show(self._bytes + size_bytes * share, self._pixels + pixels * share)

        return progress

    def _show(self, size_bytes: float, pixels: float) -> None:
        self._shown_pixels = pixels
        self(size_bytes, max(self._size, size_bytes))

    def columns(self) -> tuple[Any, ...]:
        from rich.progress import BarColumn, TextColumn

        return TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[text]}")

    def text(self, done: float, total: float) -> str:
        took = max(time.monotonic() - self._started, 1e-9)
        ratio = f"ratio {self.before / self.after:.2f}" if self.after else "ratio -"
        left = _clock(took * (total - done) / done) if done else "-:--"
        return f"{_mega(done)}/{_mega(total)} MB  {self._shown_pixels / 1e6 / took:.2f} MP/s  {ratio}  {left} left"


def _mega(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f}" if size_bytes < 1e9 else f"{size_bytes / 1e6:.0f}"


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}" if h else f"{m}:{s:02}"
