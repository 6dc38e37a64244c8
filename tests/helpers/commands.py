"""The real command line in separate processes, forked from a process that has imported everything.

A command starts in milliseconds, while a new interpreter takes seconds.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pixzip.__main__

#: Modules that the parent of all commands imports.
PRELOAD = ["pixzip.cli", "pixzip.codec", "pixzip.image", "pixzip.models.library", "tests.helpers.commands"]
_CONTEXT = get_context("forkserver") if sys.platform != "win32" else get_context()


def warm_up() -> None:
    """Start the parent of all commands, which inherits the current environment."""
    if sys.platform != "win32":
        _CONTEXT.set_forkserver_preload(PRELOAD)


def _signals_of_a_terminal() -> None:
    """Handle signals like a command started at a terminal; a test run under `nohup` or with `&` ignores some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _command(
    args: list[str], errors: str, output: str, file_bytes: int, paused: str, ignored: Sequence[int], closed: bool
) -> None:
    _signals_of_a_terminal()
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    if output:
        os.dup2(os.open(output, os.O_WRONLY), 1)
    if closed:
        sys.stdin = sys.stdout = None  # type: ignore[assignment]
        os.closerange(0, 2)
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    if paused:
        before = os.fsync

        def pause(descriptor: int) -> None:
            before(descriptor)
            Path(paused).touch()
            time.sleep(0.3)

        os.fsync = pause
    sys.argv = ["pixzip", *args]
    pixzip.__main__.main()


@contextmanager
def started(
    folder: Path, *args: object, file_bytes: int = 0, pause_in_write: bool = False, ignored: Sequence[int] = (),
    output: str = "", closed: bool = False,
) -> Iterator[tuple[BaseProcess, Path, Path]]:  # fmt: skip
    """A running command: the process, the file of its errors, and a file that exists when it pauses in writing.

    Args:
        file_bytes: largest file that it may write, to simulate a full disk.
        output: path of a device that is its standard output.
        closed: whether its standard input and output are closed.
        ignored: signals that the command ignores from its start, as under `nohup`; no others, however the tests run.
    """
    errors, paused = folder / "errors", folder / "paused"
    errors.unlink(missing_ok=True)
    paused.unlink(missing_ok=True)
    where = str(paused) if pause_in_write else ""
    given = [str(a) for a in args], str(errors), output, file_bytes, where, tuple(ignored), closed
    process = _CONTEXT.Process(target=_command, args=given)
    process.start()
    try:
        yield process, errors, paused
    finally:
        process.join(60)
        if process.is_alive():
            process.kill()
            process.join()
            raise AssertionError("the command does not end")
