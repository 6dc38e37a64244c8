"""Which files a command takes, and where the result of each goes: folders become the files in them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger
from pixzip.io import files, streams


class Found(NamedTuple):
    """A file: as the user would write it, and below the folder that the user named, if it was one."""

    name: str
    inner: Path


def image_suffixes() -> frozenset[str]:
    """Suffixes of the images of a folder."""
    from pixzip.image import sources  # imports all formats, which `--help` does without

    return sources.folder_suffixes()


class Kind(NamedTuple):
    """What a command makes of what.

    Attributes:
        inputs: what files in a folder are called together.
        suffixes: gives those of the files of a folder that are taken; asked where there is a folder.
        renamed: name of an input -> name of its output; None where there is none.
        not_folders: gives suffixes by which what `-o` names is a file, no folder to be made.
    """

    inputs: str
    suffixes: Callable[[], frozenset[str]]
    renamed: Callable[[str], str] | None = None
    not_folders: Callable[[], frozenset[str]] = frozenset


def plan(ledger: Ledger, inputs: tuple[str, ...], out: str | None, kind: Kind) -> None:
    """Enter the files in the ledger, as planned where there is work for them.

    Args:
        out: what `-o` says: a file, a folder, "-", or None for beside the input.
    Raises:
        PixzipError: `out` cannot take all of them.
    """
    if inputs.count(streams.STANDARD) > 1:
        raise PixzipError("standard input can be given once")
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
            target = _target(name, inner, out, folder, kind)
            ledger.plan(name, target)
            try:
                _check(ledger, name, target, taken, many=many, make=folder is not None)
            except FILE_ERRORS as e:
                ledger.fail(name, e)


def _found(ledger: Ledger, given: str, kind: Kind) -> Iterator[Found]:
    """A file as it is given; a folder as the files in it and below, see `sources.walk`."""
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


def _folder(out: str | None, inputs: tuple[str, ...], many: bool, kind: Kind) -> Path | None:
    """The folder that `-o` names, there or to be made; None where it names none."""
    if out is None or kind.renamed is None:
        return None
    path = Path(out)
    if out != streams.STANDARD and path.is_dir():
        if streams.STANDARD in inputs:
            raise PixzipError(f"standard input has no name to be written under in {out}: -o FILE gives it one")
        return path
    if not many:
        return None
    number = f"{len(inputs)} inputs need one" if len(inputs) > 1 else "-r needs one"
    if out == streams.STANDARD or path.exists() or path.is_symlink() or path.suffix.lower() in kind.not_folders():
        raise PixzipError(f"-o {out} is not a folder, {number}")
    return path


def _target(name: str, inner: Path, out: str | None, folder: Path | None, kind: Kind) -> str | None:
    if kind.renamed is None:
        return None
    if folder is not None:
        return str(folder / kind.renamed(str(inner)))
    return kind.renamed(name) if out is None else out


def _check(ledger: Ledger, name: str, target: str | None, taken: set[Path], *, many: bool, make: bool) -> None:
    """Find out before the work what stands against it; what is up to date is skipped.

    Raises:
        PixzipError, OSError: whatever does.
    """
    source = Path(name).stat() if name != streams.STANDARD else None
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
