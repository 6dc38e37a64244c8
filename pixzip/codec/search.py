"""Find the smallest block for the samples of a tile.

Every kind of block that fits is tried and the smallest is kept, so a file is never larger than the best of
the learned model, lossless WebP, 16-bit PNG and no compression.  Where JPEG's coefficients explain a photograph's
pixels, nothing else is tried.  Samples for a learned model are yielded, so that many tiles become one batch.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE
from pixcodecs.container import blocks
from pixcodecs.container.blocks import Kind, Precision, Samples

from pixzip.codec import jpeg_search, webp_png, webp_search
from pixzip.codec.efforts import PLAIN, Effort, Thoroughness, Tile
from pixzip.codec.lattice_search import trials
from pixzip.engine.executor import Ask
from pixzip.models.base import Model


class Choice(NamedTuple):
    """A model, its position among the models of a file, and the largest depth that it codes."""

    position: int
    model: Model
    max_depth: int = 16


class Coded(NamedTuple):
    """A block and the positions of the models that it needs."""

    block: bytes
    models: frozenset[int] = frozenset()

    @property
    def size_bytes(self) -> int:
        """The size with the model ids in the header, which names all models up to the last one needed."""
        return len(self.block) + 9 * (max(self.models, default=-1) + 1)


#: Yields samples for a model to code, is sent the payload, returns the block.
Coding = Generator[Ask, bytes, Coded]

#: Kinds of blocks of drawings, for which one block of the whole image may be smaller than the tiles' blocks.
_OF_DRAWINGS = {Kind.WEBP, Kind.WEBP_BODY, Kind.CONSTANT, Kind.PNG, Kind.LEVELS, Kind.HIGH_LOW}
#: Number of pixels examined to distinguish photographs from drawings.
_SAMPLED = 1 << 15
#: Side of the part of a tile on which units are tried.
_TRIAL_SIDE = 128
#: With at least this many samples per level, assume that an absent level never occurs.
_SURE = 64


def _smallest(candidates: list[Coded]) -> Coded:
    return min(candidates, key=lambda c: c.size_bytes)


class Search:
    """Encoders of blocks for one image."""

    def __init__(
        self,
        models: Mapping[int, Sequence[Choice]],
        *,
        models_only: bool = False,
        coder: EntropyCoder = RANGE,
        effort: Effort = PLAIN,
    ) -> None:
        """
        Args:
            models: number of channels -> models for it, if any, the first for photographs.
            models_only: use a model wherever possible, even if another block is smaller.
            coder: entropy coder of the models.
            effort: stage of the models, and how much is tried.
        """
        self.models = models
        self.models_only = models_only
        self.coder = coder
        self.effort = effort

    def encode(self, samples: Samples, depth: int, *, webp: bool = True) -> Coding:
        """The smallest block found for (H, W, C) samples of `depth` bits.

        Args:
            webp: try WebP, the slowest kind.
        """
        if self.models_only and depth >= 8 and self._of(samples, depth):
            first = self._of(samples, depth)[0]
            return (yield from self._model(samples, first) if depth == 8 else self._high_depth_model(samples, depth))
        if (samples == samples[0, 0]).all():
            return Coded(blocks.constant(samples, depth))
        if samples.shape[2] in (2, 4):
            return (yield from self._with_alpha(samples, depth))
        if depth > 8:
            return (yield from self._high_depth(samples, depth))
        return (yield from self._eight_bit(samples, depth, webp))

    def _of(self, samples: Samples, depth: int) -> Sequence[Choice]:
        """The models that support such samples."""
        return [c for c in self.models.get(samples.shape[2], ()) if depth <= c.max_depth]

    def whole(self, samples: Samples, depth: int, tiles: Sequence[Coded]) -> Coded | None:
        """One block for an image of several tiles, if smaller: WebP and PNG refer back to the whole image."""
        total = sum(tile.size_bytes + 10 for tile in tiles)
        if self.models_only or not {tile.block[0] for tile in tiles} & _OF_DRAWINGS:
            return None
        return self.without_models(samples, depth, total)

    def without_models(self, samples: Samples, depth: int, total: int) -> Coded | None:
        """One block without a model that is smaller than `total` bytes, if there is one."""
        candidates = self._webp(samples, total) if depth <= 8 else _png(samples, depth)
        return next((c for c in candidates if c.size_bytes < total), None)

    def _with_alpha(self, samples: Samples, depth: int) -> Coding:
        # no WebP: it codes alpha itself, and could hardly gain as one of the two blocks
        colour = yield from self.encode(np.ascontiguousarray(samples[..., :-1]), depth, webp=False)
        opacity = yield from self.encode(np.ascontiguousarray(samples[..., -1:]), depth)
        split = Coded(blocks.alpha(colour.block, opacity.block), colour.models | opacity.models)
        if self.models_only:
            return split
        if depth <= 8:
            return _smallest([split, *self._webp(samples, split.size_bytes)])
        return _smallest([split, *_png(samples, depth)])

    def _high_depth(self, samples: Samples, depth: int) -> Coding:
        candidates = [Coded(blocks.raw(samples, depth)), *_png(samples, depth)]
        used = blocks.used_levels(samples, depth)
        top = int(samples.max()).bit_length()
        ranked, rank_depth = blocks.ranks(samples, used)
        if rank_depth < top:  # levels are missing throughout: ranks take fewer bits
            inner = yield from self.encode(ranked, rank_depth)
            candidates.append(Coded(blocks.levels(used, rank_depth, inner.block), inner.models))
            if used.sum() * _SURE < samples.size:
                return _smallest(candidates)
        if top < depth:
            inner = yield from self.encode(samples.astype(blocks.dtype(top)), top)
            candidates.append(Coded(blocks.narrow(top, inner.block), inner.models))
        else:
            if self._of(samples, depth):
                candidates.append((yield from self._high_depth_model(samples, depth)))
            if not self.models_only and not photographic(samples):
                candidates.append((yield from self._split(samples, depth)))
        return _smallest(candidates)

    def _split(self, samples: Samples, depth: int) -> Coding:
        """High and low bits as separate pictures, for images other than photographs."""
        shift = depth - 8
        high = yield from self.encode((samples >> shift).astype(np.uint8), 8)
        low = yield from self.encode((samples & (1 << shift) - 1).astype(np.uint8), shift)
        return Coded(blocks.high_low(shift, high.block, low.block), high.models | low.models)

    def _high_depth_model(self, samples: Samples, depth: int) -> Coding:
        choice = self._of(samples, depth)[0]
        return (
            yield from self._model(
                samples, choice, Precision(depth, (yield from self._unit(samples, choice.model, depth)))
            )
        )

    @staticmethod
    def _unit(samples: Samples, model: Model, depth: int) -> Generator[Ask, bytes, int]:
        """The best unit for the middle of the samples, by descent from a guess: sizes have a single minimum.

        Trials use the range coder and no stage, so the unit does not depend on them.
        """
        h, w, _ = samples.shape
        y, x = max(0, h - _TRIAL_SIDE) // 2, max(0, w - _TRIAL_SIDE) // 2
        part = np.ascontiguousarray(samples[y : y + _TRIAL_SIDE, x : x + _TRIAL_SIDE])
        noise = float(np.abs(_med_residuals(part)).mean())
        unit = min(depth - 8, max(0, round(math.log2(max(noise, 1))) - 2))
        sizes = {unit: len((yield Ask(part, model, Precision(depth, unit))))}
        for direction in (-1, 1):
            while 0 <= (tried := unit + direction) <= depth - 8 and tried not in sizes:
                sizes[tried] = len((yield Ask(part, model, Precision(depth, tried))))
                if sizes[tried] >= sizes[unit]:
                    break
                unit = tried
        return unit

    def _eight_bit(self, samples: Samples, depth: int, webp: bool) -> Coding:
        candidates = [Coded(blocks.raw(samples, depth))]
        models = self._of(samples, depth) if depth == 8 else ()
        is_photograph = photographic(samples)
        jpeg = jpeg_search.block(samples) if self.effort.jpeg and depth == 8 else None
        if jpeg and is_photograph and jpeg.is_sure:
            return Coded(jpeg.block)
        if jpeg:
            candidates.append(Coded(jpeg.block))
        tried = models[:1] if is_photograph and self.effort.thoroughness < Thoroughness.MOST else models
        coded = []
        for model in tried:
            coded.append((yield from self._model(samples, model)))
        if tried:
            by_size = sorted(zip(coded, tried, strict=True), key=lambda pair: pair[0].size_bytes)
            for _, model in by_size if self.effort.thoroughness >= Thoroughness.MOST else by_size[:1]:
                coded += yield from self._ranked(samples, model)
        candidates += coded
        webps = self._webp(samples, _smallest(candidates).size_bytes) if webp else []
        for model in models[len(tried) :] if webps or not webp else ():  # WebP is close: drawings of many colours
            candidates.append((yield from self._model(samples, model)))
        return _smallest([*candidates, *webps])

    def _ranked(self, samples: Samples, model: Choice) -> Generator[Ask, bytes, list[Coded]]:
        """Blocks of ranks among the levels, if there are gaps between levels."""
        used = blocks.used_levels(samples, 8)
        extent = [np.ptp(np.flatnonzero(channel)) + 1 for channel in used]
        if used.sum() >= 0.8 * sum(extent):
            return []
        ranked, _ = blocks.ranks(samples, used)
        inner = yield from self._model(ranked, model)
        return [Coded(blocks.levels(used, 8, inner.block), inner.models)]

    def _model(self, samples: Samples, choice: Choice, precision: Precision = Precision()) -> Coding:  # noqa: B008
        found = []
        tile = Tile(samples[..., 0].size, precision.depth, photographic(samples), self.coder)
        for stage, own in trials(samples, self.effort.stages(choice.model, tile), precision):
            payload = yield Ask(samples, choice.model, own, self.coder, stage)
            block = blocks.model(choice.position, payload, self.coder, own)
            found.append(blocks.adapted(stage.number, block, own.lattice) if stage.number else block)
        return Coded(min(found, key=len), frozenset([choice.position]))

    def _webp(self, samples: Samples, best: int) -> list[Coded]:
        """A WebP block, unless the best block is already far smaller."""
        if not webp_png.webp_fits(samples):
            return []
        is_photograph = photographic(samples)
        if self.effort.thoroughness >= (Thoroughness.MOST if is_photograph else Thoroughness.MORE):
            found = webp_search.of_everything(samples)
        elif is_photograph and self.effort.thoroughness < Thoroughness.USUAL:
            return []
        else:
            found = (webp_search.of_photograph if is_photograph else webp_search.of_drawing)(samples, best)
        return [Coded(min(found, key=len))] if found else []


def _png(samples: Samples, depth: int) -> list[Coded]:
    return [Coded(blocks.foreign(Kind.PNG, webp_png.png(samples)))] if depth == 16 else []


def _med_residuals(samples: Samples) -> NDArray[np.int64]:
    """Residuals of the MED prediction of (H, W, C) samples, without the first row and column."""
    x = samples.astype(np.int64)
    west, north, north_west = x[1:, :-1], x[:-1, 1:], x[:-1, :-1]
    med = np.clip(west + north - north_west, np.minimum(west, north), np.maximum(west, north))
    return x[1:, 1:] - med if med.size else np.zeros((1, 1, 1), np.int64)


def photographic(samples: Samples) -> bool:
    """Whether samples look like a photograph: many colours or, in grey, many different neighbourhoods."""
    h, w, c = samples.shape
    if h * w < 1 << 14:
        return False
    if c == 1 and w > 2:
        samples = np.concatenate([samples[:, :-2], samples[:, 1:-1], samples[:, 2:]], 2)
    pixels = samples.reshape(-1, samples.shape[2])
    pixels = pixels[:: max(1, len(pixels) // _SAMPLED)]
    colours = pixels @ (1 << 16 * np.arange(pixels.shape[1], dtype=np.uint64))
    return len(np.unique(colours)) > 0.2 * len(pixels)
