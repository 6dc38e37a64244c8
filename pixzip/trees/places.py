"""Folders of inputs and outputs, on a disk or below a URL."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from pixcodecs.errors import PixzipError
from pixcodecs.forking import cached_property

from pixzip.io import files, stores, walking
from pixzip.io.stores import Status


class FileStatus(Protocol):
    """What `os.stat_result` and `stores.Status` say of a file."""

    @property
    def st_size(self) -> int: ...

    @property
    def st_mtime_ns(self) -> int: ...


class Place:
    """A folder, or what is below a URL, which is listed once, when it is first asked.

    Attributes:
        name: path or URL.
        remote: whether it is a URL.
        prefix: the start of the paths or URLs of its files.
    """

    def __init__(self, name: str) -> None:
        self.name, self.remote, self.prefix = name, stores.is_url(name), files.prefix(name)

    @cached_property
    def _listed(self) -> dict[str, Status]:
        return {found.inner: found.status for found in stores.below(self.name)}

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder; there is no empty one below a URL.

        Raises:
            PixzipError, OSError: the store cannot list it.
        """
        return bool(self._listed) if self.remote else Path(self.name).is_dir()

    def walk(self, failed: Callable[[OSError], None] | None = None) -> Iterator[str]:
        """Yield the paths of the files below, see `walking.walk_names`.

        Args:
            failed: called with the error of every folder that cannot be read; None skips such folders.
        Raises:
            PixzipError, OSError: the store cannot list them.
        """
        if self.remote:
            yield from self._listed
        else:
            yield from walking.walk_names(self.name, failed=failed)

    def status(self, inner: str) -> FileStatus | None:
        """The status of a regular file below; None if there is none.

        Raises:
            PixzipError, OSError: the store cannot list its files.
        """
        if self.remote:
            return self._listed.get(inner)
        return regular(self.prefix + inner)


def regular(path: str) -> os.stat_result | None:
    """The status of a regular file; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 (a million calls)
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def between(source: str, target: str) -> bool:
    """Whether a file goes to a URL or comes from one, so that its output does not get its time."""
    return stores.is_url(source) or stores.is_url(target)


def check_shared(*names: str) -> None:
    """
    Raises:
        PixzipError: a name is a URL that other processes do not reach.
    """
    if any(map(stores.is_of_this_process, names)):
        raise PixzipError("memory:// is the memory of this process, which workers do not reach")


def write(
    source: str, target: str, data: bytes | BinaryIO, force: bool, like: os.stat_result | None, *, whole: bool = True
) -> None:
    """Write the output of a file of a tree; again, after a killed run, if the output cannot tell that it is there.

    Args:
        whole: whether the output has all of the file; only such an output gets its time, and so is up to date later.
    Raises:
        PixzipError, OSError: see `files.write`.
    """
    if between(source, target) or not whole:
        files.write_once(target, data, force, like, dated=whole)
    else:
        files.write(target, data, force, like, make=True)
