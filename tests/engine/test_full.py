"""The full stage: the compiled loop writes the payload that the format describes, on every machine."""

import dataclasses
import hashlib
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pixcodecs import threads
from pixcodecs.coders import range as range_coder
from pixcodecs.coders.registry import RANS
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, UnsupportedImageError

from pixzip.engine.backends.numba import coding, loop
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.wavefront import colours
from tests.engine.conftest import FEW
from tests.engine.test_light import check_state, engine, few_colours, inverse
from tests.helpers.support import noise, scene
from tests.oracles.full import Entry, Full

SIZES = [(1, 1), (1, 13), (9, 1), (2, 3), (9, 14)]


def drawing(channels: int, height: int, width: int) -> Samples:
    """(H, W, C) tiles of few colours, again and again, and flat areas."""
    rng = np.random.default_rng(3)
    palette = rng.integers(0, 256, (5, channels), dtype=np.uint8)
    tile = rng.integers(0, 5, (5, 7))
    numbers = np.tile(tile, (height // 5 + 1, width // 7 + 1))[:height, :width]
    numbers[height // 3 : height // 2] = 1
    numbers[:, width // 2 : width * 2 // 3] = 2
    return np.ascontiguousarray(palette[numbers])


def made(channels: int) -> list[Samples]:
    """Images of `SIZES` and a drawing."""
    found = [(noise if i % 2 else scene)(channels, *size, i) for i, size in enumerate(SIZES)]
    return [*found, drawing(channels, 15, 22)]


def jobs_of(images: list[Samples]) -> list[Job]:
    return [Job.encoding(x, stage=FULL) for x in images]


@cache
def random_engine(channels: int) -> WavefrontEngine:
    """A model with tables and weights of its own."""
    model, rng = engine(channels).model, np.random.default_rng(7)
    own = {
        "mix.squash": np.sort(rng.integers(1, 1 << 16, 5631)).astype(np.int32),
        "mix.weights": rng.integers(-300, 700, (2 * channels, 33, 12, 18)).astype(np.int16),
        "repeat.weights": rng.integers(-200, 900, (13, 8, 6)).astype(np.int16),
    }
    return WavefrontEngine(dataclasses.replace(model, tensors=model.tensors | own))


def extreme_engine(first: int, last: int) -> WavefrontEngine:
    """A model whose weights are the largest and the least, and whose logistic function is a jump."""
    model, rng = engine(3).model, np.random.default_rng(8)
    ends = np.array([-16384, 16384], np.int16)
    own = {
        "mix.squash": np.repeat([first, last], [2815, 2816]).astype(np.int32),
        "mix.weights": rng.choice(ends, (6, 33, 12, 18)),
        "repeat.weights": rng.choice(ends, (13, 8, 6)),
    }
    return WavefrontEngine(dataclasses.replace(model, tensors=model.tensors | own))


def counts_of(slots: NDArray[Any]) -> dict[int, list[int]]:
    """The slots that have counts: (K, 2) of these, or (K,) of the compiled loop."""
    slots = np.stack([slots & 0xFFFF, slots >> 16], 1) if slots.ndim == 1 else slots
    return {int(k): slots[k].tolist() for k in np.flatnonzero(slots.any(1))}


def entries_of(entries: NDArray[np.int64]) -> dict[tuple[int, int], tuple[Entry, ...]]:
    """The places that have entries."""
    return {
        (int(k), int(place)): tuple((e & 0xFFFFFF, e >> 24 & 255, e >> 32) for e in entries[k, place].tolist())
        for k, place in np.argwhere(entries[..., 0])
    }


def check_learned(part: coding.Part, oracle: Full) -> None:
    """Compare all state with the oracle's."""
    check_mixed(part, oracle)
    check_state(part.wavefront, oracle)


def check_mixed(part: coding.Part, oracle: Full) -> None:
    """Compare weights, counts, gains and tables with the oracle's."""
    x, r = part.decisions, part.repeats
    assert np.array_equal(x.weights, oracle.mix.reshape(x.weights.shape))
    assert np.array_equal(r.weights, oracle.repeat.reshape(r.weights.shape))
    assert counts_of(x.slots) == oracle.counts
    assert counts_of(r.slots) == oracle.repeat_counts
    assert r.gains.tolist() == oracle.gains
    assert entries_of(r.entries) == oracle.entries


def check(own: WavefrontEngine, samples: Samples, least: int = 4096, lattice: int = 0) -> Full:
    """Compare an image's payload, and the state after the last step, with the oracle's; return the oracle."""
    oracle = Full(own.model, samples, least, lattice)
    (job,) = (dataclasses.replace(job, precision=Precision(lattice=lattice)) for job in jobs_of([samples]))
    part = coding.Part(own.model.config, own.operands, [job], loop.ENCODE, 1)
    part.advance(part.wavefront.steps, 1)
    assert part.results == [oracle.payload()]
    assert own.encode([job]) == part.results
    check_learned(part, oracle)
    return oracle


@pytest.mark.parametrize("channels", [1, 3])
def test_payloads_and_state_are_those_of_the_format(channels: int) -> None:
    for size in SIZES:
        for make in (scene, noise):
            check(engine(channels), make(channels, *size, 3))
    check(engine(channels), scene(channels, 24, 32, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_repetitions_are_those_of_the_format(channels: int) -> None:
    oracle = check(engine(channels), drawing(channels, 44, 56))
    assert oracle.repetitions > 44 * 56 * 2 // 3
    assert {how for how in range(8) if (oracle.how == how).any()} >= {0, 1, 4, 5}
    assert max(times for place in oracle.entries.values() for _, _, times in place) == 255


def test_colours_seen_act_in_both_forms_of_a_sample(few: None) -> None:
    for samples in (few_colours(14, 20), drawing(3, 15, 22)):
        assert check(engine(3), samples, FEW).uses.any()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_models_own_tables_and_weights_take_the_place_of_the_defaults(channels: int) -> None:
    own = random_engine(channels)
    for samples in made(channels):
        check(own, samples)
    assert own.encode(jobs_of(made(channels)[-1:])) != engine(channels).encode(jobs_of(made(channels)[-1:]))


@pytest.mark.parametrize(("first", "last"), [(1, 65535), (1, 1), (65535, 65535), (1, 2)])
def test_extreme_weights_and_tables_are_those_of_the_format_and_round_trip(first: int, last: int) -> None:
    own, images = extreme_engine(first, last), [noise(3, 9, 14, 2), drawing(3, 12, 14)]
    for samples in images:
        check(own, samples)
    jobs = jobs_of(images)
    assert all(map(np.array_equal, own.decode(inverse(jobs, own.encode(jobs))), images))


def test_state_is_that_of_the_format_after_every_step(few: None) -> None:
    samples = drawing(3, 7, 8)
    oracle = Full(engine(3).model, samples, FEW)
    part = coding.Part(engine(3).model.config, engine(3).operands, jobs_of([samples]), loop.ENCODE, 1)
    for _ in oracle.decisions():
        part.advance(1, 1)
        check_learned(part, oracle)
    assert part.is_done


@pytest.mark.parametrize("channels", [1, 3])
def test_payloads_are_the_same_alone_together_and_in_any_number_of_threads(
    channels: int, any_threads: None, few: None
) -> None:
    own, images = engine(channels), made(channels)
    jobs = jobs_of(images)
    threads.set_threads(1)
    expected = [own.encode([job])[0] for job in jobs]
    back = inverse(jobs, expected)
    for count in (1, 2, 4):
        threads.set_threads(count)
        assert own.encode(jobs) == expected
        assert own.encode(jobs[-1:]) == expected[-1:]
        assert all(map(np.array_equal, own.decode(back), images))
        assert np.array_equal(own.decode(back[-1:])[0], images[-1])


def test_jobs_of_all_stages_share_a_call(few: None) -> None:
    own, images = engine(3), made(3)
    jobs = [Job.encoding(x, stage=(IDENTITY, LIGHT, FULL)[i % 3]) for i, x in enumerate(images)]
    payloads = own.encode(jobs)
    assert payloads == [own.encode([job])[0] for job in jobs]
    assert all(map(np.array_equal, own.decode(inverse(jobs, payloads)), images))


def test_bits_of_the_measure_are_those_of_the_payload(any_threads: None) -> None:
    own, images = engine(3), [drawing(3, 40, 50), scene(3, 24, 33, 2)]
    jobs = jobs_of(images)
    payloads = own.encode(jobs)
    for count in (1, 2):
        threads.set_threads(count)
        for bits, payload, samples in zip(own.nll_maps(jobs), payloads, images, strict=True):
            assert bits.shape == samples.shape[:2]
            assert 0.999 * bits.sum() - 8 < 8 * len(payload) < 1.001 * bits.sum() + 96


def test_a_drawing_takes_far_fewer_bytes_than_under_the_light_stage() -> None:
    for channels in (1, 3):
        samples = drawing(channels, 60, 80)
        full, light = engine(channels).encode([Job.encoding(samples, stage=stage) for stage in (FULL, LIGHT)])
        assert len(full) < 0.5 * len(light)


def test_other_samples_and_coders_are_refused() -> None:
    samples = scene(3, 4, 5, 1)
    deep = [Job.encoding(samples.astype(np.uint16), stage=FULL, precision=Precision(12))]
    other = [Job.encoding(samples, stage=FULL, coder=RANS)]
    for own in (engine(3), TensorEngine(engine(3).model, backend="float32")):
        for jobs in (deep, other):
            with pytest.raises(UnsupportedImageError, match="full stage"):
                own.encode(jobs)
            with pytest.raises(UnsupportedImageError, match="full stage"):
                own.decode(inverse(jobs, [b""]))
        with pytest.raises(UnsupportedImageError, match="full stage"):
            own.nll_maps(deep)
    with pytest.raises(ValueError, match="full stage"):
        SteppedEngine.encode(engine(3), jobs_of([samples]))


@pytest.mark.parametrize("stage", [LIGHT, FULL])
def test_streams_take_no_stage(stage: object) -> None:
    encoder = range_coder.Encoder()
    with pytest.raises(ValueError, match="stage"):
        engine(3).encode_into([Job.encoding(scene(3, 4, 5, 1), stage=stage)], encoder)
    assert not encoder.finish()


def outcome(own: WavefrontEngine, job: Job, payload: bytes) -> str:
    """A digest of the samples that a payload decodes to, or the error's text."""
    try:
        (found,) = own.decode(inverse([job], [payload]))
        return hashlib.sha256(found.tobytes()).hexdigest()
    except BitstreamError as e:
        return str(e).replace(" ", "-")


def damaged(payload: bytes, seed: int, number: int) -> list[bytes]:
    """Payloads that end too early, and some of which a bit or all words from one on are wrong."""
    rng, found = np.random.default_rng(seed), [payload[:cut] for cut in (0, 4, len(payload) // 8 * 4, len(payload) - 4)]
    for i in range(number):
        wrong = bytearray(payload)
        at = int(rng.integers(len(payload)))
        wrong[at] ^= 1 << int(rng.integers(8))
        if i % 2:
            wrong[at:] = rng.bytes(len(payload) - at)
        found.append(bytes(wrong))
    return found


@pytest.mark.parametrize("count", [1, 2])
def test_damaged_payloads_end_in_errors_or_other_samples(count: int, any_threads: None, few: None) -> None:
    threads.set_threads(count)
    errors = 0
    for samples in (drawing(3, 15, 22), scene(3, 12, 16, 1), noise(1, 9, 14, 1)):
        own, (job,) = engine(samples.shape[2]), jobs_of([samples])
        (payload,) = own.encode([job])
        right = outcome(own, job, payload)
        for wrong in damaged(payload, count, 40):
            found = outcome(own, job, wrong)
            assert found != right or wrong == payload
            errors += "payload" in found
    assert errors > 12


def digests() -> str:
    """Digests of payloads, and of what damaged ones decode to; the interpreter finds places out of range."""
    colours.LEAST_PIXELS, before = FEW, colours.LEAST_PIXELS
    found = []
    try:
        cases = [(engine(3), drawing(3, 4, 8)), (random_engine(3), scene(3, 3, 5, 2)), (engine(1), drawing(1, 3, 6))]
        for own, samples in cases:
            (job,) = jobs_of([samples])
            (payload,) = own.encode([job])
            assert np.array_equal(own.decode(inverse([job], [payload]))[0], samples)
            found.append(hashlib.sha256(payload).hexdigest())
            found += [outcome(own, job, wrong) for wrong in damaged(payload, 1, 2)]
    finally:
        colours.LEAST_PIXELS = before
    return " ".join(found)
