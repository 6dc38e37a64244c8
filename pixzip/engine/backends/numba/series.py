"""Codes a stack in the compiled loop: batch after batch in one stream, with a stage that goes on from batch to batch.

The images of a batch are coded side by side and share what the stage learns.  `docs/format.md`, section 10.2,
specifies with what a batch begins.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs import threads
from pixcodecs.coders import range_numba
from pixcodecs.compiled import INTERPRETED
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.numba import coding, digits, loop
from pixzip.engine.backends.numba.adapt import last_totals
from pixzip.engine.backends.numba.colours import unseen
from pixzip.engine.backends.numba.learned import Learned
from pixzip.engine.backends.numba.operands import Operands
from pixzip.engine.backends.numba.pace import Pace
from pixzip.engine.base import Job, Progress
from pixzip.engine.batch import Samples
from pixzip.engine.stages.base import IDENTITY
from pixzip.models.wavefront.config import Config

#: Least room for words of later batches.
_SPARE = 1 << 20


class Series:
    """The stream of a stack.

    Attributes:
        mode: `loop.ENCODE` or `DECODE`.
        words, state: (S,) uint32 words of the range coder, and its (1, 4) state.
        learned: what the next batch begins with.
    """

    def __init__(self, config: Config, operands: Operands, mode: int, words: NDArray[np.uint32]) -> None:
        """
        Args:
            words: those to decode.
        """
        self.config, self.operands, self.mode = config, operands, mode
        self.words, self.state = words, range_numba.new_states(1)
        self.learned = Learned(operands.prior, unseen(1))

    def reserve(self, number: int) -> None:
        """Make room for more words, and for as many as there are, so that few are copied."""
        used = int(self.state[0, 3])
        if len(self.words) < used + number:
            before, self.words = self.words, np.empty(used + number + max(used, _SPARE), np.uint32)
            self.words[:used] = before[:used]

    def code(self, jobs: Sequence[Job], progress: Progress | None) -> "Batch":
        """Code a batch.

        Raises:
            BitstreamError: the payload is damaged.
        """
        available = 1 if INTERPRETED else threads.get_threads()
        batch, pace = Batch(self, jobs, available), Pace(available)
        done, total = 0, sum(job.pixels for job in jobs)
        while not batch.is_done:
            steps, pixels = batch.next_steps(coding.SEGMENT_PIXELS)
            batch.advance(steps, pace.choose(pixels, steps))
            done += pixels
            if progress:
                progress(done, total)
        if jobs[0].stage != IDENTITY:
            self.learned.prior = last_totals(batch.wavefront.equations, jobs[0].height)
        return batch


class Batch(coding.Part):
    """Images of one size that are coded together, in the stream of a series."""

    def __init__(self, series: Series, jobs: Sequence[Job], most_threads: int) -> None:
        self._series = series
        super().__init__(series.config, series.operands, jobs, series.mode, most_threads, series.learned)

    def _streams(self, channels: int) -> digits.Streams:
        series, none = self._series, np.zeros(0, np.int64)
        if self.mode == loop.ENCODE:
            series.reserve(sum(job.pixels * coding.most_words(job, channels) for job in self.jobs) + 2)
        of_image, first, end = np.zeros(len(self.jobs), np.int64), np.zeros(1, np.int64), np.array([len(series.words)])
        return digits.Streams(self.coder, of_image, series.words, first, end, series.state, none, none, none)

    def _results(self) -> list[Any]:
        if self.mode == loop.ENCODE:
            return []
        return [self.wavefront.samples(i) for i in range(len(self.jobs))]


class SeriesEncoder:
    """See `StackEncoder`."""

    def __init__(self, config: Config, operands: Operands) -> None:
        self._series = Series(config, operands, loop.ENCODE, np.zeros(0, np.uint32))

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> None:
        self._series.code(jobs, progress)

    def finish(self) -> bytes:
        series = self._series
        series.reserve(2)
        number = range_numba.finish(series.state[0], series.words, 0)
        return series.words[:number].astype("<u4").tobytes()


class SeriesDecoder:
    """See `StackDecoder`."""

    def __init__(self, config: Config, operands: Operands, payload: bytes) -> None:
        """
        Raises:
            BitstreamError: the payload is not made of words.
        """
        words = range_numba.parse(payload)
        self._series = Series(config, operands, loop.DECODE, words)
        range_numba.start(self._series.state[0], words, 0, len(words))

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        return self._series.code(jobs, progress).results

    def check_exhausted(self) -> None:
        if not range_numba.is_exhausted(self._series.state[0], len(self._series.words)):
            raise BitstreamError("payload goes on after its last pixel")
