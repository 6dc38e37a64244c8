"""The pixels that a step codes, in shapes that do not depend on the step.

At step ``t = x + 2 y`` an image has at most ``min(H, ceil(W / 2))`` pixels, and it gets that many slots.  Slot j holds
the pixel of the j-th row in flight.  Without such a row the slot is idle: it reads zeros and writes to an unused place.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.engine.schedule import BACK, RING, Schedule
from pixzip.models.wavefront.taps import MASK_A, MASK_B, SLOPE


class Pixels(NamedTuple):
    """The pixels of the M slots at one step."""

    active: Tensor  # (M,) bool, False for idle slots
    address: Tensor  # (M,) places in the padded buffer
    seen: Tensor  # (M, len(MASK_A)) addresses that the taps read
    inside: Tensor  # (M, len(MASK_A)) bool, taps inside the image
    write: Tensor  # (M,) ring rows to write
    read: Tensor  # (M * len(MASK_B),) ring rows that the taps read


class Slots:
    """The slots of a batch on a device.

    Attributes:
        counts: number of slots of each image.
        first: first slot of each image.
        buffer_pixels: size of the padded pixel buffer; idle slots write the last but one, the last is zero.
        ring_rows: number of rows of a layer's ring, with the same two rows at its end.
    """

    def __init__(self, sizes: list[tuple[int, int]], device: torch.device) -> None:
        """
        Args:
            sizes: (height, width) of each image.
        """
        self.schedule = s = Schedule(sizes)
        self.counts = np.minimum(s.height, -(-s.width // SLOPE))
        self.first = np.cumsum(self.counts) - self.counts
        self.buffer_pixels = s.buffer_pixels + 2
        self._rows = int(s.height.sum())
        self.ring_rows = RING * self._rows + 2
        image = np.repeat(np.arange(len(sizes)), self.counts)
        place = np.arange(image.size) - self.first[image]
        row = np.cumsum(s.height) - s.height  # first row of each image among all rows

        def tensor(values: NDArray[np.int64]) -> Tensor:
            return torch.from_numpy(values).to(device)

        self._place, self._height, self._width = tensor(place), tensor(s.height[image]), tensor(s.width[image])
        self._base, self._pitch, self._row = tensor(s.base[image]), tensor(s.pitch[image]), tensor(row[image])
        self._up_a, self._right_a = (tensor(np.array(side, np.int64)) for side in zip(*MASK_A, strict=True))
        self._up_b, self._right_b = (tensor(np.array(side, np.int64)) for side in zip(*MASK_B, strict=True))
        self._back = tensor(np.array(BACK, np.int64))

    def __len__(self) -> int:
        return int(self.counts.sum())

    def at(self, t: Tensor) -> Pixels:
        """The pixels of step `t`, a () int64 tensor."""
        first = torch.div(t - self._width + SLOPE, SLOPE, rounding_mode="floor").clamp_(min=0)
        y = first + self._place
        x = t - SLOPE * y
        active = (y < self._height) & (x >= 0)
        idle, zero = self.buffer_pixels - 2, self.buffer_pixels - 1
        address = self._base + y * self._pitch + x
        inside = self._inside(active, y, x, self._up_a, self._right_a)
        seen = address[:, None] + self._up_a * self._pitch[:, None] + self._right_a
        row = self._row + y
        neighbours = self._inside(active, y, x, self._up_b, self._right_b)
        read = (t - self._back) % RING * self._rows + row[:, None] + self._up_b
        return Pixels(
            active,
            torch.where(active, address, idle),
            torch.where(inside, seen, zero),
            inside,
            torch.where(active, t % RING * self._rows + row, self.ring_rows - 2),
            torch.where(neighbours, read, self.ring_rows - 1).flatten(),
        )

    def _inside(self, active: Tensor, y: Tensor, x: Tensor, up: Tensor, right: Tensor) -> Tensor:
        """(M, T) bool: whether a tap lies inside the image of an active slot."""
        column = x[:, None] + right
        return active[:, None] & (y[:, None] + up >= 0) & (column >= 0) & (column < self._width[:, None])
