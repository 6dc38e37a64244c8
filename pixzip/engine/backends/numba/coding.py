"""Codes the images of a batch in the compiled loop, in one or more threads."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pixcodecs import threads
from pixcodecs.coders import range_numba, rans, rans_numba
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.compiled import INTERPRETED
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.numba import digits, loop
from pixzip.engine.backends.numba.operands import Operands
from pixzip.engine.backends.numba.pace import Pace
from pixzip.engine.backends.numba.wavefront import CompiledWavefront
from pixzip.engine.base import Job, Progress
from pixzip.engine.batch import Samples
from pixzip.models.wavefront.config import Config

#: The coders of the compiled loop; others get rows of frequencies.
CODERS = {RANGE.name: (RANGE, digits.RANGE), RANS.name: (RANS, digits.RANS)}
#: Pixels between two moments at which Python may report progress, be interrupted or change the number of threads.
SEGMENT_PIXELS = 1 << 13
_ROUND_PIXELS = 32768


def codes(job: Job) -> bool:
    """Whether the compiled loop has the job's coder."""
    return CODERS.get(job.coder.name, (None,))[0] is job.coder


class Part:
    """Images that one or more threads code together, all by one coder.

    Attributes:
        wavefront: the images' buffers.
    """

    def __init__(
        self, config: Config, operands: Operands, jobs: Sequence[Job], mode: int, most_threads: int
    ) -> None:  # fmt: skip
        """
        Raises:
            BitstreamError: a payload is damaged.
        """
        self.jobs, self.mode = jobs, mode
        self.coder = CODERS[jobs[0].coder.name][1]
        streams = self._streams(config.channels)
        self.wavefront = w = CompiledWavefront(
            config, operands, [job.size for job in jobs], [job.precision for job in jobs], most_threads
        )
        self.streams = streams
        if mode != loop.DECODE:
            for i, job in enumerate(jobs):
                w.view(w.pixels, i)[...] = job.known
        m, c, pixels = w.schedule.most, config.channels, np.array([job.pixels for job in jobs])
        rows = pixels.sum() if mode == loop.ENCODE and self.coder == digits.RANS else 0
        self.work = loop.Work(
            w.pixels, np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(m, np.int64),
            np.zeros((2, m, c, w.digits, 4), np.int32), np.empty((rows, c * w.digits), np.int64),
            np.cumsum(pixels) - pixels, np.zeros(w.buffer_pixels if mode == loop.MEASURE else 0), np.zeros(1, np.int64),
        )  # fmt: skip
        self._t, self._before = 0, w.schedule.pixels_before()

    def _streams(self, channels: int) -> digits.Streams:
        n, one_each = len(self.jobs), np.arange(len(self.jobs))
        states, lanes, no_lanes = np.zeros((n, 4), np.uint64), np.zeros(0, np.int64), np.zeros(n, np.int64)
        sizes, first_lane, mask = np.zeros(n, np.int64), no_lanes, no_lanes
        words = np.zeros(0, np.uint32)
        if self.mode == loop.DECODE and self.coder == digits.RANS:
            parsed = [rans.parse(job.coded) for job in self.jobs]
            lanes = np.concatenate([p.states for p in parsed])
            counts = np.array([len(p.states) for p in parsed])
            first_lane, mask = np.cumsum(counts) - counts, counts - 1
            sizes, words = np.array([len(p.words) for p in parsed]), np.concatenate([p.words for p in parsed])
        elif self.mode == loop.DECODE:
            parts = [range_numba.parse(job.coded) for job in self.jobs]
            sizes, words = np.array([len(part) for part in parts]), np.concatenate(parts)
        elif self.mode == loop.ENCODE and self.coder == digits.RANGE:
            sizes = np.array([job.shape(channels).subpixels * job.precision.digits + 2 for job in self.jobs])
            words = np.empty(sizes.sum(), np.uint32)
            states = range_numba.new_states(n)
        end = np.cumsum(sizes)
        found = digits.Streams(self.coder, one_each, words, end - sizes, end, states, lanes, first_lane, mask)
        if self.mode == loop.DECODE and self.coder == digits.RANGE:
            for i in range(n):
                range_numba.start(states[i], words, found.first[i], found.end[i])
        return found

    def next_steps(self, pixels: int) -> tuple[int, int]:
        """The number of the next steps that have some `pixels` pixels, at least one, and the number that they have."""
        start = int(self._before[self._t])
        last = int(np.searchsorted(self._before, start + pixels, "right")) - 1
        last = min(max(self._t + 1, last), self.wavefront.steps)
        return last - self._t, int(self._before[last]) - start

    @property
    def is_done(self) -> bool:
        return self._t >= self.wavefront.steps

    def advance(self, steps: int, parts: int) -> None:
        """Code the next steps in some threads.

        Raises:
            BitstreamError: a payload is damaged.
        """
        w, span = self.wavefront, np.array([self._t, self._t + steps])

        def call(part: int, parts: int, counter: NDArray[np.int64]) -> None:
            loop.run(
                part, parts, counter, span, w.places, w.operands.trunk, w.operands.heads, w.rings, w.step_pixels,
                w.scratch, w.mixtures, self.streams, self.work, self.mode,
            )  # fmt: skip

        counter = np.zeros(1, np.int64)
        if not threads.parallel([partial(call, part, parts, counter) for part in range(parts)]):
            call(0, 1, counter)
        self._t += steps
        status = self.work.status[0]
        if status == digits.ENDED:
            raise BitstreamError("payload ends before its last pixel")
        if status:
            raise BitstreamError("payload damaged: no encoder writes its words")

    def payloads(self) -> list[bytes]:
        """The payload of each image, after all steps."""
        s, out = self.streams, []
        for i, job in enumerate(self.jobs):
            if self.coder == digits.RANS:
                shares = self.work.shares[self.work.shares_at[i] :][: job.pixels]
                out.append(rans_numba.payload(shares.reshape(*job.size, -1)))
                continue
            first = s.first[i]
            n = range_numba.finish(s.states[i], s.words, first)
            out.append(s.words[first : first + n].astype("<u4").tobytes())
        return out

    def samples(self) -> list[Samples]:
        """The samples of each image, after all steps.

        Raises:
            BitstreamError: a payload does not end with its image.
        """
        s = self.streams
        for i in range(len(self.jobs)):
            length = int(s.end[i] - s.first[i])
            if self.coder == digits.RANS:
                lanes = s.lanes[s.first_lane[i] : s.first_lane[i] + s.lane_mask[i] + 1]
                rans.check_end(lanes, int(s.states[i, 3]), length)
            elif not range_numba.is_exhausted(s.states[i], length):
                raise BitstreamError("payload goes on after its last pixel")
        return [self.wavefront.samples(i) for i in range(len(self.jobs))]

    def maps(self) -> list[NDArray[np.float64]]:
        """(H, W) bits of each image, after all steps."""
        return [self.wavefront.view(self.work.bits, i).copy() for i in range(len(self.jobs))]


def coded(
    config: Config, operands: Operands, jobs: Sequence[Job], mode: int, progress: Progress | None = None
) -> list[tuple[list[int], Part]]:
    """Code jobs of one coder; return finished parts, each with the positions of its jobs.

    As many images as threads, or more, are shared out among the threads, which then need not wait for each other.

    Raises:
        BitstreamError: a payload is damaged.
    """
    available = 1 if INTERPRETED else threads.get_threads()
    if len(jobs) < available or available == 1:
        whole = Part(config, operands, jobs, mode, available)
        _together(whole, available, progress)
        return [(list(range(len(jobs))), whole)]
    shares: list[list[int]] = [[] for _ in range(available)]
    pixels = [0] * available
    for i in sorted(range(len(jobs)), key=lambda i: -jobs[i].pixels):
        least = pixels.index(min(pixels))
        shares[least].append(i)
        pixels[least] += jobs[i].pixels
    parts = [Part(config, operands, [jobs[i] for i in sorted(share)], mode, 1) for share in shares]
    total = sum(part.wavefront.steps for part in parts)
    done = 0
    while waiting := [part for part in parts if not part.is_done]:
        steps = [part.next_steps(_ROUND_PIXELS)[0] for part in waiting]
        calls = [partial(_alone, part, count) for part, count in zip(waiting, steps, strict=True)]
        if not threads.parallel(calls):
            for call in calls:
                call()
        done += sum(steps)
        if progress:
            progress(done, total)
    return list(zip([sorted(share) for share in shares], parts, strict=True))


def _alone(part: Part, steps: int) -> None:
    part.advance(steps, 1)


def _together(part: Part, available: int, progress: Progress | None) -> None:
    pace, done = Pace(available), 0
    while not part.is_done:
        steps, pixels = part.next_steps(SEGMENT_PIXELS)
        parts = pace.choose(pixels, steps)
        part.advance(steps, parts)
        done += steps
        if progress:
            progress(done, part.wavefront.steps)
