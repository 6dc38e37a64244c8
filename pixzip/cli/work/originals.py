"""`--rm`: an original is removed once the output is known to hold all of it."""

import os
from pathlib import Path

from pixzip import image
from pixzip.cli.ledger import Ledger
from pixzip.io import files, streams
from pixzip.io.signals import signals_wait


def stat_of(name: str) -> os.stat_result | None:
    """Ask the file system about an original before it is read; None for standard input.

    Raises:
        OSError: there is no such file.
    """
    return None if name == streams.STANDARD else Path(name).stat()


def why_kept(name: str, dropped: list[str]) -> str:
    """Why an original has to stay: what would be lost with it; "" if nothing.

    Args:
        dropped: the parts of it that a picture does not hold.
    Raises:
        OSError: it cannot be read.
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
