"""The decoder of JPEG's coefficients computes what libjpeg-turbo does."""

import numpy as np
import pytest
from pixcodecs.jpeg import block
from pixcodecs.jpeg.layout import NAMES, Layout
from pixcodecs.jpeg.tables import ZIGZAG, standard

from tests.helpers.jpeg_files import jpeg_of, libjpeg
from tests.oracles import jpeg_tables

GREY = (1, 0)
COLOUR = [(3, sampling) for sampling in range(4)]


def layout_of(channels: int, sampling: int, quality: int = 85) -> Layout:
    tables = tuple(standard(quality, chroma) for chroma in (False, True)[: 1 if channels == 1 else 2])
    return Layout(sampling, False, 0, 0, False, False, tables)


def coefficients(layout: Layout, height: int, width: int, seed: int, loud: float = 1.0) -> block.Planes:
    """Coefficients like those of photographs: fewer and smaller ones at higher frequencies."""
    rng, planes = np.random.default_rng(seed), []
    spread = loud * 60 / (1 + np.add.outer(np.arange(8), np.arange(8)).reshape(64) ** 1.5)
    for i, size in enumerate(layout.blocks(height, width)):
        values = rng.laplace(0, spread / layout.tables[min(i, 1)] ** 0.5, (*size, 64))
        planes.append(np.clip(np.round(values), -1000, 1000).astype(np.int16))
    return planes


def both(channels: int, sampling: int, sides: tuple[int, int], seed: int, loud: float = 1.0) -> tuple[np.ndarray, ...]:
    """Pixels by this decoder and by libjpeg-turbo."""
    layout = layout_of(channels, sampling)
    planes = coefficients(layout, *sides, seed, loud)
    own = block.decoded(layout, planes, (*sides, channels))
    return own, libjpeg(jpeg_of(planes, [*layout.tables], sampling, *sides))


@pytest.mark.parametrize(("channels", "sampling"), [GREY, *COLOUR])
def test_hundreds_of_blocks_decode_as_by_libjpeg_turbo(channels: int, sampling: int) -> None:
    own, other = both(channels, sampling, (181, 243), seed=sampling)
    assert np.array_equal(own, other)
    assert own.std() > 20


@pytest.mark.parametrize(("channels", "sampling"), [GREY, *COLOUR])
def test_clipped_samples_decode_as_by_libjpeg_turbo(channels: int, sampling: int) -> None:
    own, other = both(channels, sampling, (96, 160), seed=5 + sampling, loud=4)
    assert np.array_equal(own, other)
    assert ((own == 0) | (own == 255)).mean() > 0.1


@pytest.mark.parametrize(("channels", "sampling"), COLOUR)
def test_narrow_and_low_pictures_decode_as_by_libjpeg_turbo(channels: int, sampling: int) -> None:
    for sides in [(height, width) for height in (1, 2, 3, 9) for width in (1, 2, 3, 4, 5, 6, 17)]:
        own, other = both(channels, sampling, sides, seed=sum(sides))
        assert np.array_equal(own, other), (NAMES[sampling], sides)


def test_tables_and_zigzag_are_the_standard_ones() -> None:
    assert ZIGZAG.tolist() == jpeg_tables.ZIGZAG
    assert [standard(50, chroma).tolist() for chroma in (False, True)] == [jpeg_tables.LUMA, jpeg_tables.CHROMA]


def test_plain_upsampling_repeats_samples() -> None:
    layout = layout_of(3, 2)._replace(plain=True)
    planes = coefficients(layout, 37, 45, 3)
    samples = [block.samples_of(layout, planes, i) for i in (1, 2)]
    for i in (1, 2):
        repeated = samples[i - 1].repeat(2, 0).repeat(2, 1)[:37, :45]
        assert np.array_equal(block.chroma_of(layout, planes, i, (37, 45)), repeated)


@pytest.mark.parametrize("sampling", range(4))
def test_a_cropped_layout_gives_a_part_of_the_picture(sampling: int) -> None:
    whole = layout_of(3, sampling)
    planes = coefficients(whole, 48, 64, sampling)
    part = whole._replace(top=5, left=7, beyond_right=True, beyond_bottom=True)
    assert part.blocks(43, 57) == whole.blocks(48, 64)
    full = block.decoded(whole, planes, (48, 64, 3))
    assert np.array_equal(block.decoded(part, planes, (43, 57, 3)), full[5:, 7:])
