"""The diagonals of batches: which pixels each step has."""

import pytest

from pixzip.engine.backends.numba.coding import groups
from pixzip.engine.schedule import Schedule, count_steps

SIZES = [[(1, 1)], [(5, 1)], [(1, 7)], [(6, 5), (2, 30), (9, 14)]]


@pytest.mark.parametrize("sizes", SIZES)
def test_pixels_before_each_step_are_counted(sizes: list[tuple[int, int]]) -> None:
    schedule = Schedule(sizes)
    counts = [sum(part.stop - part.start for _, part in schedule.segments(t)) for t in range(schedule.steps)]
    before = schedule.pixels_before()
    assert before.tolist() == [sum(counts[:t]) for t in range(schedule.steps + 1)]
    assert before[-1] == sum(h * w for h, w in sizes)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_small_images_are_coded_together_and_large_ones_alone(threads: int) -> None:
    sizes = [(48, 48)] * 10 + [(512, 768), (1, 900), (600, 500)]
    made = groups(sizes, threads)
    assert sorted(i for group in made for i in group) == list(range(len(sizes)))
    assert {len(group) for group in made if {10, 12} & set(group)} == {1}
    assert max(map(len, made)) > 1
    longest = [max(count_steps(*sizes[i]) for i in group) for group in made]
    assert longest == sorted(longest, reverse=True)


@pytest.mark.parametrize("threads", [2, 8])
def test_few_small_images_are_shared_out_among_the_threads(threads: int) -> None:
    assert len(groups([(20, 20)] * threads, threads)) == threads
