"""Compiled functions: without the interpreter's lock, with NumPy's arithmetic, and kept on disk by `kernel_cache`.

All compiled functions compute with integers or integer-valued floats, so the results equal NumPy's.
"""

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

from pixcodecs import forking
from pixcodecs.kernel_cache import KernelCache

# numba compiles, and reads compiled functions, one at a time.  Its own lock counts events, which a fork is not.
if _lock := getattr(global_compiler_lock, "_lock", None):
    forking.wait_for(_lock)


def compiled(function: Callable[..., Any], *, parallel: bool = False) -> Any:
    """Compile a function at its first call; every kernel of the two packages is compiled here.

    Args:
        parallel: whether `prange` uses threads; a forked child must not call such a function.
    """
    kernel: Any = njit(nogil=True, error_model="numpy", parallel=parallel)(function)
    if kernel is not function:  # it is where numba is disabled
        kernel._cache = KernelCache(function)
    return kernel
