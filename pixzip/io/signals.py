"""Signals that end the process: when they may, and what a command then says of its files."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_KEY = "pixzip.io.signals"


def set_text(context: Any, text: Callable[[], str]) -> None:
    """Choose what a command says when a signal ends it.

    Args:
        context: click's, of the command.
        text: gives a line; called when the signal comes.
    """
    context.meta[_KEY] = text


def line() -> str:
    """A line about the files of a command that is at work on some; nothing of others.

    It may be asked for at any moment, as in the middle of an import: nothing is imported here.
    """
    current = getattr(sys.modules.get("click"), "get_current_context", None)
    context = current(silent=True) if current else None
    text = context.meta.get(_KEY) if context else None
    return f"pixzip: {text()}\n" if text else ""


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Put off signals that would end the process, such as until a temporary file is gone: the first comes after."""
    held: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may
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
