"""Which device codes a batch sooner: a GPU takes a while to start, and as long for one small image as for a hundred.

The time of a batch is taken to be ``start + steps * a + pixels * b``.  What is assumed of each device at first is
corrected by the batches that it has coded in this process.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache


@dataclass
class Cost:
    """Seconds that a device is taken to need.

    Attributes:
        start_s: of its first batch, besides.
        step_s, pixel_s: of each step of the longest image, and of each pixel.
        factor: by which batches took longer than that.
    """

    start_s: float
    step_s: float
    pixel_s: float
    factor: float = 1.0
    started: bool = False

    def seconds(self, steps: int, pixels: int) -> float:
        """Those of a batch, the next one."""
        coding_s = self.factor * (steps * self.step_s + pixels * self.pixel_s)
        return coding_s if self.started else self.start_s + coding_s


#: How far the last batch moves the factor of its device.
_TRUST = 0.5


class Crossover:
    """Asked before each batch, and told of what it took."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.costs = {
            # a model of 155,000 multiply-adds a pixel on two cores (docs/figures.md)
            "cpu": Cost(0.3, 1e-4, 5e-6),
            # assumed, not measured: a CUDA context and a cached kernel; steps of one program; a full device
            "cuda": Cost(3.0, 1e-4, 5e-8),
        }

    def choose(self, steps: int, pixels: int) -> str:
        """The device for a batch whose longest image takes so many steps."""
        return min(self.costs, key=lambda device: self.costs[device].seconds(steps, pixels))

    @contextmanager
    def timed(self, device: str, steps: int, pixels: int) -> Iterator[None]:
        """Around the coding of a batch; of the first on a device nothing is learnt but that it has started."""
        cost, began = self.costs[device], self._clock()
        yield
        if cost.started:
            expected_s = steps * cost.step_s + pixels * cost.pixel_s
            cost.factor += _TRUST * ((self._clock() - began) / expected_s - cost.factor)
        cost.started = True


@lru_cache(maxsize=1)
def crossover() -> Crossover:
    """The one of this process."""
    return Crossover()
