"""Whole files: round trips, batches, damage, models."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.image import Header, Layout, Tile
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError, UnsupportedImageError

from pixzip import codec
from pixzip.codec import decoder, tiles
from pixzip.codec.search import Search
from pixzip.engine import batching, executor
from pixzip.image.picture import Chunk, Picture
from pixzip.models import library
from pixzip.models.wavefront.weights import IntegerWeights
from tests.helpers.support import tiny_weights

WEIGHTS = {channels: tiny_weights(channels) for channels in (1, 3)}
BY_ID = {w.model_id: w for w in WEIGHTS.values()}
weights_for: Callable[[int], IntegerWeights] = WEIGHTS.__getitem__
by_id: Callable[[bytes], IntegerWeights] = BY_ID.__getitem__
options = partial(codec.Options, weights_for, by_id)


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 40, shape) + np.arange(shape[1]).reshape(1, -1, *[1] * (len(shape) - 2))).astype(np.uint8)


IMAGES = [pixels(9, 14, 3), pixels(1, 1, 3), pixels(6, 3), pixels(20, 2, 3), pixels(1, 17), pixels(7, 1)]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 2**31), st.integers(1, 256))
def test_round_trip(height: int, width: int, grey: bool, seed: int, levels: int) -> None:
    shape = (height, width) if grey else (height, width, 3)
    x = np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8)
    (file,) = codec.compress([x], options())
    (back,) = codec.decompress([file], options())
    assert np.array_equal(codec.as_array(back), x)


@pytest.mark.parametrize("limit", [1, 100, batching.BATCH_PIXELS])
@pytest.mark.parametrize("models_only", [False, True])
def test_a_batch_gives_the_bytes_of_each_alone(limit: int, models_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [codec.compress([x], options(models_only=models_only))[0] for x in IMAGES]
    monkeypatch.setattr(batching.batches, "__defaults__", (limit,))
    assert codec.compress(IMAGES, options(verify=True, models_only=models_only)) == alone
    for x, back in zip(IMAGES, codec.decompress(alone, options()), strict=True):
        assert np.array_equal(codec.as_array(back), x)


def test_no_image_gives_no_file() -> None:
    assert codec.compress([], options()) == []
    assert codec.decompress([], options()) == []


def test_batches_keep_order_and_limit() -> None:
    found = list(batching.batches([5, 5, 1, 99, 3], lambda n: n, 10))
    assert found == [[5, 5], [1], [99], [3]]


@pytest.mark.parametrize("channels", [1, 3])
def test_one_pixel_takes_at_most_40_bytes(channels: int) -> None:
    x = np.full((1, 1) if channels == 1 else (1, 1, 3), 200, np.uint8)
    assert len(codec.compress([x], options())[0]) <= 40


def test_progress_ends_at_all_pixels() -> None:
    calls: list[tuple[int, int]] = []
    codec.compress(IMAGES, options(verify=True), lambda done, total: calls.append((done, total)))
    total = 2 * sum(x.shape[0] * x.shape[1] for x in IMAGES)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)


@pytest.mark.parametrize("models_only", [False, True])
def test_every_flipped_byte_and_truncation_is_rejected(models_only: bool) -> None:
    (file,) = codec.compress([pixels(3, 4, 3)], options(models_only=models_only))
    damaged = [file[:i] + bytes([file[i] ^ 1 << i % 8]) + file[i + 1 :] for i in range(len(file))]
    for data in [*damaged, *(file[:i] for i in range(len(file))), file + b"\0"]:
        with pytest.raises(BitstreamError):
            codec.decompress([data], options())


def forged(block: bytes, shape: tuple[int, int, int], model: IntegerWeights, samples_crc: int = 0) -> bytes:
    """A hostile file with correct checksums, except that of the samples."""
    h, w, c = shape
    layout = {1: Layout.GREY, 3: Layout.RGB}[c]
    tile = Tile(len(block), container.crc32(block), samples_crc)
    return container.pack_header(Header(w, h, layout, 8, (model.model_id,), (), w, h, (tile,))) + block


def payload_of(file: bytes) -> bytes:
    """The payload that a model coded."""
    block = codec.Opening(file).block(0)
    assert block[:2] == blocks.model(0, b"")
    return block[2:]


@pytest.mark.parametrize("seed", range(8))
def test_a_wrong_payload_with_right_checksums_is_rejected(seed: int) -> None:
    (file,) = codec.compress([pixels(9, 14, 3)], options(models_only=True))
    payload = payload_of(file)
    noise = np.random.default_rng(seed).bytes(len(payload) + 4 * (seed - 4))
    for bad in (noise, payload[:-8], payload + bytes(400), b"", b"\xff" * len(payload), payload[:-1]):
        with pytest.raises(BitstreamError):
            codec.decompress([forged(blocks.model(0, bad), (9, 14, 3), WEIGHTS[3])], options())


def test_an_implausibly_short_payload_is_rejected_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(executor, "engine", never)
    with pytest.raises(BitstreamError, match="take at least"):
        codec.decompress([forged(blocks.model(0, bytes(64)), (9000, 9000, 3), WEIGHTS[3])], options())


def test_a_block_cannot_ask_for_a_model_that_the_header_does_not_name() -> None:
    with pytest.raises(BitstreamError, match="asks for model 1 of 1"):
        codec.decompress([forged(blocks.model(1, bytes(64)), (4, 4, 3), WEIGHTS[3])], options())


def test_no_file_is_implausibly_short() -> None:
    weights = WEIGHTS[3]
    tensors = dict(weights.tensors)
    for i in range(3):  # every mean at the MED prediction with the smallest scale: the most certain model
        bias = np.zeros_like(tensors[f"out.{i}.bias"])
        bias[6:9] = -1000 << 12
        tensors |= {f"out.{i}.bias": bias, f"out.{i}.weight": np.zeros_like(tensors[f"out.{i}.weight"])}
    sure = IntegerWeights(weights.config, weights.order, tensors)
    x = np.zeros((60, 400, 3), np.uint8)
    (file,) = codec.compress([x], codec.Options.only(sure, verify=True, models_only=True))
    (row,) = codec.evaluate([x], codec.Options.only(sure))
    assert executor.MIN_SUBPIXEL_BITS < row["model_bits"] / x.size < 1.4 * executor.MIN_SUBPIXEL_BITS
    assert 8 * len(payload_of(file)) > executor.MIN_SUBPIXEL_BITS * x.size - 64


def test_the_pixel_limit_holds_and_can_be_lifted() -> None:
    x = pixels(8, 8)
    (file,) = codec.compress([x], options())
    with pytest.raises(BitstreamError, match="limit of 63"):
        codec.decompress([file], options(max_pixels=63))
    assert np.array_equal(codec.as_array(codec.decompress([file], options(max_pixels=None))[0]), x)


def test_the_wrong_model_is_refused() -> None:
    (file,) = codec.compress([pixels(4, 4, 3)], options(models_only=True))
    with pytest.raises(ModelMismatchError, match=WEIGHTS[3].model_id.hex()):
        codec.decompress([file], codec.Options.only(tiny_weights(3, seed=1)))
    with pytest.raises(BitstreamError, match="3 channels, its model 1"):
        codec.decompress([forged(blocks.model(0, bytes(64)), (4, 4, 3), WEIGHTS[1])], options())
    with pytest.raises(ModelMismatchError, match="3 channels"):
        codec.compress([pixels(4, 4, 3)], codec.Options.only(WEIGHTS[1]))


def test_an_array_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="65535"):
        codec.compress([np.zeros((1, 65536), np.uint8)], options())


def test_evaluation_agrees_with_real_files() -> None:
    images = [pixels(30, 40, 3), pixels(25, 30)]
    rows = codec.evaluate(images, options())
    for x, row, file in zip(images, rows, codec.compress(images, options(models_only=True)), strict=True):
        assert row["file_bits"] == 8 * len(file)
        assert row["model_bits"] <= row["file_bits"] <= 1.002 * row["model_bits"] + 8 * 32
        assert row["bpsp"] == row["file_bits"] / x.size
        assert row["ratio"] == row["file_bits"] / row["model_bits"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_a_device_is_an_error() -> None:
    assert codec.resolve_device("auto") == "cpu"
    with pytest.raises(PixzipError, match="no CUDA device"):
        codec.resolve_device("cuda")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(library, "WEIGHTS", tmp_path)
    (tmp_path / "base.safetensors").write_bytes(WEIGHTS[3].to_bytes())
    (tmp_path / "base-grey.safetensors").write_bytes(WEIGHTS[1].to_bytes())
    (tmp_path / "fast.safetensors").write_bytes(tiny_weights(3, seed=1).to_bytes())
    return tmp_path


def test_models_are_found_by_name_and_channels(shipped: Path) -> None:
    assert library.resolve("base", 3).digest == WEIGHTS[3].digest
    assert library.resolve("base", 1).digest == WEIGHTS[1].digest
    assert library.resolve("base-grey", 1).digest == WEIGHTS[1].digest
    assert library.resolve(str(shipped / "fast.safetensors"), 3).digest != WEIGHTS[3].digest
    assert [m.name for m in library.list_models()] == ["base", "base-grey", "fast"]
    assert library.resolve("fast", 1).digest == WEIGHTS[1].digest
    (shipped / "base-grey.safetensors").unlink()
    with pytest.raises(ModelMismatchError, match="fast has no weights for grey images"):
        library.resolve("fast", 1)
    (shipped / "base-grey.safetensors").write_bytes(WEIGHTS[1].to_bytes())
    with pytest.raises(ModelMismatchError, match="is for RGB images, this one is grey"):
        library.resolve(str(shipped / "fast.safetensors"), 1)
    with pytest.raises(ModelMismatchError, match="no model 'slow': here are base, base-grey, fast"):
        library.resolve("slow", 3)


def test_models_are_found_by_id(shipped: Path, tmp_path: Path) -> None:
    other = tiny_weights(3, seed=2)
    path = tmp_path / "mine.weights"
    path.write_bytes(other.to_bytes())
    assert library.by_id(WEIGHTS[1].model_id).digest == WEIGHTS[1].digest
    assert library.by_id(other.model_id, [path]).digest == other.digest
    assert library.name_of(WEIGHTS[3].model_id) == "base"
    assert library.name_of(other.model_id) is None
    with pytest.raises(ModelMismatchError, match=f"needs model {other.model_id.hex()}.*update pixzip or pass --model"):
        library.by_id(other.model_id)
    with pytest.raises(ModelMismatchError, match="no model file"):
        library.by_id(other.model_id, [tmp_path / "nowhere"])


def test_a_changed_weights_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(WEIGHTS[1].to_bytes())
    assert library.load(path).config.channels == 1
    path.write_bytes(WEIGHTS[3].to_bytes())
    assert library.load(path).config.channels == 3


BIG = pixels(90, 130, 4, seed=3)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(tiles, "TILE_SIDE", 40)
    monkeypatch.setattr(Search, "whole", lambda *args: None)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("models_only", [False, True])
def test_tiles_give_the_picture_and_every_part_of_it(models_only: bool) -> None:
    (file,) = codec.compress([BIG], options(models_only=models_only, verify=True))
    assert len(codec.Opening(file).header.tiles) == 4 * 3
    for x, y, w, h in [(0, 0, 130, 90), (129, 89, 1, 1), (31, 20, 50, 41), (0, 33, 130, 1), (66, 60, 32, 30)]:
        found = codec.recover(file, options(), region=tiles.Window(x, y, w, h))
        assert np.array_equal(found.picture.samples, BIG[y : y + h, x : x + w])
        assert not found.damaged


@pytest.mark.usefixtures("small_tiles")
def test_a_region_reads_only_the_tiles_it_needs() -> None:
    (file,) = codec.compress([BIG], options())
    header = codec.Opening(file).header
    ruined = bytearray(file)
    start = header.size_bytes + header.tiles[0].size_bytes
    ruined[start:] = bytes(len(file) - start)  # all but the first tile
    found = codec.recover(bytes(ruined), options(), region=tiles.Window(3, 4, 20, 20))
    assert np.array_equal(found.picture.samples, BIG[4:24, 3:23])
    with pytest.raises(BitstreamError, match="tile 1"):
        codec.recover(bytes(ruined), options(), region=tiles.Window(30, 4, 20, 20))
    with pytest.raises(PixzipError, match="not inside"):
        codec.recover(file, options(), region=tiles.Window(120, 4, 20, 20))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("models_only", [False, True])
def test_a_damaged_tile_is_named_and_the_rest_recovered(models_only: bool) -> None:
    (file,) = codec.compress([BIG], options(models_only=models_only))
    header = codec.Opening(file).header
    for i, window in enumerate(tiles.Window(*w) for w in header.windows):
        at = header.size_bytes + sum(t.size_bytes for t in header.tiles[:i]) + header.tiles[i].size_bytes // 2
        damaged = file[:at] + bytes([file[at] ^ 255]) + file[at + 1 :]
        with pytest.raises(BitstreamError, match=f"tile {i} "):
            codec.decompress([damaged], options())
        found = codec.recover(damaged, options(), salvage=True)
        expected = BIG.copy()
        expected[window.slices] = 0
        assert found.damaged == (window,)
        assert np.array_equal(found.picture.samples, expected)
    cut = codec.recover(file[: header.size_bytes + header.tiles[0].size_bytes + 3], options(), salvage=True)
    assert len(cut.damaged) == len(header.tiles) - 1
    with pytest.raises(BitstreamError, match="nothing can be recovered"):
        codec.recover(file[: header.size_bytes], options(), salvage=True)


@pytest.mark.usefixtures("small_tiles")
def test_a_payload_forged_with_right_checksums_costs_one_tile() -> None:
    (file,) = codec.compress([BIG[..., :3]], options(models_only=True))
    header = codec.Opening(file).header
    parts = [container.block(file, header, i) for i in range(len(header.tiles))]
    parts[5] = blocks.model(0, np.random.default_rng(1).bytes(len(parts[5]) // 4 * 4))
    table = [
        t._replace(size_bytes=len(p), block_crc=container.crc32(p)) for t, p in zip(header.tiles, parts, strict=True)
    ]
    forged_file = container.pack_header(dataclasses.replace(header, tiles=tuple(table))) + b"".join(parts)
    found = codec.recover(forged_file, options(), salvage=True)
    assert found.damaged == (tiles.Window(*header.windows[5]),)


def test_large_graphics_are_one_webp_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(tiles, "TILE_SIDE", 40)
    flat = np.zeros((90, 130, 3), np.uint8)
    flat[:, ::7] = np.arange(19)[:, None] % 3 * 80
    (file,) = codec.compress([flat], options(verify=True))
    assert len(codec.Opening(file).header.tiles) == 1


@pytest.mark.parametrize("shape", [(1, 900), (900, 1), (300, 2, 3)])
def test_slivers_round_trip(shape: tuple[int, ...]) -> None:
    """Longer slivers are in `tests/image/test_modes.py`."""
    (file,) = codec.compress([pixels(*shape)], options(verify=True))
    assert len(file) < pixels(*shape).size + 40


def test_everything_a_picture_holds_comes_back() -> None:
    rng = np.random.default_rng(8)
    metadata = (Chunk(b"gAMA", b"\0\0\xb1\x8f"), Chunk(b"tEXt", b"Title\0" + bytes(500)), Chunk(b"iCCP", b""))
    pictures = [
        Picture(
            rng.integers(0, 5, (9, 8, 1)).astype(np.uint8), Layout.PALETTE, 4, bytes(range(15)), b"\0\x80", metadata
        ),
        Picture(rng.integers(0, 2, (9, 8, 1)).astype(np.uint8), Layout.GREY, 1, metadata=metadata),
        Picture(rng.integers(0, 999, (9, 8, 3)).astype(np.uint16), Layout.RGB, 16, transparency=bytes(6)),
        Picture(rng.integers(0, 999, (9, 8, 2)).astype(np.uint16), Layout.GREY_ALPHA, 10),
        Picture(rng.integers(0, 256, (9, 8, 4)).astype(np.uint8), Layout.RGBA, 8),
    ]
    assert codec.decompress(codec.compress(pictures, options()), options()) == pictures


def test_a_short_payload_is_given_up_when_it_has_ended() -> None:
    """Sixty thousand steps of zeros, which the coder alone does not detect, once took seconds."""
    block = blocks.model(0, bytes(8))
    tile = Tile(len(block), container.crc32(block), 0)
    header = Header(65535, 3, Layout.GREY, 8, (WEIGHTS[1].model_id,), (), 65535, 3, (tile,))
    with pytest.raises(BitstreamError, match="ends before its last pixel"):
        codec.decompress([container.pack_header(header) + block], options())


def test_the_emptiest_images_are_not_taken_for_short_payloads() -> None:
    """Far below half a bit per sub-pixel, alone and in a batch, the cost of symbols is counted."""
    flat = [np.full((200, 300, 3), 99, np.uint8), np.zeros((90, 700), np.uint8), np.full((64, 64, 3), 255, np.uint8)]
    files = codec.compress(flat, codec.Options(partial(library.resolve, "fast"), models_only=True))
    assert all(8 * len(file) < 0.1 * x.size for file, x in zip(files, flat, strict=True))
    back = codec.decompress(files)
    assert all(np.array_equal(codec.as_array(b), x) for b, x in zip(back, flat, strict=True))


def test_checksums_of_samples_are_those_of_their_little_endian_bytes() -> None:
    rng = np.random.default_rng(5)
    for dtype in (np.uint8, np.uint16):
        x = rng.integers(0, 60000, (70, 40_000, 1)).astype(dtype)
        assert decoder.samples_crc(x) == container.crc32(x.astype(x.dtype.newbyteorder("<")).tobytes())
        pixel = np.broadcast_to(x[0, 0], (3, 5, 1))
        assert decoder.samples_crc(pixel) == container.crc32(np.ascontiguousarray(pixel).tobytes())
