"""Threads are used if they pay, according to a simulated clock."""

from collections.abc import Callable
from itertools import count

import pytest

from pixzip.engine.backends.numba.pace import LEAST_BETWEEN, PIXELS_PER_THREAD, SEGMENTS_BETWEEN, TRIAL_SEGMENTS, Pace

#: Steps of a segment, and pixels of a step.
STEPS, PIXELS = 20, 4 * PIXELS_PER_THREAD


class Machine:
    """A simulated machine, on which the time of a segment depends on its threads."""

    def __init__(self, segment_s: Callable[[int], float], threads: int = 2) -> None:
        self.now, self.segment_s = 0.0, segment_s
        self.pace = Pace(threads, lambda: self.now)

    def run(self, segments: int, pixels: int = PIXELS) -> list[int]:
        """The number of threads of each segment, whose steps have so many pixels."""
        chosen = []
        for _ in range(segments):
            chosen.append(self.pace.choose(STEPS * pixels, STEPS))
            self.now += self.segment_s(chosen[-1])
        return chosen


def test_all_threads_are_used_where_they_are_faster() -> None:
    chosen = Machine(lambda threads: 1 / threads).run(5000)
    assert chosen.count(2) > 0.95 * len(chosen)


def test_one_thread_is_used_where_others_only_wait() -> None:
    machine = Machine(lambda threads: 1.0 if threads == 1 else 50.0)
    chosen = machine.run(5000)
    assert machine.now < 1.1 * len(chosen)  # with one thread, a segment takes one second
    assert 0 < chosen.count(2) < 20


def test_the_choice_follows_the_machine() -> None:
    busy = True
    machine = Machine(lambda threads: 1.0 if threads == 1 else 10.0 if busy else 0.5)
    machine.run(1000)
    busy = False
    assert machine.run(3000)[-SEGMENTS_BETWEEN:].count(2) >= SEGMENTS_BETWEEN - 2 * TRIAL_SEGMENTS
    busy = True
    later = machine.run(1000)
    assert later[-SEGMENTS_BETWEEN:].count(1) >= SEGMENTS_BETWEEN - 2 * TRIAL_SEGMENTS


def test_a_trial_that_goes_badly_is_short() -> None:
    machine = Machine(lambda threads: 1.0 if threads == 1 else 1000.0)
    assert machine.run(TRIAL_SEGMENTS + 2) == [1] * TRIAL_SEGMENTS + [2, 1]


def test_one_slow_segment_decides_little() -> None:
    steps = count()
    machine = Machine(lambda threads: 100.0 if next(steps) == TRIAL_SEGMENTS else 1 / threads)
    chosen = machine.run(SEGMENTS_BETWEEN)
    soon = 3 * TRIAL_SEGMENTS + LEAST_BETWEEN
    assert chosen[soon:] == [2] * (SEGMENTS_BETWEEN - soon)


def test_small_steps_wake_nobody() -> None:
    machine = Machine(lambda threads: 1 / threads)
    assert set(machine.run(1000, pixels=2 * PIXELS_PER_THREAD - 1)) == {1}


@pytest.mark.parametrize("pixels", [2 * PIXELS_PER_THREAD, 5 * PIXELS_PER_THREAD, 100 * PIXELS_PER_THREAD])
def test_no_segment_gets_more_threads_than_its_steps_are_worth(pixels: int) -> None:
    chosen = Machine(lambda threads: 1 / threads, threads=8).run(2 * SEGMENTS_BETWEEN, pixels)
    assert max(chosen) == min(8, pixels // PIXELS_PER_THREAD)


def test_a_machine_of_one_core_uses_it() -> None:
    assert set(Machine(lambda _: 1.0, threads=1).run(100)) == {1}


def test_segments_of_unequal_size_are_compared_by_the_pixel() -> None:
    ticks = count()
    machine = Machine(lambda threads: 0.0)
    pace, chosen = Pace(2, lambda: machine.now), []
    for _ in range(2 * SEGMENTS_BETWEEN):
        pixels = PIXELS * STEPS * (1 + next(ticks))  # segments grow, as steps do in the corner of an image
        chosen.append(pace.choose(pixels, STEPS))
        machine.now += pixels / chosen[-1]
    assert chosen[-SEGMENTS_BETWEEN // 2 :] == [2] * (SEGMENTS_BETWEEN // 2)
