"""The tiles of an image: nearly equal, and several where one would be a sliver."""

import numpy as np
import pytest
from pixcodecs.container import image as container

import pixzip
from pixzip.codec.tiles import TILE_SIDE, tile_sides
from tests.helpers.support import scene


@pytest.mark.parametrize(
    ("size", "expected"),
    [((768, 512), (768, 512)), ((1024, 1024), (1024, 1024)), ((2000, 3000), (1000, 1000)), ((100_000, 20), (1021, 20))],
)
def test_large_images_have_tiles_of_nearly_equal_sizes(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert tile_sides(*size) == expected
    assert max(tile_sides(*size)) <= TILE_SIDE


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_slivers_are_cut_across(width: int) -> None:
    for size in ((width, 60_000), (60_000, width)):
        tiles = list(container.windows(*size, *tile_sides(*size)))
        steps = min(size[1], -(-size[0] // 2))  # pixels of a step in one tile
        assert 4 <= len(tiles) * steps <= 8
        assert min(w * h for _, _, w, h in tiles) >= 4096


@pytest.mark.parametrize("size", [(1, 8191), (8191, 1), (16, 3000), (3000, 8)])
def test_short_and_wider_images_stay_whole(size: tuple[int, int]) -> None:
    assert tile_sides(*size) == size


@pytest.mark.parametrize("shape", [(20_000, 1, 3), (1, 20_000, 3), (3, 9000)])
def test_slivers_come_back(shape: tuple[int, ...]) -> None:
    x = scene(shape[2] if len(shape) > 2 else 1, *shape[:2], 5).reshape(shape)
    assert np.array_equal(pixzip.decode(pixzip.encode(x, "fast")), x)
