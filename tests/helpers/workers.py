"""Work that goes wrong in a worker, once: it dies, or its disk is full, half way through its first shard; and a log of
what workers write into Zarr's stores."""

import errno
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixzip.cli.work.relay import OnShard
from pixzip.io import files
from pixzip.trees.pools import Event
from pixzip.trees.shards import Task


def first(marker: str) -> bool:
    """Whether this is the first call, of all processes, with this path."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@dataclass(frozen=True)
class Dying(OnShard):
    """Kills its worker after the first file of the first shard; after every one if `marker` is no path."""

    marker: str = ""

    def __call__(self, tasks: Sequence[Task], tell: Callable[[Event], None]) -> None:
        if not self.marker or first(self.marker):
            super().__call__(tasks[:1], tell)
            time.sleep(0.2)  # so that the event may leave
            os.kill(os.getpid(), signal.SIGKILL)
        super().__call__(tasks, tell)


@dataclass(frozen=True)
class Deadly(OnShard):
    """A file of this name kills every worker that begins its shard."""

    name: str = ""

    def __call__(self, tasks: Sequence[Task], tell: Callable[[Event], None]) -> None:
        if any(Path(task.name).name == self.name for task in tasks):
            os.kill(os.getpid(), signal.SIGKILL)
        super().__call__(tasks, tell)


@dataclass(frozen=True)
class Full(OnShard):
    """The disk is full from the second output of the first shard on, until the shard ends."""

    marker: str = ""

    def __call__(self, tasks: Sequence[Task], tell: Callable[[Event], None]) -> None:
        if not first(self.marker):
            super().__call__(tasks, tell)
            return
        fill, written = files._fill, []

        def full(*args: object) -> None:
            if written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written.append(True)
            fill(*args)  # type: ignore[arg-type]

        files._fill = full
        try:
            super().__call__(tasks, tell)
        finally:
            files._fill = fill


@dataclass(frozen=True)
class Slow(OnShard):
    """Takes a moment for each file."""

    pause_s: float = 0.2

    def __call__(self, tasks: Sequence[Task], tell: Callable[[Event], None]) -> None:
        for task in tasks:
            time.sleep(self.pause_s)
            super().__call__([task], tell)


def log_writes(path: str) -> int:
    """Let Zarr's stores on disks enter what this process writes into a file: its number, and the key; return the
    number."""
    from zarr.storage import LocalStore

    put = LocalStore.set

    async def logged(self: LocalStore, key: str, value: Any) -> None:
        await put(self, key, value)
        with Path(path).open("a") as log:  # one write, which is appended as a whole
            log.write(f"{os.getpid()} {key}\n")

    LocalStore.set = logged  # type: ignore[method-assign]
    return os.getpid()


def set_environment(values: dict[str, str]) -> None:
    """Set variables of this process."""
    os.environ.update(values)
