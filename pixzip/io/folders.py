"""Folders as outputs of the command line: all the files of one, or none."""

import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pixcodecs.errors import PixzipError

from pixzip.io import files
from pixzip.io.signals import signals_wait


def check_folder(target: str, names: Iterable[str], force: bool) -> None:
    """Refuse before the work what `write_folder` would refuse after it.

    Raises:
        PixzipError: the target is no folder and cannot become one, or one of the files is there already.
    """
    folder = Path(target)
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            raise PixzipError(f"{target} exists and is not a folder")
        files.check_writable(target, force)
        return
    paths = [folder / name for name in names]
    for path in paths:
        if path.exists() or path.is_symlink():
            files.check_writable(str(path), force)
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
    with signals_wait():
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
                files.settle(temporary / name, folder / name, force)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
