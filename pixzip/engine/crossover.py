"""Choose the faster device for a batch: a GPU starts slowly and takes as long for one small image as for a hundred.

The time of a batch is estimated as ``start + steps * a + pixels * b``.  The initial estimate of each device is
corrected by the batches that it codes in this process.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache


@dataclass
class Cost:
    """Estimated seconds of a device.

    Attributes:
        start_s: extra time of the first batch.
        step_s: time per step of the longest image.
        pixel_s: time per pixel.
        factor: measured time of batches over estimated time.
    """

    start_s: float
    step_s: float
    pixel_s: float
    factor: float = 1.0
    started: bool = False

    def seconds(self, steps: int, pixels: int) -> float:
        """The estimate for the next batch."""
        coding_s = self.factor * (steps * self.step_s + pixels * self.pixel_s)
        return coding_s if self.started else self.start_s + coding_s


#: Weight of the last batch in its device's factor.
_TRUST = 0.5


class Crossover:
    """Chooses the device before each batch and measures the time of the batch."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.costs = {
            # a model of 155,000 multiply-adds per pixel on two cores (docs/figures.md)
            "cpu": Cost(0.3, 1e-4, 5e-6),
            # assumed, not measured: CUDA context and cached kernel; step of one program; pixel on a full device
            "cuda": Cost(3.0, 1e-4, 5e-8),
        }

    def choose(self, steps: int, pixels: int) -> str:
        """The device for a batch whose longest image takes `steps` steps."""
        return min(self.costs, key=lambda device: self.costs[device].seconds(steps, pixels))

    @contextmanager
    def timed(self, device: str, steps: int, pixels: int) -> Iterator[None]:
        """Time the coding of a batch; the first batch on a device only marks the device as started."""
        cost, began = self.costs[device], self._clock()
        yield
        if cost.started:
            expected_s = steps * cost.step_s + pixels * cost.pixel_s
            cost.factor += _TRUST * ((self._clock() - began) / expected_s - cost.factor)
        cost.started = True


@lru_cache(maxsize=1)
def crossover() -> Crossover:
    """The `Crossover` of this process."""
    return Crossover()
