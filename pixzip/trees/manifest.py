"""The manifest of a folder of outputs: a line of JSON for each output, appended when the output is there.

On a disk it is one file for each process that writes; below a URL, whose objects take no appended lines, `parts` writes
it in parts.  A second run reads it to find what is missing.  A line is only believed where the input still has the size
and time that it names, and the output the size: so a manifest that is lost, old or damaged costs work and never a file.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.io import stores

VERSION = 1
DONE, FAILED = "done", "failed"
_STEM, _SUFFIX = "pixzip-manifest", ".jsonl"
#: Longest line that is read; a path has at most 4096 bytes, each of which JSON writes with six characters or fewer.
_MOST_LINE_BYTES = 1 << 16
#: Bytes that are asked of a store at once: a part.
_BLOCK_BYTES = 1 << 20
_PART = re.compile(rf"{_STEM}-\d{{8}}T\d{{6}}\.\d{{6}}Z-[0-9a-f]+-\d+{re.escape(_SUFFIX)}$")


class Record(NamedTuple):
    """What became of one input.

    Attributes:
        input: path below the folder of inputs, with "/" between its parts.
        size: bytes of the input.
        mtime_ns: time of the input's last change, in nanoseconds.
        output: path below the folder of the manifest.
        bytes: size of the output; None if there is none.
        sha256: of the output, in hexadecimal; None if there is none.
        state: `DONE` or `FAILED`.
        error: why it failed; "" if it did not.
    """

    input: str
    size: int
    mtime_ns: int
    output: str
    bytes: int | None
    sha256: str | None
    state: str
    error: str = ""

    def line(self) -> str:
        """The record as a line of JSON in ASCII, without its end."""
        fields = {"version": VERSION, **self._asdict()}
        if not self.error:
            del fields["error"]
        return json.dumps(fields, separators=(",", ":"))


@dataclass(frozen=True)
class Shard:
    """The part of a job array that this process does: number `index`, from 1, of `count`."""

    index: int
    count: int


class Done:
    """What the manifests of a folder say is done; of each output the last line counts.

    It keeps two numbers a record, so that a million records take some 200 MB.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._found: dict[int, int] = {}
        for record in records:
            self._found[hash(record.output)] = self._mark(record)

    @staticmethod
    def _mark(record: Record) -> int:
        return hash((record.size, record.mtime_ns, record.bytes)) if record.state == DONE else 0

    def __len__(self) -> int:
        return len(self._found)

    def holds(self, output: str, size: int, mtime_ns: int, output_bytes: int) -> bool:
        """Whether an output was made of an input with this size and time, and had this size."""
        return self._found.get(hash(output)) == hash((size, mtime_ns, output_bytes))

    def merge(self, other: "Done") -> None:
        """Add another manifest; where the two disagree about an output, nothing is known of it."""
        for output, mark in other._found.items():
            self._found[output] = mark if self._found.get(output, mark) == mark else 0


def path_in(folder: Path, shard: Shard | None = None) -> Path:
    """The path of a folder's manifest: each part of a job array has its own, so that no two processes write to one."""
    of = f"-{shard.index}-of-{shard.count}" if shard else ""
    return folder / f"{_STEM}{of}{_SUFFIX}"


def part_name(began: datetime, token: str, number: int) -> str:
    """The name of a part of a manifest: by name, parts are in the order of their runs and of their numbers.

    Args:
        began: when the run began, in UTC.
        token: hexadecimal digits that no other run has.
    """
    return f"{_STEM}-{began:%Y%m%dT%H%M%S.%fZ}-{token}-{number:06}{_SUFFIX}"


def read_all(folder: Path | str) -> Done:
    """What all manifests of a folder say is done.

    Raises:
        PixzipError: a manifest is of a later version.
        OSError: one cannot be read.
    """
    done = Done()
    for records in histories(folder):
        done.merge(Done(records))
    return done


def histories(folder: Path | str) -> Iterator[Iterator[Record]]:
    """Yield the records of each manifest of a folder, of all parts one after another; each is read when it is iterated.

    Args:
        folder: path or URL.
    Raises:
        PixzipError, OSError: see `read_all`.
    """
    found = _paths(str(folder))
    parts = [path for path in found if _PART.search(path)]
    yield from (read(path) for path in found if not _PART.search(path))
    if parts:
        yield chain.from_iterable(read(path) for path in parts)


def _paths(folder: str) -> list[str]:
    pattern = f"{_STEM}*{_SUFFIX}"
    return stores.matching(folder, pattern) if stores.is_url(folder) else sorted(map(str, Path(folder).glob(pattern)))


def read(path: Path | str) -> Iterator[Record]:
    """The records of a manifest, in the order in which they were written.

    A line that is no whole record is passed over: it is the end of a run that was killed.

    Raises:
        PixzipError: the manifest is of a later version.
        OSError: it cannot be read.
    """
    with stores.opened(str(path), _BLOCK_BYTES) if stores.is_url(str(path)) else Path(path).open("rb") as file:
        while line := file.readline(_MOST_LINE_BYTES):
            if record := _parsed(path, line):
                yield record


def _parsed(path: Path | str, line: bytes) -> Record | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    version = found.pop("version", None)
    if isinstance(version, int) and version > VERSION:
        raise PixzipError(f"{path} has version {version}, this program reads version {VERSION}: use a later one")
    return Record(**found) if version == VERSION and _is_record(found) else None


_TYPES: dict[str, tuple[type, ...]] = {
    "input": (str,), "size": (int,), "mtime_ns": (int,), "output": (str,), "bytes": (int, type(None)),
    "sha256": (str, type(None)), "state": (str,), "error": (str,),
}  # fmt: skip


def _is_record(found: dict[str, Any]) -> bool:
    wanted = _TYPES.keys() if "error" in found else _TYPES.keys() - {"error"}
    return found.keys() == wanted and all(type(value) in _TYPES[name] for name, value in found.items())


class Manifest:
    """A manifest that is being written; the file is made with the first record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._torn = False

    def append(self, record: Record) -> None:
        """Add a record by one write.

        Raises:
            OSError: the manifest cannot be written.
        """
        if self._descriptor is None:
            self._open()
        line = ("\n" * self._torn + record.line() + "\n").encode()
        self._torn = True
        self._torn = os.write(self._descriptor or 0, line) != len(line)
        if self._torn:
            raise OSError(f"{self.path} takes no more")

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o666)
        if end := os.lseek(self._descriptor, 0, os.SEEK_END):
            os.lseek(self._descriptor, end - 1, os.SEEK_SET)
            self._torn = os.read(self._descriptor, 1) != b"\n"  # a run was killed while it wrote

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
