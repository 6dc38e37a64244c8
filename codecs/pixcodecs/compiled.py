"""Compiled functions: without the interpreter's lock, with NumPy's arithmetic, and kept on disk by `kernel_cache`.

All compiled functions compute with integers or integer-valued floats, so the results equal NumPy's.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, extending, njit, types
from numba.core.compiler_lock import global_compiler_lock

from pixcodecs import forking
from pixcodecs.kernel_cache import KernelCache

# numba compiles, and reads compiled functions, one at a time.  Its own lock counts events, which a fork is not.
if _lock := getattr(global_compiler_lock, "_lock", None):
    forking.wait_for(_lock)

_njit: Any = partial(njit, nogil=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True)
#: Whether NUMBA_DISABLE_JIT leaves kernels to the interpreter.
INTERPRETED = bool(vars(config).get("DISABLE_JIT"))
#: numba's decorator, whose functions a type checker cannot follow.
intrinsic: Any = extending.intrinsic


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call; every kernel of the two packages is compiled here.

    Kernels own no memory: their callers pass every array.  Without numba's run-time (`_nrt`), which counts references
    to arrays by atomic additions, a function of many arrays costs no more than its arithmetic, and a kernel that
    allocates is refused when it is compiled.
    """
    if INTERPRETED:
        return _interpreted(function)
    kernel = _njit()(function)
    kernel._cache = KernelCache(function)
    return kernel


def inlined(function: Callable[..., Any]) -> Any:
    """A function that is compiled into each kernel that calls it, and not called from Python.

    It may take tuples of many arrays: nothing is copied.
    """
    return _interpreted(function) if INTERPRETED else _njit(forceinline=True, no_cpython_wrapper=True)(function)


def pasted(function: Callable[..., Any]) -> Any:
    """The same for a long function with one call in a kernel: it is compiled once, as a part of the kernel."""
    return _interpreted(function) if INTERPRETED else _njit(inline="always", no_cpython_wrapper=True)(function)


def _interpreted(function: Callable[..., Any]) -> Any:
    @wraps(function)
    def interpreted(*args: Any) -> Any:
        with np.errstate(over="ignore"):  # unsigned integers wrap around
            return function(*args)

    return interpreted


def _bit_length(number: Any) -> Any:
    return np.int64(int(number).bit_length())


@intrinsic
def _digits_of(context: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        return builder.sub(ir.Constant(value.type, 64), builder.ctlz(value, ir.Constant(ir.IntType(1), 0)))

    return types.int64(types.int64), generate


#: The number of binary digits of an int64 that is not negative, in kernels.
bit_length: Any = _bit_length if INTERPRETED else _digits_of
