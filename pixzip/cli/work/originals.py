"""`--rm`: originals go once what was written is known to hold all of them."""

import os
from pathlib import Path

from pixzip.cli.ledger import Ledger
from pixzip.image.formats import tiff
from pixzip.io import files, streams
from pixzip.io.signals import signals_wait

_JPEG = b"\xff\xd8\xff"


def stat_of(name: str) -> os.stat_result | None:
    """What the file system says of an original before it is read; None of standard input."""
    return None if name == streams.STANDARD else Path(name).stat()


def why_kept(name: str, dropped: list[str]) -> str:
    """What would be lost with an original; "" if nothing.

    Args:
        dropped: the names of what a picture does not hold of it.
    """
    if dropped:
        return f"{', '.join(dropped)} would be lost"
    if Path(name).is_symlink():
        return "it is a link"
    form = _lossy_form(Path(name))
    return f"it is {form}, whose own bytes do not come back" if form else ""


def _lossy_form(path: Path) -> str:
    """The format of a file whose samples were coded with loss: what it decodes to is kept, the file itself is not."""
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
