"""The input files of a command and their outputs; folders are replaced by their files."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import Manner
from pixzip.io import files, stores, streams
from pixzip.trees.places import FileStatus, Place, regular
from pixzip.trees.records import Records, up_to_date

#: Folders of the system that hold pipes and devices, such as /dev/stdin, or /dev/fd/63 for `<(...)` in a shell.
_WITHOUT_NAMES = (("dev",), ("proc",))


class Found(NamedTuple):
    """A file.

    Attributes:
        name: path as the user would write it, or URL.
        inner: path below the folder that the user named, if any.
        status: what the listing of a URL says of it; None for other files, and single ones at a URL.
    """

    name: str
    inner: str
    status: FileStatus | None = None


def image_suffixes() -> frozenset[str]:
    """The suffixes of images in a folder."""
    from pixzip.image import sources  # imports all formats, which `--help` does not need

    return sources.folder_suffixes()


def image_left_alone(name: str) -> tuple[str, str] | None:
    """The kind of an image in a folder that is left alone, and the reason; None for other files."""
    from pixzip.image.left_alone import left_alone

    return left_alone(name, partial(streams.opened, name))


class InputKind(NamedTuple):
    """The inputs and outputs of a command.

    Attributes:
        inputs: collective name of the files in a folder.
        suffixes: returns the suffixes of files to take from a folder; called only for folders.
        renamed: name of an input, or its path below a folder, and its whole path -> name of its output; None if there
            are no outputs.
        left_alone: the kind of a file in a folder that is left alone, and the reason, see `image.left_alone`; None if
            others than those of the suffixes are of no interest.
        not_folders: returns suffixes for which the path of `-o` is a file, not a folder to create.
    """

    inputs: str
    suffixes: Callable[[], frozenset[str]]
    renamed: Callable[[str, str], str] | None = None
    not_folders: Callable[[], frozenset[str]] = frozenset
    left_alone: Callable[[str], tuple[str, str] | None] | None = None


def plan(ledger: Ledger, inputs: tuple[str, ...], out: str | None, kind: InputKind) -> list[Place]:
    """Enter the files in the ledger; those to work on are planned.

    Args:
        out: value of `-o`: a file, a folder, "-", or None for outputs beside the inputs.
    Returns:
        The folders among the inputs.
    Raises:
        PixzipError: `out` cannot take all of them.
    """
    if inputs.count(streams.STANDARD) > 1:
        raise PixzipError("standard input can be given once")
    inputs, out = tuple(map(stores.plain, inputs)), out and stores.plain(out)
    manner = ledger.manner
    many = manner.recursive or len(inputs) > 1
    folder = _folder(out, inputs, many, kind)
    records = Records(folder, inputs, manner.shard) if folder is not None and manner.recursive else None
    place = None if folder is None else Place(folder)
    outputs = _Outputs(ledger, place, records, many)
    folders: list[Place] = []
    for found in _part(manner, _all_found(ledger, inputs, kind, folders)):
        name = found.name
        ledger.plan(name)
        try:
            ledger[name].output = target = _target(name, found.inner, out, place, kind)
            outputs.check(found, target)
        except FILE_ERRORS as e:
            ledger.fail(name, e)
    ledger.records = records  # from now on: what fails above was not tried
    return folders


def _all_found(ledger: Ledger, inputs: tuple[str, ...], kind: InputKind, folders: list[Place]) -> Iterator[Found]:
    """Yield all files once; what cannot be found fails.

    Args:
        folders: takes the folders among the inputs.
    """
    seen: set[str] = set()
    for given in dict.fromkeys(inputs):
        empty = True
        try:
            for found in _found(ledger, given, kind, folders):
                empty = False
                if len(inputs) > 1 and found.name != streams.STANDARD:
                    if (place := _place(found.name)) in seen:
                        continue
                    seen.add(place)
                yield found
        except FILE_ERRORS as e:
            ledger.fail(given, e)
            continue
        if empty:
            ledger.warn(given, f"no {kind.inputs} in this folder")


def _part(manner: Manner, found: Iterator[Found]) -> Iterable[Found]:
    """The files of this part of a job array; all, if there is none.

    Parts are cut by pixels where all see the same files, and by names where some remove originals that others look for.
    """
    if (shard := manner.shard) is None:
        return found
    from pixzip.trees import shards, sizes  # image formats, which `--help` does not need

    if manner.remove:
        return (file for file in found if shards.is_in(file.inner, shard))
    files = list(found)
    return files[shards.part_of([sizes.work(f.name, f.status.st_size if f.status else None) for f in files], shard)]


def _place(name: str) -> str:
    """The URL or absolute path of a file."""
    return name if stores.is_url(name) else str(Path(name).absolute())


def _found(ledger: Ledger, given: str, kind: InputKind, folders: list[Place]) -> Iterator[Found]:
    """Yield a file as given, or the files in a folder and its subfolders, see `Place.walk`."""
    place, recursive = Place(given), ledger.manner.recursive
    if given == streams.STANDARD or (place.remote and not recursive) or not place.is_folder:
        yield Found(given, Path(given).name)
        return
    if not recursive:
        raise PixzipError(f"is a folder: -r takes the {kind.inputs} in it")

    def failed(e: OSError) -> None:
        ledger.fail(str(e.filename), e)

    folders.append(place)
    suffixes, before = kind.suffixes(), place.prefix
    for inner in place.walk(failed):
        left = kind.left_alone(before + inner) if kind.left_alone else None
        if left:
            ledger.leave(before + inner, *left)
        elif os.path.splitext(inner)[1].lower() in suffixes:  # noqa: PTH122 (a million calls)
            yield Found(before + inner, inner, place.status(inner) if place.remote else None)


def _folder(out: str | None, inputs: tuple[str, ...], many: bool, kind: InputKind) -> str | None:
    """The existing or new folder, or URL of outputs, that `-o` names; None if it names none."""
    if out is None or kind.renamed is None:
        return None
    path = Path(out)
    if stores.is_url(out):
        return out if many else None
    if out != streams.STANDARD and path.is_dir():
        if streams.STANDARD in inputs:
            raise PixzipError(f"standard input has no name to be written under in {out}: -o FILE gives it one")
        return out
    if not many:
        return None
    number = f"{len(inputs)} inputs need one" if len(inputs) > 1 else "-r needs one"
    if out == streams.STANDARD or path.exists() or path.is_symlink() or path.suffix.lower() in kind.not_folders():
        raise PixzipError(f"-o {out} is not a folder, {number}")
    return out


def _target(name: str, inner: str, out: str | None, place: Place | None, kind: InputKind) -> str | None:
    if kind.renamed is None:
        return None
    if place is not None:
        return place.prefix + kind.renamed(inner, name)
    if out is None and name != streams.STANDARD and Path(name).absolute().parts[1:2] in _WITHOUT_NAMES:
        raise PixzipError("it has no name to be written under: -o FILE gives one")
    return kind.renamed(name, name) if out is None else out


class _Outputs:
    """The outputs of a command; quick for a million files."""

    def __init__(self, ledger: Ledger, place: Place | None, records: Records | None, many: bool) -> None:
        """
        Args:
            place: the folder or URL of all outputs, if there is one.
            many: whether outputs that are there may be skipped.
        """
        self._ledger, self._folder, self._records, self._many = ledger, place, records, many
        self._taken: set[str] = set()
        #: Folders in which outputs can be written.
        self._writable: set[str] = set()

    def check(self, found: Found, target: str | None) -> None:
        """Check, before the work, for errors; skip a file whose output is up to date.

        Raises:
            PixzipError, OSError: the file cannot be worked on.
        """
        name, source = found.name, found.status or streams.status_of(found.name)
        self._ledger[name].bytes_before = source.st_size if source else None
        if self._records and found.status:
            self._records.learn(name, found.status)
        if target is None:
            return
        if target != streams.STANDARD:
            if (place := target if self._folder else _place(target)) in self._taken:
                raise PixzipError(f"{target} is another input's output too")
            self._taken.add(place)
            written = self._written(target)
            if written:
                if _is_same(name, source, target, written):
                    raise PixzipError(f"{target} exists: it is the input itself")
                if source and self._is_done(name, target, source, written):
                    self._ledger.skip(name)
                    return
        if self._folder and (self._folder.remote or stores.is_url(name)):
            return  # one that is there may be whole: the work tells
        parent = os.path.dirname(target)  # noqa: PTH120
        if not self._folder or parent not in self._writable or os.path.lexists(target):
            files.check_writable(target, self._ledger.manner.force, self._folder is not None)
            self._writable.add(parent)

    def _written(self, target: str) -> FileStatus | None:
        if self._folder and self._folder.remote:
            return self._folder.status(target.removeprefix(self._folder.prefix))
        return regular(target)

    def _is_done(self, name: str, target: str, source: FileStatus, written: FileStatus) -> bool:
        if not self._many or self._ledger.manner.force:
            return False
        records = self._records
        return records.is_done(name, target, source, written) if records else up_to_date(source, written)


def _is_same(name: str, source: FileStatus | None, target: str, written: FileStatus) -> bool:
    """Whether an output that is there is the input."""
    on_disk = isinstance(source, os.stat_result) and isinstance(written, os.stat_result)
    return os.path.samestat(source, written) if on_disk else name == target  # type: ignore[arg-type]
