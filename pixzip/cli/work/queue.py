"""Many inputs of one command: work in batches, with a line for each input that fails."""

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pixcodecs import threads

from pixzip.cli.errors import EXIT_ERROR, FILE_ERRORS, report
from pixzip.engine.batching import BATCH_PIXELS, halving
from pixzip.engine.executor import Executor, Local
from pixzip.trees.shards import SOON_PIXELS


class Queue:
    """Processes inputs in batches; remembers whether one failed.

    On a CPU a batch is coded as soon as it keeps all threads busy, with as many inputs for each of them, so that
    outputs appear soon; elsewhere as soon as it is as large as the executor likes it.
    """

    def __init__(
        self,
        work: Callable[[list[Any]], list[Any]],
        done: Callable[[str, Any, Any, float], None],
        failed: Callable[[str, BaseException], None] = report,
        executor: Executor | None = None,
    ) -> None:
        """
        Args:
            work: batch of items -> one result per item.
            done: called with an input's name, its item, its result, and its share of the batch's seconds, in
                proportion to its pixels.
            failed: called with an input's name and its error.
            executor: what the work runs on; None for a CPU.
        """
        self._work, self._done, self._failed = work, done, failed
        self._pending: list[tuple[str, Any, int]] = []
        self._pixels = 0
        self._limit = executor.batch_pixels if executor else BATCH_PIXELS
        here = executor is None or (isinstance(executor, Local) and executor.device == "cpu")
        self._threads = threads.get_threads() if here else 0
        self.failed = False

    def attempt(self, name: str, action: Callable[[], Any]) -> Any:
        """The result of an action; None after reporting an error."""
        try:
            return action()
        except FILE_ERRORS as e:
            self.failed = True
            self._failed(name, e)
            return None

    def feed(self, names: Iterable[str], read: Callable[[str], Any], pixels: Callable[[str], int]) -> None:
        """Read inputs one after another and code them in batches.

        Args:
            read: name of an input -> its item; None if nothing is left to do.
            pixels: name of an input that was read -> its number of pixels.
        """
        for name in names:
            item = self.attempt(name, partial(read, name))
            if item is not None:
                self.add(name, item, pixels(name))
        self.flush()

    def add(self, name: str, item: Any, pixels: int) -> None:
        """Queue an input, and code the queue if it is a full batch."""
        if self._pixels + pixels > self._limit:
            self.flush()
        self._pending.append((name, item, pixels))
        self._pixels += pixels
        enough = self._threads and self._pixels >= SOON_PIXELS * self._threads
        if enough and not len(self._pending) % self._threads:
            self.flush()

    def flush(self) -> None:
        """Code the queue."""
        pending, self._pending, self._pixels = self._pending, [], 0
        self._run(pending)

    def _run(self, pending: list[tuple[str, Any, int]]) -> None:
        """Code a batch; if it fails, code its halves, until the bad input is alone."""

        def work(batch: list[tuple[str, Any, int]]) -> list[tuple[Any, float]]:
            """Each result with its share of the seconds."""
            began = time.perf_counter()
            results = self._work([item for _, item, _ in batch])
            seconds_a_pixel = (time.perf_counter() - began) / max(1, sum(pixels for _, _, pixels in batch))
            return [(result, seconds_a_pixel * batch[i][2]) for i, result in enumerate(results)]

        if not pending:
            return
        found = halving(work, pending, FILE_ERRORS, lambda _, error: error.with_traceback(None))
        for (name, item, _), result in zip(pending, found, strict=True):
            self.attempt(name, partial(self._finish, name, item, result))

    def _finish(self, name: str, item: Any, result: tuple[Any, float] | BaseException) -> None:
        if isinstance(result, BaseException):
            raise result
        self._done(name, item, *result)

    def exit(self) -> None:
        """End the program with the right code."""
        self.flush()
        if self.failed:
            sys.exit(EXIT_ERROR)
