"""Blocks by other codecs hold every shape, and have room for noise."""

from typing import Any

import numpy as np
import pytest

from pixzip.codec import webp_png

NARROW = [(1, 1), (128, 1), (86, 2), (106, 3), (150, 4), (1, 128), (20_000, 1), (1, 16_000)]


@pytest.mark.parametrize("shape", NARROW)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blocks_of_narrow_noise_come_back(shape: tuple[int, int], channels: int, dtype: Any) -> None:
    x = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (*shape, channels), dtype, endpoint=True)
    depth = 8 * x.itemsize
    assert np.array_equal(webp_png.from_png(webp_png.png(x), x.shape, depth), x)
    if depth == 8 and webp_png.webp_fits(x):
        body = webp_png.webp(x, webp_png.WebpEffort.LEAST)
        assert np.array_equal(webp_png.from_webp(body, x.shape, depth), x)
