"""Code pictures larger than memory, one band of tiles at a time.

A band is a row of tiles, at most 1024 pixels high in files written here, or several rows of small tiles; so memory
grows with the width of a picture and not with its height.  The files equal those of `compress`, except that a picture
of this size is never one WebP block.
"""

import mmap
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from pixcodecs.container.image import Buffer, Tile, crc32
from pixcodecs.errors import PixzipError

from pixzip.codec import tiles
from pixzip.codec.decoder import check_costs, decode_region, decompress, samples_crc
from pixzip.codec.encoder import Tiling, attempts, code_tiles
from pixzip.codec.finding import find_models
from pixzip.codec.opening import Opening
from pixzip.codec.options import Options
from pixzip.codec.progress import Share
from pixzip.codec.tiles import Window
from pixzip.engine import executor
from pixzip.engine.base import Progress
from pixzip.engine.batch import Samples
from pixzip.engine.batching import BATCH_PIXELS
from pixzip.engine.executor import Executor
from pixzip.image.picture import Frame

#: Pictures with more pixels are coded by rows.
LARGE_PIXELS = BATCH_PIXELS
#: Most pixels of the rows that are handed on at once, unless a row has more.
PART_PIXELS = 1 << 22


class RowSource(Protocol):
    """A source of rows from first to last, e.g. `image.RowReader`."""

    @property
    def frame(self) -> Frame: ...

    def read(self, n: int) -> Samples:
        """The next (n, W, C) rows, fewer at the end."""


def compress_rows(
    source: RowSource, out: IO[bytes], options: Options, *, folder: Path | None = None, progress: Progress | None = None
) -> None:
    """Write the `.pxz` file of a picture, which is read once from top to bottom.

    Args:
        folder: place of a temporary file.
        progress: called with (pixels done, total pixels).
    Raises:
        UnsupportedImageError, ModelMismatchError: see `compress`; exceptions of `source` pass through.
        OSError: `out`, or a temporary file of the size of `out`, cannot be written.
    """
    frame = source.frame
    tilings = [Tiling(frame, models, choice) for choice, models in attempts([frame], options)]
    share = Share(progress, len(tilings) * frame.width * frame.height)
    with ExitStack() as spools:
        tries = [_Attempt(t, spools.enter_context(tempfile.TemporaryFile(dir=folder))) for t in tilings]
        rows_of_tiles = tilings[0].sides[1]  # models with tiles of their own have no alternatives of other tiles
        for y in range(0, frame.height, rows_of_tiles):
            rows = source.read(rows_of_tiles)
            for attempt in tries:
                attempt.add(y, rows, options.executor, share)
        min(tries, key=lambda attempt: attempt.file_bytes).write(out)


class _Attempt:
    """A file that is being encoded a band of tiles at a time."""

    def __init__(self, tiling: Tiling, spool: IO[bytes]) -> None:
        """
        Args:
            spool: an empty file for the blocks.
        """
        self._tiling, self._spool = tiling, spool
        self._table: list[Tile] = []
        self._used: set[int] = set()

    def add(self, y: int, rows: Samples, where: Executor, share: Share) -> None:
        """Code the rows of the tiles that begin at row `y`."""
        depth = self._tiling.frame.depth
        band = [w for w in self._tiling.windows if w.y == y]
        for batch in executor.batches(band, lambda w: w.pixels, where):
            report = share.part(sum(w.pixels for w in batch))
            parts = [rows[:, w.x : w.x + w.width] for w in batch]
            found = code_tiles([(self._tiling.search, part, depth) for part in parts], where, report)
            for part, coded in zip(parts, found, strict=True):
                self._spool.write(coded.block)
                self._table.append(Tile(len(coded.block), crc32(coded.block), samples_crc(part)))
                self._used |= coded.models
            report(1, 1)

    @property
    def _header(self) -> bytes:
        return self._tiling.header(self._table, self._used)

    @property
    def file_bytes(self) -> int:
        """The size of the whole file, before it is made to fit the limits of readers."""
        return len(self._header) + self._spool.tell()

    def write(self, out: IO[bytes]) -> None:
        """Write the whole file."""
        heavy = self._tiling.maybe_heavy(self.file_bytes)
        self._spool.seek(0)
        if heavy:  # so it is small
            out.write(self._tiling.within_limits(self._header + self._spool.read()))
            return
        out.write(self._header)
        shutil.copyfileobj(self._spool, out)


def decompress_rows(
    opening: Opening, options: Options, progress: Progress | None = None, *, upward: bool = False
) -> Iterator[Samples]:  # fmt: skip
    """Yield the rows of a picture, (n, W, C), in parts of bands of tiles.

    Args:
        upward: from last to first.
    Raises:
        BitstreamError, ModelMismatchError: see `decompress`; damage may be found after some rows were yielded.
    """
    header, share = opening.header, Share(progress, opening.pixels)
    models = find_models([opening], options)
    check_costs(opening, models, options)
    release(opening.file)
    rows_of_tiles = max(1, tiles.WHOLE_PIXELS // (header.width * header.tile_height))
    band_rows, part_rows = rows_of_tiles * header.tile_height, max(1, PART_PIXELS // header.width)
    tops = range(0, header.height, band_rows)
    for y in reversed(tops) if upward else tops:
        band = Window(0, y, header.width, min(band_rows, header.height - y))
        samples = decode_region(opening, band, models, options, share)
        if upward:
            samples = samples[::-1]
        for top in range(0, band.height, part_rows):  # a tile may be as large as the image, and writers copy rows
            yield samples[top : top + part_rows]
        del samples
        release(opening.file)


def decompress_parts(opening: Opening, options: Options) -> Iterator[Samples]:
    """Yield the rows of a picture, (n, W, C), for a copy in another form: all at once, or by bands if it is large.

    Raises:
        BitstreamError, ModelMismatchError: see `decompress_rows`.
    """
    if opening.pixels > LARGE_PIXELS:
        yield from decompress_rows(opening, options)
    else:
        yield decompress([opening], options)[0].samples


def check_rows(opening: Opening, source: RowSource, options: Options, progress: Progress | None = None) -> None:
    """Decode a file, one's own and so without limits, and compare it with its source.

    Raises:
        PixzipError: the samples differ, or the file cannot be decoded.
    """
    same = opening.frame == source.frame
    own = replace(options, max_pixels=None)
    for rows in decompress_rows(opening, own, progress) if same else ():
        same = same and np.array_equal(rows, source.read(len(rows)))
    if not same:
        raise PixzipError("the file decodes to another picture")


def release(file: Buffer) -> None:
    """Release the memory of a mapped file's pages, which stay on disk."""
    if isinstance(file, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)
