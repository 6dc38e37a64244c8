"""Where the bits of a file go: a map of its pixels.

Of what a model coded, a pixel's share is what its sub-pixels cost under the model's frequencies.  What has no
place, such as the ends of streams, the tables of a block, and blocks that no model coded (WebP, PNG, raw), is
spread evenly over the pixels of the tile, so that a map adds up to the file's blocks.
"""

from collections.abc import Callable, Generator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Samples
from pixcodecs.container.image import MAX_PIXELS, Buffer

from pixzip.codec.decoder import Decoding, check_samples, decoding, find_models, parse
from pixzip.codec.tiles import Window
from pixzip.engine import batching, executor
from pixzip.engine.batching import batches
from pixzip.engine.executor import Ask, Payload, Share
from pixzip.engine.wavefront import Progress
from pixzip.models.registry import Weights

_Seen = list[tuple[Payload, Samples]]


def pixel_bits(
    file: Buffer,
    weights_for: Callable[[bytes], Weights],
    device: str = "cpu",
    *,
    max_pixels: int | None = MAX_PIXELS,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """(H, W) bits of each pixel; their sum is that of the file without its header.

    The file is decoded, and what its models coded is measured: twice the time of `decompress`.

    Args:
        weights_for, device, max_pixels: as for `decompress`.
        progress: called with (pixels done, pixels in all), each pixel counted twice.
    Raises:
        BitstreamError, ModelMismatchError: see `decompress`.
    """
    header = parse(file, max_pixels)
    models = find_models([header], weights_for)
    windows = [Window(*w) for w in header.windows]
    share = Share(progress, 2 * header.width * header.height)
    out = np.zeros((header.height, header.width), np.float32)
    for batch in batches(range(len(windows)), lambda i: windows[i].pixels):
        blocks = [container.block(file, header, i) for i in batch]
        seen: list[_Seen] = [[] for _ in batch]
        watched = [
            _watched(decoding(header, block, windows[i]), of)
            for i, block, of in zip(batch, blocks, seen, strict=True)
        ]  # fmt: skip
        pixels = sum(windows[i].pixels for i in batch)
        solved = batching.drive(
            watched, partial(executor.decode, models=models, device=device, report=share.part(pixels))
        )
        for i, samples in zip(batch, solved, strict=True):
            check_samples(header, i, samples)
        asks = [Ask(samples, models[p.model_id], p.precision) for of in seen for p, samples in of]
        maps = iter(executor.nll_maps(asks, device, share.part(pixels)))
        for i, block, of in zip(batch, blocks, seen, strict=True):
            own = sum((next(maps) for _ in of), np.zeros((windows[i].height, windows[i].width)))
            out[windows[i].slices] = _filled(own, 8 * len(block))
    return out


def _watched(tile: Decoding, seen: _Seen) -> Generator[Payload, Samples, Samples]:
    """A tile's decoding, and a note of all that models decoded for it."""
    answer: Samples | None = None
    while True:
        try:
            asked = tile.send(answer)  # type: ignore[arg-type]
        except StopIteration as stop:
            samples: Samples = stop.value
            return samples
        answer = yield asked
        seen.append((asked, answer))


def _filled(bits: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """A map that adds up to `total`."""
    rest = total - float(bits.sum())
    if rest < 0:  # the coder's rounding, which favours likely symbols
        return bits * (total / float(bits.sum()))
    return bits + rest / bits.size
