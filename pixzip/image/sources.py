"""Find image files: single files, files in folders and in tars, and lists of these."""

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, NamedTuple, cast

from pixcodecs.errors import PixzipError

from pixzip.image import formats


class Source(NamedTuple):
    """A file that may be an image.

    Attributes:
        name: path below the folder or in the tar, with "/" between its parts; for a single file, its name.
        read: returns the whole file; raises OSError if it cannot be read.
        place: whole path; for a member of a tar, the tar's name and the member's path.
    """

    name: str
    read: Callable[[], bytes]
    place: str = ""


#: Path of a file in a folder or tar -> whether to take the file.
Wanted = Callable[[PurePath], bool]


def folder_suffixes() -> frozenset[str]:
    """The suffixes of files that are taken from folders as images."""
    return frozenset[str]().union(*(form.suffixes for form in formats.FORMATS))


def is_image_name(path: PurePath) -> bool:
    """Whether a path has a suffix of any format."""
    return path.suffix.lower() in folder_suffixes()


def any_name(path: PurePath) -> bool:
    """Takes every file."""
    return True


def walk(
    folder: Path, wanted: Wanted = any_name, *, hidden: bool = False, failed: Callable[[OSError], None] | None = None
) -> list[Path]:
    """The files in a folder and its subfolders, as relative paths, sorted by the parts of the paths.

    Links to folders, pipes and devices are skipped.  Broken links are taken, so that reading them fails.

    Args:
        hidden: take files and folders whose names start with a dot.
        failed: called with the error of every folder that cannot be read; None skips such folders.
    """
    found: list[Path] = []
    for at, folders, names in os.walk(folder, onerror=failed):
        if not hidden:
            folders[:] = [name for name in folders if not name.startswith(".")]
            names = [name for name in names if not name.startswith(".")]
        inner = Path(at).relative_to(folder)
        found += [path for name in names if wanted(path := inner / name) and _may_be_file(folder / path)]
    return sorted(found, key=lambda path: path.parts)


def _may_be_file(path: Path) -> bool:
    """Whether a path is a file or a broken link; False for pipes, which would block."""
    return path.is_file() or path.is_symlink()


def members(tar: Path, wanted: Wanted = any_name, *, hidden: bool = False, by_name: bool = True) -> Iterator[Source]:
    """Yield the files in a tar; each must be read before the next one is requested.

    Args:
        hidden: take files whose paths have a part that starts with a dot.
        by_name: sort by name; otherwise keep the tar's own order, which is fast to read if it is compressed.
    Raises:
        OSError, tarfile.TarError: the tar or a folder cannot be read.
    """
    with tarfile.open(tar) as opened:
        for member in sorted(opened, key=lambda m: m.name) if by_name else opened:
            path = PurePosixPath(member.name)
            shown = hidden or not any(part.startswith(".") for part in path.parts)
            if member.isfile() and shown and wanted(path):
                yield Source(member.name, partial(_member_bytes, opened, member), f"{tar.name}/{member.name}")


def _member_bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    with cast(IO[bytes], tar.extractfile(member)) as stream:  # None only if not a regular file
        return stream.read()


def sources(
    paths: Sequence[Path], wanted: Wanted = any_name, *, hidden: bool = False, by_name: bool = True
) -> Iterator[Source]:
    """Yield the files at some paths: single files, files of folders by `walk`, and files of tars by `members`.

    Each must be read before the next one is requested.

    Args:
        wanted, hidden: selection in folders and tars.
        by_name: see `members`.
    Raises:
        PixzipError: a path does not exist.
        OSError, tarfile.TarError: the tar or a folder cannot be read.
    """
    for path in paths:
        if path.is_dir():
            for inner in walk(path, wanted, hidden=hidden):
                yield Source(inner.as_posix(), (path / inner).read_bytes, str(path / inner))
        elif not path.exists():
            raise PixzipError(f"{path} does not exist")
        elif not path.is_file():
            raise PixzipError(f"{path} is a pipe or device, expected a file, which can be read more than once")
        elif tarfile.is_tarfile(path):
            yield from members(path, wanted, hidden=hidden, by_name=by_name)
        else:
            yield Source(path.name, path.read_bytes, str(path))
