"""The tiles of an image: nearly equal, and several where one would be a sliver."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import image as container

import pixzip
from pixzip.codec import by_rows
from pixzip.codec.tiles import TILE_SIDE, tile_sides
from tests.helpers.shell import good, run
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


@pytest.mark.parametrize("size", [(768, 512), (257, 5), (5, 600), (100_000, 20), (64, 64), (65, 64), (17, 16)])
@pytest.mark.parametrize("asked", [16, 64, 256])
def test_tiles_that_are_asked_for_are_no_larger(size: tuple[int, int], asked: int) -> None:
    width, height = tile_sides(*size, None, asked)
    if max(size) <= asked:
        assert (width, height) == size
        return
    assert 16 <= min(width, height) <= max(width, height) <= asked
    pixels = sum(w * h for _, _, w, h in container.windows(*size, width, height))
    assert pixels == size[0] * size[1]


def test_the_least_of_what_the_model_supports_and_the_user_asks_for_counts() -> None:
    assert tile_sides(512, 512, 256, 1024) == tile_sides(512, 512, 1024, 256) == (256, 256)


def test_no_block_spans_tiles_that_were_asked_for_and_a_region_needs_few_of_them() -> None:
    drawing = np.zeros((70, 80, 3), np.uint8)  # one block of all would be smallest
    drawing[::7] = 200
    usual, small = pixzip.Codec("fast"), pixzip.Codec("fast", tile=32)
    data = small.encode(drawing)
    assert sum(pixzip.info(data)["blocks"].values()) == 9
    assert len(data) > len(usual.encode(drawing))
    np.testing.assert_array_equal(usual.decode(data), drawing)
    np.testing.assert_array_equal(usual.decode(data, (60, 60, 10, 10)), drawing[60:70, 60:70])
    damaged = bytearray(data)
    damaged[-1] ^= 1
    np.testing.assert_array_equal(usual.decode(bytes(damaged), (0, 0, 27, 24)), drawing[:24, :27])
    with pytest.raises(pixzip.BitstreamError):
        usual.decode(bytes(damaged))


@pytest.mark.parametrize("tile", [15, 1025, 16.0, "32"])
def test_other_sides_are_refused(tile: object) -> None:
    with pytest.raises((ValueError, TypeError), match="tile is"):
        pixzip.Codec("fast", tile=tile)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["whole", "by rows"])
def test_the_command_takes_a_side_and_refuses_it_for_a_stack(
    way: str, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "by rows":
        monkeypatch.setattr(by_rows, "LARGE_PIXELS", 100)
    Image.fromarray(scene(3, 40, 50, 1)).save("a.png")
    good("compress", "a.png", "--tile", 16, "--verify")
    data = Path("a.png.pxz").read_bytes()
    assert sum(pixzip.info(data)["blocks"].values()) == 12
    np.testing.assert_array_equal(pixzip.decode(data), scene(3, 40, 50, 1))
    assert "--stack does not go with --tile" in run("compress", "--stack", "a.png", "-o", "s.pxz", "--tile", 16).stderr
    assert run("compress", "a.png", "--tile", 15).exit_code == 2
