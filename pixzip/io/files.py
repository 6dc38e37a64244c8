"""Output files, written completely or not at all, and their folders."""

import contextlib
import io
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable
from functools import partial, reduce
from operator import and_
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from pixcodecs.errors import PixzipError

from pixzip.io import stores
from pixzip.io.signals import signals_wait
from pixzip.io.streams import STANDARD

_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
_PIECE_BYTES = 1 << 20


def check_writable(target: str, force: bool, make: bool = False) -> None:
    """Check, before the work, for errors that `write` would raise after it.

    Args:
        make: whether missing folders will be created.
    Raises:
        PixzipError: the target exists and `force` is off, is no file, or its folder does not exist.
        OSError: the store of a URL cannot be reached.
    """
    target = stores.plain(target)
    if stores.is_url(target):
        if not force and stores.exists(target):
            raise PixzipError(f"{target} exists: -f overwrites it")
        return
    if target == STANDARD:
        if not sys.stdout:
            raise PixzipError("standard output is closed: -o FILE writes to a file")
        if sys.stdout.buffer.isatty():
            raise PixzipError("standard output is a terminal: -o FILE writes to a file")
        return
    if target.endswith(_SEPARATORS):
        raise PixzipError(f"{target} is not a folder that exists, and no name of a file")
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


def prefix(folder: str) -> str:
    """What the path or URL of a folder is followed by in those of its files: `photos/`, `s3://bucket/photos/`."""
    return f"{folder.rstrip('/')}/" if stores.is_url(folder) else str(Path(folder) / "_")[:-1]


def folder_of(target: str) -> Path | None:
    """The folder of a target for temporary files; None for standard output and URLs, which have none."""
    target = stores.plain(target)
    return None if target == STANDARD or stores.is_url(target) else Path(target).parent


def spool(target: str) -> BinaryIO:
    """A temporary file without a name, on the disk of a target: it vanishes however the process ends.

    Raises:
        OSError: the file or folder cannot be created.
    """
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder_of(target)))  # closed by the caller


class Access(NamedTuple):
    """Who may read a file, as `os.stat_result` says it; -1 for an owner or a group that is not to be changed."""

    st_mode: int
    st_uid: int
    st_gid: int


def narrowest(sources: Iterable[os.stat_result | None]) -> Access | None:
    """The access of an output of many files: what all of them have.

    Args:
        sources: the status of each; None for what is no regular file, such as a pipe, which does not count.
    Returns:
        None if there are no files.
    """
    found = [source for source in sources if source is not None]
    if not found:
        return None
    modes, owners, groups = ({getattr(source, name) for source in found} for name in Access._fields)
    mode = reduce(and_, modes)
    if len(groups) > 1:
        mode = _without_group(mode)
    return Access(mode, *(them.pop() if len(them) == 1 else -1 for them in (owners, groups)))


def write(
    target: str, data: bytes | BinaryIO, force: bool, like: os.stat_result | Access | None = None, make: bool = False,
    *, dated: bool = True,
) -> None:  # fmt: skip
    """Write an output completely or not at all; `stores.write` writes those of URLs.

    Where the system can, the file has no name until it is complete, so that a killed process leaves nothing.
    Otherwise a temporary file in the same folder is renamed at the end.

    Args:
        data: the output, or a file that contains it.
        like: status of the source, whose access (see `give_access`) and times the output gets if the file system has
            them; or the access alone.
        make: create missing folders.
        dated: whether the output gets the times; False for what is not all of its source, because an output with the
            time of its source is taken for up to date.
    Raises:
        PixzipError: the target exists and `force` is off.
        OSError: the output cannot be written.
    """
    if target == STANDARD:
        _copy(data, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    check_writable(target, force, make)
    target = stores.plain(target)
    if stores.is_url(target):
        stores.write(target, data)
        return
    if make:
        make_folder(target)
    path = Path(target)
    with signals_wait():
        _replace(path, data, force, like, dated)


def write_once(
    target: str, data: bytes | BinaryIO, force: bool, like: os.stat_result | None = None, *, dated: bool = True
) -> None:  # fmt: skip
    """Like `write`, but an output that is there with the very bytes is good: an earlier run has written it.

    It tells what is written already where outputs do not have the times of their inputs: in stores, and where they are
    not `dated`.
    """
    try:
        write(target, data, force, like, make=True, dated=dated)
    except PixzipError:
        if not _holds(stores.plain(target), data):
            raise


def _holds(target: str, data: bytes | BinaryIO) -> bool:
    """Whether a target is a file of exactly these bytes."""
    remote = stores.is_url(target)
    if target == STANDARD or not (stores.exists(target) if remote else Path(target).is_file()):
        return False
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    source.seek(0)
    with stores.opened(target, _PIECE_BYTES) if remote else Path(target).open("rb") as there:
        pieces = iter(lambda: source.read(_PIECE_BYTES), b"")
        return all(there.read(len(piece)) == piece for piece in pieces) and not there.read(1)


def make_folder(target: str) -> None:
    """Create the folder of a target if it does not exist.

    Raises:
        OSError: the file or folder cannot be created.
    """
    if folder := folder_of(target):
        folder.mkdir(parents=True, exist_ok=True)


def remove_output(target: str) -> None:
    """Remove an output that turned out to be wrong.

    Raises:
        OSError: the output cannot be removed.
    """
    target = stores.plain(target)
    if stores.is_url(target):
        stores.remove(target)
    elif target != STANDARD:
        Path(target).unlink(missing_ok=True)


def _copy(data: bytes | BinaryIO, out: BinaryIO) -> None:
    if isinstance(data, bytes):
        out.write(data)
    else:
        data.seek(0)
        shutil.copyfileobj(data, out, _PIECE_BYTES)


def _replace(
    path: Path, data: bytes | BinaryIO, force: bool, like: os.stat_result | Access | None, dated: bool
) -> None:
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        if not _replace_unnamed(path, temporary, data, force, like, dated):
            with created(temporary, like) as f:
                _fill(f, data, like, dated)
            settle(temporary, path, force)
    finally:
        temporary.unlink(missing_ok=True)


def _replace_unnamed(
    path: Path, temporary: Path, data: bytes | BinaryIO, force: bool, like: os.stat_result | Access | None, dated: bool
) -> bool:
    """`_replace` by a file that has no name until it is complete; False if the system or file system has no such files.

    Args:
        temporary: name of the complete file for the moment before it replaces another one, which a link cannot do.
    """
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_RDWR, _mode(like))
    except (OSError, AttributeError):  # the named file has the same error if it is another one
        return False
    with os.fdopen(descriptor, "wb") as f:
        _fill(f, data, like, dated)
        try:
            _link(f, path)
        except FileExistsError:
            if not force:
                raise PixzipError(f"{path} exists: -f overwrites it") from None
            _link(f, temporary)
            temporary.replace(path)
        except OSError:  # e.g. a system without /proc
            return False
    return True


def _link(file: BinaryIO, path: Path) -> None:
    """Give an unnamed file a name that is not taken."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:  # only with a folder's descriptor `os.link` follows the link in /proc
        os.link(f"/proc/self/fd/{file.fileno()}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _mode(like: os.stat_result | Access | None) -> int:
    """The permissions of an incomplete file, no more than its source has; without a source, the umask's."""
    return 0o666 if like is None else 0o600


def created(path: Path, like: os.stat_result | Access | None) -> BinaryIO:
    """A new file, which nobody can read who cannot read its source.

    Raises:
        FileExistsError: there is a file of this name.
        OSError: the file cannot be created.
    """
    return open(path, "xb", opener=partial(os.open, mode=_mode(like)))


def _fill(file: BinaryIO, data: bytes | BinaryIO, like: os.stat_result | Access | None, dated: bool) -> None:
    """Write a file to the disk, then set its access and times."""
    _copy(data, file)
    file.flush()
    os.fsync(file.fileno())
    if like is not None:
        if dated and isinstance(like, os.stat_result):
            with contextlib.suppress(OSError):
                os.utime(file.fileno(), ns=(like.st_atime_ns, like.st_mtime_ns))
        give_access(file, like)


def give_access(file: BinaryIO, like: os.stat_result | Access) -> None:
    """Give a file the group and permissions of its source, and its owner, where the process may do so.

    A group other than the source's gets no more than all others have. Errors, as of file systems without permissions,
    are passed over.

    Args:
        like: status of the source.
    """
    now, mode = os.fstat(file.fileno()), like.st_mode & 0o777
    if now.st_gid != like.st_gid:
        try:
            os.fchown(file.fileno(), -1, like.st_gid)
        except OSError:
            mode = _without_group(mode)
    with contextlib.suppress(OSError):
        os.fchmod(file.fileno(), mode)
    if now.st_uid != like.st_uid:  # at last, for only the owner and root may do the above
        with contextlib.suppress(OSError):
            os.fchown(file.fileno(), like.st_uid, -1)


def _without_group(mode: int) -> int:
    """Permissions whose group has no more than all others have."""
    return mode & (~0o070 | (mode & 0o007) << 3)


def settle(temporary: Path, path: Path, force: bool) -> None:
    """Rename a temporary file to its final name.

    Raises:
        PixzipError: a file of that name exists and `force` is off.
        OSError: the file cannot be renamed.
    """
    if force:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # unlike a rename, never overwrites a newer file
    except FileExistsError:
        raise PixzipError(f"{path} exists: -f overwrites it") from None
    except OSError:  # a file system without links
        check_writable(str(path), force)
        temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to disk, if the system can, so that names of files survive a power failure."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
