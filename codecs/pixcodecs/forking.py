"""What a forked process needs: free locks, and libraries that no other thread was using when it was made.

A child made by `os.fork` has one thread, but a copy of the whole memory.  A lock that another thread held stays locked
in the child, and a module that another thread was importing stays unfinished.  Threads of OpenMP do not exist in the
child, yet its data say so: work for them waits for ever, or ends the process.  The compiled kernels use none.

So every lock of the two packages is made here.  `Lock` is free in a child.  A fork waits for the work of other threads
that is `shielded`, because it uses libraries with locks of their own, and for their imports; this work is done in short
pieces.  `forked` says that OpenMP must not be used.
"""

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib import _bootstrap
from typing import Any, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)

#: Packages whose imports a fork waits for: our own, and those that load parts of themselves late.
_PACKAGES = sys.stdlib_module_names | {
    "pixzip", "pixcodecs", "PIL", "imagecodecs", "llvmlite", "numba", "numpy", "safetensors", "scipy", "tifffile",
    "torch",
}  # fmt: skip
#: Seconds after which a fork waits no longer.  Compiling all kernels takes half of it.
_LONGEST_WAIT_S = 60
_PAUSE_S = 0.004


class _Waited(Protocol):
    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


def _is_worker() -> bool:
    """Whether `multiprocessing` has forked this process, from one that need not have imported this module."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None or multiprocessing.parent_process() is None:
        return False
    method = getattr(multiprocessing.current_process(), "_start_method", None)
    return bool((method or multiprocessing.get_start_method(allow_none=True)) == "fork")


_forked = _is_worker()
_fork_waits = False
_waited_for: list[_Waited] = []
_of_thread = threading.local()


def forked() -> bool:
    """Whether this process is a forked child, or a child of one: its parent may have used OpenMP."""
    return _forked


def in_children(action: Callable[[], object]) -> None:
    """Call `action` in every child forked from now on; at once if this process is a child itself."""
    _on_fork(after_in_child=action)
    if forked():
        action()


def wait_for(lock: _Waited) -> None:
    """Let every fork wait until no other thread holds a reentrant lock, a minute at most."""
    _waited_for.append(lock)


class Lock:
    """A lock that is free in a forked child, whoever held it; a fork does not wait for it."""

    def __init__(self) -> None:
        self._renew()
        _on_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        lock = self._lock
        lock.acquire()
        self._held = lock

    def __exit__(self, *_: object) -> None:
        self._held.release()  # in a child of the thread that holds it, the lock is another one by now


class Turn(Lock):
    """A `Lock` that a caller may find taken and go on without."""

    def take(self) -> bool:
        """Whether the lock was free and is now the caller's; `leave` gives it back."""
        lock = self._lock
        if not lock.acquire(blocking=False):
            return False
        self._held = lock
        return True

    def leave(self) -> None:
        self._held.release()


class _Shield:
    """The context of work that a fork of another thread waits for; any number of threads may be inside, repeatedly."""

    def __init__(self) -> None:
        #: Held while a thread enters, and by a thread while it forks.
        self._entrance = threading.Lock()
        self._depth: dict[int, int] = {}

    def __enter__(self) -> None:
        thread = threading.get_ident()
        if thread in self._depth:
            self._depth[thread] += 1
            return
        if _fork_waits:
            time.sleep(_PAUSE_S)  # or the fork may wait for ever, if threads enter again and again
        with self._entrance:
            self._depth[thread] = 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        self._depth[thread] -= 1
        if not self._depth[thread]:
            del self._depth[thread]

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Let no thread enter, if none but this one is inside."""
        if not self._entrance.acquire(blocking, timeout):
            return False
        if self._depth.keys() <= {threading.get_ident()}:
            return True
        self._entrance.release()
        return False

    def release(self) -> None:
        """Let threads enter again."""
        self._entrance.release()

    def forget_others(self) -> None:
        """In a forked child: no other thread is inside, nor entering."""
        thread = threading.get_ident()
        self._depth = {thread: self._depth[thread]} if thread in self._depth else {}
        self._entrance = threading.Lock()


shielded = _Shield()


class cached_property(functools.cached_property[T_co]):  # noqa: N801 (it takes the place of Python's)
    """Python's, without the lock that Python 3.11 holds while the value is computed."""

    def __init__(self, func: Callable[[Any], T_co]) -> None:
        super().__init__(func)
        self.lock = nullcontext()


def _others_import() -> bool:
    """Whether another thread imports a module of `_PACKAGES`."""
    locks: dict[str, Any] = vars(_bootstrap).get("_module_locks", {})  # Python has one for each import in progress
    owners = {
        getattr(lock(), "owner", None) for name, lock in locks.copy().items() if name.partition(".")[0] in _PACKAGES
    }
    return bool(owners - {None, threading.get_ident()})


def _all_taken() -> bool:
    """Take all locks that a fork waits for, if they are free and no import is in progress."""
    for lock in _waited_for:
        if not lock.acquire(blocking=False):
            break
        _of_thread.taken.append(lock)
    else:
        if not _others_import():
            return True
    _after()
    return False


def _before() -> None:
    global _fork_waits
    _of_thread.taken = []
    end = time.monotonic() + _LONGEST_WAIT_S
    while not _all_taken() and time.monotonic() < end:
        _fork_waits = True
        time.sleep(_PAUSE_S / 4)
    _fork_waits = False


def _after() -> None:
    for lock in reversed(getattr(_of_thread, "taken", [])):
        lock.release()
    _of_thread.taken = []


def _after_in_child() -> None:
    global _forked, _fork_waits
    _forked, _fork_waits = True, False
    _after()
    shielded.forget_others()


def _on_fork(**actions: Callable[[], object]) -> None:
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(**actions)


wait_for(shielded)
_on_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
