"""Convolutions between two resolutions, for the streams of a causal network in raster order.

The pixels (2Y, 2X) of a front form a front at half the resolution, also in raster order.  `Down` computes a cell
(Y, X) from the pixels that it may see, `Up` computes a pixel (y, x) from its cell (y // 2, x // 2), and `coarser`
runs the layers between the two on the first pixel of a cell and keeps the result for the others.  If a side is
odd, the last cells are cut: everything outside the image is zero at every resolution.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixzip.models.family.arithmetic import FLOAT, Arithmetic
from pixzip.models.family.fronts import Front, Ring, Rows, Runner, Whole
from pixzip.models.family.taps import Taps, row_product, taps_product

T = TypeVar("T")


class Down(nn.Module):
    """A convolution of stride 2.

    Args:
        taps: offsets from pixel (2Y, 2X), dy and dx each -1, 0 or 1.
    """

    arithmetic: Arithmetic = FLOAT

    def __init__(self, n_in: int, n_out: int, taps: Taps) -> None:
        super().__init__()
        self.taps = taps
        self.weight = nn.Parameter(torch.randn(len(taps), n_in, n_out) / math.sqrt(len(taps) * n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H / 2, W / 2, D), sides rounded up."""
        n, h, w, c = x.shape
        x = F.pad(self.arithmetic.clamped(x), (0, 0, 0, w % 2, 0, h % 2))
        cells = x.view(n, (h + 1) // 2, 2, (w + 1) // 2, 2, c)
        out: Tensor | None = None
        for i, half in enumerate(cells.unbind(2)):  # not by index: its gradient would be as large as the map
            for j, corner in enumerate(half.unbind(3)):  # NHWC, at the coarse resolution
                chosen = [k for k, (dy, dx) in enumerate(self.taps) if (dy % 2, dx % 2) == (i, j)]
                taps = tuple((self.taps[k][0] // 2, self.taps[k][1] // 2) for k in chosen)
                part = taps_product(corner, self.weight[chosen], taps, self.bias if out is None else None)
                out = part if out is None else out + part
        assert out is not None
        return self.arithmetic.rounded(out)

    def step(self, front: Front, x: Tensor) -> Tensor:
        """(N, C) -> (N, D), or an empty tensor if the front's pixel does not start a cell."""
        ring: Ring = front.state(self, lambda front: Ring(front, self.weight.shape[1], self.taps))
        ring.write(self.arithmetic.clamped(x))
        if not _starts_cell(front):
            return x[:0]
        return self.arithmetic.rounded(torch.addmm(self.bias, ring.gather(), self.weight.flatten(0, 1)))

    def row(self, front: Front, x: Tensor) -> Tensor:
        """(N, W, C) -> (N, W / 2, D), or an empty tensor in odd rows."""
        rows = front.state((self, "rows"), lambda front: [])
        rows.append(self.arithmetic.clamped(x))
        del rows[:-2]
        if not _starts_cell(front):
            return x[:0]
        return self.arithmetic.rounded(row_product(rows, self.weight, self.taps, self.bias, stride=2))


class Up(nn.Module):
    """A transposed convolution of stride 2, with a matrix for each place in a cell.

    With `wide` the kernel has three columns instead of two: a cell's right pixels also see the cell to the right.
    """

    arithmetic: Arithmetic = FLOAT

    def __init__(self, n_in: int, n_out: int, wide: bool) -> None:
        super().__init__()
        self.wide = wide
        self.weight = nn.Parameter(torch.randn(6 if wide else 4, n_in, n_out) / math.sqrt((1.5 if wide else 1) * n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def _place(self, y: int, x: int) -> tuple[Tensor, Taps]:
        """The (T, C, D) weight of a place in a cell, and taps to the cells that it reads."""
        if not self.wide:
            return self.weight[2 * y + x, None], ((0, 0),)
        if x == 0:
            return self.weight[3 * y + 1, None], ((0, 0),)
        return self.weight[[3 * y + 2, 3 * y]], ((0, 0), (0, 1))

    def forward(self, x: Tensor, fine: Tensor) -> Tensor:
        """(N, H / 2, W / 2, C), and (N, H, W, ...) for its sides -> (N, H, W, D)."""
        x = self.arithmetic.clamped(x)
        places = [taps_product(x, *self._place(i, j), self.bias) for i in range(2) for j in range(2)]
        cells = torch.stack(places, 3).unflatten(3, (2, 2)).transpose(2, 3)  # N, H / 2, 2, W / 2, 2, D
        h, w = fine.shape[1:3]
        return self.arithmetic.rounded(cells.flatten(3, 4).flatten(1, 2)[:, :h, :w])

    def step(self, front: Front, x: Tensor, fine: Tensor) -> Tensor:
        """(N, C) of the cell -> (N, D)."""
        if self.wide:
            raise ValueError("the cell to the right is not known before its pixels")
        weight, _ = self._place(int(front.ys[0]) % 2, int(front.xs[0]) % 2)
        return self.arithmetic.rounded(torch.addmm(self.bias, self.arithmetic.clamped(x), weight[0]))

    def row(self, front: Front, x: Tensor, fine: Tensor) -> Tensor:
        """(N, W / 2, C) of the row of cells -> (N, W, D)."""
        x, y = self.arithmetic.clamped(x), int(front.ys[0]) % 2
        places = [row_product([x], *self._place(y, j), self.bias) for j in range(2)]
        return self.arithmetic.rounded(torch.stack(places, 2).flatten(1, 2)[:, : front.w])


def _starts_cell(front: Front) -> bool:
    return bool(front.ys[0] % 2 == 0 and front.xs[0] % 2 == 0)


def _inner(front: Front) -> Front:
    """The front of the cells, at the cell that was started last."""

    def make(front: Front) -> Front:
        h, w = (front.h + 1) // 2, (front.w + 1) // 2
        return Front(front.n, h, w, w, 1, front.zeros(0))

    inner: Front = front.state("cells", make)
    if inner.t < front.ys[0] // 2 * inner.w + front.xs[0] // 2:
        inner.advance()
    return inner


def coarser(run: Runner, down: Down, x: Tensor, make: Callable[[Runner, Tensor], T]) -> T:
    """The result of `make` on `down`'s output at half the resolution.

    On a front it is computed at the top left pixel of a cell and kept for the cell's other pixels.
    """
    coarse = run(down, x)
    if isinstance(run, Whole):
        return make(run, coarse)
    front = run.front if isinstance(run, Rows) else run
    kept: dict[int, T] = front.state((down, "kept"), lambda front: {})
    cell = int(front.xs[0]) // 2
    if _starts_cell(front):
        inner = _inner(front)
        kept[cell] = make(Rows(inner) if isinstance(run, Rows) else inner, coarse)
    return kept[cell]
