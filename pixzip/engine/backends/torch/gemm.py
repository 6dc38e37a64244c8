"""GEMM backends: two exact ways to compute an integer product.

`Float32` multiplies integer-valued floats.  This is exact while every partial sum stays below 2^24, which
`weights.check` guarantees for any order of summation.  `Int8` uses ``torch._int_mm``, which saturates
silently on CPUs without VNNI; so every backend must first pass `self_test` on extreme operands at the
model's own shapes.

Both keep the residual stream in units of one activation step: `Float32` as dyadic fractions, `Int8` as
int32 with STREAM_FRACTION fractional bits.
"""

import math
import time
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from pixzip.models.wavefront.weights import ACTIVATION_MAX, STREAM_FRACTION


class Matrix(NamedTuple):
    """A weight matrix in a backend's form."""

    values: Tensor
    shift: Tensor | None = None


class Products(ABC):
    """Exact linear algebra on activations and residual streams."""

    name: str
    activation_dtype: torch.dtype
    stream_dtype: torch.dtype

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @abstractmethod
    def matrix(self, weight: Tensor, exponent: Tensor) -> Matrix:
        """(K, N) int8 and (N,) int8 -> a matrix for `linear`."""

    @abstractmethod
    def bias(self, bias: Tensor) -> Tensor:
        """(N,) int32 in units of 2^-STREAM_FRACTION -> a one-row stream."""

    @abstractmethod
    def linear(self, stream: Tensor, a: Tensor, matrix: Matrix) -> Tensor:
        """(M, N) or (N,) stream plus (M, K) activations times the matrix -> (M, N) stream."""

    @abstractmethod
    def accumulate(self, stream: Tensor, a: Tensor, matrix: Matrix) -> None:
        """`linear` in place."""

    @abstractmethod
    def activate(self, stream: Tensor, out: Tensor, finer: int = 0) -> Tensor:
        """Write clamp(stream >> STREAM_FRACTION, 0, 127) into `out`; activations have `finer` extra fractional bits.

        Streams include a half step, which rounds to nearest; for finer activations it is reduced to half a finer step.
        """

    @abstractmethod
    def in_steps(self, stream: Tensor) -> Tensor:
        """A stream as float32 in activation steps."""

    @abstractmethod
    def shifts(self, shifts: list[int]) -> Tensor:
        """A right shift for each column, in the form that `outputs` takes."""

    @abstractmethod
    def outputs(self, stream: Tensor, shifts: Tensor) -> Tensor:
        """stream >> shifts, as float32."""


class Float32(Products):
    name = "float32"
    activation_dtype = torch.float32
    stream_dtype = torch.float32

    def matrix(self, weight: Tensor, exponent: Tensor) -> Matrix:
        return Matrix((weight.to(torch.float32) / (1 << exponent.to(torch.int32))).to(self.device))

    def bias(self, bias: Tensor) -> Tensor:
        return (bias.to(torch.float32) / (1 << STREAM_FRACTION)).to(self.device)

    def linear(self, stream: Tensor, a: Tensor, matrix: Matrix) -> Tensor:
        return torch.addmm(stream, a, matrix.values)

    def accumulate(self, stream: Tensor, a: Tensor, matrix: Matrix) -> None:
        stream.addmm_(a, matrix.values)

    def activate(self, stream: Tensor, out: Tensor, finer: int = 0) -> Tensor:
        if finer:
            stream = stream * (1 << finer) - ((1 << finer) - 1) / 2
        return torch.clamp(stream, 0, ACTIVATION_MAX, out=out).floor_()

    def in_steps(self, stream: Tensor) -> Tensor:
        return stream

    def shifts(self, shifts: list[int]) -> Tensor:
        return torch.tensor([2.0 ** (STREAM_FRACTION - s) for s in shifts], device=self.device)

    def outputs(self, stream: Tensor, shifts: Tensor) -> Tensor:
        return (stream * shifts).floor_()


class Int8(Products):
    name = "int8"
    activation_dtype = torch.int8
    stream_dtype = torch.int32

    def matrix(self, weight: Tensor, exponent: Tensor) -> Matrix:
        k, n = weight.shape
        padded = torch.zeros(-(-k // 8) * 8, -(-n // 8) * 8, dtype=torch.int8)  # CUDA requires multiples of 8
        padded[:k, :n] = weight
        return Matrix(padded.to(self.device), (STREAM_FRACTION - exponent.to(torch.int32)).to(self.device))

    def bias(self, bias: Tensor) -> Tensor:
        return bias.to(self.device, torch.int32)

    def linear(self, stream: Tensor, a: Tensor, matrix: Matrix) -> Tensor:
        return stream + self._product(a, matrix)

    def accumulate(self, stream: Tensor, a: Tensor, matrix: Matrix) -> None:
        stream.add_(self._product(a, matrix))

    def _product(self, a: Tensor, matrix: Matrix) -> Tensor:
        assert matrix.shift is not None
        m, k = a.shape
        n = matrix.shift.numel()
        rows = max(m, 17) if self.device.type == "cuda" else m  # CUDA requires more than 16
        if rows != m or k != matrix.values.shape[0] or not a.is_contiguous():
            padded = a.new_zeros(rows, matrix.values.shape[0])
            padded[:m, :k] = a
            a = padded
        return torch._int_mm(a, matrix.values)[:m, :n] << matrix.shift

    def activate(self, stream: Tensor, out: Tensor, finer: int = 0) -> Tensor:
        half, fine_half = 1 << (STREAM_FRACTION - 1), 1 << (STREAM_FRACTION - finer - 1)
        return out.copy_(((stream - (half - fine_half)) >> (STREAM_FRACTION - finer)).clamp_(0, ACTIVATION_MAX))

    def in_steps(self, stream: Tensor) -> Tensor:
        return stream.to(torch.float32) / (1 << STREAM_FRACTION)

    def shifts(self, shifts: list[int]) -> Tensor:
        return torch.tensor(shifts, dtype=torch.int32, device=self.device)

    def outputs(self, stream: Tensor, shifts: Tensor) -> Tensor:
        return (stream >> shifts).to(torch.float32)


BACKENDS: dict[str, type[Products]] = {"float32": Float32, "int8": Int8}

#: Numbers of activation rows in a self-test; the last is that of a photograph's diagonal.
_ROWS = (17, 256)


def _extreme_operands(rows: int, k: int, n: int) -> tuple[Tensor, Tensor]:
    """Activations and weights at the ends of their ranges, in runs that saturate pairwise int16 sums."""
    g = torch.Generator().manual_seed(1)
    a = torch.randint(-128, 128, (rows, k), generator=g, dtype=torch.int32)
    a[0::4], a[1::4] = 127, -128
    w = torch.randint(-127, 128, (k, n), generator=g, dtype=torch.int32)
    w[:, 0::4], w[:, 1::4] = 127, -127
    return a, w


def self_test(products: Products, shapes: list[tuple[int, int]]) -> float | None:
    """Compare with int64 products at (K, N) `shapes`; return the seconds taken if exact, else None."""
    seconds = 0.0
    for k, n in shapes:
        for rows in _ROWS:
            a, w = _extreme_operands(rows, k, n)
            # the largest sums within the bounds: 2^24 in units of 2^-STREAM_FRACTION
            exponent = torch.full((n,), STREAM_FRACTION, dtype=torch.int8)
            expected = a.long() @ w.long()
            if expected.abs().max() >= 1 << 24:
                raise ValueError(f"a product of {k} terms does not fit 2^24")
            try:
                matrix = products.matrix(w.to(torch.int8), exponent)
                operand = a.to(products.activation_dtype).to(products.device)
                zero = products.bias(torch.zeros(n, dtype=torch.int32))
                elapsed = math.inf
                for _ in range(5):  # the first run is cold, and any run may be interrupted
                    start = time.perf_counter()
                    got = products.linear(zero, operand, matrix).cpu()
                    elapsed = min(elapsed, time.perf_counter() - start)
            except RuntimeError:  # this device or build lacks an operator
                return None
            if got.dtype == torch.float32:
                got = got * (1 << STREAM_FRACTION)
            if not torch.equal(got.long(), expected):
                return None
            seconds += elapsed
    return seconds


def choose(device: torch.device, shapes: list[tuple[int, int]]) -> Products:
    """The fastest backend that passes its self-test.

    Timing uses one thread: on a busy machine the threads of a fast backend wait for each other, and the slowest,
    which is single-threaded, would seem faster.

    Raises:
        RuntimeError: no backend passes, so nothing exact can be computed here.
    """
    best: tuple[float, Products] | None = None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for cls in BACKENDS.values():
            products = cls(device)
            seconds = self_test(products, shapes)
            if seconds is not None and (best is None or seconds < best[0]):
                best = seconds, products
    finally:
        torch.set_num_threads(threads)
    if best is None:
        raise RuntimeError(f"no GEMM backend is exact on {device}")
    return best[1]
