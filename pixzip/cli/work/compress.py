"""The work of `pixzip compress`."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple

from pixcodecs.coders.registry import CODERS
from pixcodecs.container.image import read_header
from pixcodecs.container.references import Reference
from pixcodecs.errors import PixzipError

from pixzip import codec, originals
from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import BYTES
from pixzip.cli.say import say
from pixzip.cli.work import kept as files_kept
from pixzip.cli.work import large, pages
from pixzip.cli.work import originals as removal
from pixzip.cli.work.queue import Queue
from pixzip.cli.work.shared import load, say_embedded
from pixzip.cli.work.threads import set_threads
from pixzip.codec import original as original_files
from pixzip.codec.kept import is_jpeg
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.io import streams
from pixzip.models import library
from pixzip.originals import Record
from pixzip.trees.large import compress as compress_rows
from pixzip.trees.model_files import ModelFiles


class _Item(NamedTuple):
    """An image being compressed.

    Attributes:
        stat: status of a regular file before it was read; None for other inputs.
        dropped: names of the file's content that the picture does not hold.
        record: how the original is rebuilt, or why it is not; None if that is not asked for.
        size_bytes: length of the original.
        kept: reason to keep the original in spite of `--rm`, besides its record; "" if there is none.
    """

    name: str
    picture: Any
    stat: Any
    dropped: list[str]
    record: Record | None
    size_bytes: int
    kept: str


class Compression:
    """Compresses images to files; with `--rm`, checks the files and removes the originals."""

    def __init__(
        self, ledger: Ledger, effort: int, model: str | None, device: str, *, verify: bool, strip: bool,
        original: bool, models_only: bool, coder: str, most: int | None, as_pixels: bool, tile: int | None,
        reference: Reference, roots: Sequence[str],
    ) -> None:  # fmt: skip
        set_threads(ledger.manner.threads)
        self.ledger, self.manner, self.max_pixels, self.strip = ledger, ledger.manner, most, strip
        self.as_pixels = as_pixels
        self.options = codec.Options.of(
            model, codec.coding_device(device), effort, verify=verify, models_only=models_only,
            coder=CODERS[coder], max_pixels=most, tile=tile, reference=reference,
        )  # fmt: skip
        #: Work to find out how originals are rebuilt; 0 if they are not.
        self.thoroughness = original_files.thoroughness(effort) if original else 0
        #: Images that were coded with a model of the user's own, and those of them in which it won no tile.
        self.own, self.coded, self.lost = model if model and library.is_own(model) else "", 0, 0
        self.models = ModelFiles(roots, self.options.model_by_id, self.manner.force)
        self.queue = Queue(self._code, self._write, ledger.fail, self.options.executor)
        self.checks = Queue(self._read_back, self._compare, self._unwrite, self.options.executor)

    def run(self, names: list[str]) -> None:
        self.queue.feed(names, self._read, self.ledger.pixels)
        self.checks.flush()
        self._say_lost()
        if not self.manner.quiet:
            say_embedded([self.ledger[name] for name in names])

    def _say_lost(self) -> None:
        """Print how often a model of the user's own lost in a whole image."""
        if self.lost and not self.manner.quiet:
            images = "the image" if self.coded == 1 else f"{self.lost} of {self.coded} images"
            say(
                f"pixzip: warning: model {self.own} is not used in {images}, where WebP or another form takes fewer"
                " bytes: `pixzip eval` compares, --models-only takes the model anyway"
            )

    def _put(self, name: str, data: bytes | BinaryIO, stat: os.stat_result | None) -> None:
        """Write an output, after the model files that it refers to."""
        if self.options.reference != Reference.ID:
            self.ledger[name].model_bytes = self.models.before(data, self.ledger.target(name))
        self.ledger.write(name, data, stat)

    def _count(self, file: Any) -> None:
        """Count a file in which the user's own model is not used."""
        if self.own:
            self.coded += 1
            self.lost += not read_header(file).models

    def _read(self, name: str) -> _Item | None:
        """Read an image; None if it is already compressed: a JPEG, or a large image."""
        began, entry = time.perf_counter(), self.ledger[name]
        with streams.Input(name) as source:
            if not self.as_pixels and is_jpeg(source.head(HEAD_BYTES)):
                reason = files_kept.compress(self.ledger, source, self.max_pixels, strip=self.strip)
                entry.seconds, entry.byte_for_byte = time.perf_counter() - began, True
                self._finish(name, source.stat, reason)
                self.ledger.done(name)
                return None
            if pages.compress(
                self.ledger, source, self.options, strip=self.strip, max_pixels=self.max_pixels,
                thoroughness=self.thoroughness, write=self._put,
            ):  # fmt: skip
                return None
            rows = large.reader(source, self.max_pixels)
            if rows is not None:
                self._large(source, rows)
                entry.seconds = time.perf_counter() - began
                self.ledger.done(name)
                return None
            picture, dropped = load(source, self.max_pixels)
            size = entry.bytes_before = source.size_bytes
            entry.pixels = picture.pixels
            kept = removal.why_kept(source, dropped, self.manner.remove)
            record = None
            if self.thoroughness:
                record = originals.make(source.file(), originals.of_picture(picture), self.thoroughness)
        entry.seconds = time.perf_counter() - began
        stripped = replace(picture, metadata=()) if self.strip else picture
        return _Item(name, stripped, source.stat, dropped, record, size, kept)

    def _losses(self, name: str, dropped: list[str], record: Record | None, kept: str) -> str:
        """Warn about lost content; return the reason to keep the original."""
        entry, whole = self.ledger[name], bool(record and record.is_kept)
        entry.byte_for_byte, entry.why_not = whole, record.why_not or None if record else None
        if dropped and not whole:
            self.ledger.warn(name, f"not kept: {', '.join(dropped)}")
        if self.manner.remove == BYTES and record and not whole:
            return kept or f"it would not come back byte for byte: {record.why_not}"
        return kept

    def _large(self, source: streams.Input, rows: Any) -> None:
        name, stat = source.name, source.stat
        entry, target = self.ledger[name], self.ledger.target(name)
        entry.pixels = rows.frame.width * rows.frame.height
        phases = 1 + self.options.verify + bool(self.manner.remove)
        progress = large.Phases(self.ledger.bar, entry.bytes_before or 0, entry.pixels, phases)
        record = compress_rows(
            source, rows, target, self.options, strip=self.strip, thoroughness=self.thoroughness,
            write=lambda data: self._put(name, data, stat), progress=progress,
        )  # fmt: skip
        kept = removal.why_kept(source, rows.dropped, self.manner.remove)  # known when the last row was read
        kept = self._losses(name, rows.dropped, record, kept)
        if self.manner.remove and not kept:
            with removal.comparing(self.ledger, name):
                opening = codec.Opening(streams.read_pxz(target), None, folder=streams.folder_of(target))
                large.compare(source.file(), opening, self.options, progress())
                self._check_original(opening, None, record)
        if target != streams.STANDARD:
            self._count(streams.read_pxz(target))
        self._finish(name, stat, kept)

    def _code(self, items: list[_Item]) -> list[bytes]:
        progress = self.ledger.part([item.name for item in items], 0.5 if self.manner.remove else 1.0)
        return codec.compress([item.picture for item in items], self.options, progress)

    def _write(self, name: str, item: _Item, data: bytes, seconds: float) -> None:
        began, record = time.perf_counter(), item.record
        if record:
            data, record = original_files.with_record(data, record, item.size_bytes, self.options)
        kept = self._losses(name, item.dropped, record, item.kept)
        self._put(name, data, item.stat)
        self._count(data)
        self.ledger[name].seconds += seconds + time.perf_counter() - began
        if self.manner.remove and not kept:
            self.ledger.credit(name, 0.5)
            self.checks.add(name, item._replace(record=record), item.picture.pixels)
        else:
            self._finish(name, item.stat, kept)
            self.ledger.done(name)

    def _finish(self, name: str, stat: Any, kept: str) -> None:
        if self.manner.remove and kept:
            self.ledger.keep(name, kept)
        elif self.manner.remove:
            removal.remove(self.ledger, name, stat)

    def _read_back(self, items: list[_Item]) -> list[Any]:
        """(opening, picture) of the written files."""
        progress = self.ledger.part([item.name for item in items], 0.5)
        openings = [self._reopened(self.ledger.target(item.name)) for item in items]
        own = replace(self.options, max_pixels=None)
        return list(zip(openings, codec.decompress(openings, own, progress), strict=True))

    @staticmethod
    def _reopened(target: str) -> codec.Opening:
        return codec.Opening(streams.read(target), None, folder=streams.folder_of(target))

    def _compare(self, name: str, item: _Item, found: Any, seconds: float) -> None:
        began, (opening, picture) = time.perf_counter(), found
        if picture != item.picture:
            raise PixzipError("what was written decodes to another picture")
        self._check_original(opening, picture, item.record)
        self.ledger[name].seconds += seconds + time.perf_counter() - began
        try:
            self._finish(name, item.stat, "")
        except OSError as e:  # the output is good
            self.ledger.fail(name, e)
        self.ledger.done(name)

    def _check_original(self, opening: codec.Opening, picture: Any, record: Record | None) -> None:
        """Rebuild an original from the written file, where its bytes are promised.

        Raises:
            PixzipError: it does not come back.
        """
        if self.manner.remove == BYTES:
            if record is None or opening.original != record:
                raise PixzipError("what was written holds another original")
            original_files.check(opening, picture, replace(self.options, max_pixels=None))

    def _unwrite(self, name: str, error: BaseException) -> None:
        """Remove an output that does not decode to the original, which still exists."""
        try:
            with removal.comparing(self.ledger, name):
                raise error
        except FILE_ERRORS as e:
            self.ledger.fail(name, e)
