"""Threads are used if they pay, according to a simulated clock."""

from collections.abc import Callable
from itertools import count

import pytest

from pixzip.engine.backends.numba.pace import ROWS_PER_THREAD, STEPS_BETWEEN, TRIAL_STEPS, Pace

ROWS = 4 * ROWS_PER_THREAD


class Machine:
    """A simulated machine, on which the time of a step depends on its threads."""

    def __init__(self, step_s: Callable[[int], float], threads: int = 2) -> None:
        self.now, self.step_s = 0.0, step_s
        self.pace = Pace(threads, lambda: self.now)

    def run(self, steps: int, rows: int = ROWS) -> list[int]:
        """The number of threads of each step."""
        chosen = []
        for _ in range(steps):
            chosen.append(self.pace.choose(rows))
            self.now += self.step_s(chosen[-1])
        return chosen


def test_all_threads_are_used_where_they_are_faster() -> None:
    chosen = Machine(lambda threads: 1 / threads).run(5000)
    assert chosen.count(2) > 0.95 * len(chosen)


def test_one_thread_is_used_where_others_only_wait() -> None:
    machine = Machine(lambda threads: 1.0 if threads == 1 else 50.0)
    chosen = machine.run(5000)
    assert machine.now < 1.1 * len(chosen)  # with one thread, a step takes one second
    assert 0 < chosen.count(2) < 20


def test_the_choice_follows_the_machine() -> None:
    busy = True
    machine = Machine(lambda threads: 1.0 if threads == 1 else 10.0 if busy else 0.5)
    machine.run(1000)
    busy = False
    assert machine.run(3000)[-STEPS_BETWEEN:].count(2) >= STEPS_BETWEEN - 2 * TRIAL_STEPS
    busy = True
    later = machine.run(1000)
    assert later[-STEPS_BETWEEN:].count(1) >= STEPS_BETWEEN - 2 * TRIAL_STEPS


def test_a_trial_that_goes_badly_is_short() -> None:
    machine = Machine(lambda threads: 1.0 if threads == 1 else 1000.0)
    assert machine.run(TRIAL_STEPS + 3) == [1] * TRIAL_STEPS + [2, 2, 1]


def test_one_slow_step_decides_nothing() -> None:
    steps = count()
    machine = Machine(lambda threads: 100.0 if next(steps) == TRIAL_STEPS else 1 / threads)
    assert machine.run(STEPS_BETWEEN)[2 * TRIAL_STEPS :] == [2] * (STEPS_BETWEEN - 2 * TRIAL_STEPS)


def test_small_steps_wake_nobody() -> None:
    machine = Machine(lambda threads: 1 / threads)
    assert set(machine.run(1000, rows=2 * ROWS_PER_THREAD - 1)) == {1}


@pytest.mark.parametrize("rows", [2 * ROWS_PER_THREAD, 5 * ROWS_PER_THREAD, 100 * ROWS_PER_THREAD])
def test_no_step_gets_more_threads_than_its_rows_are_worth(rows: int) -> None:
    chosen = Machine(lambda threads: 1 / threads, threads=8).run(2 * STEPS_BETWEEN, rows)
    assert max(chosen) == min(8, rows // ROWS_PER_THREAD)


def test_a_machine_of_one_core_uses_it() -> None:
    assert set(Machine(lambda _: 1.0, threads=1).run(100)) == {1}


def test_steps_of_unequal_size_are_compared_by_the_row() -> None:
    ticks = count()
    machine = Machine(lambda threads: 0.0)
    pace, chosen = Pace(2, lambda: machine.now), []
    for _ in range(2 * STEPS_BETWEEN):
        rows = ROWS * (1 + next(ticks))  # steps grow, as in the corner of an image
        chosen.append(pace.choose(rows))
        machine.now += rows / chosen[-1]
    assert chosen[-STEPS_BETWEEN // 2 :] == [2] * (STEPS_BETWEEN // 2)
