"""Dask's distributed as a pool: workers embedded in this command, or those of a cluster that is running.

A shard is one of Dask's tasks.  Its worker logs an event for each file, which the scheduler hands on at once, and
returns all events in the end, in case one was lost with a worker.  Dask gives the shard of a worker that died to
another one, three times; what is still open then is tried once more file by file, so that one file that kills
workers costs no other.

https://distributed.dask.org
"""

import contextlib
import json
import logging
import os
import queue
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

from pixcodecs import threads
from pixcodecs.errors import PixzipError

from pixzip.trees.pools import Event, Work
from pixzip.trees.shards import Task

#: Seconds after which a scheduler that does not answer is gone.
PATIENCE_S = 10.0
#: Least number of shards that wait for workers, so that a cluster that grows with its work does grow.
_WAITING = 64


def _distributed() -> Any:
    """
    Raises:
        PixzipError: Dask is not installed.
    """
    try:
        return import_module("distributed")
    except ModuleNotFoundError as e:
        raise PixzipError(f"this needs Dask, and {e.name} is not installed: pip install 'pixzip[cluster]'") from None


class _Shard:
    """A shard, and those of its files of which nothing is heard yet."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks, self.open = tasks, {task.name for task in tasks}

    def parts(self) -> list["_Shard"]:
        """The open files, each by itself."""
        return [_Shard([task]) for task in self.tasks if task.name in self.open]


class Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, client: Any, where: str) -> None:
        """
        Args:
            client: `distributed.Client`, which is synchronous; it stays open.
            where: the cluster in messages.
        """
        self._client, self._where = client, where

    @property
    def ready(self) -> bool:
        """Whether there is a worker."""
        return bool(self._client.nthreads())

    @property
    def workers(self) -> int:
        return max(1, sum(map(int, self._client.nthreads().values())))

    def run(
        self,
        work: Work,
        shards: Iterable[Sequence[Task]],
        heard: Callable[[Event], None],
        lost: Callable[[str, str], None],
    ) -> None:
        """See `Pool.run`."""
        run = _Run(self._client, work, heard, lost)
        topic = run.topic
        self._client.subscribe_topic(topic, run.on_event)
        try:
            run.all(iter(shards), 2 * self.workers + _WAITING)
        except _Gone as e:
            raise PixzipError(
                f"the scheduler of {self._where} is gone ({e}): what was written stays, and the same command does"
                " the rest"
            ) from None
        finally:
            run.cancel()
            if self._client.status == "running":
                self._client.unsubscribe_topic(topic)


class _Gone(Exception):  # noqa: N818 (an error of the run's caller)
    """The scheduler is lost."""


class _Run:
    """One run of a cluster; all but `on_event` and `_on_end`, which only queue, runs in the caller's thread."""

    def __init__(
        self, client: Any, work: Work, heard: Callable[[Event], None], lost: Callable[[str, str], None]
    ) -> None:
        self.topic = f"pixzip-{secrets.token_hex(8)}"
        self._client, self._work, self._heard, self._lost = client, work, heard, lost
        self._news: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._running: dict[int, tuple[_Shard, Any]] = {}
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
                return
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
            for event in self._result(future):
                self._hear(shard, event)
            del self._running[number]
            return
        if future.cancelled():
            raise _Gone("it has dropped the work")
        error = future.exception()
        del self._running[number]
        if type(error).__name__ != "KilledWorker":
            raise _explained(error)
        if len(shard.tasks) > 1:
            for part in shard.parts():
                self._send(part)
        else:
            for name in shard.open:
                self._lost(name, "each worker that worked on it died")

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
            _Gone: the client has lost its scheduler, for `PATIENCE_S` where there is no error yet.
        """
        if self._client.status == "running":
            self._silent_since = None
            return
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if error or self._client.status == "closed" or now - self._silent_since > PATIENCE_S:
            raise _Gone("no answer") from None

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
    worker = _distributed().get_worker()
    told: list[Event] = []

    def tell(event: Event) -> None:
        told.append(event)
        worker.log_event(topic, json.dumps([number, event]))  # JSON, because MessagePack refuses lone surrogates

    if threads.chosen() is None:
        threads.set_threads(1)
    work(tasks, tell)
    return told


@contextlib.contextmanager
def connected(url: str) -> Iterator[Cluster]:
    """The workers of a running cluster.

    Raises:
        PixzipError: Dask is not installed, or no scheduler answers.
    """
    distributed = _distributed()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(url, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        raise PixzipError(f"no scheduler answers at {url}: {' '.join(str(e).split())}") from None
    try:
        yield Cluster(client, url)
    finally:
        _close(client)


class Embedded:
    """Worker processes of one thread each on this machine, for one command; a context manager that ends them."""

    def __init__(self, workers: int) -> None:
        """
        Raises:
            PixzipError: Dask is not installed.
        """
        distributed = _distributed()
        self._folder = tempfile.mkdtemp(prefix="pixzip-")
        try:
            with _interrupts_blocked():
                self._cluster = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0, dashboard_address=None,
                    host="127.0.0.1", silence_logs=logging.CRITICAL, local_directory=self._folder,
                )  # fmt: skip
            self._client = distributed.Client(self._cluster, set_as_default=False)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.pool = Cluster(self._client, "the embedded cluster")

    def abandon(self) -> None:
        """End the workers at once, because a signal ends this process."""
        for nanny in self._cluster.workers.values():
            if process := getattr(nanny, "process", None):
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Cluster:
        return self.pool

    def __exit__(self, *_: object) -> None:
        _close(self._client)
        with contextlib.suppress(Exception):
            self._cluster.close(timeout=PATIENCE_S)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT in the threads and processes that are started meanwhile: Ctrl-C is for this process alone, with
    which its workers end.  An interrupt that comes meanwhile comes afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _close(client: Any) -> None:
    """Close a client, whether or not there is a scheduler; no longer than it takes."""
    closing = threading.Thread(target=_closed, args=(client,), daemon=True)
    closing.start()
    closing.join(PATIENCE_S)


def _closed(client: Any) -> None:
    with contextlib.suppress(Exception):
        client.close(timeout=PATIENCE_S)
