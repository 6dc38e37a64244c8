"""`--rm`: an original is removed after a check that the output holds its full content."""

import os
from pathlib import Path

from pixzip import image
from pixzip.cli.ledger import Ledger
from pixzip.io import files, streams
from pixzip.io.signals import signals_wait


def stat_of(name: str) -> os.stat_result | None:
    """The status of an original before it is read; None for standard input.

    Raises:
        OSError: there is no such file.
    """
    return None if name == streams.STANDARD else Path(name).stat()


def why_kept(name: str, dropped: list[str]) -> str:
    """The reason to keep an original: content that would be lost; "" if there is none.

    Args:
        dropped: names of its content that a picture does not hold.
    Raises:
        OSError: the original cannot be read.
    """
    if dropped:
        return f"{', '.join(dropped)} would be lost"
    if Path(name).is_symlink():
        return "it is a link"
    kind = image.lossy_kind(Path(name))
    return f"it is {kind}, whose own bytes do not come back" if kind else ""


def remove(ledger: Ledger, name: str, stat: os.stat_result) -> None:
    """Remove an original whose output was checked, unless it has changed since it was read.

    Args:
        stat: result of `stat_of` before the original was read.
    Raises:
        OSError: the original cannot be removed.
    """
    now = Path(name).lstat()
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (stat.st_ino, stat.st_size, stat.st_mtime_ns):
        ledger.warn(name, "original kept: it has changed meanwhile")
        return
    files.sync_folder(Path(ledger.target(name)).parent)
    with signals_wait():
        Path(name).unlink()
        ledger[name].original_removed = True
