"""The message for a long delay: kernels missing in numba's cache are compiled, as on a machine's first run."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from numba.core import event

from pixzip.cli.say import say


@cache  # once per process
def _say() -> None:
    say("pixzip: compiling kernels for this machine, once: some tens of seconds")


class _Listener(event.Listener):
    def on_start(self, event: Any) -> None:
        _say()

    def on_end(self, event: Any) -> None:
        pass


def said() -> AbstractContextManager[Any]:
    """Print on standard error, when the first kernel is compiled, that kernels are compiled."""
    found: AbstractContextManager[Any] = event.install_listener("numba:compile", _Listener())
    return found
