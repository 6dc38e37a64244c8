"""Choose the number of threads for a step's kernels from timings on this machine.

Threads that work on one step wait for each other several times per step.  On an idle machine this costs microseconds.
If other processes keep the cores busy, each wait may last until the scheduler runs the missing thread, and two threads
can take many times as long as one.  So both settings are timed repeatedly while coding, and the faster one is used.
The results do not depend on the number of threads.
"""

import time
from collections.abc import Callable, Generator, Iterator
from statistics import median

#: Fewest rows per thread for which waking the thread pays.
ROWS_PER_THREAD = 32
#: Steps timed with one thread, and again with all threads.
TRIAL_STEPS = 4
#: Steps between two trials; doubled each time that one thread is faster.
STEPS_BETWEEN = 128
_MOST_BETWEEN = 4096
#: Prefer all threads unless they are this much slower: the trial is no more accurate than that.
_TOLERANCE = 1.1


class Pace:
    """Chooses the number of threads before each step."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            threads: number of available threads.
            clock: returns the time in seconds.
        """
        self._threads, self._clock = threads, clock
        self._rows = 0
        self._plan = self._steps()

    def choose(self, rows: int) -> int:
        """The number of threads for a step of `rows` rows."""
        most = min(self._threads, rows // ROWS_PER_THREAD)
        if most < 2:
            return 1
        self._rows = rows
        return min(most, next(self._plan))

    def _steps(self) -> Iterator[int]:
        """Yield the number of threads for each step: the trial's, then the faster setting."""
        between = STEPS_BETWEEN
        while True:
            alone = yield from self._trial(1, float("inf"))
            together = yield from self._trial(self._threads, 2 * alone)
            pays = together < _TOLERANCE * alone
            between = STEPS_BETWEEN if pays else min(2 * between, _MOST_BETWEEN)
            for _ in range(between):
                yield self._threads if pays else 1

    def _trial(self, threads: int, limit_s: float) -> Generator[int, None, float]:
        """Median seconds per row with `threads` threads; ends early if all steps so far exceeded `limit_s` per row.

        The median, because the first step wakes threads and any step may be interrupted.
        """
        seconds = []
        for _ in range(TRIAL_STEPS):
            start, rows = self._clock(), self._rows
            yield threads
            seconds.append((self._clock() - start) / rows)  # resumed when the next step is requested
            if len(seconds) > 1 and min(seconds) > limit_s:
                break
        return median(seconds)
