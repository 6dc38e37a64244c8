"""Checks of a command's outputs, before the work."""

import os
from pathlib import Path
from typing import Protocol

from pixcodecs.errors import PixzipError

from pixzip.cli.ledger import Ledger
from pixzip.io import files, stores, streams
from pixzip.trees.places import FileStatus, Place, regular
from pixzip.trees.records import Records, up_to_date


class Listed(Protocol):
    """An input, see `inputs.Found`."""

    @property
    def name(self) -> str: ...

    @property
    def status(self) -> FileStatus | None: ...


def place_of(name: str) -> str:
    """The URL or absolute path of a file."""
    return name if stores.is_url(name) else str(Path(name).absolute())


class Outputs:
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

    def check(self, found: Listed, target: str | None) -> None:
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
            if (place := target if self._folder else place_of(target)) in self._taken:
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
