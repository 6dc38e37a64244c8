"""The engine of wavefront models, which codes a batch diagonal by diagonal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.coders import base as coders
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError

from pixzip.engine.backends.base import Wavefront
from pixzip.engine.backends.numba.wavefront import compiled_wavefront
from pixzip.engine.backends.torch import gemm
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.backends.torch.wavefront import TensorWavefront
from pixzip.engine.base import Engine, Job, Progress
from pixzip.engine.batch import Samples
from pixzip.engine.batching import alike, batches
from pixzip.engine.crossover import crossover
from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.loop import run
from pixzip.engine.schedule import count_steps
from pixzip.engine.symbols import Decoding, DecodingFrom, Encoding, EncodingInto, Hash, Measure
from pixzip.models.wavefront.weights import IntegerWeights


def wavefront(
    layers: Layers,
    sizes: list[tuple[int, int]],
    compiled: bool | None = None,
    precisions: Sequence[Precision] | None = None,
) -> Wavefront:
    """The fastest wavefront for the layers' device, unless `compiled` decides.

    Raises:
        ValueError: compiled kernels are requested on a device other than a CPU.
    """
    possible = layers.products.device.type == "cpu"
    if compiled and not possible:
        raise ValueError("compiled kernels need a CPU")
    if possible if compiled is None else compiled:
        return compiled_wavefront(layers, sizes, precisions)
    return TensorWavefront(layers, sizes, precisions)


def at_once(jobs: Sequence[Job]) -> list[list[int]]:
    """Positions of the jobs that are encoded together: jobs of one stage, as few as their coder allows."""
    limit = min((job.coder.most_pixels for job in jobs if job.coder.most_pixels), default=None)
    parts: list[list[int]] = []
    for chosen in alike(jobs, lambda job: job.stage):
        pixels = sum(jobs[i].pixels for i in chosen)
        parts += batches(chosen, lambda i: jobs[i].pixels, pixels if limit is None else limit)
    return parts


class WavefrontEngine(Engine):
    """One wavefront model on one device, ready to code."""

    model: IntegerWeights

    def __init__(
        self, model: IntegerWeights, device: str = "cpu", backend: str | None = None, compiled: bool | None = None
    ) -> None:
        """
        Args:
            device: "cpu" or "cuda".
            backend: a name in `gemm.BACKENDS`; None takes the fastest exact one.
            compiled: whether to use compiled kernels; None uses them where they exist.
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """
        self.model = model
        shapes = Layers.shapes(model)
        target = torch.device(device)
        if backend is None:
            products = gemm.choose(target, shapes)
        else:
            products = gemm.BACKENDS[backend](target)
            if gemm.self_test(products, shapes) is None:
                raise ModelMismatchError(f"backend {backend} is not exact on this machine")
        self.layers = Layers(model, products)
        self.compiled = compiled
        if model.known_answer and self.known_answer() != model.known_answer:
            raise ModelMismatchError(
                f"this machine computes other frequencies than model {model.model_id.hex()} should give "
                f"(backend {products.name} on {device}): nothing was coded"
            )

    @classmethod
    @contextmanager
    def placed(cls, jobs: Sequence[Job] | None) -> Iterator[str]:
        """A GPU for 8-bit batches, which it codes without the host, if it is faster; otherwise the CPU."""
        if jobs is None or any(job.precision.depth > 8 for job in jobs):
            yield "cpu"
            return
        steps, pixels = max(count_steps(*job.size) for job in jobs), sum(job.pixels for job in jobs)
        chosen = crossover().choose(steps, pixels)
        with crossover().timed(chosen, steps, pixels):
            yield chosen

    def batch(self, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None) -> Wavefront:
        """The model's state over images of (height, width)."""
        return wavefront(self.layers, sizes, self.compiled, precisions)

    def _batch_of(self, jobs: Sequence[Job]) -> Wavefront:
        return self.batch([job.size for job in jobs], [job.precision for job in jobs])

    def known_answer(self) -> str:
        pattern = known_answer_pattern(self.model.channels)
        batch = self.batch([pattern.shape[:2]])
        coder = Hash(batch, [pattern])
        run(batch, coder)
        return coder.hash.hexdigest()

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        payloads: dict[int, bytes] = {}
        for chosen in at_once(jobs):
            some = [jobs[i] for i in chosen]
            batch = self._batch_of(some)
            encoding = Encoding(batch, some)
            run(batch, encoding, some[0].stage, progress)
            payloads |= zip(chosen, encoding.payloads(), strict=True)
        return [payloads[i] for i in range(len(jobs))]

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        found: dict[int, Samples] = {}
        for chosen in alike(jobs, lambda job: job.stage):
            found |= zip(chosen, self._decode([jobs[i] for i in chosen], progress), strict=True)
        return [found[i] for i in range(len(jobs))]

    def _decode(self, jobs: Sequence[Job], progress: Progress | None) -> list[Samples]:
        decoding = Decoding(jobs, self.model.channels)
        batch = self._batch_of(jobs)  # allocated last, so that an invalid payload takes no memory
        run(batch, decoding, jobs[0].stage, progress)
        decoding.check_exhausted()
        images = [batch.samples(i) for i in range(len(jobs))]
        for samples, job in zip(images, jobs, strict=True):
            depth = job.precision.depth
            if depth % 4 and int(samples.max()) >> depth:
                raise BitstreamError(f"payload damaged: a sample of {samples.max()} in {depth} bits")
        return images

    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        maps: dict[int, NDArray[np.float64]] = {}
        for chosen in alike(jobs, lambda job: job.stage):
            some = [jobs[i] for i in chosen]
            batch = self._batch_of(some)
            coder = Measure(batch, [job.known for job in some])
            run(batch, coder, some[0].stage, progress)
            maps |= zip(chosen, coder.maps(len(some)), strict=True)
        return [maps[i] for i in range(len(jobs))]

    def encode_into(self, jobs: Sequence[Job], encoder: coders.Encoder, progress: Progress | None = None) -> None:
        batch = self._batch_of(jobs)
        run(batch, EncodingInto(batch, [job.known for job in jobs], encoder), progress=progress)

    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: coders.Decoder, progress: Progress | None = None
    ) -> list[Samples]:
        batch = self.batch(list(sizes))
        run(batch, DecodingFrom(decoder), progress=progress)
        return [batch.samples(i) for i in range(len(sizes))]


def with_known_answer(model: IntegerWeights) -> IntegerWeights:
    """The same weights with the known answer that every machine must reproduce.

    The answer is computed by float32 tensor operations, the plainest form, and verified by this machine's fastest.
    """
    plain = WavefrontEngine(replace(model, known_answer=""), backend="float32", compiled=False)
    sealed = replace(model, known_answer=plain.known_answer())
    WavefrontEngine(sealed)
    return sealed
