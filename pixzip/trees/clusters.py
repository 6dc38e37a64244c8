"""Dask's distributed as a pool: workers embedded in this command, or those of a cluster that is running."""

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from pixcodecs.errors import PixzipError

from pixzip.models import library
from pixzip.trees.pools import Event, Work
from pixzip.trees.running import Gone, Run
from pixzip.trees.shards import Task

#: Seconds after which a scheduler that does not answer is gone.
PATIENCE_S = 10.0
#: Least number of shards that wait for workers, so that a cluster that grows with its work does grow.
_WAITING = 64

_WITHOUT_GUARD = (
    'a program that starts workers needs `if __name__ == "__main__":` around what it does, because each of them'
    " imports it"
)


def _distributed() -> Any:
    """
    Raises:
        PixzipError: Dask is not installed.
    """
    try:
        return import_module("distributed")
    except ModuleNotFoundError as e:
        raise PixzipError(
            f"this needs Dask, and {e.name} is not installed: pip install distributed cryptography"
        ) from None


def check_client(client: Any) -> None:
    """
    Raises:
        TypeError: a value is no client of Dask.
        PixzipError: Dask is not installed.
    """
    if not isinstance(client, _distributed().Client):
        raise TypeError(f"client is {type(client).__name__}, expected a distributed.Client")


def reachable(model: str) -> str:
    """A model as workers with another current folder find it: the absolute path of a file, or a name."""
    found = model not in library.known_paths() and Path(model).exists()
    return str(Path(model).absolute()) if found else model


class Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, client: Any, where: str) -> None:
        """
        Args:
            client: `distributed.Client`, which is synchronous; it stays open.
            where: the cluster in messages.
        """
        self.client, self._where = client, where

    @property
    def ready(self) -> bool:
        """Whether there is a worker."""
        return bool(self.client.nthreads())

    @property
    def workers(self) -> int:
        return max(1, sum(map(int, self.client.nthreads().values())))

    def run(
        self,
        work: Work,
        shards: Iterable[Sequence[Task]],
        heard: Callable[[Event], None],
        lost: Callable[[str, str], None],
    ) -> None:
        """See `Pool.run`."""
        run = Run(self.client, work, heard, lost, PATIENCE_S)
        topic = run.topic
        self.client.subscribe_topic(topic, run.on_event)
        try:
            run.all(iter(shards), 2 * self.workers + _WAITING)
        except Gone as e:
            raise PixzipError(
                f"the scheduler of {self._where} is gone ({e}): what was written stays, and the same command does"
                " the rest"
            ) from None
        finally:
            run.cancel()
            if self.client.status == "running":
                self.client.unsubscribe_topic(topic)


@contextlib.contextmanager
def connected(url: str) -> Iterator[Cluster]:
    """The workers of a running cluster.

    Raises:
        PixzipError: Dask is not installed, or no scheduler answers.
    """
    distributed = _distributed()
    _hush()
    try:
        client = distributed.Client(url, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        raise PixzipError(f"no scheduler answers at {url}: {' '.join(str(e).split())}") from None
    try:
        yield Cluster(client, url)
    finally:
        _close(client)


def _hush() -> None:
    """Let Dask's loggers, some of which have levels of their own, print no errors: they end up in messages of ours."""
    known = logging.getLogger("distributed").manager.loggerDict
    for name in ["distributed", *(name for name in known if name.startswith("distributed."))]:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Embedded:
    """Worker processes of one thread each on this machine, for one command; a context manager that ends them."""

    def __init__(self, workers: int) -> None:
        """
        Raises:
            PixzipError: Dask is not installed, or the workers do not start.
        """
        distributed = _distributed()
        self._folder = tempfile.mkdtemp(prefix="pixzip-")
        try:
            here = import_module("dask.config").set({"temporary-directory": self._folder})
            with here, _interrupts_blocked(), _quiet_tracker():
                self._cluster = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0, host="127.0.0.1",
                    dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL, local_directory=self._folder,
                    security=True,  # other users of this machine may reach its ports
                )  # fmt: skip
            self._client = distributed.Client(self._cluster, set_as_default=False)
        except RuntimeError as e:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise PixzipError(f"the workers did not start ({e}): {_WITHOUT_GUARD}") from e
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


@contextlib.contextmanager
def _quiet_tracker() -> Iterator[None]:
    """Start the process that removes what this one leaves when a signal ends it, so that it does not say so."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"
    try:
        resource_tracker.ensure_running()
        yield
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def _close(client: Any) -> None:
    """Close a client, whether or not there is a scheduler; no longer than it takes."""
    closing = threading.Thread(target=_closed, args=(client,), daemon=True)
    closing.start()
    closing.join(PATIENCE_S)


def _closed(client: Any) -> None:
    with contextlib.suppress(Exception):
        client.close(timeout=PATIENCE_S)
