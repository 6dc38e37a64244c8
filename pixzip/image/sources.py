"""Image files wherever they are: by themselves, in folders, in tars, or in a list of all of these."""

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, NamedTuple, cast

from pixcodecs.errors import PixzipError

from pixzip.image import formats
from pixzip.image.formats.base import Format


class Source(NamedTuple):
    """A file that may be an image.

    Attributes:
        name: the path below the folder or in the tar, "/" between its parts; of a file by itself, its name.
        read: gives the whole file, and raises OSError if it cannot be read.
        place: the whole path; of a member of a tar, the tar's name and the member's path.
    """

    name: str
    read: Callable[[], bytes]
    place: str = ""


#: Whether a file of a folder or tar is wanted, by its path there.
Wanted = Callable[[PurePath], bool]


def folder_suffixes() -> frozenset[str]:
    """The suffixes by which files of a folder are taken for images, those of JPEG not among them."""
    return _suffixes(lambda form: form.in_folders)


def is_image_name(path: PurePath) -> bool:
    """Whether a path has a suffix of any format, JPEG included."""
    return path.suffix.lower() in _suffixes(lambda form: True)


def _suffixes(chosen: Callable[[Format], bool]) -> frozenset[str]:
    return frozenset[str]().union(*(form.suffixes for form in formats.FORMATS if chosen(form)))


def any_name(path: PurePath) -> bool:
    """Wants every file."""
    return True


def walk(
    folder: Path, wanted: Wanted = any_name, *, hidden: bool = False, failed: Callable[[OSError], None] | None = None
) -> list[Path]:
    """The files in a folder and below, relative to it, sorted by the parts of their paths.

    Links to folders are passed over, as are pipes and devices.  Links that lead nowhere are taken, for whoever reads
    them to complain.

    Args:
        hidden: take files and folders whose names start with a dot.
        failed: called with the error of every folder that cannot be read; None passes over such folders.
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
    """Whether it is one or should be: no pipe that would be waited for, but a link that leads nowhere."""
    return path.is_file() or path.is_symlink()


def members(tar: Path, wanted: Wanted = any_name, *, hidden: bool = False, by_name: bool = True) -> Iterator[Source]:
    """The files in a tar, each of which has to be read before the next one comes.

    Args:
        hidden: take files whose paths have a part that starts with a dot.
        by_name: sort by name; otherwise the tar's own order stays, in which compressed ones are read quickly.
    Raises:
        OSError, tarfile.TarError: it cannot be read.
    """
    with tarfile.open(tar) as opened:
        for member in sorted(opened, key=lambda m: m.name) if by_name else opened:
            path = PurePosixPath(member.name)
            shown = hidden or not any(part.startswith(".") for part in path.parts)
            if member.isfile() and shown and wanted(path):
                yield Source(member.name, partial(_member_bytes, opened, member), f"{tar.name}/{member.name}")


def _member_bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    with cast(IO[bytes], tar.extractfile(member)) as stream:  # None only if it is no plain file
        return stream.read()


def sources(
    paths: Sequence[Path], wanted: Wanted = any_name, *, hidden: bool = False, by_name: bool = True
) -> Iterator[Source]:
    """The files at some paths: a file as it is given, a folder as `walk` has it, a tar as `members` has it.

    Each has to be read before the next one comes.

    Args:
        wanted, hidden: of what is in folders and tars.
        by_name: see `members`.
    Raises:
        PixzipError: a path leads nowhere.
        OSError, tarfile.TarError: it cannot be read.
    """
    for path in paths:
        if path.is_dir():
            for inner in walk(path, wanted, hidden=hidden):
                yield Source(inner.as_posix(), (path / inner).read_bytes, str(path / inner))
        elif not path.exists():
            raise PixzipError(f"{path} does not exist")
        elif tarfile.is_tarfile(path):
            yield from members(path, wanted, hidden=hidden, by_name=by_name)
        else:
            yield Source(path.name, path.read_bytes, str(path))
