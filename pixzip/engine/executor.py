"""Executors run models on many images and payloads, in this process or elsewhere."""

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
from pixzip.engine.stages.full import FULL
from pixzip.models.base import Model
from pixzip.models.wavefront.taps import SLOPE

Item = TypeVar("Item")

#: Lower bound on the bits of a sub-pixel, for any model.  The two rows of frequencies (bins, then places) give each
#: value at least 1 of 2^20, so one value has at most 2^20 - 255: at least 0.00035 bits.  The range coder's rounding
#: only lowers the likeliest value, except for one part in 2^24 per row; rANS changes bits by at most 1/2000.
MIN_SUBPIXEL_BITS = 0.0003
#: The same of a digit whose frequencies a stage refined: 16 values have at least 1 of at most 2^20 each.
MIN_DIGIT_BITS = 2e-5
#: A pixel of a step takes kilobytes for features and layers, as many as this number of pixels of an image.
STEP_PIXELS = 512


def min_bits(stage: Stage, channels: int, digits: int = 2) -> float:
    """Lower bound on the bits of a sub-pixel under a stage."""
    if stage == FULL:
        return MIN_DIGIT_BITS / channels  # a decision can be a whole pixel's
    return MIN_SUBPIXEL_BITS if stage == IDENTITY else digits * MIN_DIGIT_BITS


class Ask(NamedTuple):
    """(H, W, C) samples for a model to encode."""

    samples: Samples
    model: Model
    precision: Precision = Precision()
    coder: EntropyCoder = RANGE
    stage: Stage = IDENTITY


class Payload(NamedTuple):
    """A payload that a model coded, and the (H, W, C) `shape` of its samples."""

    model: Model
    payload: bytes
    shape: tuple[int, int, int]
    precision: Precision = Precision()
    coder: EntropyCoder = RANGE
    stage: Stage = IDENTITY

    def check(self) -> None:
        """
        Raises:
            BitstreamError: too short for the shape, whatever the model, the model is for other channels, or there is
                a stage, which does not adapt this kind of model.
        """
        least = math.prod(self.shape) * min_bits(self.stage, self.shape[2], self.precision.digits) - 64
        if 8 * len(self.payload) < least:
            found, size = len(self.payload), f"{self.shape[1]}x{self.shape[0]}"
            raise BitstreamError(f"payload has {found} bytes, {size} pixels take at least {math.ceil(least / 8)}")
        if self.shape[2] != self.model.channels:
            found_channels = f"{self.shape[2]} channels, its model {self.model.channels}"
            raise BitstreamError(f"file has {found_channels}: one is wrong")
        if self.stage != IDENTITY and not self.model.adapts:
            raise BitstreamError(f"stage {self.stage.name} does not adapt models of {self.model.architecture}")


class Executor(Protocol):
    """Runs models.

    Attributes:
        batch_pixels: number of pixels per call that uses the executor well.
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
        """(H, W) bits of each array's pixels under its model."""

    def stream_engine(self, model: Model) -> Engine:
        """An engine in this process for images that share one stream and so are coded one after another."""


@dataclass(frozen=True)
class Local:
    """Runs models in this process.

    Attributes:
        device: "cpu", "cuda", or "auto" to choose for each batch; see `coding_device`.
    """

    device: str = "cpu"

    @property
    def batch_pixels(self) -> int:
        if self.device == "cpu":
            return batching.BATCH_PIXELS
        from pixzip.engine.backends.cuda import memory  # a CPU does not need it

        return max(batching.BATCH_PIXELS, memory.batch_pixels())

    def encode(self, asked: Sequence[Ask], report: Progress | None = None) -> list[bytes]:
        answers: dict[int, bytes] = {}
        for chosen in batching.alike(asked, lambda a: (a.model.model_id, a.precision.digits, a.coder.name)):
            model = asked[chosen[0]].model
            for batch in batching.batches(chosen, lambda i: _weight(asked[i].samples.shape), self.batch_pixels):
                jobs = [_job_of(asked[i]) for i in batch]
                with self._engine(model, jobs) as ready:
                    answers |= zip(batch, ready.encode(jobs, report), strict=True)
        return [answers[i] for i in range(len(asked))]

    def decode(self, asked: Sequence[Payload], report: Progress | None = None) -> list[Samples]:
        answers: dict[int, Samples] = {}
        for chosen in batching.alike(asked, lambda a: (a.model.model_id, a.precision.digits)):
            model = asked[chosen[0]].model
            for batch in batching.batches(chosen, lambda i: _weight(asked[i].shape), self.batch_pixels):
                jobs = []
                for i in batch:
                    asked[i].check()
                    _, payload, (height, width, _), precision, coder, stage = asked[i]
                    jobs.append(Job.decoding(payload, height, width, precision=precision, coder=coder, stage=stage))
                with self._engine(model, jobs) as ready:
                    found = ready.decode(jobs, report)
                answers |= {i: from_coding_order(x, model.order) for i, x in zip(batch, found, strict=True)}
        return [answers[i] for i in range(len(asked))]

    def nll_maps(self, asked: Sequence[Ask], report: Progress | None = None) -> list[NDArray[np.float64]]:
        answers: dict[int, NDArray[np.float64]] = {}
        for chosen in batching.alike(asked, lambda a: (a.model.model_id, a.precision.digits)):
            ready = engine(asked[chosen[0]].model, self.device)
            for batch in batching.batches(chosen, lambda i: _weight(asked[i].samples.shape), self.batch_pixels):
                maps = ready.nll_maps([_job_of(asked[i]) for i in batch], report)
                answers |= zip(batch, maps, strict=True)
        return [answers[i] for i in range(len(asked))]

    def stream_engine(self, model: Model) -> Engine:
        with self._engine(model, None) as ready:
            return ready

    @contextmanager
    def _engine(self, model: Model, jobs: Sequence[Job] | None) -> Iterator[Engine]:
        """The engine for a batch; for a stream, which needs the host in every step, if `jobs` is None."""
        if self.device != "auto":
            yield engine(model, self.device)
            return
        with engine_class(model, "cpu").placed(jobs) as device:
            yield engine(model, device)


def _weight(shape: Sequence[int]) -> int:
    """The pixels of an image, or more for small ones: a batch also takes memory for each pixel of its largest step."""
    height, width = shape[:2]
    return max(height * width, STEP_PIXELS * min(height, -(-width // SLOPE)))


def _job_of(asked: Ask) -> Job:
    samples = to_coding_order(asked.samples, asked.model.order)
    return Job.encoding(samples, precision=asked.precision, coder=asked.coder, stage=asked.stage)


def batches(items: Sequence[Item], pixels: Callable[[Item], int], executor: Executor) -> Iterator[list[Item]]:
    """`batching.batches` of the executor's `batch_pixels`."""
    return batching.batches(items, pixels, executor.batch_pixels)
