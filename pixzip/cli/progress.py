"""Progress bars on standard error, if it is a terminal."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Self

from pixzip.cli.say import say
from pixzip.io import streams

#: A bar appears after this time.
DELAY_S = 1.0


class Bar:
    """A bar on standard error, if it is a terminal: `with Bar("decoding") as bar: work(progress=bar)`."""

    #: Whether to show `text` instead of the share done and the time left.
    with_text = False

    def __init__(self, label: str, wanted: bool = True) -> None:
        self.label = label
        self._wanted = wanted and streams.is_terminal()
        self._started = time.monotonic()
        self._progress: Any = None
        self._task: Any = None
        self._compiling: AbstractContextManager[Any] = nullcontext()
        if self._wanted:
            from pixzip.cli.work import compiling

            self._compiling = compiling.said()

    def __enter__(self) -> Self:
        self._compiling.__enter__()
        return self

    def __call__(self, done: float, total: float) -> None:
        """Show the progress `done` of `total`."""
        if not self._wanted or (self._progress is None and time.monotonic() - self._started < DELAY_S):
            return
        if self._progress is None:
            from pixzip.cli.work import terminal

            self._progress = terminal.bar(with_text=self.with_text)
            self._task = self._progress.add_task(self.label, total=total, completed=done, text=self.text(done, total))
            self._progress.start()
            return
        self._progress.update(self._task, completed=done, total=total, text=self.text(done, total))

    def text(self, done: float, total: float) -> str:
        """The text beside the bar."""
        return ""

    def say(self, text: str) -> None:
        """Print a line on standard error, above the bar."""
        say(text, self._progress and self._progress.console)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._compiling.__exit__(kind, error, at)
        if self._progress is not None:
            self._progress.stop()


class FilesBar(Bar):
    """One bar for all files.

    Attributes:
        files: number of files that are finished.
        before, after: total bytes of the inputs that are done, and of their outputs.
    """

    with_text = True

    def __init__(self, label: str, size_bytes: int, wanted: bool, files: int = 1) -> None:
        """
        Args:
            size_bytes: total size of all files.
            files: number of all files; one is not counted in the text.
        """
        super().__init__(label, wanted)
        self._size = size_bytes
        self._bytes = self._pixels = self._shown_pixels = 0.0
        self.files = self.before = self.after = 0
        self._of_files = files

    def advance(self, size_bytes: float, pixels: float) -> None:
        """Add to the finished bytes and pixels."""
        self._bytes += size_bytes
        self._pixels += pixels
        self._show(self._bytes, self._pixels)

    def part(self, size_bytes: float, pixels: float) -> Callable[[int, int], None]:
        """The progress callback of the next part; `advance` counts the part when it is done."""

        def progress(done: int, total: int) -> None:
            share = done / max(total, 1)
            self._show(self._bytes + size_bytes * share, self._pixels + pixels * share)

        return progress

    def _show(self, size_bytes: float, pixels: float) -> None:
        self._shown_pixels = pixels
        self(size_bytes, max(self._size, size_bytes))

    def text(self, done: float, total: float) -> str:
        took = max(time.monotonic() - self._started, 1e-9)
        ratio = f"ratio {self.before / self.after:.2f}" if self.after else "ratio -"
        left = _clock(took * (total - done) / done) if done else "-:--"
        files = f"{self.files:,}/{self._of_files:,} files  " if self._of_files > 1 else ""
        return (
            f"{files}{_mega(done)}/{_mega(total)} MB  {self._shown_pixels / 1e6 / took:.2f} MP/s  {ratio}  {left} left"
        )


def _mega(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f}" if size_bytes < 1e9 else f"{size_bytes / 1e6:.0f}"


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}" if h else f"{m}:{s:02}"
