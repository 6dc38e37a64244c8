"""Inputs and outputs of the command line: paths, standard streams, atomic writes."""

import contextlib
import mmap
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from pixcodecs.container import signature
from pixcodecs.errors import PixzipError

STANDARD = "-"
SUFFIX = ".pxz"
#: What is taken for an image in a folder: of what `pixzip.image` reads all but JPEG, whose decoded pixels, coded
#: without loss, are larger than the file.
IMAGE_SUFFIXES = frozenset(
    {".png", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".bmp", ".dib", ".webp"}
    | {".gif", ".tga", ".pcx", ".sgi", ".qoi"}
)


def read(name: str) -> bytes:
    """A whole input.

    Raises:
        OSError: it cannot be read.
    """
    return _stdin().read() if name == STANDARD else Path(name).read_bytes()


def read_pxz(name: str) -> signature.Buffer:
    """A `.pxz` input: a file as a map, of which only what is used is read.

    Raises:
        BitstreamError: standard input does not start as a `.pxz` file does.
        OSError: it cannot be read.
    """
    if name == STANDARD:
        start = _stdin().read(len(signature.SIGNATURE))
        if start != signature.SIGNATURE:
            from pixcodecs.container import image as container

            container.read_header(start)  # says what is wrong, without reading the rest
        return start + _stdin().read()
    with Path(name).open("rb") as stream:
        try:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (ValueError, OSError):  # an empty file, or one that is no file
            return stream.read()


def is_one_stack(inputs: Sequence[str]) -> bool:
    """Whether the one input is a file that says it is a stack; of standard input that shows when it is read.

    Raises:
        OSError: it cannot be read.
    """
    if len(inputs) != 1 or not Path(inputs[0]).is_file():
        return False
    with Path(inputs[0]).open("rb") as stream:
        return signature.is_stack(stream.read(4))


def pxz_name(name: str) -> str:
    """photo.png -> photo.png.pxz"""
    return STANDARD if name == STANDARD else name + SUFFIX


def image_name(name: str) -> str:
    """photo.png.pxz -> photo.png, photo.webp.pxz -> photo.webp.png, photo.pxz -> photo.png"""
    if name == STANDARD:
        return STANDARD
    stem = name.removesuffix(SUFFIX)
    return stem if stem.lower().endswith(".png") else stem + ".png"


def folder_name(name: str) -> str:
    """images.pxz -> images"""
    return STANDARD if name == STANDARD else name.removesuffix(SUFFIX)


def check_writable(target: str, force: bool, make: bool = False) -> None:
    """Find out before the work what `write` would refuse after it.

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
    """Make the folder that a target is to be in, if it is not there."""
    if target != STANDARD:
        Path(target).parent.mkdir(parents=True, exist_ok=True)


def remove_output(target: str) -> None:
    """Take back an output that turned out to be wrong."""
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
    """Give a file its name."""
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
    """Have a folder's names on disk, where the system can: what has a name now has it after a power failure."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Put off what would end the process, such as until a temporary file is gone."""
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


def settle_stdout() -> None:
    """Drop what standard output no longer takes, which the interpreter would complain of once more at its end."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _stdin() -> BinaryIO:
    if not sys.stdin:
        raise PixzipError("standard input is closed")
    return sys.stdin.buffer


def is_terminal() -> bool:
    """Whether standard error is one."""
    return bool(sys.stderr) and sys.stderr.isatty()
