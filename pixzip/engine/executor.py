"""Where models' work is carried out: many images, payloads and models, in this process or elsewhere."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError

from pixzip.engine import batching
from pixzip.engine.base import Engine, Job, Progress
from pixzip.engine.batch import Samples
from pixzip.engine.device import engine, engine_class
from pixzip.engine.order import from_coding_order, to_coding_order
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.models.base import Model

Item = TypeVar("Item")

#: No sub-pixel can cost less, whatever the model.  Its two rows of frequencies (bins, then places) give each
#: value at least 1 of 2^20, so one value has at most 2^20 - 255: at least 0.00035 bits.  The range coder's own
#: rounding can only take from the likeliest value, but for one part in 2^24 a row; rANS changes bits by a 2000th.
MIN_SUBPIXEL_BITS = 0.0003


class Ask(NamedTuple):
    """(H, W, C) samples that a model shall code."""

    samples: Samples
    model: Model
    precision: Precision = Precision()
    coder: EntropyCoder = RANGE
    stage: Stage = IDENTITY


class Payload(NamedTuple):
    """What a model coded: (H, W, C) `shape` of samples."""

    model: Model
    payload: bytes
    shape: tuple[int, int, int]
    precision: Precision = Precision()
    coder: EntropyCoder = RANGE
    stage: Stage = IDENTITY

    def check(self) -> None:
        """
        Raises:
            BitstreamError: it is too short for its shape, whatever the model, or its model is for other channels.
        """
        least = math.prod(self.shape) * MIN_SUBPIXEL_BITS - 64
        if 8 * len(self.payload) < least:
            found, size = len(self.payload), f"{self.shape[1]}x{self.shape[0]}"
            raise BitstreamError(f"payload has {found} bytes, {size} pixels take at least {math.ceil(least / 8)}")
        if self.shape[2] != self.model.channels:
            found_channels = f"{self.shape[2]} channels, its model {self.model.channels}"
            raise BitstreamError(f"file has {found_channels}: one is wrong")


class Executor(Protocol):
    """Carries out what models are asked for.

    Attributes:
        batch_pixels: pixels that are worth asking for together.
    """

    @property
    def batch_pixels(self) -> int: ...

    def encode(self, asked: Sequence[Ask], report: Progress | None = None) -> list[bytes]:
        """The payload of each array of samples."""

    def decode(self, asked: Sequence[Payload], report: Progress | None = None) -> list[Samples]:
        """The (H, W, C) samples of each payload.

        Raises:
            BitstreamError: a payload is damaged.
        """

    def nll_maps(self, asked: Sequence[Ask], report: Progress | None = None) -> list[NDArray[np.float64]]:
        """(H, W) of each array: the bits of its model for each pixel."""

    def stream_engine(self, model: Model) -> Engine:
        """An engine in this process for images that share one stream, each of which waits for the one before."""


@dataclass(frozen=True)
class Local:
    """This process.

    Attributes:
        device: "cpu", "cuda", or "auto" where each batch shall choose; as `coding_device` gives it.
    """

    device: str = "cpu"

    @property
    def batch_pixels(self) -> int:
        if self.device == "cpu":
            return batching.BATCH_PIXELS
        from pixzip.engine.backends.cuda import memory  # not a CPU's concern

        return max(batching.BATCH_PIXELS, memory.batch_pixels())

    def encode(self, asked: Sequence[Ask], report: Progress | None = None) -> list[bytes]:
        answers: dict[int, bytes] = {}
        for chosen in batching.alike(asked, lambda a: (a.model.model_id, a.precision.digits, a.coder.name)):
            model = asked[chosen[0]].model
            for batch in batching.batches(chosen, lambda i: math.prod(asked[i].samples.shape[:2]), self.batch_pixels):
                jobs = [_job_of(asked[i]) for i in batch]
                with self._engine(model, jobs) as ready:
                    answers |= zip(batch, ready.encode(jobs, report), strict=True)
        return [answers[i] for i in range(len(asked))]

    def decode(self, asked: Sequence[Payload], report: Progress | None = None) -> list[Samples]:
        answers: dict[int, Samples] = {}
        for chosen in batching.alike(asked, lambda a: (a.model.model_id, a.precision.digits)):
            model = asked[chosen[0]].model
            jobs = []
            for i in chosen:
                asked[i].check()
                _, payload, (height, width, _), precision, coder, stage = asked[i]
                jobs.append(Job.decoding(payload, height, width, precision=precision, coder=coder, stage=stage))
            with self._engine(model, jobs) as ready:
                found = ready.decode(jobs, report)
            answers |= {i: from_coding_order(samples, model.order) for i, samples in zip(chosen, found, strict=True)}
        return [answers[i] for i in range(len(asked))]

    def nll_maps(self, asked: Sequence[Ask], report: Progress | None = None) -> list[NDArray[np.float64]]:
        answers: dict[int, NDArray[np.float64]] = {}
        for chosen in batching.alike(asked, lambda a: (a.model.model_id, a.precision.digits)):
            ready = engine(asked[chosen[0]].model, self.device)
            maps = ready.nll_maps([_job_of(asked[i]) for i in chosen], report)
            answers |= zip(chosen, maps, strict=True)
        return [answers[i] for i in range(len(asked))]

    def stream_engine(self, model: Model) -> Engine:
        with self._engine(model, None) as ready:
            return ready

    @contextmanager
    def _engine(self, model: Model, jobs: Sequence[Job] | None) -> Iterator[Engine]:
        """The engine for a batch, or for what is coded with the host in every step."""
        if self.device != "auto":
            yield engine(model, self.device)
            return
        with engine_class(model, "cpu").placed(jobs) as device:
            yield engine(model, device)


def _job_of(asked: Ask) -> Job:
    samples = to_coding_order(asked.samples, asked.model.order)
    return Job.encoding(samples, precision=asked.precision, coder=asked.coder, stage=asked.stage)


def batches(items: Sequence[Item], pixels: Callable[[Item], int], executor: Executor) -> Iterator[list[Item]]:
    """`batching.batches` of the size that an executor is best asked for."""
    return batching.batches(items, pixels, executor.batch_pixels)
