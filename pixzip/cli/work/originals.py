"""`--rm`: an original is removed once the output is known to hold all of it."""

import os
from pathlib import Path

from pixzip.cli.ledger import Ledger
from pixzip.image.formats import tiff
from pixzip.io import files, streams
from pixzip.io.signals import signals_wait

_JPEG = b"\xff\xd8\xff"


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
    form = _lossy_form(Path(name))
    return f"it is {form}, whose own bytes do not come back" if form else ""


def _lossy_form(path: Path) -> str:
    """Name the format of a file whose samples were coded with loss: its pixels come back, its bytes do not."""
    with path.open("rb") as file:
        head = file.read(12)
    if head.startswith(_JPEG):
        return "a JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and _has_lossy_frame(path):
        return "a lossy WebP"
    return "a TIFF with JPEG inside" if head.startswith(tiff.SIGNATURES) and tiff.is_jpeg(path) else ""


def _has_lossy_frame(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head[:4] == b"VP8 ":
                return True
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, os.SEEK_CUR)
    return False


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
