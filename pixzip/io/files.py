"""Output files, written as a whole or not at all, and the folders that they are in."""

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from pixcodecs.errors import PixzipError

from pixzip.io.signals import signals_wait
from pixzip.io.streams import STANDARD


def check_writable(target: str, force: bool, make: bool = False) -> None:
    """Refuse before the work what `write` would refuse after it.

    Args:
        make: folders that are missing will be made.
    Raises:
        PixzipError: the target exists and is not to be overwritten, is no file, or its folder does not exist.
    """
    if target == STANDARD:
        if not sys.stdout:
            raise PixzipError("standard output is closed: -o FILE writes to a file")
        if sys.stdout.buffer.isatty():
            raise PixzipError("standard output is a terminal: -o FILE writes to a file")
        return
    path = Path(target)
    folder = path.parent
    while make and folder != folder.parent and not folder.exists():
        folder = folder.parent
    if path.exists() and not path.is_file():
        raise PixzipError(f"{target} exists and is not a file")
    if path.is_symlink() or path.exists():
        if not force:
            raise PixzipError(f"{target} exists: -f overwrites it")
    elif not folder.is_dir():
        raise PixzipError(f"{folder} is not a folder" if folder.exists() else f"folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise PixzipError(f"folder {folder} is not writable")


def spool(target: str) -> BinaryIO:
    """A temporary file without a name, on the disk of a target: nothing is left of it, however the process ends.

    Raises:
        OSError: it cannot be made.
    """
    folder = None if target == STANDARD else Path(target).parent
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))  # closed by the caller


def write(
    target: str, data: bytes | BinaryIO, force: bool, like: os.stat_result | None = None, make: bool = False
) -> None:
    """Write all of an output or nothing: a temporary file in the same folder takes its name at the end.

    Args:
        data: the output, or a file that holds it.
        like: the source's, whose times and permissions the output gets where the file system has them.
        make: make folders that are missing.
    Raises:
        PixzipError: the target exists and `force` is off.
        OSError: it cannot be written.
    """
    if target == STANDARD:
        _copy(data, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    check_writable(target, force, make)
    if make:
        make_folder(target)
    path = Path(target)
    with signals_wait():
        _replace(path, data, force, like)


def make_folder(target: str) -> None:
    """Make the folder that a target is to be in, if it is not there.

    Raises:
        OSError: it cannot be made.
    """
    if target != STANDARD:
        Path(target).parent.mkdir(parents=True, exist_ok=True)


def remove_output(target: str) -> None:
    """Take back an output that turned out to be wrong.

    Raises:
        OSError: it cannot be removed.
    """
    if target != STANDARD:
        Path(target).unlink(missing_ok=True)


def _copy(data: bytes | BinaryIO, out: BinaryIO) -> None:
    if isinstance(data, bytes):
        out.write(data)
    else:
        data.seek(0)
        shutil.copyfileobj(data, out, 1 << 20)


def _replace(path: Path, data: bytes | BinaryIO, force: bool, like: os.stat_result | None) -> None:
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    private = partial(os.open, mode=0o600)  # until it is whole nobody reads more of it than of its source
    try:
        with temporary.open("xb") if like is None else open(temporary, "xb", opener=private) as f:
            _copy(data, f)
            f.flush()
            os.fsync(f.fileno())
        if like is not None:
            with contextlib.suppress(OSError):
                temporary.chmod(like.st_mode & 0o777)
            with contextlib.suppress(OSError):
                os.utime(temporary, ns=(like.st_atime_ns, like.st_mtime_ns))
        settle(temporary, path, force)
    finally:
        temporary.unlink(missing_ok=True)


def settle(temporary: Path, path: Path, force: bool) -> None:
    """Give a file its name.

    Raises:
        PixzipError: there is one of that name and `force` is off.
        OSError: it cannot have the name.
    """
    if force:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # unlike a rename, never overwrites what has come meanwhile
    except FileExistsError:
        raise PixzipError(f"{path} exists: -f overwrites it") from None
    except OSError:  # a file system without links
        check_writable(str(path), force)
        temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Have a folder's names on disk, where the system can: a file that has a name now keeps it in a power failure."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
