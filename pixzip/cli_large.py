"""Inputs that are too large for memory: one at a time, a band of rows after another."""

import dataclasses
import mmap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from pixcodecs import container

from pixzip import bands, files, image, library
from pixzip.cli_jobs import Bar
from pixzip.exact.load import Weights
from pixzip.picture import Frame, frame_of


@dataclasses.dataclass
class _Stripped:
    """Rows without metadata."""

    source: bands.Source

    @property
    def frame(self) -> Frame:
        return dataclasses.replace(self.source.frame, metadata=())

    def read(self, n: int) -> Any:
        return self.source.read(n)


def reader(name: str, max_pixels: int | None) -> image.RowReader | None:
    """The rows of an image file, if it is large and of a format that gives rows.

    Raises:
        UnsupportedImageError, OSError: it cannot be read.
    """
    if name == files.STANDARD:
        return None
    return image.open_large(Path(name), bands.LARGE_PIXELS, max_pixels)


def compress(
    name: str,
    rows: image.RowReader,
    target: str,
    model: str,
    device: str,
    *,
    strip: bool,
    verify: bool,
    models_only: bool,
    force: bool,
) -> None:
    """Compress the rows of a file.

    Raises:
        PixzipError, OSError: whatever goes wrong; nothing was written then.
    """
    if rows.dropped:
        click.echo(f"pixzip: {name}: warning: not kept: {', '.join(rows.dropped)}", err=True)
    with rows, files.spool(target) as spool:
        with Bar("compressing") as bar:
            source = _Stripped(rows) if strip else rows
            folder = None if target == files.STANDARD else Path(target).parent
            resolve = partial(library.resolve, model)
            bands.compress_rows(
                source,
                spool,
                resolve,
                device,
                graphics=library.graphics_beside(model),
                models_only=models_only,
                folder=folder,
                progress=bar,
            )
        again = image.open_rows(Path(name), None) if verify else None
        if again:
            spool.flush()
            extra = [] if model in library.shipped_paths() else [Path(model)]
            by_id = partial(library.by_id, extra=extra)
            with again, Bar("verifying") as bar, mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) as file:
                bands.check_rows(file, _Stripped(again) if strip else again, by_id, device, progress=bar)
        files.write(target, spool, force)


def decompress(
    file: container.Buffer,
    target: str,
    suffix: str,
    weights_for: Callable[[bytes], Weights],
    device: str,
    *,
    max_pixels: int | None,
    force: bool,
) -> Frame | None:
    """Decompress a file into rows; None if the format that the suffix names does not take them.

    Raises:
        PixzipError, OSError: whatever goes wrong; nothing was written then.
    """
    frame = frame_of(container.read_header(file, max_pixels))
    with files.spool(target) as spool:
        writer = image.create_rows(spool, frame, suffix)
        if writer is None:
            return None
        with writer, Bar("decompressing") as bar:
            for rows in bands.decompress_rows(file, weights_for, device, max_pixels=max_pixels, progress=bar):
                writer.write(rows)
        files.write(target, spool, force)
    return frame
