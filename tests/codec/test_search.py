"""The search for the smallest block: what it tries, and what it finds."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from pixzip.codec import search, webp_png
from pixzip.codec.webp_png import WebpEffort
from tests.helpers.support import noise, scene

SEARCH = search.Search({})


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Counter[WebpEffort]:
    """The number of pixels that WebP codes with each effort."""
    counts: Counter[WebpEffort] = Counter()

    def counted(samples: Any, effort: WebpEffort = WebpEffort.MOST) -> bytes:
        counts[effort] += samples.shape[0] * samples.shape[1]
        return plain(samples, effort)

    plain = webp_png.webp_block
    monkeypatch.setattr(webp_png, "webp_block", counted)
    return counts


def photograph(side: int) -> Any:
    """A smooth scene with noise, as of a sensor."""
    smooth = scene(3, side, side, 1).astype(np.int16)
    return (smooth // 2 + noise(3, side, side, 2) // 16 + 40).astype(np.uint8)


def test_a_photograph_does_not_pay_for_webp(tried: Counter[WebpEffort]) -> None:
    samples = photograph(512)
    size = len(webp_png.webp_block(samples, WebpEffort.SOME))
    tried.clear()
    assert SEARCH._webp(samples, round(size / 1.08)) == []  # the best block is as far ahead as on photographs
    assert tried[WebpEffort.LEAST] <= 1.2 * samples[..., 0].size
    assert tried[WebpEffort.SOME] <= 0.2 * samples[..., 0].size
    assert not tried[WebpEffort.MOST]


@pytest.mark.parametrize("side", [200, 512])
def test_webp_is_tried_to_the_end_where_it_may_win(side: int, tried: Counter[WebpEffort]) -> None:
    samples = photograph(side)
    size = len(webp_png.webp_block(samples, WebpEffort.SOME))
    (found,) = SEARCH._webp(samples, round(size / 1.01))
    assert tried[WebpEffort.MOST] == samples[..., 0].size
    assert found.size_bytes < 1.02 * size


def test_a_repeated_pattern_of_many_colours_is_left_to_webp(tried: Counter[WebpEffort]) -> None:
    samples = np.tile(noise(3, 256, 256, 3), (2, 2, 1))
    assert search.photographic(samples)
    assert SEARCH._webp(samples, samples.size)  # no model takes less than 8 bits
    assert tried[WebpEffort.MOST]


def test_effort_is_spent_on_drawings_where_webp_is_ahead(tried: Counter[WebpEffort]) -> None:
    drawing = scene(3, 100, 100, 1) // 64 * 64
    size = len(webp_png.webp_block(drawing, WebpEffort.SOME))
    for best, most in ((size // 2 - 200, False), (size + 100, True)):
        tried.clear()
        found = SEARCH._webp(drawing, best)
        assert bool(found) is most
        assert bool(tried[WebpEffort.MOST]) is most


def test_the_smallest_block_counts_whatever_the_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """More effort gives a larger block of some pictures."""
    sizes = {WebpEffort.SOME: 50, WebpEffort.MORE: 49, WebpEffort.MOST: 52}
    monkeypatch.setattr(webp_png, "webp_block", lambda samples, effort=WebpEffort.MOST: bytes(sizes[effort]))
    assert SEARCH._webp(np.zeros((9, 9, 3), np.uint8), 60)[0].size_bytes == 49
