"""Walk over the pixels of images in the coding order of a family model, front by front."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pixzip.engine.base import Progress
from pixzip.models.family.density import Scale

#: (channel, (M, channel + 1.., P) parameters, (M, channel) known values) -> (M,) values of the channel.
Choose = Callable[[int, Tensor, Tensor], Tensor]


class Walk:
    """One scale of N images, front by front; iteration yields the numbers of the fronts with pixels to fill in.

    For each front and every channel, call `parameters`, then `store`.

    Attributes:
        values: (N, C, h, w) of the model's dtype; values of fixed pixels are given, the others are written.
        steps: number of fronts.
        ys, xs, free: (rows,) pixels of this front, and whether they are to be filled in; the same in each image.
    """

    def __init__(self, scale: Scale, values: Tensor, fixed: NDArray[np.bool_], given: Tensor | None = None) -> None:
        """
        Args:
            fixed: (h, w) bool, pixels whose values are given.
            given: the result of the previous scale.
        """
        n, _, h, w = values.shape
        self.values, self._fixed, self._model = values, fixed, scale.model
        self._front = scale.model.front(n, h, w, given)
        self.steps = self._front.steps

    def __iter__(self) -> Iterator[int]:
        n, channels = self.values.shape[:2]
        front = self._front
        for _ in range(front.steps):
            front.advance()
            self.ys, self.xs = front.ys, front.xs
            if not len(self.ys):
                continue
            here = self.values[:, :, self.ys, self.xs]
            self._here = here.permute(2, 0, 1).reshape(front.m, channels)  # rows of N
            self.free = ~self._fixed[self.ys, self.xs]
            self._rows = slice(None) if self.free.all() else np.repeat(self.free, n)
            self._params: Tensor | None = None
            if self.free.any():
                yield front.t
            else:
                for channel in range(channels):
                    self._advance(channel)
                    self._model.store(front, channel, self._here[:, channel])
            filled = self._here.view(len(self.ys), n, channels).permute(1, 2, 0)
            self.values[:, :, self.ys, self.xs] = filled

    def _advance(self, channel: int) -> Tensor:
        self._params = self._model.step(self._front, channel, self._params)
        return self._params

    def parameters(self, channel: int) -> tuple[Tensor, Tensor]:
        """(M, channel + 1.., P) parameters and (M, channel) known values of the pixels to fill in, in rows of N."""
        return self._advance(channel)[self._rows], self._here[self._rows, :channel]

    def store(self, channel: int, values: Tensor) -> None:
        """Store the (M,) values of a channel."""
        self._here[self._rows, channel] = values
        self._model.store(self._front, channel, self._here[:, channel])


def walk(
    scale: Scale,
    values: Tensor,
    fixed: NDArray[np.bool_],
    choose: Choose,
    given: Tensor | None = None,
    report: Progress | None = None,
) -> None:
    """Fill in the pixels of N images in coding order.

    Args:
        values, fixed, given: see `Walk`.
        choose: gives the values of the pixels that are not fixed.
    """
    fronts = Walk(scale, values, fixed, given)
    for t in fronts:
        for channel in range(values.shape[1]):
            fronts.store(channel, choose(channel, *fronts.parameters(channel)))
        if report:
            report(t + 1, fronts.steps)
