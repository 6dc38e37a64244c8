"""Shards: every file is in one of them, and they are about as large."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pixzip import codec, image
from pixzip.trees import shards, sizes
from pixzip.trees.manifest import Shard
from pixzip.trees.shards import Task, cut, is_in, part_of

PIXELS = [int(n) for n in np.random.default_rng(0).integers(0, 10**6, 200)]


def tasks(pixels: list[int]) -> list[Task]:
    return [Task(str(i), None, None, n) for i, n in enumerate(pixels)]


@pytest.mark.parametrize("workers", [1, 3, 100])
def test_shards_hold_each_file_once_in_order_and_no_more_pixels_than_their_limit(workers: int) -> None:
    found = list(cut(tasks(PIXELS), workers))
    assert [task for shard in found for task in shard] == tasks(PIXELS)
    limit = min(shards.SHARD_PIXELS, sum(PIXELS) // (shards.SHARDS_A_WORKER * workers))
    assert all(sum(task.pixels for task in shard) <= limit or len(shard) == 1 for shard in found)
    sizes_of = [sum(task.pixels for task in shard) for shard in found]
    assert all(a + b > limit for a, b in pairwise(sizes_of))


def test_a_shard_of_tiny_files_has_no_more_than_its_limit_of_them() -> None:
    found = list(cut(tasks([1] * 100_000 + [10**9])))
    assert max(map(len, found)) == shards.SHARD_FILES


@pytest.mark.parametrize("count", [1, 2, 7, 200, 1000])
def test_the_parts_of_a_job_array_hold_every_file_once(count: int) -> None:
    parts = [PIXELS[part_of(PIXELS, Shard(i, count))] for i in range(1, count + 1)]
    assert [n for part in parts for n in part] == PIXELS
    if count < 10:
        assert max(map(sum, parts)) - min(map(sum, parts)) <= 2 * max(PIXELS)
    assert [[0][part_of([0], Shard(i, 2))] for i in (1, 2)] in ([[0], []], [[], [0]])
    assert [][part_of([], Shard(1, count))] == []


@pytest.mark.parametrize("count", [1, 2, 7])
def test_by_names_every_file_is_in_one_part_and_parts_are_about_as_large(count: int) -> None:
    names = [f"{i // 100}/\udcff{i}.png" for i in range(1000)]
    parts = [[name for name in names if is_in(name, Shard(i, count))] for i in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    mean = len(names) / count
    assert all(abs(len(part) - mean) <= 4 * mean**0.5 for part in parts)


def test_the_pixels_of_a_file_are_read_from_its_header(tmp_path: Path) -> None:
    picture = codec.as_picture(np.zeros((30, 50, 3), np.uint8))
    for suffix in (".png", ".tif", ".ppm", ".bmp", ".webp"):
        (tmp_path / suffix).write_bytes(image.write(picture, suffix))
        assert sizes.pixels(tmp_path / suffix) == 1500, suffix
    packed = tmp_path / "x.pxz"
    packed.write_bytes(codec.compress([picture])[0])
    assert sizes.pixels(packed) == 1500


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PX", b"\x89PX\x02\x00", b"\x89PNG\r\n\x1a\n", b"II*\0\xff"])
def test_a_file_without_a_header_counts_as_its_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert sizes.pixels(tmp_path / "x") == len(data)
    assert sizes.pixels(tmp_path / "missing") == 0
