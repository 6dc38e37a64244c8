"""Samples of 9 to 16 bits: every form gives the frequencies of the reference, and these match the mixture."""

import numpy as np
import pytest
import torch
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.torch import gemm
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.batch import Samples
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.wavefront.reference import FLOOR, TOTAL, Reference
from pixzip.models.wavefront.weights import IntegerWeights
from tests.helpers.support import captured, decoding, encoding, engine_in, scene, tiny_weights

PRECISIONS = {
    3: [Precision(9, 0), Precision(9, 1), Precision(10, 2), Precision(12, 0), Precision(12, 3), Precision(12, 4)],
    4: [Precision(13, 5), Precision(14, 0), Precision(16, 0), Precision(16, 5), Precision(16, 8)],
}


def high_depth_scene(channels: int, height: int, width: int, depth: int, seed: int) -> Samples:
    """A scene whose low bits continue the high ones."""
    rng = np.random.default_rng(seed)
    high = scene(channels, height, width, seed).astype(np.int64) << depth - 8
    return np.clip(high + rng.integers(0, 1 << depth - 8, high.shape), 0, (1 << depth) - 1).astype(np.uint16)


def images_of(channels: int, precisions: list[Precision]) -> list[Samples]:
    made = [high_depth_scene(channels, 5 + i % 3, 7 + i % 4, p.depth, i) for i, p in enumerate(precisions)]
    made[0] = np.zeros((3, 4, channels), np.uint16)
    made[1] = (np.indices(made[1].shape).sum(0) % 2 * ((1 << precisions[1].depth) - 1)).astype(np.uint16)
    return made


def oracle(model: IntegerWeights, samples: Samples, precision: Precision) -> np.ndarray:
    """(H, W, C, D, 16) frequencies of the reference, pixel by pixel."""
    height, width, channels = samples.shape
    own, digits = Reference(model, height, width, precision), precision.digits
    rows = np.zeros((*samples.shape, digits, 16), np.int64)
    for y in range(height):
        for x in range(width):
            own.begin(y, x)
            for c in range(channels):
                value = int(samples[y, x, c])
                for d in range(digits):
                    place = digits - 1 - d
                    rows[y, x, c, d] = own.digit_freqs(c, value >> 4 * (place + 1), place)
                own.store(y, x, c, value)
    return rows


@pytest.mark.parametrize("digits", [3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_form_gives_the_frequencies_of_the_reference(channels: int, digits: int) -> None:
    model, precisions = tiny_weights(channels, seed=7, spread=1.5), PRECISIONS[digits]
    images = images_of(channels, precisions)
    engines: list[SteppedEngine] = [WavefrontEngine(model), plain := TensorEngine(model, backend="float32")]
    if gemm.self_test(gemm.Int8(torch.device("cpu")), plain.layers.shapes(model)) is not None:
        engines.append(TensorEngine(model, backend="int8"))
    batches = [captured(e, images, precisions) for e in engines]
    for i, (samples, precision) in enumerate(zip(images, precisions, strict=True)):
        expected = oracle(model, samples, precision)
        assert (expected.sum(-1) == TOTAL).all(), precision
        assert expected.min() >= FLOOR, precision
        for batch in batches:
            assert np.array_equal(batch[i], expected), precision


def test_a_unit_of_one_at_8_bits_of_depth_is_what_8_bits_are() -> None:
    """At depth 8, the high-depth mixture equals the 8-bit one."""
    model, samples = tiny_weights(3, seed=2, spread=1.0), scene(3, 4, 6, 1)
    shallow, deep = (Reference(model, 4, 6, p) for p in (Precision(), Precision(8, 0)))
    shallow.begin(0, 0)
    deep.begin(0, 0)
    for c in range(3):
        table = shallow.cumulative(c)
        for v in range(1, 256):  # F(v) - v is the share at an entry of the table, without interpolation
            assert abs(deep.share_below(c, v) / 2**12 - (table[v] - v)) < 1200
        shallow.store(0, 0, c, int(samples[0, 0, c]))
        deep.store(0, 0, c, int(samples[0, 0, c]))


@pytest.mark.parametrize("form", ["compiled", "float32"])
@pytest.mark.parametrize("digits", [3, 4])
def test_payloads_round_trip_in_a_batch_and_equal_those_coded_alone(form: str, digits: int) -> None:
    own = engine_in(form, tiny_weights(3, seed=4, spread=1.0))
    precisions = PRECISIONS[digits]
    images = images_of(3, precisions)
    payloads = own.encode(encoding(images, precisions))
    assert payloads == [own.encode(encoding([i], [p]))[0] for i, p in zip(images, precisions, strict=True)]
    decoded = own.decode(decoding(payloads, [samples.shape[:2] for samples in images], precisions))
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(decoded, images, strict=True))
    bits = own.nll_bits(encoding(images, precisions))
    for payload, ideal in zip(payloads, bits, strict=True):
        assert 8 * len(payload) <= 1.002 * ideal + 128


def test_samples_above_their_depth_are_refused() -> None:
    own = WavefrontEngine(tiny_weights(1, seed=4))
    samples = np.full((4, 5, 1), 4095, np.uint16)
    (payload,) = own.encode(encoding([samples], [Precision(12, 0)]))
    with pytest.raises(BitstreamError):
        own.decode(decoding([payload], [(4, 5)], [Precision(10, 0)]))


def test_a_batch_takes_samples_of_one_number_of_digits() -> None:
    own = WavefrontEngine(tiny_weights(1, seed=4))
    samples = [np.zeros((2, 2, 1), np.uint16)] * 2
    with pytest.raises(ValueError, match="one number of digits"):
        own.encode(encoding(samples, [Precision(12, 0), Precision(16, 0)]))
    with pytest.raises(ValueError, match="one number of digits"):
        own.encode(encoding(samples[:1], [Precision(12, 5)]))
