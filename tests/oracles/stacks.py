"""Stages of stacks, section 10.2 of `docs/format.md`, in plain Python: images of a batch share one state."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pixzip.models.wavefront.weights import IntegerWeights
from tests.oracles.full import Full
from tests.oracles.light import F, Floats, Found, Light
from tests.oracles.mixing import Pixel
from tests.oracles.range_coder import PlainEncoder

Image = NDArray[np.integer]
#: What images share.
SEEN = ("seen", "hits", "uses")
MIXED = ("mix", "repeat", "counts", "repeat_counts", "gains", "entries", "news", "bits")


class Stack:
    """Codes the batches of a stack under a stage.

    Attributes:
        images: oracles of the images of the last batch; the state that images share is that of the first.
        prior: for each channel the totals of row -1 of the next batch; None for the model's.
    """

    def __init__(self, weights: IntegerWeights, *, full: bool, least_pixels: int = 4096) -> None:
        self.weights, self.full, self.least_pixels = weights, full, least_pixels
        self.encoder = PlainEncoder()
        self.images: Sequence[Light] = ()
        self.prior: list[Floats] | None = None

    def code(self, samples: Sequence[Image]) -> None:
        """Code a batch: (H, W, C) images of one size in coding order."""
        kind = Full if self.full else Light
        batch = [kind(self.weights, image, least_pixels=self.least_pixels) for image in samples]
        if self.images:
            share(self.images[0], batch[0], self.full)
        for image in batch:
            image.prior = self.prior or image.prior
            share(batch[0], image, self.full)
        self.images = batch
        height, width, _ = samples[0].shape
        for t in range(width + 2 * (height - 1)):
            self.step([y for y in range(height) if 0 <= t - 2 * y < width], t)
        self.prior = [
            (sum((image.totals[c][-1].astype(np.float64) for image in batch), np.float64(0)) / len(batch)).astype(F)
            for c in range(len(batch[0].totals))
        ]

    def step(self, rows: list[int], t: int) -> None:
        """Code a step of all images."""
        for image in self.images:
            image.prepare(rows, t)
        kinds = list(self.full_step(rows, t) if self.full else self.light_step(rows, t))
        first = self.images[0]
        for image, found in zip(self.images, kinds, strict=True):
            first.count_classes(found if image.remembers else [])
        for image in self.images:
            image.record_colours(rows, t)
        first.halve_classes()

    def light_step(self, rows: list[int], t: int) -> Iterator[list[Found | None]]:
        """Code the symbols; yield the classes of each image's pixels."""
        coded = [[image.code(y, t - 2 * y) for y in rows] for image in self.images]
        for channel in range(self.weights.channels):
            for digit in range(2):
                for image, found in zip(self.images, coded, strict=True):
                    for y, (freqs, _) in zip(rows, found, strict=True):
                        value = int(image.samples[y, t - 2 * y, channel])
                        self.encoder.encode(value & 15 if digit else value >> 4, freqs[channel][digit].tolist())
        yield from ([kind for _, kind in found] for found in coded)

    def full_step(self, rows: list[int], t: int) -> Iterator[list[Found | None]]:
        """Code the decisions and learn from them; yield the classes of each image's pixels."""
        pixels = [[Pixel(y, t - 2 * y) for y in rows] for _ in self.images]
        pairs = [(image, pixel) for image, of in zip(self.images, pixels, strict=True) for pixel in of]
        yield from ([image.look(pixel) for pixel in of] for image, of in zip(self.images, pixels, strict=True))
        made = [decision for image, pixel in pairs for decision in image.offer(pixel)]
        for channel in range(self.weights.channels):
            for image, pixel in pairs:
                made += image.sample(pixel, channel)
        for bit, p in made:
            split = 256 * (65536 - p)
            self.encoder.encode_interval(split if bit else 0, 1 << 24 if bit else split)
        self.images[0].learn(pairs)
        for image in self.images:
            share(self.images[0], image, self.full)


def share(source: Light, target: Light, full: bool) -> None:
    """Let an image use the state of another."""
    for name in (*SEEN, *(MIXED if full else ())):
        setattr(target, name, getattr(source, name))
