"""Kernels whose rows are divided among numba's threads, and when there are such threads.

A kernel is written for one part of the rows.  One part is a plain call, which starts no thread and uses no OpenMP, so a
forked child can make it too; for several parts `prange` calls the kernel in several threads.
"""

import contextlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numba
import torch
from pixcodecs import forking
from pixcodecs.compiled import compiled

Kernel = Callable[..., Any]


def _threads_are_cheap() -> bool:
    """Whether numba runs threads by OpenMP or TBB; waking its own pool takes longer than running a kernel."""
    for pool in ("omppool", "tbbpool"):
        try:
            import_module(f"numba.np.ufunc.{pool}")
        except ImportError:
            continue
        return True
    return False


_CHEAP = _threads_are_cheap()


def threaded(part: Kernel) -> Callable[[Kernel], Kernel]:
    """Decorate the loop ``for p in prange(parts): part(p, parts, *args)``.

    Args:
        part: the compiled kernel for part p.
    """

    def decorate(loop: Kernel) -> Kernel:
        together = compiled(loop, parallel=_CHEAP)

        def kernel(parts: int, *args: Any) -> None:
            if parts == 1:
                part(0, 1, *args)
            else:
                together(parts, *args)

        kernel.__doc__ = part.__doc__
        return kernel

    return decorate


@contextlib.contextmanager
def available() -> Iterator[int]:
    """The largest number of threads for kernels; the number in use, at first one, is restored at the end.

    It is one in a forked child: the parent's OpenMP threads are not there, and numba ends a child that asks for them.
    """
    of_torch = torch.get_num_threads()
    if of_torch == 1 or not _CHEAP or forking.forked():
        yield 1
        return
    of_numba = numba.get_num_threads()  # starts numba's pool, which changes OpenMP's number for PyTorch too
    use(1)
    try:
        yield min(of_torch, of_numba)
    finally:
        numba.set_num_threads(of_numba)
        torch.set_num_threads(of_torch)


def use(threads: int) -> None:
    """Set the number of threads of kernels and of PyTorch, up to the `available` number if that is not one."""
    numba.set_num_threads(threads)
    torch.set_num_threads(threads)
