"""Pixels that came out of a JPEG decoder are found out, and take less than the JPEG."""

from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind
from pixcodecs.errors import BitstreamError
from pixcodecs.jpeg import block as jpeg
from pixcodecs.jpeg.finding import find as finding
from pixcodecs.jpeg.tables import standard
from pixcodecs.primitives import varint

from pixzip import codec
from pixzip.codec import describe, tiles
from pixzip.codec.bits_map import pixel_bits
from pixzip.codec.efforts import EFFORTS
from pixzip.codec.options import Options
from tests.helpers import golden
from tests.helpers.forging import Fields
from tests.helpers.jpeg_files import decoded_jpeg, libjpeg

EXAMPLE = Path(__file__).parents[2] / "examples" / "photo.webp"


@cache
def photograph(height: int = 160, width: int = 192) -> np.ndarray:
    with Image.open(EXAMPLE) as shown:
        return np.ascontiguousarray(np.asarray(shown.convert("RGB"))[60 : 60 + height, 150 : 150 + width])


def grey(samples: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(samples[..., 1:2])


def options(effort: int = 5) -> Options:
    models = {m.model_id: m for m in map(golden.weights, (1, 3))}
    return Options(golden.weights, models.__getitem__, effort=EFFORTS[effort])


def wrong(samples: np.ndarray) -> tuple[finding.Found, float]:
    """What is found, and the share of pixels that do not come out of it."""
    found = finding.find(samples)
    assert found is not None
    differ = jpeg.decoded(found.layout, found.planes, samples.shape) != samples
    return found, float(differ.any(2).mean())


@pytest.mark.parametrize("quality", [50, 75, 85, 90])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_whole_picture_is_found_with_all_its_coefficients(quality: int, subsampling: int) -> None:
    found, share = wrong(decoded_jpeg(photograph(), quality, subsampling))
    assert abs(found.layout.quality - quality) <= 2  # few coefficients tell similar tables apart
    assert (found.layout.sampling, found.layout.top, found.layout.left) == (subsampling, 0, 0)
    assert share < 0.005


@pytest.mark.parametrize("crop", [(0, 8), (3, 5), (8, 0), (13, 10), (7, 15)])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_cropped_picture_is_found_at_its_offset(crop: tuple[int, int], subsampling: int) -> None:
    top, left = crop
    part = decoded_jpeg(photograph(), 80, subsampling)[top : top + 131, left : left + 150]
    found, share = wrong(np.ascontiguousarray(part))
    unit = 16 if subsampling else 8
    assert (found.layout.top, found.layout.left) == (top % unit, left % unit)
    assert share < 0.03


def test_chroma_of_half_the_rows_is_found() -> None:
    pixels = libjpeg(bytes(imagecodecs.jpeg8_encode(photograph(), level=85, subsampling="440")))
    found, share = wrong(pixels)
    assert found.layout.sampling == 3
    assert share < 0.005


def test_grey_pictures_and_grey_in_colour_are_found() -> None:
    pixels = decoded_jpeg(grey(photograph()), 80)
    assert wrong(pixels)[1] == 0
    assert wrong(np.repeat(pixels, 3, 2))[1] == 0


def test_small_steps_leave_few_pixels_to_correct() -> None:
    assert wrong(decoded_jpeg(photograph(), 95, 0))[1] < 0.02


def test_plain_upsampling_is_found() -> None:
    found = finding.find(decoded_jpeg(photograph(), 85, 2))
    assert found is not None
    plain = found.layout._replace(plain=True)
    again, share = wrong(jpeg.decoded(plain, found.planes, photograph().shape))
    assert again.layout.plain
    assert share < 0.005


def test_tables_that_are_not_standard_are_estimated() -> None:
    steps = [(standard(70, chroma) + np.arange(64) % 5).tolist() for chroma in (False, True)]
    found, share = wrong(decoded_jpeg(photograph(), 75, 0, qtables=steps))
    assert found.layout.quality == 0
    assert share < 0.01


def test_a_part_that_was_painted_over_is_corrected() -> None:
    pixels = decoded_jpeg(photograph(), 85, 2).copy()
    pixels[40:60, 50:90] = np.arange(40)[:, None] * [5, 3, 1]
    (file,) = codec.compress([pixels], options())
    assert container.block(file, container.read_header(file), 0)[0] == Kind.JPEG
    assert np.array_equal(codec.decompress([file], options())[0].samples, pixels)


def test_photographs_and_noise_are_no_jpegs() -> None:
    for samples in (photograph(), grey(photograph()), np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)):
        assert finding.find(samples) is None
    assert not finding.on_lattice(photograph())


def test_flat_and_tiny_pictures_are_no_error() -> None:
    for shape in ((16, 16, 3), (40, 300, 1), (15, 900, 3), (16, 17, 3)):
        for value in (0, 77, 255):
            samples = np.full(shape, value, np.uint8)
            found = finding.find(samples)
            if found is not None:
                body, _ = jpeg.encode(found.layout, found.planes, samples)
                assert np.array_equal(jpeg.decode(body, shape, 8), samples)


@pytest.fixture(scope="module")
def file() -> bytes:
    return codec.compress([decoded_jpeg(photograph(), 85, 2)], options())[0]


def test_a_file_is_smaller_than_the_jpeg_and_gives_the_pixels_back(file: bytes) -> None:
    pixels = decoded_jpeg(photograph(), 85, 2)
    assert len(file) < len(bytes(imagecodecs.jpeg8_encode(photograph(), level=85, subsampling="420", optimize=True)))
    assert np.array_equal(codec.decompress([file], options())[0].samples, pixels)
    assert container.read_header(file).models == ()


def test_info_names_quality_sampling_and_share(file: bytes) -> None:
    said = dict(describe.lines(describe.facts(file)))
    assert said["blocks"] == "1 JPEG"
    assert said["JPEG inside"].startswith("quality about 85, 4:2:0, ")
    assert said["JPEG inside"].endswith(" % of pixels by it")
    assert float(said["JPEG inside"].split()[4]) > 99


def test_a_map_of_bits_spreads_the_file(file: bytes) -> None:
    bits = pixel_bits(file, options())
    assert bits.shape == (160, 192)
    assert abs(float(bits.sum()) / 8 - len(file)) < 40


def test_alpha_stays_beside_it() -> None:
    pixels = decoded_jpeg(photograph(), 85, 2)
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    alpha[:, :50] = 7
    rgba = np.concatenate([pixels, alpha], 2)
    (made,) = codec.compress([rgba], options())
    block = container.block(made, container.read_header(made), 0)
    assert block[0] == Kind.ALPHA
    assert dict(describe.lines(describe.facts(made)))["JPEG inside"]
    assert np.array_equal(codec.decompress([made], options())[0].samples, rgba)


def test_every_tile_of_a_larger_picture_is_found() -> None:
    pixels = decoded_jpeg(photograph(), 85, 2)
    with patch.multiple(tiles, TILE_SIDE=99, WHOLE_PIXELS=1):
        (made,) = codec.compress([pixels], options())
    assert describe.facts(made)["blocks"] == {"JPEG": 4}
    assert np.array_equal(codec.decompress([made], options())[0].samples, pixels)


@pytest.mark.parametrize("effort", [1, 4])
def test_lower_efforts_do_not_look(effort: int) -> None:
    with patch.object(finding, "find", side_effect=AssertionError):
        codec.compress([decoded_jpeg(photograph(), 85, 2)[:16, :16]], options(effort))
    assert not EFFORTS[effort].jpeg
    assert all(EFFORTS[e].jpeg for e in range(5, 10))


def test_a_file_that_announces_too_much_work_is_refused(file: bytes) -> None:
    fields: Any = Fields.of(file)
    fields.blocks = [bytes([Kind.JPEG]) + b"\0\0\x32" + varint(0) + varint(10**9) + bytes(4096)]
    forged = fields.write()
    with pytest.raises(BitstreamError, match="processor time"):
        codec.decompress([forged], options())
    limitless = partial(Options, max_pixels=None)
    with pytest.raises(BitstreamError, match="JPEG block damaged"):
        codec.decompress([forged], limitless())
