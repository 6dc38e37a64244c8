"""Conversion of samples between the image's order of channels and a coding order."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pixzip.engine.order import from_coding_order, to_coding_order


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_samples_round_trip(order: tuple[int, ...]) -> None:
    x = pixels(5, 7, 3)
    ordered = to_coding_order(x, order)
    assert ordered.shape == x.shape
    assert (ordered[..., 0] == x[..., order[0]]).all()
    assert (from_coding_order(ordered, order) == x).all()


@pytest.mark.parametrize(("channels", "order"), [(1, (0,)), (3, (0, 1, 2))])
def test_an_order_that_is_the_images_own_takes_no_copy(channels: int, order: tuple[int, ...]) -> None:
    x = pixels(5, 7, channels)
    assert to_coding_order(x, order) is x
    assert from_coding_order(x, order) is x


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 3), np.int32), np.zeros((2, 2), np.uint8), np.zeros(3, np.uint8)])
def test_other_arrays_are_no_samples(bad: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        to_coding_order(bad, (0, 1, 2))


@pytest.mark.parametrize("order", [(0, 1), (0, 0, 1), (1, 2, 3)])
def test_an_order_that_is_no_permutation_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="permutation"):
        to_coding_order(pixels(2, 2, 3), order)
    with pytest.raises(ValueError, match="permutation"):
        from_coding_order(np.zeros((2, 2, 3), np.uint8), order)
