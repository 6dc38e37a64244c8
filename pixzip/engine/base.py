"""An engine is one model on one device: it codes jobs, images into payloads and payloads into images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import base as coders
from pixcodecs.coders.base import EntropyCoder, Shape
from pixcodecs.coders.registry import RANGE
from pixcodecs.container.blocks import Precision

from pixzip.engine.batch import Samples
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.models.base import Model

EIGHT_BITS = Precision()
#: Called with (done, total): steps of an engine, pixels of a codec.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """One image that a model codes.

    Attributes:
        height, width: sides of the image.
        samples: (H, W, C) in coding order, to encode; None when decoding.
        payload: bytes to decode; None when encoding.
        precision: relates the samples to the model's grey levels.
        coder, stage: entropy coder, and stage between model and coder.
    """

    height: int
    width: int
    samples: Samples | None = None
    payload: bytes | None = None
    precision: Precision = EIGHT_BITS
    coder: EntropyCoder = RANGE
    stage: Stage = IDENTITY

    @classmethod
    def encoding(cls, samples: Samples, **choices: Any) -> "Job":
        """A job that encodes (H, W, C) samples in coding order."""
        return cls(samples.shape[0], samples.shape[1], samples, **choices)

    @classmethod
    def decoding(cls, payload: bytes, height: int, width: int, **choices: Any) -> "Job":
        """The inverse of a job that encodes."""
        return cls(height, width, payload=payload, **choices)

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def known(self) -> Samples:
        """The samples of a job that encodes."""
        if self.samples is None:
            raise ValueError("job has a payload to decode, expected samples to encode")
        return self.samples

    @property
    def coded(self) -> bytes:
        """The payload of a job that decodes."""
        if self.payload is None:
            raise ValueError("job has samples to encode, expected a payload to decode")
        return self.payload

    def shape(self, channels: int) -> Shape:
        """The shape of the coded samples."""
        return Shape(self.height, self.width, channels, self.precision.digits)


class StackEncoder(Protocol):
    """Makes the payload of a stack."""

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> None:
        """Append a batch: 8-bit images of one size."""

    def finish(self) -> bytes:
        """The payload of all batches."""


class StackDecoder(Protocol):
    """Reads the payload of a stack."""

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        """The (H, W, C) samples of the next batch, whose jobs have neither samples nor payloads.

        Raises:
            BitstreamError: the payload is damaged or has ended.
        """

    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: the payload goes on.
        """


class Engine(ABC):
    """One model on one device, ready to code.

    Attributes:
        model: the model that the engine runs.
    """

    model: Model

    @abstractmethod
    def __init__(self, model: Any, device: str) -> None:
        """
        Args:
            device: "cpu" or "cuda".
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """

    @classmethod
    @abstractmethod
    def placed(cls, jobs: Sequence[Job] | None) -> AbstractContextManager[str]:
        """The device for a batch, "cpu" or "cuda", if the user leaves the choice and the machine offers both.

        Args:
            jobs: the batch; None for images of a stream, whose every step needs the host.
        """

    @abstractmethod
    def known_answer(self) -> str:
        """Hex SHA-256 of the frequencies of `known_answer_pattern`, in coding order."""

    @abstractmethod
    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        """The payload of each job; all precisions have the same number of digits.

        Raises:
            UnsupportedImageError: the model does not support such samples.
        """

    @abstractmethod
    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        """(H, W, C) samples of each job, in coding order; all precisions have the same number of digits.

        Raises:
            BitstreamError: a payload ends before its last pixel, continues after it, or holds too large samples.
        """

    @abstractmethod
    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        """(H, W) bits of each encoding job: each pixel's -log2 frequency after the model and the stage."""

    def nll_bits(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[float]:
        """The sum of each map of `nll_maps`."""
        return [float(bits.sum()) for bits in self.nll_maps(jobs, progress)]

    @abstractmethod
    def encode_into(self, jobs: Sequence[Job], encoder: coders.Encoder, progress: Progress | None = None) -> None:
        """Append 8-bit images to a stream, in an order that depends only on their sizes.

        Raises:
            ValueError: a job has a stage: `decode_from` knows of none.
        """

    @abstractmethod
    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: coders.Decoder, progress: Progress | None = None
    ) -> list[Samples]:
        """The next images of a stream, given their (height, width): the inverse of `encode_into`.

        Raises:
            BitstreamError: the stream is damaged or has ended.
        """

    @abstractmethod
    def stack_encoder(self, stage: Stage = IDENTITY) -> StackEncoder:
        """An encoder for the batches of a stack, whose jobs all have this stage.

        Raises:
            ModelMismatchError: the stage does not adapt the model, or this machine does not reproduce its answer.
        """

    @abstractmethod
    def stack_decoder(self, payload: bytes, subpixels: int, stage: Stage = IDENTITY) -> StackDecoder:
        """A decoder for the batches of a stack.

        Args:
            subpixels: number of sub-pixels in the payload.
        Raises:
            BitstreamError: the payload is damaged.
            ModelMismatchError: see `stack_encoder`.
        """


def check_streamed(jobs: Sequence[Job]) -> None:
    """
    Raises:
        ValueError: a job has a stage, which streams do not have.
    """
    for job in jobs:
        if job.stage != IDENTITY:
            raise ValueError(f"job has the stage {job.stage.name}, expected none in a stream")
