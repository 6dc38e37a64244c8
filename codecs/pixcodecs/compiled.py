"""Compiled functions: without the interpreter's lock, with NumPy's arithmetic, and kept on disk by `kernel_cache`.

All compiled functions compute with integers or integer-valued floats, so the results equal NumPy's.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numba import config, extending, njit
from numba.core.compiler_lock import global_compiler_lock

from pixcodecs import forking
from pixcodecs.kernel_cache import KernelCache

# numba compiles, and reads compiled functions, one at a time.  Its own lock counts events, which a fork is not.
if _lock := getattr(global_compiler_lock, "_lock", None):
    forking.wait_for(_lock)


#: Whether NUMBA_DISABLE_JIT leaves kernels to the interpreter.
INTERPRETED = bool(vars(config).get("DISABLE_JIT"))
#: numba's decorator, whose functions a type checker cannot follow.
intrinsic: Any = extending.intrinsic


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call; every kernel of the two packages is compiled here."""
    if not INTERPRETED:
        kernel: Any = njit(nogil=True, error_model="numpy")(function)
        kernel._cache = KernelCache(function)
        return kernel

    @wraps(function)
    def interpreted(*args: Any) -> Any:
        with np.errstate(over="ignore"):  # unsigned integers wrap around
            return function(*args)

    return interpreted
