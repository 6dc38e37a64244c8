"""The light stage in tensor operations writes the compiled loop's bytes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.container.blocks import Precision

from pixzip.engine import wavefront
from pixzip.engine.backends.base import Wavefront
from pixzip.engine.backends.cuda import engine as device_engine
from pixzip.engine.backends.cuda.batch import Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine
from pixzip.engine.backends.torch import adapt, colours
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.backends.torch.wavefront import TensorWavefront
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine, at_once, together
from pixzip.models.wavefront.colours import LEAST_PIXELS
from pixzip.models.wavefront.least_squares import count_sums, count_taps
from pixzip.models.wavefront.weights import IntegerWeights
from tests.helpers.support import decoding, encoding, noise, scene, tiny_weights

#: (height, width): a pixel, one row, one column, fewer columns than a period; rows that follow others in their places.
SIZES = [(1, 1), (1, 9), (9, 1), (2, 3), (11, 2), (13, 3), (13, 18), (7, 31), (30, 5)]


def weights(channels: int) -> IntegerWeights:
    return tiny_weights(channels, seed=3, spread=1.0)


def light(jobs: Sequence[Job]) -> list[Job]:
    return [replace(job, stage=LIGHT) for job in jobs]


def images(channels: int) -> list[Samples]:
    return [(scene if i % 2 else noise)(channels, *size, i) for i, size in enumerate(SIZES)]


def few_colours(height: int, width: int) -> Samples:
    """(H, W, 3): a third channel that the first two leave few values, each of which is found in the course of time."""
    rng = np.random.default_rng(7)
    image = rng.choice(np.array([3, 9, 100, 101, 250], np.uint8), (height, width, 3))
    follows = image[..., 0] > 50
    image[..., 2][follows] = image[..., 1][follows]
    image[::2, :, 2] ^= rng.integers(0, 2, (height - height // 2, width), dtype=np.uint8)
    return image


def check(model: IntegerWeights, jobs: Sequence[Job]) -> TensorWavefront:
    """Tensors write the compiled loop's payloads, of all images at once and of one alone, and read them.

    Returns:
        What they have learned from all images.
    """
    jobs, tensors = light(jobs), TensorEngine(model, backend="float32")
    batches: list[Wavefront] = []

    def kept(*arguments: Any) -> Wavefront:
        batches.append(TensorEngine.batch(tensors, *arguments))
        return batches[-1]

    tensors.batch = kept  # type: ignore[assignment, method-assign]
    payloads = WavefrontEngine(model).encode(jobs)
    assert tensors.encode(jobs) == payloads
    assert tensors.encode(jobs[-1:]) == payloads[-1:]
    asked = decoding(payloads, [job.size for job in jobs], [job.precision for job in jobs], [job.coder for job in jobs])
    for found, job in zip(tensors.decode(light(asked)), jobs, strict=True):
        assert np.array_equal(found, job.known)
    assert isinstance(batches[0], TensorWavefront)
    return batches[0]


@pytest.mark.parametrize("coder", [RANGE, RANS], ids=["range", "rans"])
@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_write_and_read_the_compiled_loops_bytes(channels: int, coder: EntropyCoder) -> None:
    check(weights(channels), encoding(images(channels), coder=coder))


@pytest.mark.parametrize(
    ("channels", "precisions"), [(1, [Precision(12, 3), Precision(10, 0)]), (3, [Precision(16, 8), Precision(13, 2)])]
)
def test_samples_of_more_than_8_bits_are_learned_alike(channels: int, precisions: list[Precision]) -> None:
    rng, samples, each = np.random.default_rng(1), [], []
    for i, image in enumerate(images(channels)):
        each.append(precisions[i % 2])
        deep = image.astype(np.uint16) << each[-1].depth - 8
        samples.append(deep + rng.integers(0, 1 << each[-1].depth - 8, image.shape, dtype=np.uint16))
    check(weights(channels), encoding(samples, each))


@pytest.mark.parametrize("coder", [RANGE, RANS], ids=["range", "rans"])
def test_colours_seen_are_learned_alike(coder: EntropyCoder, few: None) -> None:
    """An image that remembers its colours, between two that do not."""
    model, large = weights(3), few_colours(14, 40)
    learned = check(model, encoding([scene(3, 7, 4, 0), large, scene(3, 1, 29, 1)], coder=coder)).colours
    assert learned is not None
    assert len(learned.seen) == 1
    assert (learned.counts[0].sum((1, 2)) > 70).all()  # in many pixels, of which most have a colour seen


def test_colours_are_remembered_from_a_number_of_pixels_on() -> None:
    assert colours.remembers((LEAST_PIXELS // 64, 64))
    assert not colours.remembers((LEAST_PIXELS // 64 - 1, 64))


def test_a_trained_prior_is_read_alike() -> None:
    model, rng = weights(3), np.random.default_rng(5)
    priors = {}
    for c in range(3):
        taps = count_taps(c, 3)
        prior = rng.integers(-300, 300, count_sums(taps), dtype=np.int32)
        rows = np.arange(1, taps + 1)
        prior[rows * (rows + 1) // 2 - 1] = rng.integers(9000, 20000, taps)
        priors[f"prior.{c}"] = prior
    taught = replace(model, tensors=model.tensors | priors)
    jobs = light(encoding([scene(3, 9, 14, 0)]))
    payloads = TensorEngine(taught, backend="float32").encode(jobs)
    assert payloads == WavefrontEngine(taught).encode(jobs)
    assert payloads != WavefrontEngine(model).encode(jobs)


def test_bits_are_measured_alike() -> None:
    model, jobs = weights(3), light(encoding(images(3)))
    for a, b in zip(
        TensorEngine(model, backend="float32").nll_maps(jobs), WavefrontEngine(model).nll_maps(jobs), strict=True
    ):
        assert np.allclose(a, b)


def test_the_gpus_engine_codes_what_adapts_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its form that runs without the host, here on a CPU, has no stage."""
    monkeypatch.setattr(device_engine, "known_answer_pattern", lambda c: known_answer_pattern(c)[12:15, 5:9])
    model, jobs = weights(3), light(encoding([scene(3, 9, 14, 0), scene(3, 5, 9, 1)]))
    engine = DeviceEngine(model, "cpu", lambda plain: Steps(plain.layers))
    assert engine.form is not None
    payloads = engine.encode(jobs)
    assert payloads == WavefrontEngine(model).encode(jobs)
    (found,) = engine.decode(light(decoding(payloads[1:], [(5, 9)])))
    assert np.array_equal(found, jobs[1].known)


def test_a_square_root_is_the_nearest_float() -> None:
    numbers = np.random.default_rng(0).integers(1, 0x7F000000, 1 << 18, dtype=np.int32).view(np.float32)
    assert np.array_equal(adapt.square_root(torch.from_numpy(numbers)).numpy(), np.sqrt(numbers))


def test_a_batch_that_learns_is_as_small_as_its_memory_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TensorEngine(weights(3), backend="float32")
    large = encoding([np.zeros((64, 64, 3), np.uint8)] * 20)
    small = encoding([np.zeros((63, 64, 3), np.uint8)] * 20)
    for part in together(light(large), engine.state_bytes):
        assert len(part) * colours.BYTES <= 160 << 20
    assert len(together(light(large), engine.state_bytes)) == 3
    assert len(together(light(small), engine.state_bytes)) == 1
    assert len(together(large, engine.state_bytes)) == 1
    assert engine.state_bytes(large[0]) == 0

    batches: list[int] = []
    monkeypatch.setattr(wavefront, "_STATE_BYTES", 1)
    make = engine.batch
    monkeypatch.setattr(engine, "batch", lambda sizes, *more: batches.append(len(sizes)) or make(sizes, *more))
    jobs = light(encoding(images(3)[:3]))
    assert at_once(jobs, engine.state_bytes) == [[0], [1], [2]]
    payloads = engine.encode(jobs)
    engine.decode(light(decoding(payloads, [job.size for job in jobs])))
    engine.nll_maps(jobs)
    assert batches == [1] * 9


def test_the_state_of_an_image_takes_the_memory_that_is_reckoned() -> None:
    engine = TensorEngine(weights(3), backend="float32")
    for size in SIZES:
        batch = engine.batch([size], stage=LIGHT)
        assert isinstance(batch, TensorWavefront)
        e = batch.equations
        assert e is not None
        held = sum(state.nbytes for state in (e.sums, e.totals, e.samples, e.coefficients))
        assert held == adapt.state_bytes(size, 3)
