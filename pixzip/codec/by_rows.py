"""Pictures larger than memory: rows in, a band of tiles at a time, and blocks out; and back.

A band is a row of tiles, 1024 pixels high at most, so memory grows with the width of a picture and not with its
height.  What is written is what `compress` writes, but that a picture of these sizes is never one WebP block.
"""

import mmap
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from pixcodecs.coders.range import EntropyCoder
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Samples
from pixcodecs.container.image import MAX_PIXELS, Buffer, Tile, crc32
from pixcodecs.errors import PixzipError

from pixzip.codec.decoder import decode_files, samples_crc
from pixzip.codec.encoder import ModelFor, Tiling, code_tiles, models_for
from pixzip.codec.tiles import Window
from pixzip.engine.batching import BATCH_PIXELS
from pixzip.engine.executor import Share, batches
from pixzip.engine.wavefront import Progress
from pixzip.image.picture import Frame, frame_of
from pixzip.models.registry import Weights

#: Pictures of more pixels are worth the detour.
LARGE_PIXELS = BATCH_PIXELS


class Source(Protocol):
    """What gives rows from the first to the last, such as `image.RowReader`."""

    @property
    def frame(self) -> Frame: ...

    def read(self, n: int) -> Samples:
        """(n, W, C), fewer at the end."""


def compress_rows(
    source: Source,
    out: IO[bytes],
    weights_for: ModelFor,
    device: str = "cpu",
    *,
    graphics: ModelFor | None = None,
    models_only: bool = False,
    coder: EntropyCoder = EntropyCoder.RANGE,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the `.pxz` file of a picture that is read once, from top to bottom.

    Args:
        weights_for, graphics, models_only, coder: see `compress`.
        folder: for a temporary file.
        progress: called with (pixels done, pixels in all).
    Raises:
        UnsupportedImageError, ModelMismatchError: see `compress`; and what `source` raises.
        OSError: `out`, or a temporary file of the size of `out`, cannot be written.
    """
    frame = source.frame
    tiling = Tiling(frame, models_for([frame], weights_for, graphics, coder), models_only, coder)
    share = Share(progress, frame.width * frame.height)
    table: list[Tile] = []
    used: set[int] = set()
    with tempfile.TemporaryFile(dir=folder) as spool:
        for y in range(0, frame.height, tiling.sides[1]):
            rows = source.read(tiling.sides[1])
            for batch in batches([w for w in tiling.windows if w.y == y], lambda w: w.pixels, device):
                report = share.part(sum(w.pixels for w in batch))
                parts = [np.ascontiguousarray(rows[:, w.x : w.x + w.width]) for w in batch]
                found = code_tiles([(tiling.search, part, frame.depth) for part in parts], device, report)
                for part, coded in zip(parts, found, strict=True):
                    spool.write(coded.block)
                    table.append(Tile(len(coded.block), crc32(coded.block), samples_crc(part)))
                    used |= coded.models
                report(1, 1)
        out.write(tiling.header(table, used))
        spool.seek(0)
        shutil.copyfileobj(spool, out)


def decompress_rows(
    file: Buffer,
    weights_for: Callable[[bytes], Weights],
    device: str = "cpu",
    *,
    max_pixels: int | None = MAX_PIXELS,
    progress: Progress | None = None,
) -> Iterator[Samples]:
    """The rows of a picture, a band of tiles at a time: (n, W, C).

    Args:
        weights_for: model id -> model.
    Raises:
        BitstreamError, ModelMismatchError: see `decompress`; damage may be found after rows were given.
    """
    header = container.read_header(file, max_pixels)
    container.check_length(file, header)
    share = Share(progress, header.width * header.height)
    release(file)
    for y in range(0, header.height, header.tile_height):
        band = Window(0, y, header.width, min(header.tile_height, header.height - y))
        (found,) = decode_files([file], weights_for, device, max_pixels=max_pixels, region=band, share=share)
        yield found.picture.samples
        release(file)


def check_rows(
    file: Buffer, source: Source, weights_for: Callable[[bytes], Weights], device: str = "cpu",
    *, progress: Progress | None = None,
) -> None:  # fmt: skip
    """Decode a file and compare it with what it was made of.

    Raises:
        PixzipError: they differ, or the file does not decode.
    """
    same = frame_of(container.read_header(file, None)) == source.frame
    for rows in decompress_rows(file, weights_for, device, max_pixels=None, progress=progress) if same else ():
        same = same and np.array_equal(rows, source.read(len(rows)))
    if not same:
        raise PixzipError("verification failed: the file decodes to another picture; nothing was written")


def release(file: Buffer) -> None:
    """Let go of the memory of a map's pages, which stay on disk."""
    if isinstance(file, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)
