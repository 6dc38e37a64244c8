"""Encode and decode loops: a model and an entropy coder, one diagonal of a batch at a time.

There is one loop, `run`; what happens to the frequencies it computes is up to a `Coder`, so the encoder,
the decoder, the measure of the model's own bits and the known answer all see the same ones.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.coders import range as range_coder
from pixcodecs.coders.range import EntropyCoder
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError

from pixzip.engine.backends.torch import gemm
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.backends.torch.wavefront import TensorWavefront, Wavefront
from pixzip.engine.batching import batches
from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.order import Planes
from pixzip.engine.symbols import ENCODINGS, Coder, Decoding, DecodingFrom, EncodingInto, Hash, Measure
from pixzip.models.wavefront.weights import IntegerWeights

try:
    from pixzip.engine.backends.numba.wavefront import compiled_wavefront
except ImportError:  # numba does not exist for this interpreter
    compiled_wavefront = None  # type: ignore[assignment]

#: Pixels encoded together by rANS, which keeps the shares of all symbols, 48 bytes a pixel of 8-bit RGB.
RANS_PIXELS = 4 << 20
#: Called with (steps done, steps in all).
Progress = Callable[[int, int], None]
#: A wave uses all threads, and sets their number for the whole process: threads of callers take turns.
_ALONE = threading.Lock()


def run(wave: Wavefront, coder: Coder, progress: Progress | None = None) -> None:
    """Code every sub-pixel of a batch: step by step, channel by channel, digit by digit."""
    schedule = wave.schedule
    with _ALONE, wave.coding():
        for step in schedule:
            wave.begin(step)
            for channel in range(wave.layers.config.channels):
                digits: list[NDArray[np.int32]] = []
                for i in range(wave.digits):
                    digits.append(coder.code(step, channel, i, wave.freqs(channel, digits)))
                wave.store(channel, digits)
            if progress:
                progress(step.t + 1, schedule.steps)


def wavefront(
    layers: Layers,
    sizes: list[tuple[int, int]],
    compiled: bool | None = None,
    precisions: Sequence[Precision] | None = None,
) -> Wavefront:
    """The fastest form for the layers' device; `compiled` overrules.

    Raises:
        ValueError: compiled kernels are asked for where there are none.
    """
    possible = compiled_wavefront is not None and layers.arithmetic.device.type == "cpu"
    if compiled and not possible:
        raise ValueError("compiled kernels need numba and a CPU")
    if possible if compiled is None else compiled:
        return compiled_wavefront(layers, sizes, precisions)
    return TensorWavefront(layers, sizes, precisions)


class Engine:
    """One model on one device, ready to code."""

    def __init__(
        self, weights: IntegerWeights, device: str = "cpu", backend: str | None = None, compiled: bool | None = None
    ) -> None:
        """
        Args:
            device: "cpu" or "cuda".
            backend: a name in `gemm.BACKENDS`; None takes the fastest exact one.
            compiled: whether to use compiled kernels; None uses them where they exist.
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """
        self.weights = weights
        shapes = Layers.shapes(weights)
        target = torch.device(device)
        if backend is None:
            arithmetic = gemm.choose(target, shapes)
        else:
            arithmetic = gemm.BACKENDS[backend](target)
            if gemm.self_test(arithmetic, shapes) is None:
                raise ModelMismatchError(f"backend {backend} is not exact on this machine")
        self.layers = Layers(weights, arithmetic)
        self.compiled = compiled
        if weights.known_answer and self.known_answer() != weights.known_answer:
            raise ModelMismatchError(
                f"this machine computes other frequencies than model {weights.model_id.hex()} should give "
                f"(backend {arithmetic.name} on {device}): nothing was coded"
            )

    def _wave(self, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None) -> Wavefront:
        return wavefront(self.layers, sizes, self.compiled, precisions)

    def known_answer(self) -> str:
        """Hex SHA-256 of the frequencies of `known_answer_pattern`."""
        pattern = known_answer_pattern(self.weights.config.channels)
        wave = self._wave([pattern.shape[1:]])
        coder = Hash(wave, [pattern])
        run(wave, coder)
        return coder.hash.hexdigest()

    def encode(
        self,
        images: Sequence[Planes],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
        coder: EntropyCoder = EntropyCoder.RANGE,
    ) -> list[bytes]:
        """(C, H, W) images in coding order -> a payload each.

        Args:
            precisions: of each image, of equally many digits; None for uint8.
        """
        precisions = precisions or [Precision()] * len(images)
        payloads: list[bytes] = []
        limit = RANS_PIXELS if coder is EntropyCoder.RANS else sum(planes[0].size for planes in images)
        for batch in batches(range(len(images)), lambda i: images[i][0].size, limit):
            some = [images[i] for i in batch]
            wave = self._wave([planes.shape[1:] for planes in some], [precisions[i] for i in batch])
            encoding = ENCODINGS[coder](wave, some)
            run(wave, encoding, progress)
            payloads += encoding.payloads()
        return payloads

    def decode(
        self,
        payloads: Sequence[bytes],
        sizes: list[tuple[int, int]],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
        coders: Sequence[EntropyCoder] | None = None,
    ) -> list[Planes]:
        """Payloads and their (height, width) -> (C, H, W) images in coding order; see `encode`.

        Args:
            coders: of each payload; None for the range coder.

        Raises:
            BitstreamError: a payload ends before its last pixel, goes on after it, or holds samples too large.
        """
        subpixels = [h * w * self.weights.config.channels for h, w in sizes]
        decoding = Decoding(payloads, subpixels, coders or [EntropyCoder.RANGE] * len(payloads))
        wave = self._wave(sizes, precisions)  # not before: what no encoder writes takes no memory
        run(wave, decoding, progress)
        decoding.check_exhausted()
        planes = [wave.pixels(i) for i in range(len(sizes))]
        for found, precision in zip(planes, wave.precisions, strict=True):
            if precision.depth % 4 and int(found.max()) >> precision.depth:
                raise BitstreamError(f"payload damaged: a sample of {found.max()} in {precision.depth} bits")
        return planes

    def encode_into(
        self, images: Sequence[Planes], encoder: range_coder.Encoder, progress: Progress | None = None
    ) -> None:
        """Append (C, H, W) uint8 images in coding order to a stream, in an order that only their sizes decide."""
        wave = self._wave([planes.shape[1:] for planes in images])
        run(wave, EncodingInto(wave, images, encoder), progress)

    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: range_coder.Decoder, progress: Progress | None = None
    ) -> list[Planes]:
        """The next images of a stream, from their (height, width): the inverse of `encode_into`.

        Raises:
            BitstreamError: the stream is damaged, or has come to its end.
        """
        wave = self._wave(list(sizes))
        run(wave, DecodingFrom(decoder), progress)
        return [wave.pixels(i) for i in range(len(sizes))]

    def nll_maps(
        self,
        images: Sequence[Planes],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
    ) -> list[NDArray[np.float64]]:
        """(H, W) of each image: the model's own bits for each pixel, -log2 of its frequencies; see `encode`."""
        wave = self._wave([planes.shape[1:] for planes in images], precisions)
        coder = Measure(wave, images)
        run(wave, coder, progress)
        return [coder.bits[wave.schedule.window(i)] for i in range(len(images))]

    def nll_bits(
        self,
        images: Sequence[Planes],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
    ) -> list[float]:
        """The sum of each of `nll_maps`."""
        return [float(bits.sum()) for bits in self.nll_maps(images, progress, precisions)]


def with_known_answer(weights: IntegerWeights) -> IntegerWeights:
    """The same weights with the known answer that every machine must reproduce.

    It is computed by tensor operations in float32, the plainest form, and confirmed by this machine's fastest.
    """
    answer = Engine(replace(weights, known_answer=""), backend="float32", compiled=False).known_answer()
    sealed = replace(weights, known_answer=answer)
    Engine(sealed)
    return sealed
