"""Going through the pixels of images in the coding order of a family model, one front after another."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pixzip.engine.wavefront import Progress
from pixzip.models.family.density import Stage

#: (channel, (M, channel + 1.., P) parameters, (M, channel) known values) -> (M,) values of the channel.
Choose = Callable[[int, Tensor, Tensor], Tensor]


def walk(
    stage: Stage,
    values: Tensor,
    fixed: NDArray[np.bool_],
    choose: Choose,
    given: Tensor | None = None,
    report: Progress | None = None,
) -> None:
    """Fill in the pixels of N images in coding order.

    Args:
        values: (N, C, h, w), of the model's dtype; those of `fixed` pixels are there, the others are written.
        fixed: (h, w).
        choose: gives the others' values.
        given: what the stage before has coded.
    """
    model = stage.model
    n, channels, h, w = values.shape
    front = model.front(n, h, w, given)
    for _ in range(front.steps):
        front.advance()
        if not len(front.ys):
            continue
        here = values[:, :, front.ys, front.xs].permute(2, 0, 1).reshape(front.m, channels)  # rows of N
        free = np.repeat(~fixed[front.ys, front.xs], n)
        some, every = bool(free.any()), bool(free.all())
        params: Tensor | None = None
        for c in range(channels):
            params = model.step(front, c, params)
            if every:
                here[:, c] = choose(c, params, here[:, :c])
            elif some:
                here[free, c] = choose(c, params[free], here[free, :c])
            model.store(front, c, here[:, c])
        values[:, :, front.ys, front.xs] = here.view(len(front.ys), n, channels).permute(1, 2, 0)
        if report:
            report(front.t + 1, front.steps)
