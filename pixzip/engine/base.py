"""The engine's interfaces: `Engine`, the `Job`s that it codes, and the `Batch` that gives frequencies.

An `Engine` is one model on one device.  It codes `Job`s: images into payloads, payloads into images.  Meanwhile a
`Batch` gives the frequencies of the pixels that are coded together, step by step, and receives the coded symbols.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import base as coders
from pixcodecs.coders.base import EntropyCoder, Rows, Shape, Symbols
from pixcodecs.coders.registry import RANGE
from pixcodecs.container.blocks import Precision

from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.models.base import Model

EIGHT_BITS = Precision()
#: (H, W, C) uint8 or uint16.
Samples = NDArray[np.unsignedinteger[Any]]
#: Called with (done, total): steps of an engine, pixels of a codec.
Progress = Callable[[int, int], None]
Indices = NDArray[np.int64]


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


class Segment(NamedTuple):
    """The pixels of a step that belong to one image."""

    image: int
    part: slice


class Step(Protocol):
    """The M pixels that are coded together."""

    @property
    def t(self) -> int:
        """The step's number, from 0."""

    @property
    def segments(self) -> Sequence[Segment]:
        """The images that have pixels in the step, in order."""

    @property
    def address(self) -> Indices:
        """(M,) addresses in the batch's buffer."""


class Batch(ABC):
    """A model's state while images are coded together.

    A sample is coded in digits, the highest first.  For every step: `begin`, then for every channel `freqs` for each
    digit, and `store`.

    Attributes:
        channels: number per pixel.
        digits: number per sample.
        buffer_pixels: number of addresses.
        steps: number of steps.
        dtype: type of samples.
    """

    channels: int
    digits: int
    buffer_pixels: int
    steps: int
    dtype: type[np.uint8] | type[np.uint16] = np.uint8

    @abstractmethod
    def __iter__(self) -> Iterator[Step]:
        """Yield the steps, which must be coded in order."""

    def coding(self) -> AbstractContextManager[None]:
        """The context in which steps are coded."""
        return contextlib.nullcontext()

    @abstractmethod
    def begin(self, step: Any) -> None:
        """Compute everything that does not depend on the step's own samples."""

    @abstractmethod
    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        """(M, K) frequencies of the samples' next digit, integers >= 1; each row sums to at most `coders.TOTAL`.

        Args:
            before: (M,) arrays of the digits already coded.
        """

    @abstractmethod
    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        """Store a channel's samples for the channels and steps that follow."""

    @abstractmethod
    def window(self, image: int) -> Indices:
        """(H, W) addresses of an image's pixels."""

    @abstractmethod
    def samples(self, image: int) -> Samples:
        """(H, W, C) stored samples, in coding order."""

    @abstractmethod
    def symbols(self, values: NDArray[np.int32], digit: int) -> Symbols:
        """The (M,) digits number `digit` of (M,) samples."""


class Engine(ABC):
    """One model on one device, ready to code.

    Attributes:
        model: the model that the engine runs.
    """

    model: Model

    @classmethod
    @abstractmethod
    def on(cls, model: Any, device: str) -> "Engine":
        """An engine on "cpu" or "cuda".

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
        """Append 8-bit images to a stream, in an order that depends only on their sizes."""

    @abstractmethod
    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: coders.Decoder, progress: Progress | None = None
    ) -> list[Samples]:
        """The next images of a stream, given their (height, width): the inverse of `encode_into`.

        Raises:
            BitstreamError: the stream is damaged or has ended.
        """
