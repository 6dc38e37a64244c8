"""The memory of the light stage: images that are coded in the same call do not all hold their state at once."""

import weakref
from typing import Any

import numpy as np
import pytest
from pixcodecs import threads
from pixcodecs.coders import range as range_coder
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.container.blocks import Precision

from pixzip.engine.backends.numba import coding
from pixzip.engine.backends.numba.wavefront import CompiledWavefront
from pixzip.engine.base import Job
from pixzip.engine.family import FamilyEngine
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.family.weights import fixed
from tests.helpers.family import tiny
from tests.helpers.support import noise, tiny_weights

MIB = 1 << 20


def light(height: int, width: int, channels: int = 3, coder: EntropyCoder = RANGE) -> Job:
    return Job.encoding(noise(channels, height, width, height + width), stage=LIGHT, coder=coder)


def of_size(height: int, width: int) -> Job:
    """A job without memory for samples."""
    return Job.decoding(b"", height, width, stage=LIGHT)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (9, 3), (70, 5), (300, 2), (64, 64)])
def test_the_state_of_an_image_takes_the_memory_that_is_reckoned(size: tuple[int, int], channels: int) -> None:
    engine = WavefrontEngine(tiny_weights(channels))
    for precision in (Precision(), Precision(12, 0)):
        batch = engine.batch([size], [precision], LIGHT)
        assert isinstance(batch, CompiledWavefront)
        e = batch.equations
        held = sum(a.nbytes for a in (e.sums, e.totals, e.samples, e.coefficients, batch.mixtures.colours.bitmap))
        job = Job.decoding(b"", *size, precision=precision, stage=LIGHT)
        assert held == engine.state_bytes(job) == coding.state_bytes(job, channels)
    assert engine.state_bytes(Job.decoding(b"", *size)) == 0


@pytest.mark.parametrize("count_of_threads", [1, 2, 16])
@pytest.mark.parametrize(("size", "count"), [((65535, 1), 256), ((1, 65535), 256), ((64, 64), 4096), ((1, 1), 4096)])
def test_groups_hold_64_mib_or_one_image(size: tuple[int, int], count: int, count_of_threads: int) -> None:
    states = [coding.state_bytes(of_size(*size), 3)] * count
    made = coding.groups([size] * count, count_of_threads, states)
    assert sorted(i for group in made for i in group) == list(range(count))
    assert all(len(group) == 1 or sum(states[i] for i in group) <= 64 * MIB for group in made)
    assert (max(map(len, made)) > 1) == (size[0] < 65535)


class Held:
    """The states of the groups that are in memory: of each, and the largest sum at any time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.most, self.groups = 0, 0, 0
        begin, held = coding.Part.__init__, self

        def init(part: coding.Part, *args: Any) -> None:
            state = sum(coding.state_bytes(job, 3) for job in args[2])
            held.now += state
            held.most = max(held.most, held.now)
            held.groups += 1
            weakref.finalize(part, held.end, state)
            begin(part, *args)

        monkeypatch.setattr(coding.Part, "__init__", init)

    def end(self, state: int) -> None:
        self.now -= state


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("coder", [RANGE, RANS], ids=["range", "rans"])
def test_a_group_is_freed_before_more_begin_than_the_memory_holds(
    count: int, coder: EntropyCoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, jobs = (
        WavefrontEngine(tiny_weights(3)),
        [light(*size, coder=coder) for size in [(9, 2), (3, 4), (70, 1)] * 5],
    )
    expected = [engine.encode([job])[0] for job in jobs]
    limit = 3 * coding.state_bytes(of_size(70, 1), 3) // 2
    monkeypatch.setattr(coding, "_STATE_BYTES", limit)
    held, before = Held(monkeypatch), threads.get_threads()
    threads.set_threads(count)
    try:
        assert engine.encode(jobs) == expected
        back = [Job.decoding(p, *job.size, coder=coder, stage=LIGHT) for p, job in zip(expected, jobs, strict=True)]
        assert all(map(np.array_equal, engine.decode(back), [job.known for job in jobs]))
        engine.nll_maps(jobs)
    finally:
        threads.set_threads(before)
    assert held.groups > 15
    assert 0 < held.most <= count * limit
    assert held.now == 0


def test_images_larger_than_the_memory_are_coded_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, jobs = WavefrontEngine(tiny_weights(3)), [light(5, 4) for _ in range(5)]
    monkeypatch.setattr(coding, "_STATE_BYTES", 1)
    held, before = Held(monkeypatch), threads.get_threads()
    threads.set_threads(4)
    try:
        engine.encode(jobs)
    finally:
        threads.set_threads(before)
    assert (held.groups, held.most) == (5, coding.state_bytes(jobs[0], 3))


def test_steps_hold_no_more_than_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, jobs = WavefrontEngine(tiny_weights(3)), [light(5, 4), light(70, 1), light(3, 3)]
    expected, sizes, make = engine.encode(jobs), [], engine.batch
    monkeypatch.setattr("pixzip.engine.wavefront._STATE_BYTES", coding.state_bytes(jobs[0], 3))
    monkeypatch.setattr(engine, "batch", lambda some, *more: sizes.append(len(some)) or make(some, *more))
    assert SteppedEngine.encode(engine, jobs) == expected
    assert sizes == [1, 1, 1]


def test_streams_refuse_stages() -> None:
    image = noise(1, 3, 4, 1)
    family = FamilyEngine(fixed(tiny("pixelcnn-1", hidden=2, layers=1, features=2, channels=1, levels=256)))
    for engine in (WavefrontEngine(tiny_weights(1)), family):
        with pytest.raises(ValueError, match="job has the stage light, expected none in a stream"):
            engine.encode_into([Job.encoding(image), Job.encoding(image, stage=LIGHT)], range_coder.Encoder())
