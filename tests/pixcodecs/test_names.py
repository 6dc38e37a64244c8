"""Conflicts of the names of a stack, and the memory to find them."""

import tracemalloc

import numpy as np
import pytest
from pixcodecs.container import names
from pixcodecs.errors import UnsupportedImageError


def test_names_take_memory_in_proportion_to_their_text() -> None:
    given = [f"{i:x}" + 31 * "/a" for i in range(5000)]
    tracemalloc.start()
    names.check(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * sum(map(len, given))  # the prefixes would be forty times the text


@pytest.mark.parametrize("seed", range(40))
def test_conflicts_of_names_are_those_of_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = ["/".join(rng.choice(["a", "A", "b", "a!", "a-"], rng.integers(1, 4))) for _ in range(rng.integers(1, 9))]
    keys = [name.lower() for name in given]
    expected = any(
        a == b or b.startswith(a + "/") or a.startswith(b + "/") for i, a in enumerate(keys) for b in keys[:i]
    )
    try:
        names.check(given)
        found = False
    except UnsupportedImageError:
        found = True
    assert found == expected, given
