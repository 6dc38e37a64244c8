"""The wavefront's batch: what every backend of it has in common.

What is coded is written into a padded buffer and read back through the taps, so the past is all that a step can see, in
the encoder as in the decoder.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import Symbols
from pixcodecs.container.blocks import Precision, dtype

from pixzip.engine.batch import Batch, Indices
from pixzip.engine.schedule import Schedule, Step
from pixzip.models.wavefront.network import Config

#: Values of a digit.
BINS = 16


def common_digits(precisions: Sequence[Precision]) -> int:
    """The digits that the samples of all images of a batch take.

    Raises:
        ValueError: they differ, or a unit is wider than its samples allow.
    """
    digits = {p.digits for p in precisions}
    if len(digits) != 1 or not all(8 <= p.depth <= 16 and 0 <= p.unit <= p.depth - 8 for p in precisions):
        raise ValueError(f"batch has the precisions {sorted(set(precisions))}, expected one number of digits")
    return digits.pop()


def joined(digits: Sequence[Symbols]) -> Symbols:
    """(M,) samples, or their beginnings, from their digits."""
    value = digits[0]
    for digit in digits[1:]:
        value = value * BINS + digit
    return value


class Wavefront(Batch):
    """A wavefront model's state over a batch: a digit has 4 bits.

    Of 8 bits the first digit, the bin, has frequencies whose sum is 2^20, and the second, the place, frequencies whose
    sum is that of its bin; of more, every digit has sums of 2^20.

    Attributes:
        precisions: of each image.
        high_depth: whether samples have more than 8 bits.
    """

    def __init__(
        self, config: Config, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
    ) -> None:
        """
        Args:
            sizes: (height, width) of each image.
            precisions: of each image, of equally many digits; None for 8 bits.
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
        """Which pixels are coded together."""
        return Schedule(sizes)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.schedule)

    def window(self, image: int) -> Indices:
        return self.schedule.window(image)

    def symbols(self, values: NDArray[np.int32], digit: int) -> Symbols:
        found: Symbols = values >> 4 * (self.digits - 1 - digit) & BINS - 1
        return found

    def of_images(self, field: str) -> NDArray[np.int64]:
        """(N,) `depth` or `unit` of each image."""
        return np.array([getattr(p, field) for p in self.precisions], np.int64)
