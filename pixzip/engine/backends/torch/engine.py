"""The engine of wavefront models in tensor operations, wherever PyTorch runs: the plain form of the arithmetic."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import ModelMismatchError

from pixzip.engine.backends.base import Wavefront
from pixzip.engine.backends.torch import adapt, colours, decisions, gemm, repeats
from pixzip.engine.backends.torch.full import FullWavefront
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.backends.torch.wavefront import TensorWavefront
from pixzip.engine.base import Job, Progress, StackDecoder, StackEncoder
from pixzip.engine.batch import Samples
from pixzip.engine.batching import alike
from pixzip.engine.decisions import DecodingDecisions, EncodingDecisions, MeasureDecisions
from pixzip.engine.known_answer import adapted_answer_pattern
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine, check_full, together
from pixzip.models.wavefront.weights import IntegerWeights

Result = TypeVar("Result")


class TensorEngine(SteppedEngine):
    """One wavefront model on one device, step by step."""

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
        self.by = f"backend {products.name} on {device}"
        self.check()

    def batch(
        self, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None, stage: Stage = IDENTITY
    ) -> Wavefront:
        return TensorWavefront(self.layers, sizes, precisions, stage)

    def state_bytes(self, job: Job) -> int:
        if job.stage not in (LIGHT, FULL):
            return 0
        channels = self.model.channels
        remembers = channels == 3 and job.precision.depth == 8 and colours.remembers(job.size)
        remembered = colours.BYTES * (1 + (job.precision.lattice > 0)) if remembers else 0
        mixed = decisions.state_bytes(channels) + repeats.state_bytes() if job.stage == FULL else 0
        return mixed + adapt.state_bytes(job.size, channels) + remembered

    def full_answer(self) -> str:
        jobs = [Job.encoding(adapted_answer_pattern(self.model.channels), stage=FULL)]
        coder = EncodingDecisions(batch := self._full_batch(jobs), [job.known for job in jobs])
        batch.run(coder)
        return hashlib.sha256(coder.payloads()[0]).hexdigest()

    def stack_encoder(self, stage: Stage = IDENTITY) -> StackEncoder:
        return super().stack_encoder() if stage == IDENTITY else WavefrontEngine(self.model).stack_encoder(stage)

    def stack_decoder(self, payload: bytes, subpixels: int, stage: Stage = IDENTITY) -> StackDecoder:
        if stage != IDENTITY:  # only the compiled loop has stages of stacks
            return WavefrontEngine(self.model).stack_decoder(payload, subpixels, stage)
        return super().stack_decoder(payload, subpixels)

    def _full_batch(self, jobs: Sequence[Job]) -> FullWavefront:
        return FullWavefront(self.layers, self.model, [job.size for job in jobs], [job.precision for job in jobs])

    def _by_stage(
        self, jobs: Sequence[Job], by_rows: Callable[[list[Job]], list[Result]],
        by_decisions: Callable[[list[Job]], list[Result]],
    ) -> list[Result]:  # fmt: skip
        """The result of each job: of the full stage by decisions, of others by rows of frequencies."""
        found: dict[int, Result] = {}
        for chosen in alike(jobs, lambda job: job.stage == FULL):
            some = [jobs[i] for i in chosen]
            found |= zip(chosen, (by_decisions if some[0].stage == FULL else by_rows)(some), strict=True)
        return [found[i] for i in range(len(jobs))]

    def _in_batches(self, jobs: Sequence[Job], work: Callable[[list[Job]], list[Result]]) -> list[Result]:
        """The results of jobs of the full stage, from batches that the stage's memory allows.

        Raises:
            ModelMismatchError: this machine does not reproduce the model's answer under the stage.
        """
        self.check_stages(jobs)
        found: dict[int, Result] = {}
        for chosen in together(jobs, self.state_bytes):
            found |= zip(chosen, work([jobs[i] for i in chosen]), strict=True)
        return [found[i] for i in range(len(jobs))]

    def encode_full(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        """`encode` for jobs of the full stage."""

        def work(some: list[Job]) -> list[bytes]:
            batch = self._full_batch(some)
            coder = EncodingDecisions(batch, [job.known for job in some])
            batch.run(coder, progress)
            return coder.payloads()

        check_full(jobs)
        return self._in_batches(jobs, work)

    def decode_full(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        """`decode` for jobs of the full stage."""

        def work(some: list[Job]) -> list[Samples]:
            coder = DecodingDecisions(some)
            batch = self._full_batch(some)  # allocated last, so that an invalid payload takes no memory
            batch.run(coder, progress)
            coder.check_exhausted()
            return [batch.samples(i) for i in range(len(some))]

        check_full(jobs)
        return self._in_batches(jobs, work)

    def nll_maps_full(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        """`nll_maps` for jobs of the full stage."""

        def work(some: list[Job]) -> list[NDArray[np.float64]]:
            batch = self._full_batch(some)
            coder = MeasureDecisions(batch, [job.known for job in some])
            batch.run(coder, progress)
            return coder.maps(len(some))

        check_full(jobs, by_any_coder=True)
        return self._in_batches(jobs, work)

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        by_rows = super().encode
        return self._by_stage(jobs, lambda some: by_rows(some, progress), lambda some: self.encode_full(some, progress))

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        by_rows = super().decode
        return self._by_stage(jobs, lambda some: by_rows(some, progress), lambda some: self.decode_full(some, progress))

    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        by_rows = super().nll_maps
        return self._by_stage(
            jobs, lambda some: by_rows(some, progress), lambda some: self.nll_maps_full(some, progress)
        )


def with_known_answer(model: IntegerWeights) -> IntegerWeights:
    """The same weights with the answers that every machine must reproduce.

    The known answer is computed by float32 tensor operations, the plainest form, and verified by this machine's
    fastest.  That one computes the answers under the stages.
    """
    blank = replace(model, known_answer="", adapted_answer="", full_answer="")
    sealed = replace(blank, known_answer=TensorEngine(blank, backend="float32").known_answer())
    own = WavefrontEngine(sealed)
    return replace(sealed, adapted_answer=own.adapted_answer(), full_answer=own.full_answer())
