"""What a forked process needs: free locks, and libraries that no other thread was using when it was made.

A child made by `os.fork` has one thread, but a copy of the whole memory.  A lock that another thread held stays locked
in the child, and a module that another thread was importing stays unfinished.  Threads of OpenMP do not exist in the
child, yet its data say so: work for them waits for ever, or ends the process.

So every lock of the two packages is made here.  `Lock` is free in a child.  `Guard` and `wait_for` make a fork wait,
for as long as a library is inside a call.  Forks wait for imports too.  `forked` says that OpenMP must not be used.
"""

import functools
import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from importlib import _bootstrap
from typing import Any, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)

#: Packages whose imports a fork waits for: our own, and those that we import late.
_PACKAGES = frozenset({"pixzip", "pixcodecs", "torch", "numba", "llvmlite", "scipy", "numpy"})


class _Reentrant(Protocol):
    def acquire(self) -> Any: ...
    def release(self) -> Any: ...


def _is_worker() -> bool:
    """Whether `multiprocessing` has forked this process, from one that need not have imported this module."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None or multiprocessing.parent_process() is None:
        return False
    method = getattr(multiprocessing.current_process(), "_start_method", None)
    return bool((method or multiprocessing.get_start_method(allow_none=True)) == "fork")


_forked = _is_worker()
_waited_for: list[_Reentrant] = []
_of_thread = threading.local()


def forked() -> bool:
    """Whether this process is a forked child, or a child of one: its parent may have used OpenMP."""
    return _forked


def in_children(action: Callable[[], object]) -> None:
    """Call `action` in every child forked from now on; at once if this process is a child itself."""
    _on_fork(after_in_child=action)
    if forked():
        action()


def wait_for(lock: _Reentrant) -> None:
    """Let every fork wait until no other thread holds a reentrant lock.

    Locks are taken in the reverse order of these calls: a thread that holds one may take those given earlier.
    """
    _waited_for.append(lock)


class Lock:
    """A lock that is free in a forked child, whoever held it; a fork does not wait for it."""

    def __init__(self) -> None:
        self._renew()
        _on_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Guard:
    """Encloses short calls of a library, some milliseconds at most, that a fork must not interrupt: it waits for them.

    One thread at a time may be inside.  A thread that goes in and out all the time lets a waiting fork pass.
    """

    def __init__(self) -> None:
        self._turn, self._inside = threading.RLock(), threading.RLock()
        wait_for(self)

    def acquire(self) -> None:
        """Wait for the thread inside, as a fork does."""
        self._turn.acquire()
        self._inside.acquire()

    def release(self) -> None:
        """Let others in after `acquire`."""
        self._inside.release()
        self._turn.release()

    def __enter__(self) -> None:
        with self._turn:
            self._inside.acquire()

    def __exit__(self, *_: object) -> None:
        self._inside.release()


class cached_property(functools.cached_property[T_co]):  # noqa: N801 (it takes the place of Python's)
    """Python's, without the lock that Python 3.11 holds while the value is computed."""

    def __init__(self, func: Callable[[Any], T_co]) -> None:
        super().__init__(func)
        self.lock = nullcontext()


def _imports() -> set[str]:
    """Modules of `_PACKAGES` that other threads are importing."""
    locks: dict[str, Any] = vars(_bootstrap).get("_module_locks", {})  # Python has one for each import in progress
    held = {name: getattr(lock(), "owner", None) for name, lock in locks.copy().items()}
    nobody = None, threading.get_ident()
    return {name for name, owner in held.items() if name.partition(".")[0] in _PACKAGES and owner not in nobody}


def _before() -> None:
    finished: set[str] = set()
    _of_thread.taken = []
    while True:
        while names := _imports() - finished:
            finished.add(name := names.pop())
            vars(_bootstrap)["_lock_unlock_module"](name)  # returns at once if that thread waits for this one
        for lock in reversed(_waited_for):
            lock.acquire()
            _of_thread.taken.append(lock)
        if not _imports() - finished:
            return
        _after()  # an import may need what this thread holds


def _after() -> None:
    for lock in reversed(getattr(_of_thread, "taken", [])):
        lock.release()
    _of_thread.taken = []


def _after_in_child() -> None:
    global _forked
    _forked = True
    _after()


def _on_fork(**actions: Callable[[], object]) -> None:
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(**actions)


_on_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
