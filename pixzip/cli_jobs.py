"""Many inputs, one command: batches, a line for each that fails, a bar for those that take long."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from types import TracebackType
from typing import Any, Self

import click
from pixcodecs.errors import PixzipError

from pixzip import files

EXIT_ERROR = 2
#: As a shell reports a process that SIGPIPE ended.
EXIT_PIPE = 141
#: What goes wrong with one file and leaves the others alone.
FILE_ERRORS = (PixzipError, OSError, MemoryError)
#: A bar appears for what takes longer.
DELAY_S = 1.0


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

    def __init__(self, label: str) -> None:
        self.label = label
        self._wanted = files.is_terminal()
        self._started = time.monotonic()
        self._progress: Any = None
        self._task: Any = None
        self._compiling = _compiling_is_said() if self._wanted else nullcontext()

    def __enter__(self) -> Self:
        self._compiling.__enter__()
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` is done."""
        if not self._wanted or (self._progress is None and time.monotonic() - self._started < DELAY_S):
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task(self.label, total=total)
            self._progress.start()
        self._progress.update(self._task, completed=done, total=total)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._compiling.__exit__(kind, error, at)
        if self._progress is not None:
            self._progress.stop()


def report(name: str | None, error: BaseException) -> None:
    if isinstance(error, OSError):
        text = error.strerror or str(error)
        name = name or error.filename
    else:
        text = str(error) or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)
    where = f"{name}: " if name else ""
    click.echo(f"pixzip: {where}{' '.join(text.split())}", err=True)


class Jobs:
    """Inputs on their way to outputs; remembers whether one failed."""

    def __init__(self, work: Callable[[list[Any]], list[Any]], done: Callable[[str, Any], None]) -> None:
        self._work, self._done = work, done
        self._pending: list[tuple[str, Any]] = []
        self._pixels = 0
        self.failed = False

    def attempt(self, name: str, action: Callable[[], Any]) -> Any:
        """The action's result; None after reporting that it failed.

        Raises:
            BrokenPipeError: nobody reads the output any more, which ends all work.
        """
        try:
            return action()
        except BrokenPipeError:
            raise
        except FILE_ERRORS as e:
            self.failed = True
            report(name, e)
            return None

    def add(self, name: str, item: Any, pixels: int) -> None:
        """Queue an input, and code what is queued when that makes a full batch."""
        from pixzip.tiles import BATCH_PIXELS

        if self._pixels + pixels > BATCH_PIXELS:
            self.flush()
        self._pending.append((name, item))
        self._pixels += pixels

    def flush(self) -> None:
        """Code what is queued."""
        pending, self._pending, self._pixels = self._pending, [], 0
        self._run(pending)

    def _run(self, pending: list[tuple[str, Any]]) -> None:
        if not pending:
            return
        if len(pending) == 1:
            results = self.attempt(pending[0][0], lambda: self._work([pending[0][1]]))
        else:
            try:
                results = self._work([item for _, item in pending])
            except FILE_ERRORS:  # one of them is bad: halve the batch until it is alone
                middle = len(pending) // 2
                self._run(pending[:middle])
                self._run(pending[middle:])
                return
        for (name, _), result in zip(pending, results or [], strict=False):
            self.attempt(name, partial(self._done, name, result))

    def exit(self) -> None:
        """End the program with the right code."""
        self.flush()
        if self.failed:
            sys.exit(EXIT_ERROR)


def targets_of(jobs: Jobs, inputs: tuple[str, ...], named: Sequence[str], force: bool) -> dict[str, str]:
    """Input -> output, of those that may be written."""
    targets: dict[str, str] = {}
    for name, target in zip(inputs, named, strict=True):
        if name in targets:
            continue

        def check(target: str = target) -> bool:
            if target != files.STANDARD and target in targets.values():
                raise PixzipError(f"{target} is another input's output too")
            files.check_writable(target, force)
            return True

        if jobs.attempt(name, check):
            targets[name] = target
    return targets
