"""What the manifests of a folder say is in it: the names of outputs and their SHA-256."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from pixzip.trees import manifest
from pixzip.trees.manifest import DONE, FAILED, Record

#: In place of a digest: an output is named, but the manifests disagree about it, or it failed.
NOTHING_KNOWN = b""


class Inventory:
    """The outputs that the manifests of a folder name; of each manifest the last line about an output counts.

    It keeps a name and a digest each, so that a million take some 250 MB.
    """

    def __init__(self, folder: str) -> None:
        """
        Args:
            folder: path or URL.
        Raises:
            PixzipError: a manifest is of a later version.
            OSError: one cannot be read.
        """
        self._digests: dict[str, bytes] = {}
        #: Outputs that every manifest that names them says failed -> the last error.
        self.failed: dict[str, str] = {}
        #: Whether there is a manifest.
        self.is_kept = False
        for history in manifest.histories(folder):
            self.is_kept = True
            found, failed = _last(history)
            for output, digest in found.items():
                agreed = self._digests.get(output, digest) == digest
                is_failed = output in failed and (output not in self._digests or output in self.failed)
                self._digests[output] = digest if agreed else NOTHING_KNOWN
                if is_failed:
                    self.failed[output] = failed[output]
                else:
                    self.failed.pop(output, None)

    def __contains__(self, output: str) -> bool:
        """Whether a path below the folder, with "/" between its parts, is named."""
        return output in self._digests

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Yield the path of each output that has not failed, and its SHA-256 or `NOTHING_KNOWN`."""
        return ((output, digest) for output, digest in self._digests.items() if output not in self.failed)


def _last(records: Iterable[Record]) -> tuple[dict[str, bytes], dict[str, str]]:
    """The digests of outputs, and the errors of those of them that failed."""
    found: dict[str, bytes] = {}
    failed: dict[str, str] = {}
    for record in records:
        if not _is_inside(record.output):
            continue
        found[record.output] = _digest(record)
        failed.pop(record.output, None)
        if record.state == FAILED:
            failed[record.output] = record.error
    return found, failed


def _digest(record: Record) -> bytes:
    if record.state != DONE or not record.sha256:
        return NOTHING_KNOWN
    try:
        return bytes.fromhex(record.sha256)
    except ValueError:
        return NOTHING_KNOWN


def _is_inside(output: str) -> bool:
    """Whether a path leads below the folder, whatever a manifest of strangers says."""
    path = PurePosixPath(output)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in output
