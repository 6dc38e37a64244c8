"""Kernels own no memory, and small functions are compiled into them."""

import numpy as np
import pytest
from numba.core.errors import TypingError
from pixcodecs.compiled import INTERPRETED, compiled, inlined, pasted

pytestmark = pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")


@compiled
def allocating(n):
    return np.zeros(n, np.int64).sum()


def test_a_kernel_that_allocates_is_refused() -> None:
    with pytest.raises(TypingError):
        allocating(3)


@pasted
def part(values, i):
    if values[i] < 0:
        return np.int64(0)
    return values[i] * 2


@inlined
def sum_of(arrays):
    return part(arrays[0], 1) + arrays[1][0]


@compiled
def total(arrays):
    return sum_of(arrays)


def test_tuples_of_arrays_are_passed_without_counting_references() -> None:
    assert total((np.array([1, 2]), np.array([3]))) == 7
    assert total((np.array([1, -2]), np.array([3]))) == 3
    (code,) = total.inspect_llvm().values()
    assert "NRT_incref" not in code
    assert "sum_of" not in "\n".join(line for line in code.splitlines() if "call " in line)
