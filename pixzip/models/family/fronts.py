"""Runners of causal networks: on whole images, front by front, or row by row.

On whole images a tensor is (N, H, W, C) and all pixels are computed at once, as in training.  On a front a tensor
is (M, C): the pixels of one wavefront step ``t = x + slope y`` of N images of one size, ordered by row, then by
image.  A layer keeps the features of earlier pixels in a `Ring`, so that a step costs one position and not a whole
forward pass.  If the slope equals the image's width, a step is one pixel: raster order.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from pixzip.models.family.taps import Taps

T = TypeVar("T")


class Ring:
    """The latest values of one layer on a front, as far back as its taps reach; zero outside the image."""

    def __init__(self, front: "Front", channels: int, taps: Taps) -> None:
        self._front, self.taps = front, taps
        self.length = 1 + max((-(dx + front.slope * dy) for dy, dx in taps), default=0)
        self._values = front.zeros(self.length * front.active + 1, front.n, channels)

    def gather(self) -> Tensor:
        """(M, T C) values at the taps of every pixel of the front."""
        index = self._front.index(self.taps, self.length)  # (T, rows)
        found = self._values[index]  # (T, rows, N, C)
        return found.permute(1, 2, 0, 3).reshape(self._front.m, -1)

    def write(self, values: Tensor) -> None:
        """Store the (M, C) values of this front."""
        front = self._front
        self._values[front.slots(self.length)] = values.view(len(front.ys), front.n, -1)


class Whole:
    """Runs layers on whole images."""

    def __call__(self, layer: Any, *x: Tensor | None) -> Tensor:
        out: Tensor = layer(*x)
        return out

    def known(self, layer: Any, maps: Tensor) -> Tensor:
        """Apply a layer to (N, H, W, C) maps that are known in advance."""
        return self(layer, maps)

    def rows(self, owner: Any, make: Callable[["Runner"], T]) -> T:
        """The result of `make(runner)`, which depends on earlier rows only."""
        return make(self)


class Front:
    """Runs layers on the pixels of one step after another, and keeps their state.

    Attributes:
        t, group: current step, and group of features being computed.
        ys, xs: (rows,) pixels of the step in each of the N images.
        pixels: (N, H, W, C) scaled pixels known so far; kept in raster order only.
        given: (N, h, w, C) scaled pixels of a smaller image, for a model conditioned on it.
    """

    def __init__(self, n: int, h: int, w: int, slope: int, groups: int, like: Tensor) -> None:
        """
        Args:
            slope: slope of the wavefront; w for raster order.
            groups: number of groups of features.
            like: a tensor with the device and dtype for computation.
        """
        self.n, self.h, self.w, self.slope, self.groups = n, h, w, slope, groups
        self.active = -(-w // slope)
        self.steps = w + slope * (h - 1)
        self.t, self.group = -1, 0
        self.ys = self.xs = np.zeros(0, np.int64)
        self._like = like
        self._states: dict[int, Any] = {}
        self._indices: dict[Any, Tensor] = {}
        self._readers: list[tuple[Tensor, Ring]] = []
        self.pixels: Tensor | None = None
        self.given = torch.zeros(0)

    @property
    def m(self) -> int:
        """Number of pixels of this step in all images."""
        return len(self.ys) * self.n

    def zeros(self, *shape: int) -> Tensor:
        return self._like.new_zeros(shape)

    def advance(self) -> None:
        """Go to the next step."""
        self.t += 1
        self.group = 0
        first = max(0, -(-(self.t - self.w + 1) // self.slope))
        self.ys = np.arange(first, min(self.h - 1, self.t // self.slope) + 1)
        self.xs = self.t - self.slope * self.ys
        self._indices.clear()
        self._readers = []

    def state(self, owner: Any, make: Any) -> Any:
        """The state of a layer, created by `make(front)` at the first step."""
        if owner not in self._states:
            self._states[owner] = make(self)
        return self._states[owner]

    def slots(self, length: int) -> Tensor:
        """(rows,) positions of this step in a ring."""
        if length not in self._indices:
            slots = self.t % length * self.active + self.ys % self.active
            self._indices[length] = torch.from_numpy(slots).to(self._like.device)
        return self._indices[length]

    def index(self, taps: Taps, length: int) -> Tensor:
        """(T, rows) positions of the taps' pixels in a ring; the last slot stands for pixels outside the image."""
        if (taps, length) not in self._indices:
            offsets = np.array(taps).reshape(-1, 2)
            y, x = self.ys + offsets[:, :1], self.xs + offsets[:, 1:]
            slots = (x + self.slope * y) % length * self.active + y % self.active
            slots[(y < 0) | (x < 0) | (x >= self.w)] = length * self.active
            self._indices[taps, length] = torch.from_numpy(slots).to(self._like.device)
        return self._indices[taps, length]

    def __call__(self, layer: Any, *x: Tensor | None) -> Tensor:
        out: Tensor = layer.step(self, *x)
        return out

    def known(self, layer: Any, maps: Tensor) -> Tensor:
        """(M, D) output of a layer on (N, H, W, C) maps that are known in advance, at the pixels of this step."""
        out: Tensor = self.state(layer, lambda front: layer(maps))
        return out[:, self.ys, self.xs].transpose(0, 1).reshape(self.m, -1)

    def rows(self, owner: Any, make: Callable[["Runner"], T]) -> T:
        """The result of `make(runner)`, which depends on earlier rows only: in raster order, computed once per row."""
        if self.slope != self.w:
            raise ValueError("features of whole rows take raster order")
        kept: list[T] = self.state((owner, "rows"), lambda front: [])
        if self.xs[0] == 0 and self.group == 0:
            kept[:] = [make(Rows(self))]
        return kept[0]

    def watch(self, now: Tensor, ring: Ring) -> None:
        """Write the pixels of this step into (M, C) `now`, then into `ring`, as they become known."""
        self._readers.append((now, ring))

    def store(self, channel: int, values: Tensor) -> None:
        """Pass (M,) scaled values to the layers that read pixels; the last channel ends the step."""
        if self.pixels is not None:
            self.pixels[:, self.ys[0], self.xs[0], channel] = values
        for now, ring in self._readers:
            now[:, channel] = values
            if channel == now.shape[1] - 1:
                ring.write(now)


class Rows:
    """Runs layers on one (N, W, C) row of all images of a front in raster order, given the rows before it."""

    def __init__(self, front: Front) -> None:
        self.front = front

    def __call__(self, layer: Any, *x: Tensor | None) -> Tensor:
        out: Tensor = layer.row(self.front, *x)
        return out


#: Any runner of layers.
Runner = Whole | Front | Rows
