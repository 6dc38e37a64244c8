"""Logarithms and hashes of integers in tensors of int64, exact on every device.

Products wrap around modulo 2^64, and shifts to the right are those of unsigned numbers where that matters.
"""

import torch
from torch import Tensor


def _signed(number: int) -> int:
    """The int64 with the bits of a number below 2^64."""
    return number - (1 << 64) if number >> 63 else number


_K1, _K2, _K3 = (_signed(k) for k in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xBF58476D1CE4E5B9))
_HALF_WORD = 29

#: An int64 tensor, or a number.
Number = Tensor | int


def floor_log2(numbers: Tensor) -> Tensor:
    """The floor of the binary logarithm of each number, 1 to 2^24."""
    _, exponent = torch.frexp(numbers.to(torch.float32))  # exact; the mantissa is 1/2 to 1
    return exponent.long() - 1


def half_octave(numbers: Tensor) -> Tensor:
    """The half octave of each number, 1 to 2^24: `odd` of `docs/format.md`, section 12.3."""
    mantissa, exponent = torch.frexp(numbers.to(torch.float32))
    return 2 * (exponent.long() - 1) + (mantissa >= 0.75)


def about_log(numbers: Tensor) -> Tensor:
    """About 64 log2 of each number, 1 to 2^24: `size` of section 13.1."""
    bits = floor_log2(numbers)
    return 64 * bits + ((64 * numbers) >> bits) - 64


def mingled(a: Number, b: Tensor) -> Tensor:
    """A hash of 64 bits of two numbers: `h` of section 13.1."""
    g = (a * _K1) ^ (b * _K2) if isinstance(a, Tensor) else (b * _K2) ^ _signed(a * _K1 % (1 << 64))
    return (g ^ ((g >> _HALF_WORD) & (1 << 64 - _HALF_WORD) - 1)) * _K3


def first_bits(g: Tensor, bits: int) -> Tensor:
    """The first bits of hashes."""
    return (g >> 64 - bits) & (1 << bits) - 1
