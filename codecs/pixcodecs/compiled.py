"""Settings for compiled functions: cached on disk, without the interpreter's lock, and with NumPy's arithmetic.

All compiled functions compute with integers or integer-valued floats, so the results equal NumPy's.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numba import config, njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call; every kernel of the two packages is compiled here."""
    if not config.DISABLE_JIT:
        return njit(cache=True, nogil=True, error_model="numpy")(function)

    @wraps(function)
    def interpreted(*args: Any) -> Any:
        with np.errstate(over="ignore"):  # unsigned integers wrap around
            return function(*args)

    return interpreted
