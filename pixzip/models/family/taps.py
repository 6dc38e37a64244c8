"""Taps of convolutions, and convolutions as one matrix product per tap on the flattened raster.

On a CPU this trains two to three times faster than a masked ``conv2d``, and in fixed point it is exact, because
it consists of products and sums only.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

#: Offsets (dy, dx) to other pixels.
Taps = tuple[tuple[int, int], ...]


def window(rows: Sequence[int], columns: Sequence[int]) -> Taps:
    """All taps of the given rows and columns."""
    return tuple((dy, dx) for dy in rows for dx in columns)


def context(side: int) -> Taps:
    """The taps of a side x side mask before its centre."""
    r = side // 2
    return (*window(range(-r, 0), range(-r, r + 1)), *window((0,), range(-r, 0)))


class _Raster:
    """Layout of (N, H, W, C) maps for taps: (P, C) rows between guard rows, zero in rows without a pixel."""

    def __init__(self, shape: torch.Size, taps: Taps) -> None:
        n, self.h, self.w, _ = shape
        self.top = max(0, *(-dy for dy, _ in taps))
        pitch, tall = self.w + max(abs(dx) for _, dx in taps), self.h + self.top + max(0, *(dy for dy, _ in taps))
        self.steps = [dy * pitch + dx for dy, dx in taps]
        self.guard = max(abs(step) for step in self.steps)
        self.grid, self.count = (n, tall, pitch), n * tall * pitch

    def inside(self, rows: Tensor) -> Tensor:
        """(P, C) -> (N, H, W, C)."""
        return rows.view(*self.grid, -1)[:, self.top : self.top + self.h, : self.w]

    def spread(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (guard + P + guard, C)."""
        rows = x.new_zeros(self.count + 2 * self.guard, x.shape[3])
        self.inside(rows[self.guard : self.guard + self.count]).copy_(x)
        return rows

    def chunks(self) -> list[slice]:
        return [slice(at, min(at + _CHUNK_ROWS, self.count)) for at in range(0, self.count, _CHUNK_ROWS)]

    def shifted(self, rows: Tensor, chunk: slice, step: int) -> Tensor:
        """A chunk's rows, shifted by a step."""
        return rows[self.guard + chunk.start + step : self.guard + chunk.stop + step]


class _TapsProduct(torch.autograd.Function):
    """The sum over taps of shifted (P, C) rows times (C, D); copies the rows once and does not materialise the taps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, taps: Taps) -> Tensor:
        raster = _Raster(x.shape, taps)
        rows, out = raster.spread(x), x.new_empty(raster.count, weight.shape[2])
        for chunk in raster.chunks():
            part, steps = out[chunk], list(zip(raster.steps, weight, strict=True))
            first = raster.shifted(rows, chunk, steps[0][0])
            if bias is None:
                torch.mm(first, steps[0][1], out=part)
            else:
                torch.addmm(bias, first, steps[0][1], out=part)
            for step, w in steps[1:]:
                part.addmm_(raster.shifted(rows, chunk, step), w)
        ctx.save_for_backward(rows, weight)
        ctx.raster = raster
        return raster.inside(out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        rows, weight = ctx.saved_tensors
        raster: _Raster = ctx.raster
        grad = raster.spread(grads[0])
        grad_rows = rows.new_zeros(raster.count, rows.shape[1]) if ctx.needs_input_grad[0] else None
        grad_w = torch.zeros_like(weight)
        for chunk in raster.chunks():
            here = raster.shifted(grad, chunk, 0)
            for step, w, g in zip(raster.steps, weight, grad_w, strict=True):
                g.addmm_(raster.shifted(rows, chunk, step).t(), here)
                if grad_rows is not None:
                    grad_rows[chunk].addmm_(raster.shifted(grad, chunk, -step), w.t())
        grad_x = None if grad_rows is None else raster.inside(grad_rows)
        return grad_x, grad_w, grad.sum(0) if ctx.needs_input_grad[2] else None, None


#: Rows per product, so that they stay in a CPU's cache.
_CHUNK_ROWS = 2048


def taps_product(x: Tensor, weight: Tensor, taps: Taps, bias: Tensor | None = None) -> Tensor:
    """A convolution as one matrix product per tap on the flattened raster.

    Args:
        x: (N, H, W, C); pixels outside are zero.
        weight: (T, C, D).
        bias: (D,) or None.
    Returns:
        (N, H, W, D).
    """
    if taps == ((0, 0),):
        return F.linear(x, weight[0].t(), bias)
    out: Tensor = _TapsProduct.apply(x, weight, bias, taps)  # type: ignore[no-untyped-call]
    return out


def row_product(rows: Sequence[Tensor], weight: Tensor, taps: Taps, bias: Tensor | None, stride: int = 1) -> Tensor:
    """The last row of `taps_product`, or every `stride`-th pixel of it.

    Args:
        rows: one or more of (N, W, C); taps (0, dx) read the last one, and rows above the first are zero.
    Returns:
        (N, W, D), or (N, W / stride rounded up, D).
    """
    side, width = max(abs(dx) for _, dx in taps), rows[-1].shape[1]
    padded = [F.pad(row, (0, 0, side, side)) for row in rows]
    seen = [i for i, (dy, _) in enumerate(taps) if -dy < len(rows)]
    if not seen:
        near, weight = rows[-1][:, ::stride], torch.zeros_like(weight[0])
    else:
        near = torch.cat([padded[taps[i][0] - 1][:, side + taps[i][1] :][:, :width:stride] for i in seen], -1)
        weight = (weight if len(seen) == len(taps) else weight[seen]).flatten(0, 1)
    return near @ weight if bias is None else near @ weight + bias
