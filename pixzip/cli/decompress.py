"""`pixzip decompress`."""

import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
from pixcodecs.container import limits, signature
from pixcodecs.errors import PixzipError

from pixzip.cli import inputs, large, originals
from pixzip.cli.jobs import Jobs
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import (
    Manner,
    check_streams,
    complete_paths,
    device_option,
    extra_models_option,
    extra_paths,
    manner_options,
    no_limit_option,
    refuse_with,
)  # fmt: skip
from pixzip.io import streams
from pixzip.io.names import IMAGE_SUFFIXES, SUFFIX, folder_name, image_name

KIND = inputs.Kind(f"{SUFFIX} files", frozenset({SUFFIX}), image_name, IMAGE_SUFFIXES)


class _Region(click.ParamType[tuple[int, ...]]):
    """X,Y,W,H in pixels."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            x, y, w, h = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not X,Y,W,H in whole pixels", param, ctx)
        if min(x, y) < 0 or min(w, h) < 1:
            self.fail(f"{value!r} has a negative corner or no pixels", param, ctx)
        return x, y, w, h


@click.command()
@click.argument("packed", nargs=-1, required=True, metavar="FILE.pxz...", shell_complete=complete_paths)
@click.option(
    "-o", "--output", "out", shell_complete=complete_paths,
    help="Output image, folder for many inputs, or - (default: PNG beside FILE).",
)  # fmt: skip
@extra_models_option
@device_option
@click.option("--region", type=_Region(), metavar="X,Y,W,H", help="Decode this part, and only the tiles it needs.")
@click.option("--salvage", is_flag=True, help="Recover what is whole; damaged tiles become zeros.")
@no_limit_option
@manner_options(writes=True)
def decompress(
    packed: tuple[str, ...], out: str | None, extra: tuple[str, ...], device: str,
    region: tuple[int, int, int, int] | None, salvage: bool, no_pixel_limit: bool, manner: Manner,
) -> None:  # fmt: skip
    """Decompress to PNG, or to the lossless format that the output's suffix names; a stack to a folder or .npy."""
    most = None if no_pixel_limit else limits.MAX_PIXELS
    if manner.remove:
        refuse_with("--rm", {"--region": bool(region), "--salvage": salvage}, "what they leave out would be lost")
    check_streams(manner, packed, out)
    ledger = Ledger("decompressing", manner)
    work = partial(
        _Decompression, ledger, out, extra, device, region=region, salvage=salvage, max_pixels=most,
        alone=len(packed) == 1 and not Path(packed[0]).is_dir(),
    )  # fmt: skip
    stack = streams.is_one_stack(packed)
    if stack:
        ledger.plan(packed[0], out or folder_name(packed[0]))
    else:
        inputs.plan(ledger, packed, out, KIND)
    ledger.carry_out(lambda names: work().run(names), bar=not stack)


class _Item(NamedTuple):
    """A file on its way.

    Attributes:
        stat: of the file, before it was read; None of standard input.
    """

    name: str
    data: signature.Buffer
    stat: Any


class _Decompression:
    """Files to pictures; with `--rm`, what is written is read again, and the files go."""

    def __init__(
        self, ledger: Ledger, out: str | None, extra: tuple[str, ...], device: str, *,
        region: tuple[int, int, int, int] | None, salvage: bool, max_pixels: int | None, alone: bool,
    ) -> None:  # fmt: skip
        from pixzip import codec
        from pixzip.codec.tiles import Window
        from pixzip.models import library

        self.ledger, self.manner, self.out, self.alone = ledger, ledger.manner, out, alone
        self.max_pixels, self.salvage = max_pixels, salvage
        self.window = Window(*region) if region else None
        self.whole = not (region or salvage)
        self.model_of = partial(library.by_id, extra=extra_paths(extra))
        self.device = codec.coding_device(device)
        self.jobs = Jobs(self._decode, self._write, ledger.fail, codec.batch_pixels(self.device))

    def run(self, names: list[str]) -> None:
        self.jobs.feed(names, self._read, self.ledger.pixels)

    def _suffix(self, name: str) -> str:
        target = self.ledger.target(name)
        return ".png" if target == streams.STANDARD else Path(target).suffix

    def _read(self, name: str) -> _Item | None:
        """A file, or None where it is done already."""
        from pixcodecs.container import image as container

        from pixzip import codec, image
        from pixzip.codec import by_rows

        began, stat, entry = time.perf_counter(), originals.stat_of(name), self.ledger[name]
        data = streams.read_pxz(name)
        entry.bytes_before = len(data)
        if signature.is_stack(data):
            if not self.alone:
                raise PixzipError("a stack of images is decompressed by itself, not among other inputs")
            from pixzip.cli import stack

            stack.decompress(
                self.ledger, name, data, out=self.out, model_of=self.model_of, device=self.device,
                max_pixels=self.max_pixels, whole=self.whole,
            )  # fmt: skip
            return None
        suffix = self._suffix(name)
        header = codec.parse(data, self.max_pixels) if self.whole else container.read_header(data, self.max_pixels)
        transparent = any(kind is container.Extra.TRANSPARENCY for kind, _ in header.extras)
        image.check_suffix(suffix, header.layout, header.depth, transparent)
        pixels = header.width * header.height
        entry.pixels = self.window.pixels if self.window else pixels
        if self.whole and pixels > by_rows.LARGE_PIXELS and self._large(name, data, stat):
            entry.seconds = time.perf_counter() - began
            self.ledger.done(name)
            return None
        entry.seconds = time.perf_counter() - began
        return _Item(name, data, stat)

    def _large(self, name: str, data: signature.Buffer, stat: Any) -> bool:
        """Whether the output's format takes rows, and is written."""
        entry, target = self.ledger[name], self.ledger.target(name)
        progress = large.Phases(self.ledger.bar, entry.bytes_before or 0, entry.pixels or 0, 1 + self.manner.remove)
        frame = large.decompress(
            data, target, self._suffix(name), self.model_of, self.device, max_pixels=self.max_pixels,
            write=lambda found: self.ledger.write(name, found, stat), progress=progress(),
        )  # fmt: skip
        if frame is None:
            return False
        lost = self._losses(name, frame)
        if self.manner.remove and not lost:
            large.compare(target, name, self.model_of, self.device, progress())
        self._finish(name, stat, lost)
        return True

    def _decode(self, items: list[_Item]) -> list[Any]:
        from pixzip import codec

        progress = self.ledger.part([item.name for item in items])
        if self.whole:
            data = [item.data for item in items]
            return codec.decompress(data, self.model_of, self.device, max_pixels=self.max_pixels, progress=progress)
        found = []
        for item in items:
            one = codec.recover(
                item.data, self.model_of, self.device, region=self.window, salvage=self.salvage,
                max_pixels=self.max_pixels, progress=progress,
            )  # fmt: skip
            found.append(one)
        return found

    def _write(self, name: str, item: _Item, found: Any, seconds: float) -> None:
        from pixzip import image

        began = time.perf_counter()
        picture = found if self.whole else found.picture
        self.ledger.write(name, image.write(picture, self._suffix(name)), item.stat)
        lost = self._losses(name, picture)
        if self.manner.remove and not lost:
            lost = self._read_back(name, picture)
        self.ledger[name].seconds += seconds + time.perf_counter() - began
        if not self.whole and found.damaged:
            places = ", ".join(f"{tile.width}x{tile.height} pixels at {tile.x},{tile.y}" for tile in found.damaged)
            tiles = "damaged tile" if len(found.damaged) == 1 else f"{len(found.damaged)} damaged tiles"
            raise PixzipError(f"{tiles} of {places}: zeros in place")
        self._finish(name, item.stat, lost)
        self.ledger.done(name)

    def _losses(self, name: str, picture: Any) -> str:
        """Warn of what the output's format does not hold; it is why the original is kept."""
        from pixzip import image

        lost = ", ".join(image.lost(picture, self._suffix(name)))
        if not lost:
            return ""
        self.ledger.warn(name, f"{self._suffix(name)} does not hold {lost}")
        return f"{lost} would be lost"

    def _read_back(self, name: str, picture: Any) -> str:
        """Why the original is kept though the image is right: "", or it has another form.

        Raises:
            PixzipError: the image that was written has other samples.
        """
        import numpy as np

        from pixzip import image

        target = self.ledger.target(name)
        again, dropped = image.load(streams.read(target), None)
        if again == picture and not dropped:
            return ""
        if not np.array_equal(again.samples, picture.samples):
            self.ledger.take_back(name)
            raise PixzipError("verification failed: what was written is another picture, and is taken back")
        return f"{self._suffix(name)} holds the same samples in another form"

    def _finish(self, name: str, stat: Any, kept: str) -> None:
        if self.manner.remove and kept:
            self.ledger.warn(name, f"original kept: {kept}")
        elif self.manner.remove:
            originals.remove(self.ledger, name, stat)
