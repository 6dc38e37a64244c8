"""Masked convolutions as products of contiguous slices.

Images are laid out in raster order as rows of one tall matrix, with an empty column after each row and an
empty row above each image.  So a tap is a constant shift of the whole matrix, and a convolution is one matrix
product per tap, without copies.  On a CPU this trains two to three times faster than a masked ``conv2d``.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

#: Activations are multiples of 1/32, at most 127/32.
STEP = 32
LIMIT = 127 / STEP
#: Largest s of weights, which are int8 times 2^-s.
WEIGHT_BITS = 9


def round_through(x: Tensor, steps: int | Tensor) -> Tensor:
    """Round to multiples of 1 / steps (one number, or one a column), with a straight-through gradient."""
    return x + (torch.floor(x * steps + 0.5) / steps - x).detach()


def weight_exponents(w: Tensor, finer: int = 0) -> Tensor:
    """(K, N) -> (N,) s, the largest with ``|w| 2^s <= 127.5`` in each column, within [0, WEIGHT_BITS - finer].

    What is above 127 is rounded down to it; so a weight of 127 may grow a little before its column takes coarser steps.
    """
    largest = w.detach().abs().amax(0).clamp(min=1e-12)
    return torch.floor(torch.log2(127.5 / largest)).clamp(0, WEIGHT_BITS - finer)


def integers(w: Tensor, exponents: Tensor) -> Tensor:
    """(..., N) weights, (N,) s -> the nearest integers to ``w 2^s`` in [-127, 127], halves up."""
    return torch.floor(w * torch.exp2(exponents) + 0.5).clamp(-127, 127)


def fake_quantise_weight(w: Tensor, finer: int = 0) -> Tensor:
    """The exported int8 weight as a float, with straight-through gradients.

    Args:
        finer: extra fractional bits of the activations that it multiplies; it has as many fewer.
    """
    exponents = weight_exponents(w, finer)
    return w + (integers(w, exponents) / torch.exp2(exponents) - w).detach()


def activate(h: Tensor, quantise: bool, finer: int = 0) -> Tensor:
    """ReLU and quantiser: clamp to [0, LIMIT / 2^finer], and round to multiples of 1 / (STEP 2^finer) if `quantise`."""
    clamped = h.clamp(0, LIMIT / (1 << finer))
    return round_through(clamped, STEP << finer) if quantise else clamped


class Raster:
    """The geometry of N images of H x W, laid out as one matrix of P rows."""

    def __init__(self, n: int, h: int, w: int) -> None:
        self.n, self.h, self.w = n, h, w
        self.pitch = w + 1

    def shifts(self, taps: tuple[tuple[int, int], ...]) -> list[int]:
        """The distance of each tap back in the matrix, in rows."""
        return [-dy * self.pitch - dx for dy, dx in taps]

    def clear_outside(self, x: Tensor) -> None:
        """Zero the rows of a (P, C) matrix that are no pixels, in place."""
        rows = x.view(self.n, self.h + 1, self.pitch, -1)
        rows[:, 0] = 0
        rows[:, :, self.w] = 0

    def flatten(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (P, C), zero in rows without a pixel."""
        return F.pad(x, (0, 1, 1, 0)).permute(0, 2, 3, 1).reshape(-1, x.shape[1])

    def unflatten(self, x: Tensor) -> Tensor:
        """(P, C) -> (N, C, H, W)."""
        return x.view(self.n, self.h + 1, self.pitch, -1)[:, 1:, : self.w].permute(0, 3, 1, 2)


#: Rows per product on a CPU, so that they stay in its cache.
_CHUNK_ROWS = 1024


def _accumulate(out: Tensor, a: Tensor, b: Tensor, dtype: torch.dtype) -> None:
    """out += a @ b, with the product in `dtype`."""
    if dtype == out.dtype:
        out.addmm_(a, b)
    else:
        out.add_(torch.mm(a.to(dtype), b.to(dtype)))


class _MaskedResidual(torch.autograd.Function):
    """r + conv(activate(r)); saves only the activation and does not materialise the taps."""

    @staticmethod
    def forward(
        ctx: Any, r: Tensor, weight: Tensor, raster: Raster, shifts: list[int], finer: int, quantise: bool
    ) -> Tensor:
        rows, width = r.shape
        step = STEP << finer
        ctx.limit = 127 / step
        lead = max(shifts)
        padded = r.new_empty(lead + rows, width)
        padded[:lead] = 0
        a = padded[lead:]
        torch.clamp(r, 0, ctx.limit, out=a)
        if quantise:
            a.mul_(step).add_(0.5).floor_().div_(step)
        if lead:  # a centre tap alone never reads rows outside
            raster.clear_outside(a)
        device = r.device.type
        ctx.dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else r.dtype
        ctx.chunk = _CHUNK_ROWS if device == "cpu" else rows
        taps = weight.split(width)
        out = r.clone()
        with torch.autocast(device, enabled=False):
            for start in range(0, rows, ctx.chunk):
                part = out[start : start + ctx.chunk]
                for shift, w in zip(shifts, taps, strict=True):
                    at = lead - shift + start
                    _accumulate(part, padded[at : at + part.shape[0]], w, ctx.dtype)
        ctx.save_for_backward(padded, weight)
        ctx.shifts = shifts
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        padded, weight = ctx.saved_tensors
        (grad,) = grads
        shifts = ctx.shifts
        rows, width = grad.shape
        lead = max(shifts)
        grad_a = torch.zeros_like(padded)
        grad_w = torch.zeros_like(weight)
        taps = [w.t() for w in weight.split(width)]
        for start in range(0, rows, ctx.chunk):
            part = grad[start : start + ctx.chunk]
            for shift, w, g in zip(shifts, taps, grad_w.split(width), strict=True):
                tap = slice(lead - shift + start, lead - shift + start + part.shape[0])
                _accumulate(grad_a[tap], part, w, ctx.dtype)
                _accumulate(g, padded[tap].t(), part, ctx.dtype)
        grad_r = torch.ops.aten.hardtanh_backward(grad_a[lead:], padded[lead:], 0, ctx.limit).add_(grad)
        return grad_r, grad_w, None, None, None, None


def masked_residual(
    r: Tensor, weight: Tensor, raster: Raster, taps: tuple[tuple[int, int], ...], quantise: bool, finer: int = 0
) -> Tensor:
    """One layer: ``r + conv(activate(r), weight)``; autocast applies to the products, not to the stream.

    Args:
        r: (P, C) residual stream.
        weight: (T C, C), tap by tap.
        taps: offsets (dy, dx) of the T taps.
        finer: extra fractional bits of its activations, whose limit is smaller by the same factor.
    Returns:
        (P, C).
    """
    r = r.to(weight.dtype)
    return _MaskedResidual.apply(r, weight, raster, raster.shifts(taps), finer, quantise)  # type: ignore[no-any-return, no-untyped-call]
