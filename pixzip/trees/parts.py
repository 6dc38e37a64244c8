"""The manifest of a folder in a store, in parts.

An object of a store appears whole when it is closed, and takes no appended lines.  So a run writes objects of its own:
the last one is written anew as it grows, until it is full.  What a killed run could not enter is found by the next one,
which makes the same bytes again.
"""

import secrets
import time
from datetime import UTC, datetime

from pixzip.io import files, stores
from pixzip.trees import manifest
from pixzip.trees.manifest import Record

#: A part of so many bytes is full.
PART_BYTES = 1 << 20
#: Seconds between writes of a part, unless it is full.
PAUSE_S = 10.0


class Parts:
    """A manifest that is being written, see `manifest.Manifest`; the first part is made with the first records."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: of the folder.
        """
        self._before, self._began, self._token = files.prefix(url), datetime.now(UTC), secrets.token_hex(4)
        self._number, self._lines, self._waits = 0, bytearray(), False
        self._written_at = time.monotonic()

    def append(self, record: Record) -> None:
        """Add a record, which is written at once, or with the next ones, or by `close`.

        Raises:
            OSError: the part cannot be written; the next call tries it again.
        """
        self._lines += record.line().encode() + b"\n"
        self._waits = True
        if len(self._lines) >= PART_BYTES or time.monotonic() - self._written_at >= PAUSE_S:
            self._write()

    def _write(self) -> None:
        name = manifest.part_name(self._began, self._token, self._number)
        self._written_at = time.monotonic()
        stores.write(self._before + name, bytes(self._lines))
        self._waits = False
        if len(self._lines) >= PART_BYTES:
            self._number, self._lines = self._number + 1, bytearray()

    def close(self) -> None:
        """Write what waits.

        Raises:
            OSError: the part cannot be written.
        """
        if self._waits:
            self._write()
