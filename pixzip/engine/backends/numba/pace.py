"""How many threads a step's kernels use: as many as pay, here and now.

Threads that work on one step wait for each other several times in it.  On an idle machine that costs microseconds;
where other processes keep the cores busy, each wait may last until the scheduler turns to the thread that is missing,
and two threads can take many times as long as one.  So both ways are timed while coding, again and again, and the
faster one is used.  What is computed does not depend on it.
"""

import time
from collections.abc import Callable, Generator, Iterator
from statistics import median

#: A thread is not worth waking for fewer rows.
ROWS_PER_THREAD = 32
#: Steps that are timed with one thread, and as many with all of them.
TRIAL_STEPS = 8
#: Steps from one trial to the next; where one thread is faster, twice as many each time.
STEPS_BETWEEN = 256
_MOST_BETWEEN = 4096
#: All threads are used, be they so much slower in a trial: that is how exactly it measures.
_TOLERANCE = 1.1


class Pace:
    """Asked before each step."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            threads: as many as there are.
            clock: gives seconds.
        """
        self._threads, self._clock = threads, clock
        self._rows = 0
        self._plan = self._steps()

    def choose(self, rows: int) -> int:
        """The threads for a step of so many rows."""
        most = min(self._threads, rows // ROWS_PER_THREAD)
        if most < 2:
            return 1
        self._rows = rows
        return min(most, next(self._plan))

    def _steps(self) -> Iterator[int]:
        """Threads of each step: those of a trial, then those that were faster in it."""
        between = STEPS_BETWEEN
        while True:
            alone = yield from self._trial(1, float("inf"))
            together = yield from self._trial(self._threads, 2 * alone)
            pays = together < _TOLERANCE * alone
            between = STEPS_BETWEEN if pays else min(2 * between, _MOST_BETWEEN)
            for _ in range(between):
                yield self._threads if pays else 1

    def _trial(self, threads: int, limit_s: float) -> Generator[int, None, float]:
        """Median seconds a row, of so many threads; it ends early where all rows so far took longer than `limit_s`.

        A median, for the first step wakes threads, and any step may be interrupted.
        """
        seconds = []
        for _ in range(TRIAL_STEPS):
            start, rows = self._clock(), self._rows
            yield threads
            seconds.append((self._clock() - start) / rows)  # when the next step is asked for
            if len(seconds) > 1 and min(seconds) > limit_s:
                break
        return median(seconds)
