"""What a command says of its files when a signal ends it."""

import sys
from collections.abc import Callable
from typing import Any

_KEY = "pixzip.io.signals"


def set_text(context: Any, text: Callable[[], str]) -> None:
    """
    Args:
        context: click's, of the command.
        text: called when the signal comes.
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
