"""Where shards are worked on: the protocol of pools, and this process as one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from pixzip.trees.shards import Task

#: What became of a file: values that JSON holds; "name" is the task's.
Event = dict[str, Any]
#: Works on the files of a shard, and tells what becomes of each.  It may be called again for a shard that it has begun.
Work = Callable[[Sequence[Task], Callable[[Event], None]], None]


class Pool(Protocol):
    """Works on shards in this process or in others."""

    @property
    def workers(self) -> int:
        """The number of threads that work now, at least 1."""

    def run(
        self,
        work: Work,
        shards: Iterable[Sequence[Task]],
        heard: Callable[[Event], None],
        lost: Callable[[str, str], None],
    ) -> None:
        """Work on all shards.

        Args:
            work: goes to other processes by value.
            heard: called in this thread, once for each file, soon after the event.
            lost: called instead with a file's name and why nothing is heard of it: its workers died.
        Raises:
            PixzipError: the pool is gone; some shards are done.
        """


class Here:
    """This process."""

    workers = 1

    def run(
        self,
        work: Work,
        shards: Iterable[Sequence[Task]],
        heard: Callable[[Event], None],
        lost: Callable[[str, str], None],
    ) -> None:
        """See `Pool.run`."""
        for shard in shards:
            work(shard, heard)
