"""A map of the bits that a file spends on each pixel.

A pixel coded by a model has the cost of its sub-pixels under the model's frequencies.  Bits without a place (ends of
streams, tables of a block, blocks that no model coded: WebP, PNG, raw) are spread evenly over the pixels of the tile,
so that a map adds up to the size of the file's blocks.
"""

from collections.abc import Generator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import blocks, memory, signature
from pixcodecs.container.image import Buffer
from pixcodecs.errors import UnsupportedImageError

from pixzip.codec.costs import Decoding
from pixzip.codec.decoder import check_costs, check_samples, tile_decoding
from pixzip.codec.finding import find_models
from pixzip.codec.opening import Opening
from pixzip.codec.options import DEFAULTS, Options
from pixzip.codec.progress import Share
from pixzip.engine import batching, executor
from pixzip.engine.base import Progress
from pixzip.engine.batch import Samples
from pixzip.engine.executor import Ask, Payload
from pixzip.image.picture import Picture, framed

#: Why a kept file has no map, and what has one.
NO_MAP = "a JPEG is kept as a file, byte for byte: no bits belong to single pixels, --pixels codes and maps its pixels"
#: Payloads of models, and the samples that they decode to.
Seen = list[tuple[Payload, Samples]]


def pixel_bits(
    file: Buffer | Opening, options: Options = DEFAULTS, progress: Progress | None = None
) -> NDArray[np.float32]:  # fmt: skip
    """(H, W) bits of each pixel; their sum is the size of the file without its header.  See `picture_and_bits`."""
    return picture_and_bits(file, options, progress)[1]


def picture_and_bits(
    file: Buffer | Opening, options: Options = DEFAULTS, progress: Progress | None = None
) -> tuple[Picture, NDArray[np.float32]]:
    """The picture of a file, and the (H, W) bits of each pixel, whose sum is the size of the file without its header.

    Decodes the file and measures the parts that models coded, which takes twice as long as `decompress`.

    Args:
        progress: called with (pixels done, total pixels); each pixel counts twice.
    Raises:
        BitstreamError, ModelMismatchError: see `decompress`.
        UnsupportedImageError: the file keeps a JPEG as it is.
    """
    if not isinstance(file, Opening) and signature.is_kept(file):
        raise UnsupportedImageError(NO_MAP)
    opening = file if isinstance(file, Opening) else Opening(file, options.max_pixels)
    opening.check_blocks()
    header, where = opening.header, options.executor
    models = find_models([opening], options)
    check_costs(opening, models, options, passes=2)
    if options.max_pixels is not None:
        memory.check_memory(opening.file, header, np.dtype(np.float32).itemsize)
    share = Share(progress, 2 * opening.pixels)
    picture = np.empty((header.height, header.width, header.layout.channels), blocks.dtype(header.depth))
    out = np.zeros((header.height, header.width), np.float32)
    for batch in executor.batches(range(len(header.tiles)), lambda i: opening.tile(i).pixels, where):
        seen: list[Seen] = [[] for _ in batch]
        tiles = [
            watched(tile_decoding(header, opening.block(i), opening.tile(i), models), of)
            for i, of in zip(batch, seen, strict=True)
        ]
        report = share.part(sum(opening.tile(i).pixels for i in batch))
        solved = batching.drive(tiles, lambda asked, report=report: where.decode(asked, report))  # type: ignore[misc]
        for i, samples in zip(batch, solved, strict=True):
            check_samples(header, i, samples)
            picture[opening.tile(i).slices] = samples
        asks = [Ask(samples, p.model, p.precision, p.coder, p.stage) for of in seen for p, samples in of]
        maps = iter(where.nll_maps(asks, share.part(sum(opening.tile(i).pixels for i in batch))))
        for i, of in zip(batch, seen, strict=True):
            tile = opening.tile(i)
            total = 8 * len(opening.block(i))
            if of:
                out[tile.slices] = _filled(np.sum([next(maps) for _ in of], 0), total)
            else:  # no model coded it, so it may be large
                out[tile.slices] = total / tile.pixels
    return framed(header, partial(Picture, picture)), out


def watched(tile: Decoding, seen: Seen) -> Generator[Payload, Samples, Samples]:
    """Decode a tile, and record the samples that models decode for it."""
    return batching.relay(tile, lambda asked: asked, lambda asked, samples: seen.append((asked, samples)))


def _filled(bits: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """The map, scaled or filled up to add up to `total`."""
    rest = total - float(bits.sum())
    if rest < 0:  # the coder's rounding favours likely symbols
        return bits * (total / float(bits.sum()))
    return bits + rest / bits.size
