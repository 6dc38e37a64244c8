"""Samples of 9 to 16 bits: every form gives the frequencies of the reference, and what they say is true."""

import numpy as np
import pytest
import torch
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.torch import gemm
from pixzip.engine.wavefront import Engine, Planes
from pixzip.models.wavefront.reference import FLOOR, TOTAL, Reference
from pixzip.models.wavefront.weights import IntegerWeights
from tests.helpers.support import captured, scene, tiny_weights

PRECISIONS = {
    3: [Precision(9, 0), Precision(9, 1), Precision(10, 2), Precision(12, 0), Precision(12, 3), Precision(12, 4)],
    4: [Precision(13, 5), Precision(14, 0), Precision(16, 0), Precision(16, 5), Precision(16, 8)],
}


def deep_scene(channels: int, height: int, width: int, depth: int, seed: int) -> Planes:
    """A scene whose low bits carry on where its high ones end."""
    rng = np.random.default_rng(seed)
    high = scene(channels, height, width, seed).astype(np.int64) << depth - 8
    return np.clip(high + rng.integers(0, 1 << depth - 8, high.shape), 0, (1 << depth) - 1).astype(np.uint16)


def images_of(channels: int, precisions: list[Precision]) -> list[Planes]:
    made = [deep_scene(channels, 5 + i % 3, 7 + i % 4, p.depth, i) for i, p in enumerate(precisions)]
    made[0] = np.zeros((channels, 3, 4), np.uint16)
    made[1] = (np.indices(made[1].shape).sum(0) % 2 * ((1 << precisions[1].depth) - 1)).astype(np.uint16)
    return made


def oracle(model: IntegerWeights, planes: Planes, precision: Precision) -> np.ndarray:
    """(C, H, W, D, 16) frequencies, pixel by pixel."""
    channels, height, width = planes.shape
    own, digits = Reference(model, height, width, precision), precision.digits
    rows = np.zeros((*planes.shape, digits, 16), np.int64)
    for y in range(height):
        for x in range(width):
            own.begin(y, x)
            for c in range(channels):
                value = int(planes[c, y, x])
                for d in range(digits):
                    place = digits - 1 - d
                    rows[c, y, x, d] = own.digit_freqs(c, value >> 4 * (place + 1), place)
                own.store(y, x, c, value)
    return rows


@pytest.mark.parametrize("digits", [3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_form_gives_the_frequencies_of_the_reference(channels: int, digits: int) -> None:
    model, precisions = tiny_weights(channels, seed=7, spread=1.5), PRECISIONS[digits]
    images = images_of(channels, precisions)
    engines = [Engine(model, backend="float32")]
    if gemm.self_test(gemm.Int8(torch.device("cpu")), engines[0].layers.shapes(model)) is not None:
        engines.append(Engine(model, backend="int8"))
    batches = [captured(e, images, compiled, precisions) for e in engines for compiled in (False, True)]
    for i, (planes, precision) in enumerate(zip(images, precisions, strict=True)):
        expected = oracle(model, planes, precision)
        assert (expected.sum(-1) == TOTAL).all(), precision
        assert expected.min() >= FLOOR, precision
        for batch in batches:
            assert np.array_equal(batch[i], expected), precision


def test_a_unit_of_one_at_8_bits_of_depth_is_what_8_bits_are() -> None:
    """The definitions meet: at depth 8 the deep mixture is the shallow one."""
    model, planes = tiny_weights(3, seed=2, spread=1.0), scene(3, 4, 6, 1)
    shallow, deep = (Reference(model, 4, 6, p) for p in (Precision(), Precision(8, 0)))
    shallow.begin(0, 0)
    deep.begin(0, 0)
    for c in range(3):
        table = shallow.cumulative(c)
        for v in range(1, 256):  # F(v) - v is the share at an entry of the table, not between some
            assert abs(deep.share_below(c, v) / 2**12 - (table[v] - v)) < 1200
        shallow.store(0, 0, c, int(planes[c, 0, 0]))
        deep.store(0, 0, c, int(planes[c, 0, 0]))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("digits", [3, 4])
def test_payloads_round_trip_in_a_batch_and_equal_those_coded_alone(compiled: bool, digits: int) -> None:
    own = Engine(tiny_weights(3, seed=4, spread=1.0), backend="float32", compiled=compiled)
    precisions = PRECISIONS[digits]
    images = images_of(3, precisions)
    payloads = own.encode(images, precisions=precisions)
    assert payloads == [own.encode([i], precisions=[p])[0] for i, p in zip(images, precisions, strict=True)]
    decoded = own.decode(payloads, [planes.shape[1:] for planes in images], precisions=precisions)
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(decoded, images, strict=True))
    bits = own.nll_bits(images, precisions=precisions)
    for payload, ideal in zip(payloads, bits, strict=True):
        assert 8 * len(payload) <= 1.002 * ideal + 128


def test_samples_above_their_depth_are_refused() -> None:
    own = Engine(tiny_weights(1, seed=4), backend="float32")
    planes = np.full((1, 4, 5), 4095, np.uint16)
    (payload,) = own.encode([planes], precisions=[Precision(12, 0)])
    with pytest.raises(BitstreamError):
        own.decode([payload], [(4, 5)], precisions=[Precision(10, 0)])


def test_a_batch_takes_samples_of_one_number_of_digits() -> None:
    own = Engine(tiny_weights(1, seed=4), backend="float32")
    planes = [np.zeros((1, 2, 2), np.uint16)] * 2
    with pytest.raises(ValueError, match="one number of digits"):
        own.encode(planes, precisions=[Precision(12, 0), Precision(16, 0)])
    with pytest.raises(ValueError, match="one number of digits"):
        own.encode(planes[:1], precisions=[Precision(12, 5)])
