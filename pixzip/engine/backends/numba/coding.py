"""Codes the images of a batch in the compiled loop, in one or more threads."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs import threads
from pixcodecs.coders import range_numba, rans, rans_numba
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.compiled import INTERPRETED
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.numba import adapt, colours, digits, loop
from pixzip.engine.backends.numba.decisions import mixer
from pixzip.engine.backends.numba.full import full
from pixzip.engine.backends.numba.operands import Operands
from pixzip.engine.backends.numba.pace import Pace
from pixzip.engine.backends.numba.repeats import repeats
from pixzip.engine.backends.numba.wavefront import CompiledWavefront
from pixzip.engine.base import Job, Progress
from pixzip.engine.batch import Samples
from pixzip.engine.schedule import count_steps
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.models.wavefront import mixing
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.taps import SLOPE

#: The coders of the compiled loop; others get rows of frequencies.
CODERS = {RANGE.name: (RANGE, digits.RANGE), RANS.name: (RANS, digits.RANS)}
#: Pixels between two moments at which Python may report progress, be interrupted or change the number of threads.
SEGMENT_PIXELS = 1 << 13
_ROUND_PIXELS = 32768
#: Most words of a pixel in the full stage: 20 decisions of up to 16 bits a sample, and those of candidates.
MOST_WORDS = 3 * 10 + 7
#: Rows of a step up to which images are coded in the same steps.
_ROWS_TOGETHER = 64
#: Counts and tables of the full stage.
_MIXED_BYTES = 24 << 20
#: Largest state of a stage in a group, unless one image has more; and in all groups, by this for each thread.
_STATE_BYTES = 64 << 20


def codes(job: Job) -> bool:
    """Whether the compiled loop has the job's coder."""
    return CODERS.get(job.coder.name, (None,))[0] is job.coder


def state_bytes(job: Job, channels: int) -> int:
    """Bytes of what a stage knows of an image.

    Least squares take 7.4 KB a row of RGB; narrow images have many rows a pixel.
    """
    if job.stage not in (LIGHT, FULL):
        return 0
    remembers = channels == 3 and job.precision.depth == 8
    mixed = _MIXED_BYTES if job.stage == FULL else 0
    return mixed + adapt.state_bytes(job.size, channels) + (colours.state_bytes(job.size) if remembers else 0)


class Part:
    """Images that one or more threads code together, all by one coder.

    Attributes:
        results: of each image after the last step: its payload (`ENCODE`), (H, W, C) samples (`DECODE`) or (H, W)
            float64 bits (`MEASURE`).
        work: what the loop has written.
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
        sizes, precisions = [job.size for job in jobs], [job.precision for job in jobs]
        self.wavefront = w = CompiledWavefront(config, operands, sizes, precisions, most_threads, jobs[0].stage)
        self.streams = streams
        if mode != loop.DECODE:
            for i, job in enumerate(jobs):
                w.view(w.pixels, i)[...] = job.known
        m, c, pixels = w.schedule.most, config.channels, np.array([job.pixels for job in jobs])
        rows = pixels.sum() if mode == loop.ENCODE and self.coder == digits.RANS else 0
        self.work = loop.Work(
            pixels=w.pixels, prefix=np.zeros(m, np.int64), low=np.zeros(m, np.int64), high=np.zeros(m, np.int64),
            edges=np.zeros((2, m, c, w.digits, 4), np.int32), shares=np.empty((rows, c * w.digits), np.int64),
            shares_at=np.cumsum(pixels) - pixels, bits=np.zeros(w.buffer_pixels if mode == loop.MEASURE else 0),
            rows=np.zeros((pixels.sum() * c * w.digits if mode == loop.ROWS else 0, 16), np.int32),
            status=np.zeros(1, np.int64),
        )  # fmt: skip
        if jobs[0].stage == FULL:
            squash, decisions, repeated = operands.mixing
            self.decisions = mixer(mixing.tables(squash), decisions, m, config.n_mix, w.buffer_pixels)
            self.repeats = repeats(repeated, m, w.buffer_pixels, most_threads)
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
            each = MOST_WORDS if self.jobs[0].stage == FULL else channels * self.jobs[0].precision.digits
            sizes = np.array([job.pixels * each + 2 for job in self.jobs])
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
            common = (
                part, parts, counter, span, w.places, w.operands.trunk, w.operands.heads, w.rings, w.step_pixels,
                w.scratch, w.mixtures, w.equations, self.streams, self.work,
            )  # fmt: skip
            if self.jobs[0].stage == FULL:
                *others, streams, work = common
                full(*others, self.decisions, self.repeats, streams, work, self.mode)
            elif self.mode == loop.DECODE:
                loop.decode(*common)
            else:
                loop.encode(*common, self.mode)

        counter = np.zeros(1, np.int64)
        if not threads.parallel([partial(call, part, parts, counter) for part in range(parts)]):
            call(0, 1, counter)
        self._t += steps
        self._check()
        if self.is_done:
            self.results = self._results()

    def _check(self) -> None:
        status = self.work.status[0]
        if status == digits.ENDED:
            raise BitstreamError("payload ends before its last pixel")
        if status:
            raise BitstreamError("payload damaged: no encoder writes its words")

    def _results(self) -> list[Any]:
        if self.mode == loop.MEASURE:
            return [self.wavefront.view(self.work.bits, i).copy() for i in range(len(self.jobs))]
        return self._samples() if self.mode == loop.DECODE else self._payloads() if self.mode == loop.ENCODE else []

    def _payloads(self) -> list[bytes]:
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

    def _samples(self) -> list[Samples]:
        """
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


def coded(
    config: Config, operands: Operands, jobs: Sequence[Job], mode: int, progress: Progress | None = None
) -> list[Any]:
    """Code jobs of one coder; return the result of each, see `Part.results`.

    Threads take groups of images one after another, without waiting for each other.  The last groups, fewer than
    there are threads, are coded by all threads together.  A group's memory is taken when it begins, and that of the
    light stage lets fewer groups than threads begin.

    Raises:
        BitstreamError: a payload is damaged.
    """
    available = 1 if INTERPRETED else threads.get_threads()
    states = [state_bytes(job, config.channels) for job in jobs]
    alone = jobs[0].stage == FULL
    waiting = [[i] for i in range(len(jobs))] if alone else groups([job.size for job in jobs], available, states)
    together = len(waiting) % available
    if together > available // 2:
        together = 0
    done, total = 0, sum(job.pixels for job in jobs)
    results: dict[int, Any] = {}
    active: list[tuple[list[int], Part]] = []

    def begun() -> tuple[list[int], Part]:
        group = waiting.pop(0)
        return group, Part(config, operands, [jobs[i] for i in group], mode, available)

    def advanced(pixels: int) -> None:
        nonlocal done
        done += pixels
        if progress:
            progress(done, total)

    def fits() -> bool:
        held = sum(states[i] for group, _ in active for i in group)
        return not active or held + sum(states[i] for i in waiting[0]) <= available * _STATE_BYTES

    # functions, so that no local variable holds a group that is done while another one begins

    def each_by_one() -> None:
        spans = [part.next_steps(_ROUND_PIXELS) for _, part in active]
        calls = [partial(part.advance, steps, 1) for (_, part), (steps, _) in zip(active, spans, strict=True)]
        if not threads.parallel(calls):
            for call in calls:
                call()
        advanced(sum(pixels for _, pixels in spans))
        for group, part in active:
            if part.is_done:
                results.update(zip(group, part.results, strict=True))
        active[:] = [(group, part) for group, part in active if not part.is_done]

    def one_by_all(pace: Pace) -> None:
        group, part = begun()
        while not part.is_done:
            steps, pixels = part.next_steps(SEGMENT_PIXELS)
            part.advance(steps, pace.choose(pixels, steps))
            advanced(pixels)
        results.update(zip(group, part.results, strict=True))

    while active or len(waiting) > together:
        while len(active) < available and len(waiting) > together and fits():
            active.append(begun())
        each_by_one()
    pace = Pace(available)
    while waiting:
        one_by_all(pace)
    return [results[i] for i in range(len(jobs))]


def frequencies(config: Config, operands: Operands, job: Job) -> NDArray[np.int32]:
    """(Q, 16) frequencies of all symbols of an image in the order of coding."""
    part = Part(config, operands, [job], loop.ROWS, 1)
    part.advance(part.wavefront.steps, 1)
    return part.work.rows


def groups(sizes: Sequence[tuple[int, int]], threads: int, states: Sequence[int] = ()) -> list[list[int]]:
    """Positions of images that are coded in the same steps, the longest first.

    A group is one image, or some of few rows a step, which fill the rows of the kernels' tiles: but its buffers should
    stay in the caches, and its states in the memory.

    Args:
        states: bytes of each image's state; none if there is no state.
    """
    rows = [min(height, -(-width // SLOPE)) for height, width in sizes]
    enough = min(_ROWS_TOGETHER, max(1, sum(rows) // threads))
    made: list[list[int]] = []
    found, held = enough, 0
    for i in sorted(range(len(sizes)), key=lambda i: -count_steps(*sizes[i])):
        state = states[i] if states else 0
        if found >= enough or held + state > _STATE_BYTES:
            made.append([])
            found = held = 0
        made[-1].append(i)
        found, held = found + rows[i], held + state
    return made
