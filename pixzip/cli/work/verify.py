"""The work of `pixzip verify`."""

import time
from typing import Any

from pixcodecs.container import signature

from pixzip import codec
from pixzip.cli.ledger import Ledger
from pixzip.cli.work.queue import Queue
from pixzip.cli.work.shared import extra_paths
from pixzip.cli.work.threads import set_threads
from pixzip.codec import by_rows, original, pages_original, stack
from pixzip.codec.pages import PagesOpening, decompress_pages
from pixzip.io import streams
from pixzip.io.signals import signals_wait
from pixzip.trees.records import Proof


class Verification:
    """Decodes files to find errors."""

    def __init__(self, ledger: Ledger, extra: tuple[str, ...], device: str, max_pixels: int | None) -> None:
        set_threads(ledger.manner.threads)
        self.ledger = ledger
        self.options = codec.Options.decoding(codec.coding_device(device), extra_paths(extra), max_pixels=max_pixels)
        self.queue = Queue(self._decode, self._good, ledger.fail, self.options.executor)

    def run(self, names: list[str]) -> None:
        self.queue.feed(names, self._read, self.ledger.pixels)

    def _read(self, name: str) -> tuple[str, codec.Opening] | None:
        """Read a file; None if it is already checked: a stack, a kept file, a model, or a file too large for memory."""
        began, entry = time.perf_counter(), self.ledger[name]
        with streams.Input(name) as source:
            data = source.pxz()
            self.ledger.proofs[name] = Proof.of(data if isinstance(data, bytes) else source.file(), source.stat)
        folder = streams.folder_of(name)
        entry.bytes_before = len(data)
        if signature.is_stack(data):
            entry.pixels = stack.parse(data, self.options.max_pixels).pixels
            codec.verify(data, self.options, self.ledger.part([name]))
        elif signature.is_pages(data):
            pages = PagesOpening(data, self.options.max_pixels, folder)
            entry.pixels = pages.pixels
            decoded = decompress_pages(pages, self.options, self.ledger.part([name]))
            pages_original.check(pages, decoded, self.options)
            entry.byte_for_byte = pages_original.is_kept(pages) or None
        elif signature.is_kept(data) or signature.is_model(data):
            codec.verify(data, self.options)
        else:
            opening = codec.Opening(data, self.options.max_pixels, folder=folder)
            opening.check_blocks()
            entry.pixels = opening.pixels
            if entry.pixels <= by_rows.LARGE_PIXELS:
                entry.seconds = time.perf_counter() - began
                return name, opening
            codec.verify(opening, self.options, self.ledger.part([name]))
            entry.byte_for_byte = original.is_kept(opening) or None
        self._good(name, None, None, time.perf_counter() - began)
        return None

    def _decode(self, items: list[tuple[str, codec.Opening]]) -> list[Any]:
        progress = self.ledger.part([name for name, _ in items])
        return codec.decompress([opening for _, opening in items], self.options, progress)

    def _good(self, name: str, item: Any, picture: Any, seconds: float) -> None:
        if item is not None:
            began = time.perf_counter()
            original.check(item[1], picture, self.options)
            self.ledger[name].byte_for_byte = original.is_kept(item[1]) or None
            seconds += time.perf_counter() - began
        with signals_wait():
            self.ledger.written += 1
        self.ledger[name].seconds += seconds
        self.ledger.done(name)
