"""`pixzip verify`."""

import time
from functools import partial
from typing import Any

import click
from pixcodecs.container import limits, signature

from pixzip.cli import inputs
from pixzip.cli.jobs import Jobs
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import (
    Manner,
    complete_paths,
    device_option,
    extra_models_option,
    extra_paths,
    manner_options,
    no_limit_option,
)  # fmt: skip
from pixzip.io import streams
from pixzip.io.names import SUFFIX
from pixzip.io.signals import signals_wait

KIND = inputs.Kind(f"{SUFFIX} files", frozenset({SUFFIX}))


@click.command()
@click.argument("packed", nargs=-1, required=True, metavar="FILE.pxz...", shell_complete=complete_paths)
@extra_models_option
@device_option
@no_limit_option
@manner_options(writes=False)
def verify(
    packed: tuple[str, ...], extra: tuple[str, ...], device: str, no_pixel_limit: bool, manner: Manner
) -> None:  # fmt: skip
    """Decode .pxz files, stacks too, and check all their checksums; nothing is written."""
    ledger = Ledger("verifying", manner, writes=False)
    inputs.plan(ledger, packed, None, KIND)
    most = None if no_pixel_limit else limits.MAX_PIXELS
    ledger.carry_out(lambda names: _Verification(ledger, extra, device, most).run(names))


class _Verification:
    """Files, decoded for what goes wrong on the way."""

    def __init__(self, ledger: Ledger, extra: tuple[str, ...], device: str, max_pixels: int | None) -> None:
        from pixzip import codec
        from pixzip.models import library

        self.ledger, self.max_pixels = ledger, max_pixels
        self.model_of = partial(library.by_id, extra=extra_paths(extra))
        self.device = codec.coding_device(device)
        self.jobs = Jobs(self._decode, self._good, ledger.fail, codec.batch_pixels(self.device))

    def run(self, names: list[str]) -> None:
        self.jobs.feed(names, self._read, self.ledger.pixels)

    def _read(self, name: str) -> tuple[str, signature.Buffer] | None:
        """A file, or None where it is checked already: a stack, or one that is too large for memory."""
        from pixzip import codec
        from pixzip.codec import by_rows, stack
        from pixzip.image.picture import frame_of

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
        from pixzip import codec

        names, data = [name for name, _ in items], [data for _, data in items]
        return codec.decompress(
            data, self.model_of, self.device, max_pixels=self.max_pixels, progress=self.ledger.part(names)
        )

    def _good(self, name: str, item: Any, picture: Any, seconds: float) -> None:
        with signals_wait():
            self.ledger.written += 1
        self.ledger[name].seconds += seconds
        self.ledger.done(name)
