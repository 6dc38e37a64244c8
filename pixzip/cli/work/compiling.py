"""The reason for a long silence: kernels that are not in numba's cache are compiled, as on a machine's first run."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import click
from numba.core import event


@cache  # once a process
def _say() -> None:
    click.echo("pixzip: compiling kernels for this machine, once: some tens of seconds", err=True)


class _Listener(event.Listener):
    def on_start(self, event: Any) -> None:
        _say()

    def on_end(self, event: Any) -> None:
        pass


def said() -> AbstractContextManager[Any]:
    """Say on standard error that kernels are compiled, when the first one is."""
    found: AbstractContextManager[Any] = event.install_listener("numba:compile", _Listener())
    return found
