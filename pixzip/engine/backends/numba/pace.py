"""Choose the number of threads for a segment of steps from timings on this machine.

Threads that work on one step wait for each other several times.  On an idle machine this costs microseconds.
If other processes keep the cores busy, each wait may last until the scheduler runs the missing thread, and two threads
can take many times as long as one.  So both settings are timed repeatedly while coding, and the faster one is used.
The results do not depend on the number of threads.
"""

import time
from collections.abc import Callable, Generator, Iterator
from itertools import repeat

#: Fewest pixels of a step per thread for which waking the thread pays.
PIXELS_PER_THREAD = 32
#: Segments timed with one thread, and again with all threads.
TRIAL_SEGMENTS = 2
#: Segments between two trials while all threads are faster.
SEGMENTS_BETWEEN = 48
#: The same while one thread is faster: few at first, since the first steps of an image are small; doubled each time.
LEAST_BETWEEN, _MOST_BETWEEN = 8, 4096
#: Prefer all threads unless they are this much slower: the trial is no more accurate than that.
_TOLERANCE = 1.1
#: A trial ends at once if a segment takes this many times its limit.
_HOPELESS = 4


class Pace:
    """Chooses the number of threads before each segment of some steps."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            threads: number of available threads.
            clock: returns the time in seconds.
        """
        self._threads, self._clock = threads, clock
        self._pixels = 0
        self._plan = self._segments()

    def choose(self, pixels: int, steps: int) -> int:
        """The number of threads for a segment of so many pixels and steps."""
        most = min(self._threads, pixels // steps // PIXELS_PER_THREAD)
        if most < 2:
            return 1
        self._pixels = pixels
        return min(most, next(self._plan))

    def _segments(self) -> Iterator[int]:
        """Yield the number of threads for each segment: the trial's, then the faster setting."""
        between = LEAST_BETWEEN
        while True:
            alone = yield from self._trial(1, float("inf"))
            together = yield from self._trial(self._threads, 2 * alone)
            if together < _TOLERANCE * alone:
                yield from repeat(self._threads, SEGMENTS_BETWEEN)
                between = LEAST_BETWEEN
            else:
                yield from repeat(1, between)
                between = min(2 * between, _MOST_BETWEEN)

    def _trial(self, threads: int, limit_s: float) -> Generator[int, None, float]:
        """Least seconds per pixel with `threads` threads; ends early if a segment is far above `limit_s`.

        The least, because the first segment wakes threads and any segment may be interrupted.
        """
        seconds = []
        for _ in range(TRIAL_SEGMENTS):
            start, pixels = self._clock(), self._pixels
            yield threads
            seconds.append((self._clock() - start) / pixels)  # resumed when the next segment is requested
            if seconds[-1] > _HOPELESS * limit_s:
                break
        return min(seconds)
