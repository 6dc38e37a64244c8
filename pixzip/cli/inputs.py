"""The input files of a command and their outputs; folders are replaced by their files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger
from pixzip.io import files, stores, streams

#: Folders of the system that hold pipes and devices, such as /dev/stdin, or /dev/fd/63 for `<(...)` in a shell.
_WITHOUT_NAMES = (("dev",), ("proc",))


class Found(NamedTuple):
    """A file: its path as the user would write it, and its path below the folder that the user named, if any."""

    name: str
    inner: Path


def image_suffixes() -> frozenset[str]:
    """The suffixes of images in a folder."""
    from pixzip.image import sources  # imports all formats, which `--help` does not need

    return sources.folder_suffixes()


class InputKind(NamedTuple):
    """The inputs and outputs of a command.

    Attributes:
        inputs: collective name of the files in a folder.
        suffixes: returns the suffixes of files to take from a folder; called only for folders.
        renamed: name of an input -> name of its output; None if there are no outputs.
        not_folders: returns suffixes for which the path of `-o` is a file, not a folder to create.
    """

    inputs: str
    suffixes: Callable[[], frozenset[str]]
    renamed: Callable[[str], str] | None = None
    not_folders: Callable[[], frozenset[str]] = frozenset


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
    taken: set[Path] = set()
    sources: set[Path] = set()
    for given in dict.fromkeys(inputs):
        try:
            found = list(_found(ledger, given, kind))
        except FILE_ERRORS as e:
            ledger.fail(given, e)
            continue
        if not found:
            ledger.warn(given, f"no {kind.inputs} in this folder")
        for name, inner in found:
            if name != streams.STANDARD and Path(name).absolute() in sources:
                continue
            sources.add(Path(name).absolute())
            ledger.plan(name)
            try:
                ledger[name].output = target = _target(name, inner, out, folder, kind)
                _check(ledger, name, target, taken, many=many, make=folder is not None)
            except FILE_ERRORS as e:
                ledger.fail(name, e)


def _found(ledger: Ledger, given: str, kind: InputKind) -> Iterator[Found]:
    """Yield a file as given, or the files in a folder and its subfolders, see `sources.walk`."""
    path = Path(given)
    if given == streams.STANDARD or not path.is_dir():
        yield Found(given, Path(path.name))
        return
    if not ledger.manner.recursive:
        raise PixzipError(f"is a folder: -r takes the {kind.inputs} in it")
    from pixzip.image import sources

    def failed(e: OSError) -> None:
        ledger.fail(str(e.filename), e)

    suffixes = kind.suffixes()
    for inner in sources.walk(path, lambda p: p.suffix.lower() in suffixes, failed=failed):
        yield Found(str(path / inner), inner)


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


def _target(name: str, inner: Path, out: str | None, folder: Path | None, kind: InputKind) -> str | None:
    if kind.renamed is None:
        return None
    if folder is not None:
        return str(folder / kind.renamed(str(inner)))
    if out is None and name != streams.STANDARD and Path(name).absolute().parts[1:2] in _WITHOUT_NAMES:
        raise PixzipError("it has no name to be written under: -o FILE gives one")
    return kind.renamed(name) if out is None else out


def _check(ledger: Ledger, name: str, target: str | None, taken: set[Path], *, many: bool, make: bool) -> None:
    """Check, before the work, for errors; skip a file whose output is up to date.

    Raises:
        PixzipError, OSError: the file cannot be worked on.
    """
    source = streams.status_of(name)
    ledger[name].bytes_before = source.st_size if source else None
    if target is None:
        return
    force = ledger.manner.force
    if target != streams.STANDARD:
        if Path(target).absolute() in taken:
            raise PixzipError(f"{target} is another input's output too")
        taken.add(Path(target).absolute())
        written = Path(target).stat() if Path(target).is_file() else None
        if source and written and os.path.samestat(source, written):
            raise PixzipError(f"{target} exists: it is the input itself")
        if many and not force and source and written and source.st_mtime_ns == written.st_mtime_ns:
            ledger.skip(name)
            return
    files.check_writable(target, force, make)
