"""Crops: windows of pictures, in proportion to area, with soft chroma like Pillow's, and reproducible by seed."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from pixzip.train.crops import Augmentation, Crops, _halvings, soften_chroma
from tests.helpers.support import noise

PLAIN = Augmentation(crop=5, soft_chroma=0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(h: int, w: int, seed: int = 0, channels: int = 3) -> NDArray[np.uint8]:
    return noise(channels, h, w, seed)


def turned(window: NDArray[np.uint8]) -> list[bytes]:
    """The eight flips and transpositions of (H, W, C)."""
    return [
        np.ascontiguousarray(w[::a, ::b]).tobytes()
        for w, a, b in itertools.product((window, window.transpose(1, 0, 2)), (1, -1), (1, -1))
    ]


def test_every_crop_is_a_window_of_a_picture_flipped_or_transposed() -> None:
    pictures = [picture(6, 9, 1), picture(5, 5, 2), picture(11, 7, 3)]
    order = (1, 0, 2)
    places = {
        found: (i, y, x, turn)
        for i, p in enumerate(pictures)
        for y in range(p.shape[0] - 4)
        for x in range(p.shape[1] - 4)
        for turn, found in enumerate(turned(p[y : y + 5, x : x + 5][..., list(order)]))
    }
    drawn = Crops(pictures, order, PLAIN).draw(4000, rng())
    assert drawn.shape == (4000, 3, 5, 5)
    assert drawn.dtype == torch.float32
    keys = drawn.permute(0, 2, 3, 1).to(torch.uint8).contiguous().numpy()
    seen = {places[key.tobytes()] for key in keys}
    assert seen == set(places.values())  # every place in all eight orientations


def test_pictures_are_drawn_in_proportion_to_their_area_up_to_a_limit() -> None:
    sizes = [(10, 10), (20, 30), (256, 256), (512, 300), (4, 400)]
    pictures = [np.full((*size, 1), i, np.uint8) for i, size in enumerate(sizes)]
    drawn = Crops(pictures, (0,), PLAIN).draw(60000, rng())[:, 0, 0, 0].long()
    area = np.array([100, 600, 1 << 16, 1 << 16, 0])  # the last is lower than a crop
    expected = 60000 * area / area.sum()
    found = drawn.bincount(minlength=5).numpy()
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected)).all()


def test_a_batch_depends_on_the_seed_and_its_parts_make_it_up() -> None:
    crops = Crops([picture(40, 30)], (0, 1, 2), Augmentation(crop=8, soft_chroma=0.5, recolour=0.5))
    whole = crops.draw(12, rng(1))
    assert torch.equal(crops.draw(12, rng(1)), whole)
    assert not torch.equal(crops.draw(12, rng(2)), whole)
    parts = [crops.draw(12, rng(1), part) for part in (slice(0, 4), slice(4, 8), slice(8, 12))]
    assert torch.equal(torch.cat(parts), whole)


def by_pillow(crop: NDArray[np.uint8], phase: tuple[int, int], kind: Image.Resampling) -> NDArray[np.float32]:
    """Soft chroma by Pillow, which halves and enlarges planes."""
    luma = crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    (h, w), (dy, dx) = luma.shape, phase

    def soft(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        padded = np.pad(plane, ((dy, (h + dy) % 2), (dx, (w + dx) % 2)), mode="edge")
        small = Image.fromarray(padded).reduce(2)
        return np.asarray(small.resize((padded.shape[1], padded.shape[0]), kind))[dy : dy + h, dx : dx + w]

    red, blue = (soft(crop[..., i] - luma) + luma for i in (0, 2))
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return np.floor(np.clip(np.stack([red, green, blue]) + 0.5, 0, 255))


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("nearest", [False, True])
def test_soft_chroma_is_that_of_pillow(side: int, nearest: bool) -> None:
    crops = np.stack([picture(side, side, seed) for seed in range(20)])
    planes = torch.from_numpy(crops.transpose(0, 3, 1, 2).astype(np.float32))
    halvings = _halvings(side)[2 * nearest :]
    kind = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    for dy, dx in itertools.product((0, 1), (0, 1)):
        found = soften_chroma(planes, halvings[dy].expand(20, -1, -1), halvings[dx].expand(20, -1, -1)).numpy()
        expected = np.stack([by_pillow(crop, (dy, dx), kind) for crop in crops])
        assert np.abs(found - expected).max() <= 1
        assert (found != expected).mean() < 1e-3  # the order of rounding differs


def test_the_share_of_soft_chroma_is_as_asked_and_grey_has_none() -> None:
    colours, side = picture(16, 16, 5), 16
    crops = Crops([colours], (0, 1, 2), Augmentation(side, soft_chroma=0.25)).draw(4000, rng())
    plain = {bytes(key) for key in turned(colours)}
    same = sum(c.permute(1, 2, 0).to(torch.uint8).contiguous().numpy().tobytes() in plain for c in crops)
    assert abs(same - 3000) < 5 * np.sqrt(4000 * 0.25 * 0.75)
    grey = picture(16, 16, 5, channels=1)
    drawn = Crops([grey], (0,), Augmentation(side, soft_chroma=1.0)).draw(50, rng())
    assert {c.to(torch.uint8).numpy().tobytes() for c in drawn} <= set(turned(grey))


@pytest.mark.gpu
def test_a_batch_is_the_same_on_a_gpu() -> None:
    wanted = Augmentation(crop=8, soft_chroma=0.5, recolour=0.5)
    here, there = (Crops([picture(40, 30)], (0, 1, 2), wanted, device).draw(50, rng()) for device in ("cpu", "cuda"))
    assert there.is_cuda
    assert (here - there.cpu()).abs().max() <= 1  # rounding of soft chroma may differ
