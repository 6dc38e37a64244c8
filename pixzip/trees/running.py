"""One run of shards on a Dask cluster, told event by event.

A shard is one of Dask's tasks.  Its worker logs an event for each file, which the scheduler hands on at once, and
returns all events in the end, which are fetched only if one was lost.  Dask gives the shard of a worker that died to
another one, three times, and blames all shards that the worker had.  What is still open then is tried once more at
the end, file by file with nothing beside it, so that a file that kills workers costs no other.

https://distributed.dask.org
"""

import json
import queue
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from pixcodecs import threads
from pixcodecs.errors import PixzipError

from pixzip.trees.pools import Event, Work
from pixzip.trees.shards import Task


class _Shard:
    """A shard, and those of its files of which nothing is heard yet."""

    def __init__(self, tasks: Sequence[Task], alone: bool = False) -> None:
        self.tasks, self.alone = tasks, alone
        self.open = {task.name for task in tasks}

    def parts(self) -> list["_Shard"]:
        """The open files, each by itself."""
        return [_Shard([task], alone=True) for task in self.tasks if task.name in self.open]


class Gone(Exception):  # noqa: N818 (an error of the run's caller)
    """The scheduler is lost."""


class Run:
    """One run of a cluster; all but `on_event` and `_on_end`, which only queue, runs in the caller's thread."""

    def __init__(
        self,
        client: Any,
        work: Work,
        heard: Callable[[Event], None],
        lost: Callable[[str, str], None],
        patience_s: float,
    ) -> None:
        """
        Args:
            client: `distributed.Client`, synchronous.
            work, heard, lost: see `Pool.run`.
            patience_s: time after which a scheduler that does not answer is gone.
        """
        self.topic = f"pixzip-{secrets.token_hex(8)}"
        self._client, self._work, self._heard, self._lost = client, work, heard, lost
        self._patience_s = patience_s
        self._news: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._running: dict[int, tuple[_Shard, Any]] = {}
        self._suspects: list[_Shard] = []
        self._sent = 0
        self._silent_since: float | None = None

    def on_event(self, event: tuple[float, Any]) -> None:
        """Queue what a worker logs."""
        number, told = json.loads(event[1])
        self._news.put((number, told))

    def all(self, shards: Iterator[Sequence[Task]], most: int) -> None:
        """Keep at most so many shards with the scheduler until all are done."""
        ended = False
        while True:
            while not ended and len(self._running) < most:
                tasks = next(shards, None)
                ended = tasks is None
                if tasks is not None:
                    self._send(_Shard(tasks))
            if not self._running:
                if not self._suspects:
                    return
                self._send(self._suspects.pop())
            self._listen()

    def _send(self, shard: _Shard) -> None:
        number, self._sent = self._sent, self._sent + 1
        try:
            future = self._client.submit(
                _on_worker, self._work, list(shard.tasks), self.topic, number, pure=False, key=f"{self.topic}-{number}"
            )
        except Exception as e:
            self._check_client(e)
            raise
        self._running[number] = shard, future
        future.add_done_callback(lambda found: self._news.put((number, found)))

    def _listen(self) -> None:
        try:
            number, news = self._news.get(timeout=0.5)
        except queue.Empty:
            self._check_client(None)
            return
        if number not in self._running:
            return
        if isinstance(news, dict):
            self._hear(self._running[number][0], news)
        else:
            self._finish(number, news)

    def _hear(self, shard: _Shard, event: Event) -> None:
        if event["name"] in shard.open:
            shard.open.remove(event["name"])
            self._heard(event)

    def _finish(self, number: int, future: Any) -> None:
        shard, _ = self._running[number]
        if future.status == "finished":
            for event in self._result(future) if shard.open else ():
                self._hear(shard, event)
            del self._running[number]
            return
        if future.cancelled():
            raise Gone("it has dropped the work")
        error = future.exception()
        del self._running[number]
        if type(error).__name__ != "KilledWorker":
            raise _explained(error)
        if shard.alone:
            self._lost(shard.tasks[0].name, "each worker that worked on it died")
        else:
            self._suspects += shard.parts()

    def _result(self, future: Any) -> list[Event]:
        try:
            found: list[Event] = future.result()
        except Exception as e:
            self._check_client(e)
            raise
        return found

    def _check_client(self, error: BaseException | None) -> None:
        """
        Raises:
            Gone: the client has lost its scheduler, for the time of patience where there is no error yet.
        """
        if self._client.status == "running":
            self._silent_since = None
            return
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if error or self._client.status == "closed" or now - self._silent_since > self._patience_s:
            raise Gone("no answer") from None

    def cancel(self) -> None:
        """Take back what is not done."""
        futures = [future for _, future in self._running.values()]
        if futures and self._client.status == "running":
            self._client.cancel(futures, force=True)


def _explained(error: BaseException) -> BaseException:
    """An error of a worker; what a worker lacks in words."""
    if isinstance(error, ImportError):
        return PixzipError(f"a worker cannot work: {error}: workers need the pixzip of this process")
    return error


def _on_worker(work: Work, tasks: list[Task], topic: str, number: int) -> list[Event]:
    """Work on a shard in a worker; return all that was told."""
    worker = import_module("distributed").get_worker()
    told: list[Event] = []

    def tell(event: Event) -> None:
        told.append(event)
        worker.log_event(topic, json.dumps([number, event]))  # JSON, because MessagePack refuses lone surrogates

    if threads.chosen() is None:
        threads.set_threads(1)
    work(tasks, tell)
    return told
