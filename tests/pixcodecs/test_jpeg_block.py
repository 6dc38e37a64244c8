"""Blocks of kind 14: the compiled coder is that of the format's page, and damage is an error."""

import time

import numpy as np
import pytest
from pixcodecs.errors import BitstreamError
from pixcodecs.jpeg import block
from pixcodecs.jpeg.head import cost_ns
from pixcodecs.jpeg.layout import Layout
from pixcodecs.primitives import varint

from tests.helpers.golden_blocks import BLOCKS
from tests.helpers.golden_jpeg import random_planes
from tests.oracles.jpeg_inside import JpegInside
from tests.pixcodecs.test_jpeg_decoder import coefficients, layout_of

GOLDEN = [name for name in BLOCKS if name.startswith("v2-jpeg")]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_format_in_plain_integers_decodes_every_golden_block(name: str) -> None:
    samples, (found,) = BLOCKS[name].samples, BLOCKS[name].blocks()
    assert np.array_equal(JpegInside(found[1:], *samples.shape).decode(), samples)
    assert np.array_equal(block.decode(found[1:], samples.shape, 8), samples)


@pytest.mark.parametrize("sampling", range(4))
@pytest.mark.parametrize("sides", [(1, 1), (8, 8), (9, 40), (33, 7)])
def test_any_coefficients_and_pixels_come_back(sampling: int, sides: tuple[int, int]) -> None:
    rng, layout = np.random.default_rng(sampling), layout_of(3, sampling, 95)
    planes = coefficients(layout, *sides, sum(sides), loud=9)
    planes[0][0, 0, :2] = 2047, -2047
    samples = block.decoded(layout, planes, (*sides, 3))
    body, corrected = block.encode(layout, planes, samples)
    assert corrected == 0
    assert np.array_equal(block.decode(body, samples.shape, 8), samples)
    noise = rng.integers(0, 256, samples.shape, np.uint8)
    body, corrected = block.encode(layout, planes, noise)
    assert corrected == (noise != samples).any(2).sum()
    assert np.array_equal(block.decode(body, samples.shape, 8), noise)


def test_coefficients_take_less_than_four_fifths_of_their_entropy_by_place() -> None:
    """What contexts gain: coefficients of a smooth picture depend on their neighbours."""
    layout, (height, width) = layout_of(1, 0, 50), (160, 200)
    y, x = np.mgrid[:height, :width]
    wave = np.sin(x / 9 + np.sin(y / 17)) * 60 + np.sin(y / 11) * 40
    cosines = [
        [np.cos((2 * i + 1) * k * np.pi / 16) * (0.125**0.5 if not k else 0.5) for i in range(8)] for k in range(8)
    ]
    tiles = wave.reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)
    values = np.einsum("vy,abyx,ux->abvu", cosines, tiles, cosines).reshape(height // 8, width // 8, 64)
    plane = np.round(values / layout.tables[0]).astype(np.int16)
    bits = 0.0
    for k in range(64):
        counts = np.unique(plane[..., k], return_counts=True)[1]
        bits -= float((counts * np.log2(counts / counts.sum())).sum())
    body, _ = block.encode(layout, [plane], block.decoded(layout, [plane], (height, width, 1)))
    assert 8 * len(body) < 0.8 * bits


def damaged(body: bytes, shape: tuple[int, int, int]) -> str:
    try:
        block.decode(body, shape, 8)
    except BitstreamError:
        return "refused"
    return "decoded"


@pytest.mark.parametrize("name", ["v2-jpeg-corrected", "v2-jpeg-tables"])
def test_every_truncation_is_an_error_and_every_flip_is_at_most_other_pixels(name: str) -> None:
    samples, (found,) = BLOCKS[name].samples, BLOCKS[name].blocks()
    body = found[1:]
    assert {damaged(body[:n], samples.shape) for n in range(0, len(body), 3)} == {"refused"}
    flipped = [body[:i] + bytes([body[i] ^ 1 << i % 8]) + body[i + 1 :] for i in range(0, len(body), 2)]
    assert {damaged(flip, samples.shape) for flip in flipped} <= {"refused", "decoded"}


def test_forged_sizes_are_refused_before_memory_is_taken() -> None:
    (found,) = BLOCKS["v2-jpeg"].blocks()
    start = time.process_time()
    for shape in ((65535, 65535, 3), (5000, 5000, 3)):
        with pytest.raises(BitstreamError, match="which cannot be"):
            block.decode(found[1:], shape, 8)
    assert time.process_time() - start < 0.1


def test_the_cost_is_known_beforehand_and_bounds_the_work() -> None:
    head = b"\0\0\x32"
    body = head + varint(0) + varint(10**9) + bytes(4096)
    assert cost_ns(body, (8, 8, 3), 8) >= 400 * 10**9
    few = head + varint(0) + varint(2000) + bytes(4096)
    assert damaged(few, (8, 8, 3)) == "refused"  # it stops after 2000 decisions


def test_coefficients_out_of_their_range_are_a_bug_of_the_caller() -> None:
    layout = Layout(0, False, 0, 0, False, False, layout_of(1, 0).tables)
    planes = random_planes(layout, 8, 8, 0)
    planes[0][0, 0, 9] = 2048
    with pytest.raises(ValueError, match="out of their range"):
        block.encode(layout, planes, np.zeros((8, 8, 1), np.uint8))
