"""`--rm`: originals go once what was written is known to hold all of them."""

import os
from pathlib import Path

from pixzip import image
from pixzip.cli.ledger import Ledger
from pixzip.io import files, streams
from pixzip.io.signals import signals_wait


def stat_of(name: str) -> os.stat_result | None:
    """The stat result of an original, taken before it is read; None for standard input."""
    return None if name == streams.STANDARD else Path(name).stat()


def why_kept(name: str, dropped: list[str]) -> str:
    """The reason to keep an original, such as what would be lost with it; "" if there is none.

    Args:
        dropped: the names of what a picture does not hold of it.
    """
    if dropped:
        return f"{', '.join(dropped)} would be lost"
    if Path(name).is_symlink():
        return "it is a link"
    kind = image.lossy_kind(Path(name))
    return f"it is {kind}, whose own bytes do not come back" if kind else ""


def remove(ledger: Ledger, name: str, stat: os.stat_result) -> None:
    """Remove an original whose output is checked, unless it has changed since it was read.

    Args:
        stat: `stat_of` it, before it was read.
    Raises:
        OSError: it cannot be removed.
    """
    now = Path(name).lstat()
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (stat.st_ino, stat.st_size, stat.st_mtime_ns):
        ledger.warn(name, "original kept: it has changed meanwhile")
        return
    files.sync_folder(Path(ledger.target(name)).parent)
    with signals_wait():
        Path(name).unlink()
        ledger[name].original_removed = True
