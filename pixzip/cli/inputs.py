"""The input files of a command and their outputs; folders are replaced by their files."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger
from pixzip.io import files, stores, streams
from pixzip.trees.manifest import Shard
from pixzip.trees.records import Records, up_to_date

#: Folders of the system that hold pipes and devices, such as /dev/stdin, or /dev/fd/63 for `<(...)` in a shell.
_WITHOUT_NAMES = (("dev",), ("proc",))


class Found(NamedTuple):
    """A file: its path as the user would write it, and its path below the folder that the user named, if any."""

    name: str
    inner: str


def image_suffixes() -> frozenset[str]:
    """The suffixes of images in a folder."""
    from pixzip.image import sources  # imports all formats, which `--help` does not need

    return sources.folder_suffixes()


def image_left_alone(path: Path) -> tuple[str, str] | None:
    """The kind of an image in a folder that is left alone, and the reason; None for other files."""
    from pixzip.image.left_alone import left_alone

    return left_alone(path)


class InputKind(NamedTuple):
    """The inputs and outputs of a command.

    Attributes:
        inputs: collective name of the files in a folder.
        suffixes: returns the suffixes of files to take from a folder; called only for folders.
        renamed: name of an input, or its path below a folder, and its whole path -> name of its output; None if there
            are no outputs.
        left_alone: the kind of a file in a folder that is left alone, and the reason, see `image.left_alone`; None if
            others than those of the suffixes are of no interest.
        passed_over: tells by its name, without folders, whether a file in a folder is none of the inputs.
        not_folders: returns suffixes for which the path of `-o` is a file, not a folder to create.
    """

    inputs: str
    suffixes: Callable[[], frozenset[str]]
    renamed: Callable[[str, str], str] | None = None
    not_folders: Callable[[], frozenset[str]] = frozenset
    left_alone: Callable[[Path], tuple[str, str] | None] | None = None
    passed_over: Callable[[str], bool] = lambda name: False


def plan(ledger: Ledger, inputs: tuple[str, ...], out: str | None, kind: InputKind) -> None:
    """Enter the files in the ledger; those to work on are planned.

    Args:
        out: value of `-o`: a file, a folder, "-", or None for outputs beside the inputs.
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
    below = None if folder is None else str(folder / "_")[:-1]
    outputs = _Outputs(ledger, folder, records, many)
    for name, inner in _part(manner.shard, _all_found(ledger, inputs, kind)):
        ledger.plan(name)
        try:
            ledger[name].output = target = _target(name, inner, out, below, kind)
            outputs.check(name, target)
        except FILE_ERRORS as e:
            ledger.fail(name, e)
    ledger.records = records  # from now on: what fails above was not tried


def _all_found(ledger: Ledger, inputs: tuple[str, ...], kind: InputKind) -> Iterator[Found]:
    """Yield all files once; what cannot be found fails."""
    seen: set[str] = set()
    for given in dict.fromkeys(inputs):
        empty = True
        try:
            for name, inner in _found(ledger, given, kind):
                empty = False
                if len(inputs) > 1 and name != streams.STANDARD:
                    if (place := _place(name)) in seen:
                        continue
                    seen.add(place)
                yield Found(name, inner)
        except FILE_ERRORS as e:
            ledger.fail(given, e)
            continue
        if empty:
            ledger.warn(given, f"no {kind.inputs} in this folder")


def _part(shard: Shard | None, found: Iterator[Found]) -> Iterable[Found]:
    """The files of this part of a job array; all, if there is none."""
    if shard is None:
        return found
    from pixzip.trees import shards, sizes  # image formats, which `--help` does not need

    files = list(found)
    return files[shards.part_of([sizes.pixels(Path(name)) for name, _ in files], shard)]


def _place(name: str) -> str:
    """The absolute path of a file."""
    return str(Path(name).absolute())


def _found(ledger: Ledger, given: str, kind: InputKind) -> Iterator[Found]:
    """Yield a file as given, or the files in a folder and its subfolders, see `sources.walk`."""
    path = Path(given)
    if given == streams.STANDARD or not path.is_dir():
        yield Found(given, path.name)
        return
    if not ledger.manner.recursive:
        raise PixzipError(f"is a folder: -r takes the {kind.inputs} in it")
    from pixzip.image import sources

    def failed(e: OSError) -> None:
        ledger.fail(str(e.filename), e)

    suffixes, before = kind.suffixes(), str(path / "_")[:-1]
    for inner in sources.walk_names(str(path), failed=failed):
        left = kind.left_alone(Path(before + inner)) if kind.left_alone else None
        if left:
            ledger.leave(before + inner, *left)
        elif os.path.splitext(inner)[1].lower() in suffixes and not kind.passed_over(os.path.basename(inner)):  # noqa: PTH119, PTH122 (a million calls)
            yield Found(before + inner, inner)


def _folder(out: str | None, inputs: tuple[str, ...], many: bool, kind: InputKind) -> Path | None:
    """The existing or new folder that `-o` names; None if it names no folder."""
    if out is None or kind.renamed is None:
        return None
    path = Path(out)
    if out != streams.STANDARD and path.is_dir():
        if streams.STANDARD in inputs:
            raise PixzipError(f"standard input has no name to be written under in {out}: -o FILE gives it one")
        return path
    if not many:
        return None
    if stores.is_url(out):
        raise PixzipError(f"-o {out} is a URL, which takes one input, without -r")
    number = f"{len(inputs)} inputs need one" if len(inputs) > 1 else "-r needs one"
    if out == streams.STANDARD or path.exists() or path.is_symlink() or path.suffix.lower() in kind.not_folders():
        raise PixzipError(f"-o {out} is not a folder, {number}")
    return path


def _target(name: str, inner: str, out: str | None, folder: str | None, kind: InputKind) -> str | None:
    if kind.renamed is None:
        return None
    if folder is not None:
        return folder + kind.renamed(inner, name)
    if out is None and name != streams.STANDARD and Path(name).absolute().parts[1:2] in _WITHOUT_NAMES:
        raise PixzipError("it has no name to be written under: -o FILE gives one")
    return kind.renamed(name, name) if out is None else out


class _Outputs:
    """The outputs of a command; quick for a million files."""

    def __init__(self, ledger: Ledger, folder: Path | None, records: Records | None, many: bool) -> None:
        """
        Args:
            folder: the folder of all outputs, if there is one.
            many: whether outputs that are there may be skipped.
        """
        self._ledger, self._folder, self._records, self._many = ledger, folder, records, many
        self._taken: set[str] = set()
        #: Folders in which outputs can be written.
        self._writable: set[str] = set()

    def check(self, name: str, target: str | None) -> None:
        """Check, before the work, for errors; skip a file whose output is up to date.

        Raises:
            PixzipError, OSError: the file cannot be worked on.
        """
        source = streams.status_of(name)
        self._ledger[name].bytes_before = source.st_size if source else None
        if target is None:
            return
        if target != streams.STANDARD:
            if (place := target if self._folder else _place(target)) in self._taken:
                raise PixzipError(f"{target} is another input's output too")
            self._taken.add(place)
            written = _regular(target)
            if source and written and os.path.samestat(source, written):
                raise PixzipError(f"{target} exists: it is the input itself")
            if source and written and self._is_done(name, target, source, written):
                self._ledger.skip(name)
                return
        parent = os.path.dirname(target)  # noqa: PTH120
        if not self._folder or parent not in self._writable or os.path.lexists(target):
            files.check_writable(target, self._ledger.manner.force, self._folder is not None)
            self._writable.add(parent)

    def _is_done(self, name: str, target: str, source: os.stat_result, written: os.stat_result) -> bool:
        if not self._many or self._ledger.manner.force:
            return False
        records = self._records
        return records.is_done(name, target, source, written) if records else up_to_date(source, written)


def _regular(path: str) -> os.stat_result | None:
    """The status of a regular file; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None
