"""The record of `pixzip verify`, which also holds files against the manifests of their folders."""

import os
from collections.abc import Sequence

from pixcodecs.container.references import is_file_name
from pixcodecs.errors import PixzipError

from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger, Work
from pixzip.cli.options import Manner
from pixzip.io import streams
from pixzip.io.names import SUFFIX
from pixzip.io.signals import signals_wait
from pixzip.trees import shards
from pixzip.trees.inventory import Inventory
from pixzip.trees.places import Place
from pixzip.trees.records import Proof

#: Digits of a digest in messages.
_DIGITS = 16


class Inspection(Ledger):
    """A ledger whose files are done if they are those that manifests name; missing ones fail, others are counted."""

    def __init__(self, manner: Manner) -> None:
        super().__init__("verifying", manner, writes=False)
        #: Name of a file -> the SHA-256 that a manifest says.
        self.expected: dict[str, bytes] = {}
        #: Files of other kinds than `.pxz`, such as what `decompress` wrote, of which only the digest is checked.
        self._others: set[str] = set()
        #: Folders without `.pxz` files, and the warnings about them.
        self._empty: dict[str, str] = {}

    def find_none(self, given: str, what: str) -> None:
        """See `Ledger.find_none`; a folder with a manifest may hold other files."""
        self._empty[given] = what

    def take_stock(self, folders: Sequence[Place]) -> None:
        """Read the manifests of folders: enter what is missing as failed, and plan named files of other kinds.

        Raises:
            PixzipError, OSError: a manifest cannot be read.
        """
        unlisted, kept = 0, False
        planned = self.planned()
        for place in folders:
            inventory = Inventory(place.name)
            if not inventory.is_kept:
                continue
            kept = True
            self._empty.pop(place.name, None)
            separator = "/" if place.remote else os.sep
            for output, digest in inventory.items():
                self._expect(place, output.replace("/", separator), digest)
            for output, error in inventory.failed.items():
                self._expect_none(place, output.replace("/", separator), error)
            inner = (name.removeprefix(place.prefix) for name in planned if name.startswith(place.prefix))
            names = (path.replace(os.sep, "/") for path in inner)
            unlisted += sum(name not in inventory and not is_file_name(name.rpartition("/")[2]) for name in names)
        if kept:
            self.counts["unlisted"] = unlisted
        for given, what in self._empty.items():
            super().find_none(given, what)

    def _expect(self, place: Place, inner: str, digest: bytes) -> None:
        """Take up what a manifest says of one file: that it is there, and its digest unless that is `NOTHING_KNOWN`."""
        name, shard = place.prefix + inner, self.manner.shard
        if name in self.entries:
            if digest:
                self.expected[name] = digest
            return
        if shard and not shards.is_in(inner, shard):
            return
        status = place.status(inner)
        if status is None:
            self.fail(name, PixzipError("is missing: a manifest names it"))
        elif digest and not inner.lower().endswith(SUFFIX):
            self.plan(name, size_bytes=status.st_size)
            self.expected[name] = digest
            self._others.add(name)

    def _expect_none(self, place: Place, inner: str, error: str) -> None:
        """Take up that a file failed to be written; a `.pxz` file that is there shows by itself what it is."""
        shard = self.manner.shard
        if shard and not shards.is_in(inner, shard):
            return
        if not place.status(inner):
            self.fail(place.prefix + inner, PixzipError(f"is missing: a manifest says that it failed: {error}"))
        elif not inner.lower().endswith(SUFFIX):
            self.fail(place.prefix + inner, PixzipError(f"may be wrong: a manifest says that it failed: {error}"))

    def with_others(self, work: Work) -> Work:
        """Work on `.pxz` files, and after it check the digests of the others in this process."""

        def both(ledger: Ledger, names: list[str]) -> None:
            work(ledger, [name for name in names if name not in self._others])
            for name in filter(self._others.__contains__, names):
                self._check_other(name)

        return both

    def _check_other(self, name: str) -> None:
        try:
            with streams.opened(name) as file:
                self.proofs[name] = Proof.of(file, None)
        except FILE_ERRORS as e:
            self.fail(name, e)
            return
        with signals_wait():
            self.written += 1
        self.done(name)

    def done(self, name: str) -> None:
        """See `Ledger.done`; a file that is not the one that the manifest names has failed."""
        proof, expected = self.proofs.get(name), self.expected.get(name)
        if proof and expected and bytes.fromhex(proof.sha256) != expected:
            found = f"{proof.sha256[:_DIGITS]}..., that of the manifest {expected.hex()[:_DIGITS]}..."
            self.fail(name, PixzipError(f"is not the file that its manifest names: its SHA-256 is {found}"))
            return
        super().done(name)

    def close(self) -> None:
        """See `Ledger.close`."""
        if (count := self.counts.get("unlisted")) and not self.manner.quiet:
            self.bar.say(f"pixzip: {count:,} {'file is' if count == 1 else 'files are'} in no manifest")
        super().close()
