"""Signals that end the process: when they may, and the message of a command about its files."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pixzip.io.text import escaped

_KEY = "pixzip.io.signals"
_LAST_KEY = "pixzip.io.signals.last"


def set_text(context: Any, text: Callable[[], str]) -> None:
    """Set the message of a command for the case that a signal ends it.

    Args:
        context: click's context of the command.
        text: returns a line; called when the signal arrives.
    """
    context.meta[_KEY] = text


def set_last(context: Any, action: Callable[[], object]) -> None:
    """Set what a command still does if a signal ends it, after its message.

    Args:
        context: click's context of the command.
        action: called when the signal arrives.
    """
    context.meta[_LAST_KEY] = action


def last() -> None:
    """Do what the running command set; nothing if it set nothing.  It may be called at any moment, like `text`."""
    if action := _meta().get(_LAST_KEY):
        action()


def _meta() -> dict[str, Any]:
    """What the running command set."""
    current = getattr(sys.modules.get("click"), "get_current_context", None)
    context = current(silent=True) if current else None
    return context.meta if context else {}


def text() -> str:
    """What the running command has done with its files; empty for commands that do not say.

    It may be called at any moment, even during an import, so this function imports nothing.
    """
    found = _meta().get(_KEY)
    return escaped(found()) if found else ""


def line() -> str:
    """`text` as a line of the program; empty if there is none."""
    found = text()
    return f"pixzip: {found}\n" if found else ""


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Delay signals that would end the process, e.g. until a temporary file is removed; then deliver the first."""
    held: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():  # only the main thread may
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {n: handler for n in numbers if (handler := signal.getsignal(n)) not in (None, signal.SIG_IGN)}
    try:
        for number in before:
            signal.signal(number, lambda found, _: held.append(found))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in held[:1]:
            signal.raise_signal(number)
