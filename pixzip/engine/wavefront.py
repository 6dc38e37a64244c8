"""Engines of wavefront models, which code a batch diagonal by diagonal."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import base as coders
from pixcodecs.coders.registry import RANGE
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError, UnsupportedImageError
from pixcodecs.forking import cached_property

from pixzip.engine.backends.base import Wavefront, common_digits
from pixzip.engine.backends.numba import coding, loop
from pixzip.engine.backends.numba.operands import operands
from pixzip.engine.backends.numba.wavefront import CompiledWavefront
from pixzip.engine.base import Engine, Job, Progress, check_streamed
from pixzip.engine.batch import Samples
from pixzip.engine.batching import alike, batches
from pixzip.engine.crossover import crossover
from pixzip.engine.known_answer import adapted_answer_pattern, known_answer_pattern
from pixzip.engine.loop import run
from pixzip.engine.schedule import count_steps
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.symbols import Decoding, DecodingFrom, Encoding, EncodingInto, Hash, Measure
from pixzip.models.wavefront.weights import IntegerWeights

#: Largest state of a stage in a batch, unless one image has more: what eight large RGB images take in tensors.
_STATE_BYTES = 160 << 20


def together(jobs: Sequence[Job], state_bytes: Callable[[Job], int] = lambda job: 0) -> list[list[int]]:
    """Positions of the jobs of one batch: those of one stage, as few as its state allows.

    Args:
        state_bytes: see `SteppedEngine.state_bytes`.
    """
    stages = alike(jobs, lambda job: job.stage)
    return [part for chosen in stages for part in batches(chosen, lambda i: state_bytes(jobs[i]), _STATE_BYTES)]


def at_once(jobs: Sequence[Job], state_bytes: Callable[[Job], int] = lambda job: 0) -> list[list[int]]:
    """`together`, as few as their coder allows: positions of the jobs that are encoded as a batch."""
    limit = min((job.coder.most_pixels for job in jobs if job.coder.most_pixels), default=None)
    parts: list[list[int]] = []
    for chosen in together(jobs, state_bytes):
        pixels = sum(jobs[i].pixels for i in chosen)
        parts += batches(chosen, lambda i: jobs[i].pixels, pixels if limit is None else limit)
    return parts


class SteppedEngine(Engine):
    """A wavefront model whose batches run step by step, with rows of frequencies for any stage and coder.

    Attributes:
        by: what computes here, for an error's text.
    """

    model: IntegerWeights
    by: str

    def check(self) -> None:
        """
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """
        self._expect(self.model.known_answer, self.known_answer, self.by)

    @cached_property
    def unchecked(self) -> dict[Stage, tuple[str, Callable[[], str]]]:
        """The stages whose answers are not reproduced yet: what is expected, and how to compute it."""
        model = self.model
        return {LIGHT: (model.adapted_answer, self.adapted_answer), FULL: (model.full_answer, self.full_answer)}

    def check_stages(self, jobs: Sequence[Job]) -> None:
        """Check the model's answers under the jobs' stages, each once, before the stage is first used.

        Raises:
            ModelMismatchError: this machine does not reproduce one.
        """
        for stage in {job.stage for job in jobs} & self.unchecked.keys():
            self._expect(*self.unchecked[stage], f"{self.by}, {stage.name} stage")
            self.unchecked.pop(stage, None)

    def _expect(self, answer: str, compute: Callable[[], str], by: str) -> None:
        """
        Args:
            answer: "" if it is not known.
        Raises:
            ModelMismatchError: this machine computes another one.
        """
        if answer and compute() != answer:
            raise ModelMismatchError(
                f"this machine computes other frequencies than model {self.model.model_id.hex()} should give "
                f"({by}): nothing was coded"
            )

    @classmethod
    @contextmanager
    def placed(cls, jobs: Sequence[Job] | None) -> Iterator[str]:
        """A GPU for batches that it codes without the host, of 8 bits and no stage, if it is faster; else the CPU."""
        if not jobs or any(job.precision.depth > 8 or job.stage != IDENTITY for job in jobs):
            yield "cpu"
            return
        steps, pixels = max(count_steps(*job.size) for job in jobs), sum(job.pixels for job in jobs)
        chosen = crossover().choose(steps, pixels)
        with crossover().timed(chosen, steps, pixels):
            yield chosen

    @abstractmethod
    def batch(
        self, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None, stage: Stage = IDENTITY
    ) -> Wavefront:
        """The model's state over images of (height, width); it adapts to them if the stage is `LIGHT`."""

    def state_bytes(self, job: Job) -> int:
        """Bytes that the job's stage takes in a batch; 0 where they need no limit."""
        return 0

    def _batch_of(self, jobs: Sequence[Job]) -> Wavefront:
        if jobs[0].stage == FULL:
            raise ValueError("the full stage has no rows of frequencies for other coders")
        self.check_stages(jobs)
        return self.batch([job.size for job in jobs], [job.precision for job in jobs], jobs[0].stage)

    def known_answer(self) -> str:
        return self._answer(Job.encoding(known_answer_pattern(self.model.channels)))

    def adapted_answer(self) -> str:
        """Hex SHA-256 of the frequencies of `adapted_answer_pattern` under the light stage, in coding order."""
        return self._answer(Job.encoding(adapted_answer_pattern(self.model.channels), stage=LIGHT))

    @abstractmethod
    def full_answer(self) -> str:
        """Hex SHA-256 of the payload of `adapted_answer_pattern` under the full stage."""

    def _answer(self, job: Job) -> str:
        """Hex SHA-256 of the frequencies of a job's symbols, in coding order."""
        batch = self.batch([job.size], [job.precision], job.stage)
        coder = Hash(batch, [job.known])
        run(batch, coder)
        return coder.hash.hexdigest()

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        payloads: dict[int, bytes] = {}
        for chosen in at_once(jobs, self.state_bytes):
            some = [jobs[i] for i in chosen]
            batch = self._batch_of(some)
            encoding = Encoding(batch, some)
            run(batch, encoding, some[0].stage, progress)
            payloads |= zip(chosen, encoding.payloads(), strict=True)
        return [payloads[i] for i in range(len(jobs))]

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        found: dict[int, Samples] = {}
        for chosen in together(jobs, self.state_bytes):
            found |= zip(chosen, self._decode([jobs[i] for i in chosen], progress), strict=True)
        return [found[i] for i in range(len(jobs))]

    def _decode(self, jobs: Sequence[Job], progress: Progress | None) -> list[Samples]:
        decoding = Decoding(jobs, self.model.channels)
        batch = self._batch_of(jobs)  # allocated last, so that an invalid payload takes no memory
        run(batch, decoding, jobs[0].stage, progress)
        decoding.check_exhausted()
        return [_checked(batch.samples(i), job) for i, job in enumerate(jobs)]

    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        maps: dict[int, NDArray[np.float64]] = {}
        for chosen in together(jobs, self.state_bytes):
            some = [jobs[i] for i in chosen]
            batch = self._batch_of(some)
            coder = Measure(batch, [job.known for job in some])
            run(batch, coder, some[0].stage, progress)
            maps |= zip(chosen, coder.maps(len(some)), strict=True)
        return [maps[i] for i in range(len(jobs))]

    def encode_into(self, jobs: Sequence[Job], encoder: coders.Encoder, progress: Progress | None = None) -> None:
        check_streamed(jobs)
        if not jobs:
            return
        batch = self._batch_of(jobs)
        run(batch, EncodingInto(batch, [job.known for job in jobs], encoder), progress=progress)

    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: coders.Decoder, progress: Progress | None = None
    ) -> list[Samples]:
        if not sizes:
            return []
        batch = self.batch(list(sizes))
        run(batch, DecodingFrom(decoder), progress=progress)
        return [batch.samples(i) for i in range(len(sizes))]


def check_full(jobs: Sequence[Job], by_any_coder: bool = False) -> None:
    """
    Args:
        by_any_coder: whether jobs' coders are not used.
    Raises:
        UnsupportedImageError: the full stage does not take a job's samples or coder.
    """
    for job in jobs:
        if job.stage == FULL and (job.precision.depth > 8 or not (by_any_coder or job.coder is RANGE)):
            raise UnsupportedImageError("the full stage takes 8 bits a sample and the range coder")


def _checked(samples: Samples, job: Job) -> Samples:
    """
    Raises:
        BitstreamError: a sample has more bits than its depth.
    """
    depth = job.precision.depth
    if depth % 4 and int(samples.max()) >> depth:
        raise BitstreamError(f"payload damaged: a sample of {samples.max()} in {depth} bits")
    return samples


class WavefrontEngine(SteppedEngine):
    """A wavefront model on the CPU: the compiled loop, and steps where a stage or coder needs rows."""

    def __init__(self, model: IntegerWeights, device: str = "cpu") -> None:
        """
        Args:
            device: "cpu".
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """
        self.model, self.operands, self.by = model, operands(model), "compiled kernels"
        self.check()

    def batch(
        self, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None, stage: Stage = IDENTITY
    ) -> Wavefront:
        return CompiledWavefront(self.model.config, self.operands, sizes, precisions, stage=stage)

    def state_bytes(self, job: Job) -> int:
        return coding.state_bytes(job, self.model.channels)

    def full_answer(self) -> str:
        job = Job.encoding(adapted_answer_pattern(self.model.channels), stage=FULL)
        (payload,) = coding.coded(self.model.config, self.operands, [job], loop.ENCODE)
        return hashlib.sha256(payload).hexdigest()

    def _answer(self, job: Job) -> str:
        """That of `SteppedEngine`, by the loop that encodes."""
        rows = coding.frequencies(self.model.config, self.operands, job)
        return hashlib.sha256(rows.astype("<i4").tobytes()).hexdigest()

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        return self._coded(jobs, loop.ENCODE, super().encode, progress)

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        found: list[Samples] = self._coded(jobs, loop.DECODE, super().decode, progress)
        return [_checked(samples, job) for samples, job in zip(found, jobs, strict=True)]

    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        return self._coded(jobs, loop.MEASURE, super().nll_maps, progress)

    def _coded(
        self, jobs: Sequence[Job], mode: int, by_steps: Callable[..., list[Any]], progress: Progress | None
    ) -> list[Any]:
        """The result of each job, from the compiled loop or `by_steps`.

        Raises:
            ValueError: the precisions have different numbers of digits.
            ModelMismatchError: this machine does not reproduce the model's answer under a stage.
        """
        if jobs:
            common_digits([job.precision for job in jobs])
        check_full(jobs, by_any_coder=mode == loop.MEASURE)
        self.check_stages(jobs)
        found: dict[int, Any] = {}
        for chosen in alike(jobs, lambda job: _in_loop(job, mode)):
            some = [jobs[i] for i in chosen]
            if _in_loop(some[0], mode):
                results = coding.coded(self.model.config, self.operands, some, mode, progress)
            else:
                results = by_steps(some, progress)
            found |= zip(chosen, results, strict=True)
        return [found[i] for i in range(len(jobs))]


def _in_loop(job: Job, mode: int) -> str:
    """What the compiled loop codes a job with; "" if it does not."""
    if job.stage not in (IDENTITY, LIGHT, FULL):
        return ""
    if mode == loop.MEASURE:
        return f"no coder, {job.stage.name}"
    return f"{job.coder.name}, {job.stage.name}" if coding.codes(job) else ""
