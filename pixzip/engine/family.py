"""Coding, sampling and completing with the models of the PixelRNN family.

Frequencies are computed in fixed point, so the encoder may compute those of all pixels at once and the
decoder those of one front at a time: they are the same (`pixzip.models.family.arithmetic`).  Pixels are coded in the
order of the front, images of a batch side by side.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.coders import range as range_coder
from pixcodecs.coders.range import EntropyCoder
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError, UnsupportedImageError
from torch import Tensor

from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.order import Planes
from pixzip.engine.walk import walk
from pixzip.engine.wavefront import Progress
from pixzip.models.family.density import Density, Stage
from pixzip.models.family.heads import Below
from pixzip.models.family.weights import FixedWeights

#: Symbols of a sub-pixel's two stages, bin and place.
BINS = 16
#: Pixels whose features are computed at once by an encoder.
_CHUNK_PIXELS = 1 << 14
#: Pixels whose frequencies are.
_CHUNK_ROWS = 1 << 13


class _Coded(NamedTuple):
    """What a stage codes of N images, in coding order.

    Attributes:
        symbols: (S,)
        rows: (S, K) frequencies.
        pixels: (S,) places in the stage's raster.
    """

    symbols: NDArray[np.int32]
    rows: NDArray[np.float32]
    pixels: NDArray[np.int64]


def _rows(below: Below, first: Tensor | int, width: int, count: int) -> NDArray[np.float32]:
    """(M, count) frequencies of `count` intervals of `width` levels, from level `first` on."""
    edges = torch.arange(count + 1, dtype=torch.float64, device=getattr(first, "device", None)) * width
    points = edges[None] if isinstance(first, int) else first[:, None] + edges
    return below(points).diff(dim=1).to(torch.float32).cpu().numpy()


class DensityEngine:
    """One family model on one device, ready to code."""

    def __init__(self, weights: FixedWeights, device: str = "cpu") -> None:
        """
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """
        self.weights = weights
        self.device = torch.device(device)
        self.model: Density
        self.model, self.tables = weights.network(self.device)
        self.levels = weights.levels
        if weights.known_answer and self.known_answer() != weights.known_answer:
            raise ModelMismatchError(
                f"this machine computes other frequencies than model {weights.model_id.hex()} should give "
                f"(on {device}): nothing was coded"
            )

    # Frequencies.

    def _symbols(self, below: Below, values: Tensor) -> list[tuple[NDArray[np.int32], NDArray[np.float32]]]:
        """Symbols and rows of each stage of (M,) values."""
        whole = values.to(torch.int64).cpu().numpy().astype(np.int32)
        if self.levels == 2:
            return [(whole, _rows(below, 0, 1, 2))]
        bins, places = whole >> 4, whole & 15
        start = torch.floor(values / BINS) * BINS
        return [(bins, _rows(below, 0, BINS, BINS)), (places, _rows(below, start, 1, BINS))]

    def _coded(self, stage: Stage, images: Tensor) -> _Coded:
        """In coding order, all that a stage codes of (N, C, h, w) values."""
        n, _, h, w = images.shape
        found = [self._of_images(stage, part) for part in images.split(max(1, _CHUNK_PIXELS // (h * w)))]
        # each (h w, n', C S) and (h w, n', C S, K)
        symbols = np.concatenate([s for s, _ in found], 1)
        rows = np.concatenate([r for _, r in found], 1)
        slope = stage.model.slope(w)
        y, x = np.divmod(np.arange(h * w), w)
        t = x + slope * y
        coded = stage.coded(h, w).ravel()
        order = np.lexsort((y, t))
        order = order[coded[order]]
        steps = np.flatnonzero(np.diff(t[order], prepend=-1))  # where each step starts
        count = symbols.shape[2]
        # within a step: channel by channel and digit by digit, rows, images
        pieces = []
        for a, b in zip(steps, np.append(steps, len(order))[1:], strict=True):
            base = order[a:b, None] * n + np.arange(n)  # rows, N
            pieces.append((base.ravel()[None] * count + np.arange(count)[:, None]).ravel())
        index = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
        return _Coded(symbols.reshape(-1)[index], rows.reshape(-1, rows.shape[-1])[index], index // (n * count))

    def _of_images(self, stage: Stage, images: Tensor) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        n, channels, h, w = images.shape
        params = stage.model(images).permute(1, 2, 0, 3, 4).flatten(0, 2)  # h w n, C, P
        values = images.permute(2, 3, 0, 1).flatten(0, 2)  # h w n, C
        symbols, rows = [], []
        for c in range(channels):
            parts = []
            for start in range(0, len(values), _CHUNK_ROWS):
                part = slice(start, start + _CHUNK_ROWS)
                below = stage.model.head.below(params[part, : c + 1], values[part, :c], self.tables)
                parts.append(self._symbols(below, values[part, c]))
            for digit in range(len(parts[0])):
                symbols.append(np.concatenate([p[digit][0] for p in parts]))
                rows.append(np.concatenate([p[digit][1] for p in parts]))
        shape = h * w, n, len(symbols)
        return np.stack(symbols, 1).reshape(shape), np.stack(rows, 1).reshape(*shape, -1)

    def _values(self, images: Sequence[Planes]) -> Tensor:
        """(N, C, H, W) float64 of images of one size."""
        stacked = np.stack(images)
        if int(stacked.max(initial=0)) >= self.levels:
            raise UnsupportedImageError(f"image has a value of {stacked.max()}, its model {self.levels} levels")
        return torch.from_numpy(stacked.astype(np.float64)).to(self.device)

    @torch.no_grad()
    def _all(self, images: Sequence[Planes]) -> list[_Coded]:
        """What every stage codes of images of one size."""
        values = self._values(images)
        return [self._coded(s, values[..., :: s.stride, :: s.stride].contiguous()) for s in self.model.stages()]

    # What engines do.

    def known_answer(self) -> str:
        """Hex SHA-256 of the frequencies of `known_answer_pattern`, in coding order."""
        pattern = known_answer_pattern(self.weights.config.channels)
        if self.levels == 2:
            pattern //= 128
        h = hashlib.sha256()
        for coded in self._all([pattern]):
            h.update(coded.rows.astype("<i4").tobytes())
        return h.hexdigest()

    def encode_into(
        self, images: Sequence[Planes], encoder: range_coder.Encoder, progress: Progress | None = None
    ) -> None:
        """Code (C, H, W) images of one size into one stream, side by side."""
        for coded in self._all(images):
            encoder.encode(coded.symbols, coded.rows)
        if progress:
            progress(1, 1)

    @torch.no_grad()
    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: range_coder.Decoder, progress: Progress | None = None
    ) -> list[Planes]:
        """The inverse of `encode_into`, given (height, width) of each image."""
        ((h, w),) = set(sizes)
        values = torch.zeros(len(sizes), self.weights.config.channels, h, w, dtype=torch.float64, device=self.device)
        given: Tensor | None = None
        for stage in self.model.stages():

            def choose(c: int, params: Tensor, known: Tensor, stage: Stage = stage) -> Tensor:
                below = stage.model.head.below(params, known, self.tables)
                if self.levels == 2:
                    symbols = decoder.decode(_rows(below, 0, 1, 2))
                    return torch.from_numpy(symbols).to(params)
                bins = torch.from_numpy(decoder.decode(_rows(below, 0, BINS, BINS))).to(params) * BINS
                return bins + torch.from_numpy(decoder.decode(_rows(below, bins, 1, BINS))).to(params)

            part = values[..., :: stage.stride, :: stage.stride].contiguous()
            walk(stage, part, ~stage.coded(*part.shape[2:]), choose, given, progress)
            values[..., :: stage.stride, :: stage.stride] = part
            given = part
        return list(values.to(torch.uint8).cpu().numpy())

    def encode(
        self,
        images: Sequence[Planes],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
        coder: EntropyCoder = EntropyCoder.RANGE,
    ) -> list[bytes]:
        """(C, H, W) uint8 images -> a payload each.

        Raises:
            UnsupportedImageError: samples of another depth, or another entropy coder than the range coder.
        """
        self._only_bytes(precisions)
        if coder is not EntropyCoder.RANGE:
            raise UnsupportedImageError(f"models of the PixelRNN family code with the range coder, not {coder.value}")
        out = []
        for i, planes in enumerate(images):
            encoder = range_coder.Encoder()
            self.encode_into([planes], encoder)
            out.append(encoder.finish())
            if progress:
                progress(i + 1, len(images))
        return out

    def decode(
        self,
        payloads: Sequence[bytes],
        sizes: Sequence[tuple[int, int]],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
        coders: Sequence[EntropyCoder] | None = None,
    ) -> list[Planes]:
        """Payloads and their (height, width) -> (C, H, W) uint8 images; those of one size as one batch.

        Raises:
            BitstreamError: a payload ends before its last pixel or goes on after it.
        """
        self._only_bytes(precisions)
        if any(coder is not EntropyCoder.RANGE for coder in coders or ()):
            raise BitstreamError("block is coded by rANS, its model codes with the range coder")
        out: list[Planes | None] = [None] * len(payloads)
        for size in dict.fromkeys(sizes):
            chosen = [i for i, s in enumerate(sizes) if s == size]
            subpixels = size[0] * size[1] * self.weights.config.channels
            decoder = _Many([payloads[i] for i in chosen], subpixels)
            for i, planes in zip(chosen, self.decode_from([size] * len(chosen), decoder, progress), strict=True):
                out[i] = planes
            decoder.check_exhausted()
        return [planes for planes in out if planes is not None]

    def nll_maps(
        self, images: Sequence[Planes], progress: Progress | None = None, precisions: Sequence[Precision] | None = None
    ) -> list[NDArray[np.float64]]:
        """(H, W) of each image: the model's own bits for each pixel, -log2 of its frequencies."""
        self._only_bytes(precisions)
        out = []
        for i, planes in enumerate(images):
            bits = np.zeros(planes.shape[1:])
            for stage, coded in zip(self.model.stages(), self._all([planes]), strict=True):
                part = bits[:: stage.stride, :: stage.stride]
                spent = range_coder.nll_bits(coded.symbols, coded.rows)
                part += np.bincount(coded.pixels, spent, part.size).reshape(part.shape)
            out.append(bits)
            if progress:
                progress(i + 1, len(images))
        return out

    def nll_bits(
        self, images: Sequence[Planes], progress: Progress | None = None, precisions: Sequence[Precision] | None = None
    ) -> list[float]:
        """The sum of each of `nll_maps`."""
        return [float(bits.sum()) for bits in self.nll_maps(images, progress, precisions)]

    def _only_bytes(self, precisions: Sequence[Precision] | None) -> None:
        if precisions is not None and any(p != Precision() for p in precisions):
            raise UnsupportedImageError("models of the PixelRNN family code samples of 8 bits")


class _Many(range_coder.Decoder):
    """Streams of images that are decoded side by side: the rows of a step are row by row, image by image."""

    def __init__(self, payloads: Sequence[bytes], subpixels: int) -> None:
        self._decoders = [range_coder.Decoder(p, subpixels) for p in payloads]

    def decode(self, freqs: NDArray[np.float32]) -> NDArray[np.int32]:
        n = len(self._decoders)
        if n == 1:
            return self._decoders[0].decode(freqs)
        out = np.empty(len(freqs), np.int32)
        for i, decoder in enumerate(self._decoders):
            out[i::n] = decoder.decode(np.ascontiguousarray(freqs[i::n]))
        return out

    def check_exhausted(self) -> None:
        for decoder in self._decoders:
            decoder.check_exhausted()


def with_known_answer(weights: FixedWeights) -> FixedWeights:
    """The same weights with the known answer that every machine must reproduce, confirmed by decoding it."""
    engine = DensityEngine(replace(weights, known_answer=""))
    sealed = replace(weights, known_answer=engine.known_answer())
    pattern = known_answer_pattern(weights.config.channels)
    if weights.levels == 2:
        pattern //= 128
    (back,) = engine.decode(engine.encode([pattern]), [pattern.shape[1:]])
    if not np.array_equal(back, pattern):
        raise ModelMismatchError("the model decodes its own pattern to something else")
    return sealed


__all__ = ["DensityEngine", "walk", "with_known_answer"]
