"""The schedule of the compiled wavefront."""

import numpy as np

from pixzip.engine.backends.numba import trunk
from pixzip.engine.batch import Segment
from pixzip.engine.schedule import BACK, RING, Schedule, Step
from pixzip.models.wavefront.taps import MASK_B


class CompiledSchedule(Schedule):
    """The schedule, with buffers allocated once: the pixels of a step are views of them, valid until the next step."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        super().__init__(sizes)
        self._back, self._rise = np.array(BACK, np.int64), np.array([dy for dy, _ in MASK_B], np.int64)
        self._first, self._count = np.zeros(len(sizes), np.int64), np.zeros(len(sizes), np.int64)
        self._image, self._address = np.zeros(self.most, np.int64), np.zeros(self.most, np.int64)
        self._taps = np.zeros((self.most, len(MASK_B)), np.int64)

    def step(self, t: int) -> Step:
        m = trunk.diagonal(
            t, self.height, self.width, self.base, self.pitch, self.first_row, self._places, self.most,
            self._back, self._rise, self._first, self._count, self._image, self._address, self._taps,
        )  # fmt: skip
        if len(self.sizes) == 1:
            segments = [Segment(0, slice(0, m))] if m else []
        else:
            segments = self._segments(self._count, np.cumsum(self._count) - self._count)
        return Step(t, segments, self._image[:m], self._address[:m], t % RING * self.most, self._taps[:m])
