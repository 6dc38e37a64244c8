"""The schedule of pixels that are coded together: the diagonals of a batch of images of any sizes.

At step ``t = x + 2 y`` every image row in flight has one pixel, and a batch just adds rows.  Pixels are in one
padded buffer, so a tap is an offset added to an address.  Features of the last four steps are in rings; rows
that are not in flight, and taps outside an image, refer to one row of zeros.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixzip.engine.batch import Indices, Segment
from pixzip.models.wavefront.taps import MASK_A, MASK_B, SLOPE

_TAP_ROWS, _TAP_COLUMNS = np.array(MASK_A, np.int64).T
_TOP = max(-dy for dy, _ in MASK_A)
_LEFT = max(-dx for _, dx in MASK_A)
_RIGHT = max(dx for _, dx in MASK_A)
#: Distance of each tap of mask B, in steps back.
BACK = tuple(-(dx + SLOPE * dy) for dy, dx in MASK_B)
RING = max(BACK) + 1


class Step(NamedTuple):
    """The M pixels that are coded together."""

    t: int
    segments: list[Segment]
    image: Indices  # (M,)
    address: Indices  # (M,) places in the padded buffer
    first: int  # first of this step's ring rows
    taps: Indices  # (M, len(MASK_B)) ring rows


def count_steps(height: int, width: int) -> int:
    """Number of steps of one image."""
    return width + SLOPE * (height - 1)


class Schedule:
    """The diagonals of a batch, in order."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        """
        Args:
            sizes: (height, width) of each image.
        """
        self.sizes = sizes
        self.height, self.width = (np.array(side, np.int64) for side in zip(*sizes, strict=True))
        self.steps = max(count_steps(h, w) for h, w in sizes)
        self.pitch = self.width + _LEFT + _RIGHT
        area = (self.height + _TOP) * self.pitch
        self.base = np.cumsum(area) - area + _TOP * self.pitch + _LEFT  # first pixel of each image
        #: Size of the padded buffer in pixels; the last ones are for taps to the right of the last pixel.
        self.buffer_pixels = int(area.sum()) + _LEFT
        #: (N, len(MASK_A)) address offsets of the taps.
        self.offsets = self.pitch[:, None] * _TAP_ROWS + _TAP_COLUMNS
        self.first_row = np.cumsum(self.height + 1) - self.height  # an empty row above each image
        #: Largest number of pixels in a step.
        self.most = int(np.minimum(self.height, -(-self.width // SLOPE)).sum())
        self.zero_row = RING * self.most
        self._places = np.full((RING, int((self.height + 1).sum()) + 1), self.zero_row, np.int64)

    def view(self, buffer: Any, image: int) -> Any:
        """An image's pixels in a padded buffer, (buffer_pixels, ...) array or tensor -> (H, W, ...), without a copy."""
        (height, width), pitch = self.sizes[image], int(self.pitch[image])
        start = int(self.base[image]) - _LEFT
        rows = buffer[start : start + height * pitch].reshape(height, pitch, *buffer.shape[1:])
        return rows[:, _LEFT : _LEFT + width]

    def inside(self) -> NDArray[np.bool_]:
        """(buffer_pixels,) bool: whether an address is a pixel of an image."""
        inside = np.zeros(self.buffer_pixels, np.bool_)
        for i in range(len(self.sizes)):
            self.view(inside, i)[...] = True
        return inside

    def pixels_before(self) -> NDArray[np.int64]:
        """(steps + 1,) the number of pixels that are coded before each step, and in all of them."""
        change = np.zeros(self.steps + 1, np.int64)
        for height, width in self.sizes:
            starts = SLOPE * np.arange(height)  # a row is in flight for as many steps as it has pixels
            change[starts] += 1
            change[starts + width] -= 1
        return np.concatenate([[0], np.cumsum(np.cumsum(change[:-1]))])

    def __iter__(self) -> Iterator[Step]:
        self._places.fill(self.zero_row)
        for t in range(self.steps):
            step = self.step(t)
            if step.segments:  # every other step of images one pixel wide has no pixels
                yield step

    def step(self, t: int) -> Step:
        """The pixels of step `t`; steps must be requested in order."""
        first, count, start = self._in_flight(t)
        image = np.repeat(np.arange(count.size), count)
        y = np.arange(image.size) + (first - start)[image]
        row = self.first_row[image] + y
        slot = t % RING
        self._places[slot].fill(self.zero_row)
        self._places[slot, row] = slot * self.most + np.arange(image.size)
        taps = np.empty((image.size, len(MASK_B)), np.int64)
        for i, (back, (dy, _)) in enumerate(zip(BACK, MASK_B, strict=True)):
            taps[:, i] = self._places[(t - back) % RING, row + dy]
        address = self.base[image] + y * (self.pitch[image] - SLOPE) + t
        return Step(t, self._segments(count, start), image, address, slot * self.most, taps)

    def _in_flight(self, t: int) -> tuple[Indices, Indices, Indices]:
        """For each image: first row in flight, number of rows in flight, and their start among those of all images."""
        first = np.maximum(0, (t - self.width + SLOPE) // SLOPE)
        count = np.maximum(0, np.minimum(self.height - 1, t // SLOPE) - first + 1)
        return first, count, np.cumsum(count) - count

    def segments(self, t: int) -> list[Segment]:
        """The images in flight at step `t`, and the places of their pixels in it."""
        _, count, start = self._in_flight(t)
        return self._segments(count, start)

    @staticmethod
    def _segments(count: Indices, start: Indices) -> list[Segment]:
        return [Segment(int(i), slice(int(start[i]), int(start[i] + count[i]))) for i in np.flatnonzero(count)]
