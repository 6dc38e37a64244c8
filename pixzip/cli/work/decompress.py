"""The work of `pixzip decompress`."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pixcodecs.container import signature
from pixcodecs.errors import PixzipError, UnsupportedImageError

from pixzip import codec, image, originals
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import BYTES
from pixzip.cli.work import kept as files_kept
from pixzip.cli.work import large, pages, stack
from pixzip.cli.work import originals as removal
from pixzip.cli.work.queue import Queue
from pixzip.cli.work.shared import extra_paths
from pixzip.cli.work.threads import set_threads
from pixzip.codec import by_rows, original
from pixzip.codec.tiles import Window
from pixzip.io import files, streams
from pixzip.io.names import is_folder


class _Item(NamedTuple):
    """A file being decompressed.

    Attributes:
        stat: status of a regular file before it was read; None for other inputs.
        kept: reason to keep the file in spite of `--rm`; "" if there is none.
        rebuilt: whether the output shall be the original file.
    """

    name: str
    opening: codec.Opening
    stat: Any
    kept: str
    rebuilt: bool


class Decompression:
    """Decompresses files to pictures; with `--rm`, checks the outputs and removes the files."""

    def __init__(
        self, ledger: Ledger, out: str | None, extra: tuple[str, ...], device: str, *,
        region: tuple[int, int, int, int] | None, salvage: bool, max_pixels: int | None, alone: bool,
    ) -> None:  # fmt: skip
        set_threads(ledger.manner.threads)
        self.ledger, self.manner, self.out, self.alone = ledger, ledger.manner, out, alone
        self.salvage = salvage
        self.window = Window(*region) if region else None
        self.whole = not (region or salvage)
        self.options = codec.Options.decoding(
            codec.coding_device(device), extra_paths(extra), max_pixels=max_pixels
        )  # fmt: skip
        self.queue = Queue(self._decode, self._write, ledger.fail, self.options.executor)

    def run(self, names: list[str]) -> None:
        self.queue.feed(names, self._read, self.ledger.pixels)

    def _suffix(self, name: str) -> str:
        target = self.ledger.target(name)
        return ".png" if target == streams.STANDARD else Path(target).suffix

    def _read(self, name: str) -> _Item | None:
        """Read a file; None if it is already decompressed."""
        began, entry = time.perf_counter(), self.ledger[name]
        with streams.Input(name) as source:
            data, stat, reason = source.pxz(), source.stat, removal.not_removable(source)
        entry.bytes_before = len(data)
        if signature.is_stack(data):
            if not self.alone:
                raise PixzipError("a stack of images is decompressed by itself, not among other inputs")
            stack.decompress(self.ledger, name, data, self.options, stat=stat, out=self.out, whole=self.whole)
            return None
        if signature.is_kept(data):
            found = files_kept.decompress(
                self.ledger, name, data, self.options.max_pixels, stat=stat, region=self.window, salvage=self.salvage
            )  # fmt: skip
            entry.seconds, entry.byte_for_byte = time.perf_counter() - began, not found
            self._finish(name, stat, found or reason)
            self.ledger.done(name)
            return None
        if signature.is_pages(data):
            pages.decompress(
                self.ledger, name, data, self.options,
                stat=stat, kept=reason, folder=self.alone and is_folder(self.out), whole=self.whole,
            )  # fmt: skip
            return None
        suffix = self._suffix(name)
        opening = codec.Opening(data, self.options.max_pixels, whole=not self.salvage, folder=streams.folder_of(name))
        if self.whole:
            opening.check_blocks()
        frame = opening.frame
        if self.window:
            opening.tiles_in(self.window)  # raises an error for a region that is not inside
            frame = replace(frame, width=self.window.width, height=self.window.height)
        rebuilt = self.whole and self._gives_back(name, opening)
        entry.pixels = self.window.pixels if self.window else opening.pixels
        if not rebuilt:
            image.check_frame(frame, suffix)
            if self.options.max_pixels is not None:
                image.check_memory(suffix, entry.pixels, len(data))
        if self.whole and opening.pixels > by_rows.LARGE_PIXELS and self._large(name, opening, stat, reason, rebuilt):
            entry.seconds = time.perf_counter() - began
            self.ledger.done(name)
            return None
        entry.seconds = time.perf_counter() - began
        return _Item(name, opening, stat, reason, rebuilt)

    def _gives_back(self, name: str, opening: codec.Opening) -> bool:
        """Whether the output is in the format of an original whose bytes the file gives back."""
        record, target = opening.original, self.ledger.target(name)
        if record is None or not record.is_kept:
            return False
        return target == streams.STANDARD or originals.has_suffix(record.family, target)

    def _rebuilt(self, name: str, opening: codec.Opening, picture: Any, stat: Any) -> bool:
        """Write the original file; False, after a warning, if its bytes do not come back here."""
        with files.spool(self.ledger.target(name)) as out:
            try:
                original.rebuild(opening, picture, self.options, out, self.ledger.part([name], 0.0))
            except originals.RebuildError as e:
                suffix = self._suffix(name)
                try:
                    image.check_frame(opening.frame, suffix)
                except UnsupportedImageError:
                    raise PixzipError(f"{e}: -o FILE.png writes these pixels") from None
                self.ledger.warn(name, f"{e}: {suffix} is written anew")
                self.ledger[name].byte_for_byte = False
                return False
            self.ledger.write(name, out, stat)
        self.ledger[name].byte_for_byte = True
        return True

    def _large(self, name: str, opening: codec.Opening, stat: Any, kept: str, rebuilt: bool) -> bool:
        """Decompress a large file by rows; False if the output's format does not support rows."""
        entry, target = self.ledger[name], self.ledger.target(name)
        if rebuilt:
            files.make_folder(target)
            if self._rebuilt(name, opening, None, stat):
                self._finish(name, stat, kept or self._differs(name, opening))
                return True
        phases = 1 + bool(self.manner.remove)
        progress = large.Phases(self.ledger.bar, entry.bytes_before or 0, entry.pixels or 0, phases)
        done = large.decompress(
            opening, target, self._suffix(name), self.options,
            write=lambda found: self.ledger.write(name, found, stat), progress=progress(),
        )  # fmt: skip
        if not done:
            return False
        kept = self._losses(name, opening.frame) or kept or self._original_lost(opening)
        if self.manner.remove and not kept:
            with removal.comparing(self.ledger, name), streams.Input(target) as written:
                large.compare(written.file(), opening, self.options, progress())
        self._finish(name, stat, kept)
        return True

    def _decode(self, items: list[_Item]) -> list[Any]:
        progress = self.ledger.part([item.name for item in items])
        if self.whole:
            return codec.decompress([item.opening for item in items], self.options, progress)
        return [
            codec.recover(item.opening, self.options, region=self.window, salvage=self.salvage, progress=progress)
            for item in items
        ]

    def _write(self, name: str, item: _Item, found: Any, seconds: float) -> None:
        began = time.perf_counter()
        picture = found if self.whole else found.picture
        if item.rebuilt:
            files.make_folder(self.ledger.target(name))
        if item.rebuilt and self._rebuilt(name, item.opening, picture, item.stat):
            kept = item.kept or self._differs(name, item.opening)
        else:
            whole = self.whole or not (self.window or found.damaged)
            self.ledger.write(name, image.write(picture, self._suffix(name)), item.stat, whole=whole)
            kept = self._losses(name, picture) or item.kept or self._original_lost(item.opening)
            if self.manner.remove and not kept:
                kept = self._read_back(name, picture)
        self.ledger[name].seconds += seconds + time.perf_counter() - began
        if not self.whole and found.damaged:
            places = ", ".join(f"{tile.width}x{tile.height} pixels at {tile.x},{tile.y}" for tile in found.damaged)
            tiles = "damaged tile" if len(found.damaged) == 1 else f"{len(found.damaged)} damaged tiles"
            raise PixzipError(f"{tiles} of {places}: zeros in place")
        self._finish(name, item.stat, kept)
        self.ledger.done(name)

    def _losses(self, name: str, picture: Any) -> str:
        """Warn about content that the output's format does not hold; return it as the reason to keep the original."""
        lost = ", ".join(image.lost(picture, self._suffix(name)))
        if not lost:
            return ""
        self.ledger.warn(name, f"{self._suffix(name)} does not hold {lost}")
        return f"{lost} would be lost"

    def _original_lost(self, opening: codec.Opening) -> str:
        """The reason not to remove a file: it gives back an original, which the output is not; "" if there is none."""
        if self.manner.remove == BYTES and opening.original and opening.original.is_kept:
            return removal.ORIGINAL_LOST
        return ""

    def _differs(self, name: str, opening: codec.Opening) -> str:
        """Compare a written original with its digest, for `--rm`; returns "", no reason to keep the file.

        Raises:
            PixzipError: what was written is another file.
        """
        if self.manner.remove and opening.original:
            removal.check_written(self.ledger, name, opening.original)
        return ""

    def _read_back(self, name: str, picture: Any) -> str:
        """The reason to keep the original although the image is right: it has another form; "" if there is none.

        Raises:
            PixzipError: the written image has other samples, and is taken back.
        """
        with removal.comparing(self.ledger, name):
            again, dropped = image.load(streams.read(self.ledger.target(name)), None)
            if again == picture and not dropped:
                return ""
            if not np.array_equal(again.samples, picture.samples):
                raise PixzipError("what was written is another picture")
        return f"{self._suffix(name)} holds the same samples in another form"

    def _finish(self, name: str, stat: Any, kept: str) -> None:
        if self.manner.remove and kept:
            self.ledger.keep(name, kept)
        elif self.manner.remove:
            removal.remove(self.ledger, name, stat)
