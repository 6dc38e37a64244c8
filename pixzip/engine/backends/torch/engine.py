"""The engine of wavefront models in tensor operations, wherever PyTorch runs: the plain form of the arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import ModelMismatchError
from pixcodecs.forking import cached_property

from pixzip.engine.backends.base import Wavefront
from pixzip.engine.backends.torch import adapt, colours, gemm
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.backends.torch.wavefront import TensorWavefront
from pixzip.engine.base import Engine, Job, Progress, StackDecoder, StackEncoder
from pixzip.engine.batch import Samples
from pixzip.engine.batching import alike
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.wavefront.weights import IntegerWeights

Result = TypeVar("Result")


class TensorEngine(SteppedEngine):
    """One wavefront model on one device, step by step; the full stage, which only the compiled loop has, on the CPU."""

    def __init__(self, model: IntegerWeights, device: str = "cpu", backend: str | None = None) -> None:
        """
        Args:
            device: "cpu" or "cuda".
            backend: a name in `gemm.BACKENDS`; None takes the fastest exact one.
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
        self.check(f"backend {products.name} on {device}")

    def batch(
        self, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None, stage: Stage = IDENTITY
    ) -> Wavefront:
        return TensorWavefront(self.layers, sizes, precisions, stage)

    def state_bytes(self, job: Job) -> int:
        if job.stage != LIGHT:
            return 0
        remembers = self.model.channels == 3 and job.precision.depth == 8 and colours.remembers(job.size)
        return adapt.state_bytes(job.size, self.model.channels) + (colours.BYTES if remembers else 0)

    @cached_property
    def compiled(self) -> WavefrontEngine:
        """The same model in the compiled loop."""
        return WavefrontEngine(self.model)

    def stack_encoder(self, stage: Stage = IDENTITY) -> StackEncoder:
        return super().stack_encoder() if stage == IDENTITY else self.compiled.stack_encoder(stage)

    def stack_decoder(self, payload: bytes, subpixels: int, stage: Stage = IDENTITY) -> StackDecoder:
        if stage != IDENTITY:
            return self.compiled.stack_decoder(payload, subpixels, stage)
        return super().stack_decoder(payload, subpixels)

    def _shared(
        self, jobs: Sequence[Job], here: Callable[[list[Job]], list[Result]],
        compiled: Callable[[Engine, list[Job]], list[Result]],
    ) -> list[Result]:  # fmt: skip
        """The result of each job: of the full stage by `compiled`, of others by `here`."""
        found: dict[int, Result] = {}
        for chosen in alike(jobs, lambda job: job.stage == FULL):
            some = [jobs[i] for i in chosen]
            results = compiled(self.compiled, some) if some[0].stage == FULL else here(some)
            found |= zip(chosen, results, strict=True)
        return [found[i] for i in range(len(jobs))]

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        by_steps = super().encode
        return self._shared(jobs, lambda some: by_steps(some, progress), lambda e, some: e.encode(some, progress))

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        by_steps = super().decode
        return self._shared(jobs, lambda some: by_steps(some, progress), lambda e, some: e.decode(some, progress))

    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        by_steps = super().nll_maps
        return self._shared(jobs, lambda some: by_steps(some, progress), lambda e, some: e.nll_maps(some, progress))


def with_known_answer(model: IntegerWeights) -> IntegerWeights:
    """The same weights with the answers that every machine must reproduce.

    The known answer is computed by float32 tensor operations, the plainest form, and verified by this machine's
    fastest.  That one computes the answers under the stages.
    """
    blank = replace(model, known_answer="", adapted_answer="", full_answer="")
    sealed = replace(blank, known_answer=TensorEngine(blank, backend="float32").known_answer())
    own = WavefrontEngine(sealed)
    return replace(sealed, adapted_answer=own.adapted_answer(), full_answer=own.full_answer())
