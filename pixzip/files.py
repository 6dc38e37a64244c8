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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from pixcodecs import container, stack
from pixcodecs.errors import PixzipError

STANDARD = "-"
SUFFIX = ".pxz"


def read(name: str) -> bytes:
    """A whole input.

    Raises:
        OSError: it cannot be read.
    """
    return _stdin().read() if name == STANDARD else Path(name).read_bytes()


def read_pxz(name: str) -> container.Buffer:
    """A `.pxz` input: a file as a map, of which only what is used is read.

    Raises:
        BitstreamError: standard input does not start as a `.pxz` file does.
        OSError: it cannot be read.
    """
    if name == STANDARD:
        start = _stdin().read(len(container.SIGNATURE))
        if start != container.SIGNATURE:
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
        return stack.is_stack(stream.read(4))


def pxz_name(name: str) -> str:
    """photo.png -> photo.png.pxz"""
    return STANDARD if name == STANDARD else name + SUFFIX


def image_name(name: str) -> str:
    """photo.png.pxz -> photo.png, photo.webp.pxz -> photo.webp.png, photo.pxz -> photo.png"""
    if name == STANDARD:
        return STANDARD
    stem = name.removesuffix(SUFFIX)
    return stem if stem.lower().endswith(".png") else stem + ".png"


def outputs(inputs: tuple[str, ...], out: str | None, default_names: list[str]) -> list[str]:
    """Where each input's result goes.

    Args:
        out: what `-o` says: a file, a folder, "-", or None for beside the input.
        default_names: each result's path when `out` is None.
    Raises:
        PixzipError: `out` cannot take all of them.
    """
    if inputs.count(STANDARD) > 1:
        raise PixzipError("standard input can be given once")
    if out is None:
        return default_names
    if out != STANDARD and Path(out).is_dir():
        if STANDARD in inputs:
            raise PixzipError(f"standard input has no name to be written under in {out}: -o FILE gives it one")
        return [str(Path(out) / Path(name).name) for name in default_names]
    if len(inputs) > 1:
        raise PixzipError(f"-o {out} is not a folder that exists, {len(inputs)} inputs need one")
    return [out]


def check_writable(target: str, force: bool) -> None:
    """Find out before the work what `write` would refuse after it.

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
    if path.exists() and not path.is_file():
        raise PixzipError(f"{target} exists and is not a file")
    if path.is_symlink() or path.exists():
        if not force:
            raise PixzipError(f"{target} exists: -f overwrites it")
    elif not path.parent.is_dir():
        raise PixzipError(f"folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise PixzipError(f"folder {path.parent} is not writable")


def spool(target: str) -> BinaryIO:
    """A temporary file without a name, on the disk of a target: nothing is left of it, however the process ends.

    Raises:
        OSError: it cannot be made.
    """
    folder = None if target == STANDARD else Path(target).parent
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))  # closed by the caller


def write(target: str, data: bytes | BinaryIO, force: bool) -> None:
    """Write all of an output or nothing: a temporary file in the same folder takes its name at the end.

    Args:
        data: the output, or a file that holds it.
    Raises:
        PixzipError: the target exists and `force` is off.
        OSError: it cannot be written.
    """
    if target == STANDARD:
        _copy(data, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    check_writable(target, force)
    path = Path(target)
    with _signals_wait():
        _replace(path, data, force)


def _copy(data: bytes | BinaryIO, out: BinaryIO) -> None:
    if isinstance(data, bytes):
        out.write(data)
    else:
        data.seek(0)
        shutil.copyfileobj(data, out, 1 << 20)


def _replace(path: Path, data: bytes | BinaryIO, force: bool) -> None:
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as f:
            _copy(data, f)
            f.flush()
            os.fsync(f.fileno())
        _settle(temporary, path, force)
    finally:
        temporary.unlink(missing_ok=True)


def _settle(temporary: Path, path: Path, force: bool) -> None:
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


def check_folder(target: str, names: Iterable[str], force: bool) -> None:
    """Find out before the work what `write_folder` would refuse after it.

    Raises:
        PixzipError: the target is no folder and cannot become one, or one of the files is there already.
    """
    folder = Path(target)
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            raise PixzipError(f"{target} exists and is not a folder")
        check_writable(target, force)
        return
    paths = [folder / name for name in names]
    for path in paths:
        if path.exists() or path.is_symlink():
            check_writable(str(path), force)
    for inner in {parent for path in paths for parent in path.parents} - {folder, *folder.parents}:
        if inner.exists() and not inner.is_dir():
            raise PixzipError(f"{inner} exists and is not a folder")


def write_folder(target: str, contents: Mapping[str, bytes], force: bool) -> None:
    """Write files into a folder, which is made if it is not there: all of them, or none into a new folder.

    Args:
        contents: of each file, by its relative path with "/" between its parts, which the caller has checked.
    Raises:
        PixzipError: a file exists and `force` is off, or names are one for the file system.
        OSError: it cannot be written.
    """
    check_folder(target, contents, force)
    folder = Path(target)
    temporary = (folder if folder.is_dir() else folder.parent) / f".{secrets.token_hex(8)}.tmp"
    with _signals_wait():
        try:
            for name, data in contents.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    with path.open("xb") as f:
                        f.write(data)
                except FileExistsError:
                    raise PixzipError(f"{name} is another file's name too, for this file system") from None
            if not folder.is_dir():
                temporary.rename(folder)
                return
            for name in contents:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                _settle(temporary / name, folder / name, force)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Put off what would end the process until its temporary file is gone."""
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
