"""Threads for compiled functions: few, kept for the life of the process, and made anew in a forked child.

A compiled function releases the interpreter's lock, so Python's own threads run it in parallel.  Unlike OpenMP's
pools, they need no care when the process forks: a child starts without threads and makes its own when it first needs
them.
"""

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pixcodecs import forking


class _Task:
    """A call in another thread."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call, self.done = call, threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.call()
        except BaseException as e:  # noqa: BLE001 (raised again by `parallel`)
            self.error = e
        finally:
            self.done.set()


class _State:
    """Threads of one process."""

    def __init__(self) -> None:
        #: Held by the caller whose calls run in parallel; other callers' run one after another.
        self.busy = forking.Turn()
        self.queues: list[queue.SimpleQueue[_Task]] = []
        self.wanted: int | None = None

    def start(self, threads: int) -> None:
        while len(self.queues) < threads:
            tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
            threading.Thread(target=_work, args=(tasks,), name="pixzip", daemon=True).start()
            self.queues.append(tasks)


def _work(tasks: "queue.SimpleQueue[_Task]") -> None:
    while True:
        tasks.get().run()


_state = _State()


def _after_fork() -> None:
    """In a child: forget the parent's threads and their lock."""
    global _state
    wanted = _state.wanted
    _state = _State()
    _state.wanted = wanted


forking.in_children(_after_fork)


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(threads: int | None) -> None:
    """Set the number of threads; None for the default: one in a worker process of `multiprocessing`, which shares the
    machine with its siblings, OMP_NUM_THREADS if it is set, or one for every core."""
    _state.wanted = threads


def chosen() -> int | None:
    """The number that `set_threads` has set."""
    return _state.wanted


def get_threads() -> int:
    """The number of threads, at least 1."""
    if _state.wanted is not None:
        return max(1, min(_state.wanted, 64))
    if multiprocessing.parent_process() is not None:
        return 1
    named = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(int(named) if named.isdecimal() else cores(), cores()))


def parallel(calls: Sequence[Callable[[], Any]]) -> bool:
    """Run calls at the same time, a single one in this thread; return when all have ended, after an interrupt too.

    Returns:
        False, and nothing has run, if other calls are running: the machine's cores are busy.
    Raises:
        BaseException: the first error of a call.
    """
    if len(calls) == 1:
        calls[0]()
        return True
    state = _state
    if not state.busy.take():
        return False
    interrupt: BaseException | None = None
    tasks = [_Task(call) for call in calls]
    try:
        state.start(len(calls))
        for task, tasks_of in zip(tasks, state.queues, strict=False):
            tasks_of.put(task)
        for task in tasks:
            while not task.done.is_set():
                try:
                    task.done.wait()
                except BaseException as e:  # noqa: BLE001 (raised again below)
                    interrupt = e
    finally:
        state.busy.leave()
    for error in (interrupt, *(task.error for task in tasks)):
        if error:
            raise error
    return True
