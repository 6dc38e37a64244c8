"""Chunks of images as bytes, through numcodecs: axes, dtypes, stacks and files, and every kind of damage."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import stack
from pixcodecs.primitives import crc32, varint

import pixzip
import pixzip.numcodecs
import pixzip.zarr
from pixzip.adapters.axes import PLAIN, axes_of
from pixzip.codec import costs
from pixzip.engine.backends.torch.engine import with_known_answer
from pixzip.models import library
from pixzip.numcodecs import Pixzip
from pixzip.zarr import PixzipCodec
from tests.conftest import ROOT
from tests.helpers.support import photos

FAST = library.find("fast").model_id.hex()


@pytest.fixture(scope="module")
def codec() -> Pixzip:
    return Pixzip("fast")


def files_of(data: bytes) -> list[bytes]:
    """The files in a chunk that has few and short ones."""
    count, at = data[2], 3
    sizes = []
    for _ in range(count):
        size, shift = 0, 0
        while True:
            size |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 0x80:
                break
        sizes.append(size)
    at += 4
    return [data[at + sum(sizes[:i]) : at + sum(sizes[: i + 1])] for i in range(count)]


SHAPES = [(6, 5), (6, 5, 1), (6, 5, 2), (6, 5, 3), (6, 5, 4), (1, 1),
          (3, 6, 5), (3, 6, 5, 1), (2, 6, 5, 2), (3, 6, 5, 3), (2, 6, 5, 4), (1, 6, 5, 3)]  # fmt: skip


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["|u1", "<u2", ">u2"])
def test_chunks_come_back_with_shape_dtype_and_order(dtype: str, order: Any, codec: Pixzip) -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES if dtype == "|u1" else SHAPES[::3]:
        chunk = np.asarray(rng.integers(0, np.iinfo(dtype).max, shape), dtype, order=order)
        again = codec.decode(codec.encode(chunk))

        assert (again.shape, again.dtype) == (chunk.shape, np.dtype(dtype))
        assert (again.flags.c_contiguous, again.flags.f_contiguous) == (
            chunk.flags.c_contiguous,
            chunk.flags.f_contiguous,
        )
        np.testing.assert_array_equal(again, chunk)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((9, 4), "HW"),
        ((9, 9, 1), "HWC"),
        ((9, 9, 4), "HWC"),
        ((9, 9, 5), "NHW"),
        ((4, 9, 9), "NHW"),
        ((9, 9, 9, 4), "NHWC"),
    ],
)
def test_axes_follow_from_the_shape(shape: tuple[int, ...], axes: str) -> None:
    assert axes_of(shape) == axes


@pytest.mark.parametrize("axes", PLAIN)
def test_axes_that_are_given_decide_and_come_back(axes: str) -> None:
    sizes = {"N": 3, "C": 3, "H": 7, "W": 3}  # shapes that could be taken for other axes
    chunk = np.random.default_rng(1).integers(0, 256, [sizes[axis] for axis in axes], np.uint8)
    codec = Pixzip("fast", axes=axes)
    data = codec.encode(chunk)

    np.testing.assert_array_equal(Pixzip("fast").decode(data), chunk)
    assert (data[0], data[1]) == (PLAIN.index(axes), 3 if "N" in axes else 1)
    assert pixzip.info(files_of(data)[0])["mode"] == ("RGB" if "C" in axes else "GREY")


@pytest.mark.parametrize("shape", [(5,), (0, 4), (4, 4, 0), (2, 0, 2, 5), (1,) * 33, ()])
def test_other_shapes_are_value_errors(shape: tuple[int, ...], codec: Pixzip) -> None:
    with pytest.raises(ValueError, match="chunk has shape"):
        codec.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", ["int8", "uint32", "float32", "bool", "int16", "S1"])
def test_other_dtypes_are_value_errors(dtype: str, codec: Pixzip) -> None:
    with pytest.raises(ValueError, match="expected uint8 or uint16"):
        codec.encode(np.zeros((4, 4), dtype))


def test_axes_that_there_are_none_of_are_value_errors() -> None:
    with pytest.raises(ValueError, match="axes are 'WH', expected HW, "):
        Pixzip("fast", axes="WH")
    with pytest.raises(ValueError, match="expected NCHW"):
        Pixzip("fast", axes="NCHW").encode(np.zeros((4, 4), np.uint8))


def test_a_chunk_that_no_decoder_takes_is_not_encoded(codec: Pixzip) -> None:
    with pytest.raises(pixzip.UnsupportedImageError, match="make the array's chunks smaller"):
        codec.encode(np.broadcast_to(np.uint8(0), (1000, 300, 300)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_stack_that_readers_would_refuse_becomes_pictures(monkeypatch: pytest.MonkeyPatch, channels: int) -> None:
    """The limit is lowered, because such a chunk has millions of pixels: smooth ones, in few bytes."""
    monkeypatch.setattr(costs, "SMALL_NS", 300_000_000)
    rows, columns = np.mgrid[0:50, 0:40] / 40
    images = np.stack([100 + slope * (rows + columns) for slope in range(100)]).astype(np.uint8)[..., np.newaxis]
    chunk = np.repeat(images, channels, 3)
    with pytest.raises(pixzip.BitstreamError, match="processor time"):
        pixzip.encode_stack(chunk if channels == 3 else chunk[..., 0], "fast", effort=1)
    codec = Pixzip("fast", effort=1)
    data = codec.encode(chunk)
    assert not any(map(stack.is_stack, files_of(data)))
    np.testing.assert_array_equal(codec.decode(data), chunk)


@pytest.mark.parametrize("shape", [(64, 64), (300, 8, 8), (100, 16, 16, 3), (4, 500, 500, 4), (20, 80, 80)])
@pytest.mark.parametrize("dtype", ["u1", ">u2"])
def test_constant_chunks_are_tiny(shape: tuple[int, ...], dtype: str, codec: Pixzip) -> None:
    chunk = np.full(shape, 200, dtype)
    data = codec.encode(chunk)
    assert len(data) < 45
    np.testing.assert_array_equal(codec.decode(data), chunk)


def test_small_images_are_one_stack_and_large_ones_a_file_each(codec: Pixzip) -> None:
    small, large, deep = photos(4, 24, 20), photos(2, 64, 64), photos(2, 5, 5).astype(np.uint16)
    (stacked,) = files_of(codec.encode(small))

    assert stack.is_stack(stacked)
    assert len(stacked) < sum(map(len, pixzip.encode_batch(list(small), "fast")))
    assert files_of(codec.encode(large)) == pixzip.encode_batch(list(large), "fast")
    assert files_of(codec.encode(deep)) == pixzip.encode_batch(list(deep), "fast")
    assert files_of(codec.encode(small[0])) == [pixzip.encode(small[0], "fast")]


def test_small_drawings_are_no_stack_where_that_is_larger() -> None:
    codec = Pixzip("fast", effort=1)
    sprite = np.kron(np.random.default_rng(0).integers(0, 2, (8, 8, 3)), np.full((4, 4, 1), 255)).astype(np.uint8)
    chunk = np.stack([np.roll(sprite, 4 * i, 0) for i in range(8)])
    data = codec.encode(chunk)
    files = files_of(data)

    assert not any(map(stack.is_stack, files))
    assert sum(map(len, files)) < len(stack_of(chunk))
    np.testing.assert_array_equal(codec.decode(data), chunk)


def test_stacks_have_the_stage_of_the_effort_where_it_pays(codec: Pixzip) -> None:
    photo, sizes = np.asarray(Image.open(ROOT / "examples" / "photo.webp").convert("RGB")), []
    chunk = np.stack([photo[32 * i : 32 * i + 32, 32 * j : 32 * j + 32] for i in range(7) for j in range(7)])
    for effort, stages in ((1, {0}), (2, {0, 1}), (7, {2})):
        own = Pixzip("fast", effort=effort)
        data = own.encode(chunk)
        (stacked,) = files_of(data)
        assert stack.read_header(stacked).stage in stages
        sizes.append(len(data))
        np.testing.assert_array_equal(codec.decode(data), chunk)
    assert sizes[2] < sizes[1] <= sizes[0]


def stack_of(chunk: np.ndarray) -> bytes:
    from pixzip.codec.stack import compress_stack

    return compress_stack(list(chunk), library.resolve("fast", chunk.shape[3]))


@pytest.mark.parametrize("chunk", [photos(3, 6, 5), photos(2, 64, 64)[:, :, :64], np.full((3, 4, 4), 7, ">u2")])
def test_every_flipped_bit_of_the_head_and_every_truncation_is_told(chunk: np.ndarray, codec: Pixzip) -> None:
    data = codec.encode(chunk)
    for at in range(3 + 2 * data[2] + 4):
        for bit in range(8):
            with pytest.raises(pixzip.BitstreamError):
                codec.decode(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
    for wrong in [*(data[:size] for size in range(min(60, len(data)))), data[:-1], data + b"\0"]:
        with pytest.raises(pixzip.BitstreamError):
            codec.decode(wrong)


def test_every_flipped_byte_is_told(codec: Pixzip) -> None:
    data = codec.encode(photos(2, 4, 3))
    for at in range(len(data)):
        with pytest.raises((pixzip.BitstreamError, pixzip.ModelMismatchError)):
            codec.decode(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])


def forged(head: int, n: int, files: list[bytes]) -> bytes:
    start = bytes([head]) + varint(n) + varint(len(files)) + b"".join(varint(len(file)) for file in files)
    return start + crc32(start).to_bytes(4, "little") + b"".join(files)


def test_forged_chunks_are_told(codec: Pixzip) -> None:
    grey, colour = pixzip.encode_batch([np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.uint8)], "fast")
    wide = pixzip.encode(np.zeros((4, 8), np.uint8), "fast")
    repeated = 0x20 | PLAIN.index("NHW")
    for head, n, files, why in [
        (PLAIN.index("HW"), 1, [colour], "its axes are HW"),
        (PLAIN.index("HW"), 2, [grey, grey], "its axes are HW"),
        (PLAIN.index("NHW"), 3, [grey], "4 rows for 3 images"),
        (PLAIN.index("NHW"), 2, [grey, wide], "several kinds"),
        (PLAIN.index("NHWC"), 2, [grey, colour], "several kinds"),
        (0x08, 1, [grey], "byte order"),
        (repeated, 10_000_000, [grey], "more than the limit"),
        (repeated, 0, [grey], "not a chunk"),
        (repeated, 1, [], "not a chunk"),
        (0x07, 1, [grey], "not a chunk"),
        (0x40, 1, [grey], "not a chunk"),
        (repeated, 2, [stack_of(photos(2, 4, 4)), grey], "version 3"),
    ]:
        with pytest.raises(pixzip.BitstreamError, match=why):
            codec.decode(forged(head, n, files))
    assert codec.decode(forged(repeated, 5, [grey])).shape == (5, 4, 6)


# Models.


def test_the_config_names_the_model_and_its_id(codec: Pixzip) -> None:
    config = codec.get_config()

    assert config == {"id": "pixzip", "model": "fast", "model_id": FAST}
    assert numcodecs.get_codec(json.loads(json.dumps(config))) == codec
    assert pickle.loads(pickle.dumps(codec)) == codec  # noqa: S301 (made here)
    assert repr(Pixzip("fast", axes="NHW")) == f"Pixzip(model='fast', model_id='{FAST}', axes='NHW')"
    assert PixzipCodec.from_dict(PixzipCodec("fast", axes="NHW").to_dict()) == PixzipCodec("fast", FAST, "NHW")


def test_another_model_of_that_name_reads_but_does_not_write(codec: Pixzip) -> None:
    chunk = photos(1, 8, 8)[0]
    for other in (Pixzip("fast", "0" * 16), Pixzip("gone", "0" * 16)):
        np.testing.assert_array_equal(other.decode(codec.encode(chunk)), chunk)
        assert other.get_config()["model_id"] == "0" * 16
        with pytest.raises(pixzip.ModelMismatchError, match=f"{'0' * 16}: what is there can be read|no model 'gone'"):
            other.encode(chunk)
    with pytest.raises(pixzip.ModelMismatchError, match="no model 'gone'"):
        Pixzip("gone")


def test_weights_of_ones_own_are_found_by_their_path(tmp_path: Path, codec: Pixzip) -> None:
    shipped = library.find("fast")
    tensors = {name: array.copy() for name, array in shipped.tensors.items()}
    tensors["out.0.bias"][0] += 1
    path = tmp_path / "own.safetensors"
    path.write_bytes(with_known_answer(replace(shipped, tensors=tensors)).to_bytes())
    own = Pixzip(str(path))

    assert own.get_config()["model_id"] != FAST
    for chunk in (photos(6, 32, 32), photos(2, 64, 64)):
        data = own.encode(chunk)
        np.testing.assert_array_equal(numcodecs.get_codec(own.get_config()).decode(data), chunk)
        with pytest.raises(pixzip.ModelMismatchError, match="needs model"):
            codec.decode(data)


# numcodecs.


def test_decoding_fills_what_it_is_given(codec: Pixzip) -> None:
    chunk = photos(3, 6, 5)
    data = codec.encode(chunk)
    out = np.empty_like(chunk)

    assert codec.decode(memoryview(data), out) is out
    np.testing.assert_array_equal(out, chunk)
    flat = bytearray(chunk.nbytes)
    codec.decode(np.frombuffer(data, np.uint8), flat)
    assert flat == chunk.tobytes()
    with pytest.raises(pixzip.BitstreamError, match="270 bytes of pixels, expected 271"):
        codec.decode(data, bytearray(chunk.nbytes + 1))
