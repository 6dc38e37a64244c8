"""Environment variables of libraries that would end a command with a traceback, or fill the terminal."""

import os

from pixzip.cli.options import MOST_THREADS
from pixzip.cli.say import say

#: Variables with a number of threads, or several numbers for nested levels.
_THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_LAYERS = ("default", "safe", "forksafe", "threadsafe", "tbb", "omp", "workqueue")


def settle() -> None:
    """Unset variables with values that their libraries refuse, with a line for each; called before they are loaded."""
    for name in _THREADS:
        value = os.environ.get(name)
        if value is not None and not all(_is_count(part) for part in value.split(",")):
            _unset(name, value, f"a number of threads from 1 to {MOST_THREADS}")
    layer = os.environ.get("NUMBA_THREADING_LAYER")
    if layer is not None and layer.lower() not in _LAYERS:
        _unset("NUMBA_THREADING_LAYER", layer, f"one of {', '.join(_LAYERS)}")


def _is_count(text: str) -> bool:
    try:
        return 1 <= int(text) <= MOST_THREADS
    except ValueError:
        return False


def _unset(name: str, value: str, expected: str) -> None:
    del os.environ[name]
    if value:
        say(f"pixzip: warning: {name} is {value[:40]!r}, expected {expected}: it is ignored")
