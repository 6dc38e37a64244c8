"""Arrays <-> planes in a coding order."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pixzip.engine import order as coding_order


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_planes_round_trip(order: tuple[int, ...]) -> None:
    x = pixels(5, 7, 3)
    stacked = coding_order.to_planes(x, order)
    assert stacked.shape == (3, 5, 7)
    assert (stacked[0] == x[..., order[0]]).all()
    assert (coding_order.from_planes(stacked, order) == x).all()


def test_grey_planes_round_trip() -> None:
    x = pixels(5, 7, 1)
    back = coding_order.from_planes(coding_order.to_planes(x, (0,)), (0,))
    assert back.shape == x.shape
    assert (back == x).all()


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 3), np.int32), np.zeros((2, 2), np.uint8), np.zeros(3, np.uint8)])
def test_other_arrays_are_no_samples(bad: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        coding_order.to_planes(bad, (0, 1, 2))


@pytest.mark.parametrize("order", [(0, 1), (0, 0, 1), (1, 2, 3)])
def test_an_order_that_is_no_permutation_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="permutation"):
        coding_order.to_planes(pixels(2, 2, 3), order)
    with pytest.raises(ValueError, match="permutation"):
        coding_order.from_planes(np.zeros((3, 2, 2), np.uint8), order)
