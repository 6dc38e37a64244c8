"""Folders as outputs of the command line: all files of a folder are written, or none."""

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pixcodecs.errors import PixzipError

from pixzip.io import files, stores
from pixzip.io.signals import signals_wait


def check_folder(target: str, names: Iterable[str], force: bool) -> None:
    """Check, before the work, for errors that `write_folder` would raise after it.

    Raises:
        PixzipError: the target is no folder and cannot become one, or one of the files exists.
    """
    if stores.is_url(target):
        raise PixzipError(f"{target} is a URL: the images of one file go into a folder on a disk")
    folder = Path(target)
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            raise PixzipError(f"{target} exists and is not a folder")
        files.check_writable(str(folder), force)
        return
    paths = [folder / name for name in names]
    for path in paths:
        if path.exists() or path.is_symlink():
            files.check_writable(str(path), force)
    for inner in {parent for path in paths for parent in path.parents} - {folder, *folder.parents}:
        if inner.exists() and not inner.is_dir():
            raise PixzipError(f"{inner} exists and is not a folder")


def write_folder(target: str, contents: Mapping[str, bytes], force: bool, like: os.stat_result | None = None) -> None:
    """Write files into a folder, which is created if missing; into a new folder, all of them or none.

    Args:
        contents: relative path, with "/" between its parts and checked by the caller -> content of the file.
        like: status of the source, whose access the files get, see `files.give_access`.
    Raises:
        PixzipError: a file exists and `force` is off, or two names are equal for the file system.
        OSError: a file cannot be written.
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
                    with files.created(path, like) as f:
                        f.write(data)
                        if like is not None:
                            files.give_access(f, like)
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
