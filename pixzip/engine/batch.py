"""A model's state over the images that are coded together, step by step."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import Rows, Symbols

#: (H, W, C) uint8 or uint16.
Samples = NDArray[np.unsignedinteger[Any]]
Indices = NDArray[np.int64]


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
    def view(self, buffer: NDArray[Any], image: int) -> NDArray[Any]:
        """An image's pixels in a (buffer_pixels, ...) array -> (H, W, ...), without a copy."""

    @abstractmethod
    def samples(self, image: int) -> Samples:
        """(H, W, C) stored samples, in coding order; perhaps a view of all that the batch stored."""

    @abstractmethod
    def symbols(self, values: NDArray[np.int32], digit: int) -> Symbols:
        """The (M,) digits number `digit` of (M,) samples."""
