"""The wavefront batch: the part that all backends share.

Coded samples are written into a padded buffer and read back through the taps, so a step sees only the past, in the
encoder as in the decoder.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import Symbols
from pixcodecs.container.blocks import Precision, dtype

from pixzip.engine.batch import Batch
from pixzip.engine.schedule import Schedule, Step
from pixzip.models.wavefront.config import Config

#: Number of values of a digit.
BINS = 16


def common_digits(precisions: Sequence[Precision]) -> int:
    """The number of digits per sample, equal for all images of a batch.

    Raises:
        ValueError: the numbers differ, or a unit is wider than its samples allow.
    """
    digits = {p.digits for p in precisions}
    if len(digits) != 1 or not all(8 <= p.depth <= 16 and 0 <= p.unit <= p.depth - 8 for p in precisions):
        raise ValueError(f"batch has the precisions {sorted(set(precisions))}, expected one number of digits")
    return digits.pop()


def joined(digits: Sequence[Symbols]) -> Symbols:
    """Join the digits of (M,) samples, or their leading digits, to numbers."""
    value = digits[0]
    for digit in digits[1:]:
        value = value * BINS + digit
    return value


class Wavefront(Batch):
    """The state of a wavefront model over a batch; a digit has 4 bits.

    With 8-bit samples, the frequencies of the first digit, the bin, sum to 2^20, and those of the second, the place,
    sum to the frequency of the bin.  With deeper samples, the frequencies of every digit sum to 2^20.

    Attributes:
        precisions: one per image.
        high_depth: whether samples have more than 8 bits.
    """

    def __init__(
        self, config: Config, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
    ) -> None:
        """
        Args:
            sizes: (height, width) of each image.
            precisions: one per image, all with the same number of digits; None for 8 bits.
        Raises:
            ValueError: the numbers of digits differ.
        """
        self.schedule = self.make_schedule(sizes)
        self.precisions = list(precisions or [Precision()] * len(sizes))
        self.channels, self.digits = config.channels, common_digits(self.precisions)
        self.high_depth = self.digits > 2
        self.dtype = dtype(max(p.depth for p in self.precisions))
        self.buffer_pixels, self.steps = self.schedule.buffer_pixels, self.schedule.steps

    def make_schedule(self, sizes: list[tuple[int, int]]) -> Schedule:
        """The schedule: which pixels are coded together."""
        return Schedule(sizes)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.schedule)

    def view(self, buffer: NDArray[Any], image: int) -> NDArray[Any]:
        view: NDArray[Any] = self.schedule.view(buffer, image)
        return view

    def symbols(self, values: NDArray[np.int32], digit: int) -> Symbols:
        found: Symbols = values >> 4 * (self.digits - 1 - digit) & BINS - 1
        return found

    def of_images(self, field: str) -> NDArray[np.int64]:
        """(N,) `depth` or `unit` of each image."""
        return np.array([getattr(p, field) for p in self.precisions], np.int64)
