"""Whole files: round trips, batches, damage, models."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pixcodecs import container
from pixcodecs.container import Header, PixelFormat
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError, UnsupportedImageError

from pixzip import codec, library
from pixzip.exact.weights import IntegerWeights
from tests.support import tiny_weights

WEIGHTS = {channels: tiny_weights(channels) for channels in (1, 3)}
BY_ID = {w.model_id: w for w in WEIGHTS.values()}
weights_for: Callable[[int], IntegerWeights] = WEIGHTS.__getitem__
by_id: Callable[[bytes], IntegerWeights] = BY_ID.__getitem__


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 40, shape) + np.arange(shape[1]).reshape(1, -1, *[1] * (len(shape) - 2))).astype(np.uint8)


IMAGES = [pixels(9, 14, 3), pixels(1, 1, 3), pixels(6, 3), pixels(20, 2, 3), pixels(1, 17), pixels(7, 1)]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 2**31), st.integers(1, 256))
def test_round_trip(height: int, width: int, grey: bool, seed: int, levels: int) -> None:
    shape = (height, width) if grey else (height, width, 3)
    x = np.random.default_rng(seed).integers(0, levels, shape).astype(np.uint8)
    (file,) = codec.compress([x], weights_for)
    (back,) = codec.decompress([file], by_id)
    assert back.shape == x.shape
    assert (back == x).all()


@pytest.mark.parametrize("limit", [1, 100, codec.BATCH_PIXELS])
def test_a_batch_gives_the_bytes_of_each_alone(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [codec.compress([x], weights_for)[0] for x in IMAGES]
    monkeypatch.setattr(codec.batches, "__defaults__", (limit,))
    assert codec.compress(IMAGES, weights_for, verify=True) == alone
    for x, back in zip(IMAGES, codec.decompress(alone, by_id), strict=True):
        assert back.shape == x.shape
        assert (back == x).all()


def test_no_image_gives_no_file() -> None:
    assert codec.compress([], weights_for) == []
    assert codec.decompress([], by_id) == []


def test_batches_keep_order_and_limit() -> None:
    found = list(codec.batches([5, 5, 1, 99, 3], lambda n: n, 10))
    assert found == [[5, 5], [1], [99], [3]]


@pytest.mark.parametrize("channels", [1, 3])
def test_one_pixel_takes_at_most_40_bytes(channels: int) -> None:
    x = np.full((1, 1) if channels == 1 else (1, 1, 3), 200, np.uint8)
    assert len(codec.compress([x], weights_for)[0]) <= 40


def test_progress_ends_at_all_pixels() -> None:
    calls: list[tuple[int, int]] = []
    codec.compress(IMAGES, weights_for, verify=True, progress=lambda done, total: calls.append((done, total)))
    total = 2 * sum(x.shape[0] * x.shape[1] for x in IMAGES)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)


def test_every_flipped_byte_and_truncation_is_rejected() -> None:
    (file,) = codec.compress([pixels(3, 4, 3)], weights_for)
    damaged = [file[:i] + bytes([file[i] ^ 1 << i % 8]) + file[i + 1 :] for i in range(len(file))]
    for data in [*damaged, *(file[:i] for i in range(len(file))), file + b"\0"]:
        with pytest.raises(BitstreamError):
            codec.decompress([data], by_id)


def repacked(header: Header, payload: bytes) -> bytes:
    """A hostile file: all of its checksums but that of the pixels are right."""
    return container.pack(header, payload)


@pytest.mark.parametrize("seed", range(8))
def test_a_wrong_payload_with_right_checksums_is_rejected(seed: int) -> None:
    (file,) = codec.compress([pixels(9, 14, 3)], weights_for)
    header, payload = container.unpack(file)
    noise = np.random.default_rng(seed).bytes(len(payload) + 4 * (seed - 4))
    for bad in (noise, payload[:-8], payload + bytes(400), b"", b"\xff" * len(payload), payload[:-1]):
        with pytest.raises(BitstreamError):
            codec.decompress([repacked(header, bad)], by_id)


def test_an_implausibly_short_payload_is_rejected_before_the_model_is_asked_for() -> None:
    header = Header(9000, 9000, PixelFormat.RGB8, WEIGHTS[3].model_id, 0)

    def never(model_id: bytes) -> IntegerWeights:
        raise AssertionError

    with pytest.raises(BitstreamError, match="take at least"):
        codec.decompress([repacked(header, bytes(64))], never)


def test_no_file_is_implausibly_short() -> None:
    weights = WEIGHTS[3]
    tensors = dict(weights.tensors)
    for i in range(3):  # every mean at the MED prediction, every scale the narrowest: as sure as a model can be
        bias = np.zeros_like(tensors[f"out.{i}.bias"])
        bias[6:9] = -1000 << 12
        tensors |= {f"out.{i}.bias": bias, f"out.{i}.weight": np.zeros_like(tensors[f"out.{i}.weight"])}
    sure = IntegerWeights(weights.config, weights.order, tensors)
    x = np.zeros((60, 400, 3), np.uint8)
    (file,) = codec.compress([x], lambda channels: sure, verify=True)
    (row,) = codec.evaluate([x], lambda channels: sure)
    assert codec.MIN_SUBPIXEL_BITS < row["model_bits"] / x.size < 1.4 * codec.MIN_SUBPIXEL_BITS
    header, payload = codec.parse(file)
    assert 8 * len(payload) > codec.MIN_SUBPIXEL_BITS * header.subpixels - 64


def test_the_pixel_limit_holds_and_can_be_lifted() -> None:
    x = pixels(8, 8)
    (file,) = codec.compress([x], weights_for)
    with pytest.raises(BitstreamError, match="limit of 63"):
        codec.decompress([file], by_id, max_pixels=63)
    assert (codec.decompress([file], by_id, max_pixels=None)[0] == x).all()


def test_the_wrong_model_is_refused() -> None:
    (file,) = codec.compress([pixels(4, 4, 3)], weights_for)
    with pytest.raises(ModelMismatchError, match=WEIGHTS[3].model_id.hex()):
        codec.decompress([file], lambda model_id: tiny_weights(3, seed=1))
    with pytest.raises(BitstreamError, match="channels"):
        codec.decompress([file], lambda model_id: WEIGHTS[1])
    with pytest.raises(ModelMismatchError, match="1 channels"):
        codec.compress([pixels(4, 4, 3)], lambda channels: WEIGHTS[1])


def test_an_array_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="65535"):
        codec.compress([np.zeros((1, 65536), np.uint8)], weights_for)


def test_evaluation_agrees_with_real_files() -> None:
    images = [pixels(30, 40, 3), pixels(25, 30)]
    rows = codec.evaluate(images, weights_for)
    for x, row, file in zip(images, rows, codec.compress(images, weights_for), strict=True):
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
    with pytest.raises(ModelMismatchError, match="no model 'slow': shipped are base, base-grey, fast"):
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
