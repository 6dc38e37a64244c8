"""The input files of a command and their outputs; folders are replaced by their files."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import Manner
from pixzip.cli.outputs import Outputs, place_of
from pixzip.io import stores, streams
from pixzip.io.heads import Head
from pixzip.trees import looking
from pixzip.trees.places import FileStatus, Place
from pixzip.trees.records import Records

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


def image_left_alone(name: str, opened: Callable[[], BinaryIO]) -> tuple[str, str] | None:
    """The kind of an image in a folder that is left alone, and the reason; None for other files."""
    from pixzip.image.left_alone import left_alone

    return left_alone(name, opened)


def image_is_opened(name: str) -> bool:
    """Whether `image_left_alone` opens a file of this name."""
    from pixzip.image.left_alone import is_opened

    return is_opened(name)


class InputKind(NamedTuple):
    """The inputs and outputs of a command.

    Attributes:
        inputs: collective name of the files in a folder.
        suffixes: returns the suffixes of files to take from a folder; called only for folders.
        renamed: name of an input, or its path below a folder, its whole path, and its first bytes if it is in a store
            and they are known -> name of its output; None if there are no outputs.
        left_alone: the kind of a file in a folder that is left alone, and the reason, see `image.left_alone`; None if
            others than those of the suffixes are of no interest.
        is_opened: tells by its name whether `left_alone` opens a file.
        enough: tells whether first bytes are all that `renamed` needs; None if it needs none.
        passed_over: tells by its name, without folders, whether a file in a folder is none of the inputs.
        not_folders: returns suffixes for which the path of `-o` is a file, not a folder to create.
    """

    inputs: str
    suffixes: Callable[[], frozenset[str]]
    renamed: Callable[[str, str, bytes | None], str] | None = None
    not_folders: Callable[[], frozenset[str]] = frozenset
    left_alone: Callable[[str, Callable[[], BinaryIO]], tuple[str, str] | None] | None = None
    is_opened: Callable[[str], bool] = lambda name: False
    enough: Callable[[bytes], bool] | None = None
    passed_over: Callable[[str], bool] = lambda name: False


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
    outputs = Outputs(ledger, place, records, many)
    folders: list[Place] = []
    beside = out is None and kind.renamed is not None
    for found, head in _with_heads(_part(manner, _all_found(ledger, inputs, kind, folders, beside)), kind):
        name = found.name
        ledger.plan(name)
        try:
            if isinstance(head, OSError):
                raise head
            if head is not None and manner.spread:
                ledger.work_of[name] = _work(found, head)
            ledger[name].output = target = _target(found, out, place, kind, head)
            outputs.check(found, target)
        except FILE_ERRORS as e:
            ledger.fail(name, e)
    ledger.records = records  # from now on: what fails above was not tried
    return folders


def _all_found(
    ledger: Ledger, inputs: tuple[str, ...], kind: InputKind, folders: list[Place], beside: bool
) -> Iterator[Found]:
    """Yield all files once; what cannot be found fails.

    Args:
        folders: takes the folders among the inputs.
        beside: see `_found`.
    """
    seen: set[str] = set()
    for given in dict.fromkeys(inputs):
        empty = True
        try:
            for found in _found(ledger, given, kind, folders, beside):
                empty = False
                if len(inputs) > 1 and found.name != streams.STANDARD:
                    if (place := place_of(found.name)) in seen:
                        continue
                    seen.add(place)
                yield found
        except FILE_ERRORS as e:
            ledger.fail(given, e)
            continue
        if empty:
            ledger.find_none(given, kind.inputs)


def _with_heads(files: Iterable[Found], kind: InputKind) -> Iterator[tuple[Found, Head | None]]:
    """Yield each file with its first bytes, if it is in a store and its output's name depends on them.

    They are asked for together; so only some are in memory at once.
    """
    enough = kind.enough
    if enough is None:
        yield from ((found, None) for found in files)
        return
    for batch in looking.batched(files, _is_listed):
        listed = [found for found in batch if _is_listed(found)]
        heads = looking.asked([found.name for found in listed if found.status and found.status.st_size], enough)
        names = {found.name for found in listed}
        yield from ((found, heads.get(found.name, b"") if found.name in names else None) for found in batch)


def _is_listed(found: Found) -> bool:
    return found.status is not None


def _work(found: Found, head: bytes) -> int:
    from pixzip.trees import sizes  # image formats, which `--help` does not need

    return sizes.of_head(head, found.status.st_size if found.status else 0)


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
    given = [sizes.Given(file.name, file.status.st_size if file.status else None) for file in files]
    return files[shards.part_of(sizes.work(given, all_agree=True), shard)]


def _found(ledger: Ledger, given: str, kind: InputKind, folders: list[Place], beside: bool) -> Iterator[Found]:
    """Yield a file as given, or the files in a folder and its subfolders, see `Place.walk`.

    Args:
        beside: whether outputs are written beside the inputs.
    """
    place, recursive = Place(given), ledger.manner.recursive
    if given == streams.STANDARD or (place.remote and not recursive) or not place.is_folder:
        yield Found(given, Path(given).name)
        return
    if not recursive:
        raise PixzipError(f"is a folder: -r takes the {kind.inputs} in it")
    if place.remote and beside:
        raise PixzipError(
            "is in a store, where outputs do not have the times of their inputs: -o FOLDER keeps a manifest of what is"
            f" done; -o {given} writes beside the inputs"
        )

    def failed(e: OSError) -> None:
        ledger.fail(str(e.filename), e)

    folders.append(place)
    suffixes, before = kind.suffixes(), place.prefix

    def is_opened(inner: str) -> bool:
        return kind.is_opened(inner) and not kind.passed_over(os.path.basename(inner))  # noqa: PTH119

    for inner, opened in looking.walked(place, is_opened, failed):
        if kind.passed_over(os.path.basename(inner)):  # noqa: PTH119 (a million calls)
            continue
        left = kind.left_alone(before + inner, opened) if kind.left_alone else None
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


def _target(found: Found, out: str | None, place: Place | None, kind: InputKind, head: bytes | None) -> str | None:
    if kind.renamed is None:
        return None
    name = found.name
    if place is not None:
        return place.prefix + kind.renamed(found.inner, name, head)
    if out is None and name != streams.STANDARD and Path(name).absolute().parts[1:2] in _WITHOUT_NAMES:
        raise PixzipError("it has no name to be written under: -o FILE gives one")
    return kind.renamed(name, name, head) if out is None else out
