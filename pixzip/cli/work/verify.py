"""The work of `pixzip verify`."""

import time
from functools import partial
from typing import Any

from pixcodecs.container import signature

from pixzip import codec
from pixzip.cli.ledger import Ledger
from pixzip.cli.work.jobs import Jobs
from pixzip.cli.work.shared import extra_paths
from pixzip.cli.work.threads import set_threads
from pixzip.codec import by_rows, stack
from pixzip.image.picture import frame_of
from pixzip.io import streams
from pixzip.io.signals import signals_wait
from pixzip.models import library


class Verification:
    """Decodes files for the errors that this finds."""

    def __init__(self, ledger: Ledger, extra: tuple[str, ...], device: str, max_pixels: int | None) -> None:
        set_threads(ledger.manner.threads)
        self.ledger, self.max_pixels = ledger, max_pixels
        self.model_of = partial(library.by_id, extra=extra_paths(extra))
        self.device = codec.coding_device(device)
        self.jobs = Jobs(self._decode, self._good, ledger.fail, codec.batch_pixels(self.device))

    def run(self, names: list[str]) -> None:
        self.jobs.feed(names, self._read, self.ledger.pixels)

    def _read(self, name: str) -> tuple[str, signature.Buffer] | None:
        """A file, or None where it is checked already: a stack, or one that is too large for memory."""
        began, entry = time.perf_counter(), self.ledger[name]
        data = streams.read_pxz(name)
        entry.bytes_before = len(data)
        if signature.is_stack(data):
            entry.pixels = stack.parse(data, self.max_pixels).pixels
            progress = self.ledger.part([name])
            stack.decompress_stack(
                data, self.model_of, self.device, max_pixels=self.max_pixels, progress=progress
            )  # fmt: skip
        else:
            header = codec.parse(data, self.max_pixels)
            entry.pixels = header.width * header.height
            if entry.pixels <= by_rows.LARGE_PIXELS:
                entry.seconds = time.perf_counter() - began
                return name, data
            frame_of(header)
            for _ in by_rows.decompress_rows(
                data, self.model_of, self.device, max_pixels=self.max_pixels, progress=self.ledger.part([name])
            ):
                pass
        self._good(name, None, None, time.perf_counter() - began)
        return None

    def _decode(self, items: list[tuple[str, signature.Buffer]]) -> list[Any]:
        names, data = [name for name, _ in items], [data for _, data in items]
        return codec.decompress(
            data, self.model_of, self.device, max_pixels=self.max_pixels, progress=self.ledger.part(names)
        )

    def _good(self, name: str, item: Any, picture: Any, seconds: float) -> None:
        with signals_wait():
            self.ledger.written += 1
        self.ledger[name].seconds += seconds
        self.ledger.done(name)
