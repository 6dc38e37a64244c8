"""What a run that writes many files into a folder enters in its manifest, and what it finds there."""

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from pixzip.io import files, stores
from pixzip.trees import manifest
from pixzip.trees.manifest import Manifest, Record, Shard
from pixzip.trees.parts import Parts
from pixzip.trees.places import FileStatus, between

#: Errors of an output after which no other can be written either.
FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
#: Size and time in the line of an output that has only a part of its input.
NOT_WHOLE = (-1, -1)
_PIECE_BYTES = 1 << 20


class Proof(NamedTuple):
    """What an output was made of, and what it is.

    Attributes:
        size, mtime_ns: size and time of the input when it was opened; 0 for what is no regular file.
        output_bytes: size of the output.
        sha256: of the output, in hexadecimal.
        whole: whether the output has all of the input, so that a later run need not make it again.
    """

    size: int
    mtime_ns: int
    output_bytes: int
    sha256: str
    whole: bool = True

    @classmethod
    def of(cls, data: bytes | BinaryIO, like: FileStatus | None, *, whole: bool = True) -> Self:
        """The proof of an output.

        Args:
            data: its bytes, or a file of them.
            like: status of the input; None for what is no regular file.
            whole: see `Proof`.
        """
        if isinstance(data, bytes):
            found, output_bytes = hashlib.sha256(data), len(data)
        else:
            data.seek(0)
            found = hashlib.sha256()
            while piece := data.read(_PIECE_BYTES):
                found.update(piece)
            output_bytes = data.tell()
        size, mtime_ns = (like.st_size, like.st_mtime_ns) if like else (0, 0)
        return cls(size, mtime_ns, output_bytes, found.hexdigest(), whole)


def up_to_date(source: FileStatus | None, written: FileStatus | None) -> bool:
    """Whether an output on a disk has exactly the time of its input."""
    return bool(source and written and source.st_mtime_ns == written.st_mtime_ns)


class Records:
    """The manifests of a folder of outputs, and the one of them that this command writes."""

    def __init__(self, folder: Path | str, inputs: Sequence[str], shard: Shard | None) -> None:
        """
        Args:
            folder: path or URL of the folder of outputs, which need not exist yet.
            inputs: what the user named: files, folders and URLs.
            shard: the part of a job array that this command is.
        Raises:
            PixzipError, OSError: a manifest cannot be read.
        """
        place = str(folder)
        self._known = manifest.read_all(place)
        self._manifest: Manifest | Parts = (
            Parts(place) if stores.is_url(place) else Manifest(manifest.path_in(Path(place), shard))
        )
        self._outputs = files.prefix(place)
        self._inputs = [files.prefix(given) for given in inputs if stores.is_url(given) or Path(given).is_dir()]
        self._statuses: dict[str, FileStatus] = {}
        #: Files that are up to date, but in no manifest: their command was killed before it could enter them.
        self.unlisted: list[str] = []

    def learn(self, name: str, status: FileStatus) -> None:
        """Remember what a store says of an input, because its file does not say it when it is read."""
        self._statuses[name] = status

    def is_done(self, name: str, output: str, source: FileStatus, written: FileStatus) -> bool:
        """Whether an output is there: a manifest says that it was made of an input of this size and time and had its
        size, or it has the time of its input."""
        if stores.is_url(name) and not source.st_mtime_ns:  # its store does not say when it has changed
            return False
        if self._known.holds(self._inside(output), source.st_size, source.st_mtime_ns, written.st_size):
            return True
        if not up_to_date(source, written) or between(name, output):
            return False
        self.unlisted.append(name)
        return True

    def enter(self, name: str, output: str | None, proof: Proof | None, error: str | None = None) -> None:
        """Write what became of a file.

        Args:
            proof: None if there is no output.
        Raises:
            OSError: the manifest cannot be written.
        """
        if output is None:
            return
        state, why = (manifest.FAILED, error) if error else (manifest.DONE, "")
        if proof is None or error:
            source = os.stat(name) if os.path.isfile(name) else None  # noqa: PTH116, PTH113 (a million calls)
            proof = Proof(source.st_size, source.st_mtime_ns, 0, "") if source else Proof(0, 0, 0, "")
        learned = self._statuses.get(name)
        given = (learned.st_size, learned.st_mtime_ns) if learned else (proof.size, proof.mtime_ns)
        if not proof.whole:  # no input has this size and time, so that no later run takes the output for done
            given = NOT_WHOLE
        size, sha256 = (None, None) if error else (proof.output_bytes, proof.sha256)
        self._manifest.append(Record(self._inner(name), *given, self._inside(output), size, sha256, state, why))

    def adopt(self, name: str, output: str) -> None:
        """Enter an output that is up to date.

        Raises:
            OSError: the output cannot be read, or the manifest cannot be written.
        """
        with Path(output).open("rb") as file:
            self.enter(name, output, Proof.of(file, Path(name).stat()))

    def close(self) -> None:
        """Close the manifest.

        Raises:
            OSError: what a store is still to hold cannot be written.
        """
        self._manifest.close()

    def _inside(self, output: str) -> str:
        return output.removeprefix(self._outputs).replace(os.sep, "/")

    def _inner(self, name: str) -> str:
        inner = next((name.removeprefix(folder) for folder in self._inputs if name.startswith(folder)), None)
        return (Path(name).name if inner is None else inner).replace(os.sep, "/")
