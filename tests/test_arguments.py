"""Public functions accept what stands for bytes, paths and images, and refuse everything else in words."""

import array
import io
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pixzip
from pixzip import image as image_files
from pixzip.adapters.chunks import ChunkCodec
from pixzip.api import Codec
from tests.helpers.support import photo

PHOTO = photo(3, 20, 24)


@pytest.fixture(scope="module")
def data() -> bytes:
    return pixzip.encode(PHOTO, "fast")


@pytest.fixture(scope="module")
def stacked() -> bytes:
    return pixzip.encode_stack([PHOTO[:5, :6]] * 2, "fast")


# Bytes of files.

BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "reversed memoryview": lambda data: memoryview(data[::-1])[::-1],
    "numpy bytes": np.bytes_,
    "array of uint8": lambda data: np.frombuffer(data, np.uint8),
    "array.array": lambda data: array.array("B", data),
}
OTHERS: dict[str, Callable[[bytes], Any]] = {
    "a name": lambda data: "photo.pxz",
    "a path": lambda data: Path("photo.pxz"),
    "an open file": io.BytesIO,
    "a text file": lambda data: io.StringIO(),
    "None": lambda data: None,
    "a number": lambda data: 7,
    "a list": list,
    "an image": lambda data: PHOTO,
    "floats": lambda data: np.zeros(9),
    "a Pillow image": lambda data: Image.fromarray(PHOTO),
}
READERS: dict[str, Callable[[Any], Any]] = {
    "decode": pixzip.decode,
    "decode a region": lambda data: pixzip.decode(data, region=(0, 0, 2, 2)),
    "decode_batch": lambda data: pixzip.decode_batch([data]),
    "decode_pages": pixzip.decode_pages,
    "decode_stack": pixzip.decode_stack,
    "verify": pixzip.verify,
    "info": pixzip.info,
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_anything_that_holds_the_bytes_of_a_file_is_read(kind: str, data: bytes, stacked: bytes) -> None:
    given, stack = BUFFERS[kind](data), BUFFERS[kind](stacked)
    assert (pixzip.decode(given) == PHOTO).all()
    assert (pixzip.decode(given, region=(1, 2, 3, 4)) == PHOTO[2:6, 1:4]).all()
    assert (pixzip.decode_batch([given])[0] == PHOTO).all()
    assert pixzip.info(given)["width"] == 24
    assert len(pixzip.decode_stack(stack).images) == pixzip.info(stack)["images"] == 2
    pixzip.verify(given)
    pixzip.verify(stack)
    if not isinstance(given, array.array):
        assert pixzip.bits_map(given).shape == PHOTO.shape[:2]


def test_a_mapped_file_is_read(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pxz").write_bytes(data)
    with (tmp_path / "a.pxz").open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert (pixzip.decode(mapped) == PHOTO).all()
        assert pixzip.info(mapped) == pixzip.info(data)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", OTHERS)
def test_anything_else_is_a_type_error_that_says_what_to_pass(reader: str, kind: str, data: bytes) -> None:
    with pytest.raises(TypeError, match=r"data is .*expected the bytes of a \.pxz file"):
        READERS[reader](OTHERS[kind](data))


def test_a_stack_and_an_image_are_told_apart_in_words(data: bytes, stacked: bytes) -> None:
    with pytest.raises(pixzip.BitstreamError, match="a stack of images"):
        pixzip.decode(stacked)
    with pytest.raises(pixzip.BitstreamError, match="not a stack"):
        pixzip.decode_stack(data)


# Images.


@pytest.mark.parametrize("image", ["photo.png", Path("photo.png"), b"\x89PNG", None, io.BytesIO(), {}, object()])
def test_an_image_that_is_no_image_is_a_type_error(image: Any) -> None:
    calls = (pixzip.encode, lambda x: pixzip.encode_batch([x]), lambda x: pixzip.encode_stack([x]))
    for call in (*calls, *([] if isinstance(image, bytes) else [pixzip.bits_map])):
        with pytest.raises(TypeError, match=r"image is .*expected an array"):
            call(image)


@pytest.mark.parametrize("dtype", ["?", "f4", "f8", "i1", "i4", "i8", "u4", "u8", "c8", ">f8"])
@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 3)])
def test_an_array_of_another_dtype_is_a_value_error(dtype: str, shape: tuple[int, ...]) -> None:
    for call in (pixzip.encode, lambda x: pixzip.encode_stack([x])):
        with pytest.raises(ValueError, match=r"image is .*expected uint8"):
            call(np.zeros(shape, dtype))


@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2, 2), (0, 3), (3, 0, 3), (2, 2, 0), (2, 2, 5), (1, 1, 1, 1)])
def test_an_array_of_another_shape_is_a_value_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        pixzip.encode(np.zeros(shape, np.uint8))
    with pytest.raises((ValueError, pixzip.UnsupportedImageError), match=r"expected|sides"):
        pixzip.encode_stack([np.zeros(shape, np.uint8)])


def test_tensors_of_pytorch_are_arrays() -> None:
    assert pixzip.encode(torch.from_numpy(PHOTO), "fast") == pixzip.encode(PHOTO, "fast")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="image is Tensor: "):
        pixzip.encode(torch.zeros(2, 2, requires_grad=True))  # type: ignore[arg-type]


# Shapes.

SHAPES = [(5, 7), (1, 1), (1, 7), (7, 1), (5, 7, 1), (1, 1, 1), (1, 7, 1), (7, 1, 1), (5, 1, 3), (5, 7, 2), (1, 1, 4)]


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2"])
def test_what_is_decoded_has_the_shape_of_what_was_encoded(dtype: str) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, shape).astype(dtype) for shape in SHAPES]
    for x, data in zip(arrays, pixzip.encode_batch(arrays, "fast"), strict=True):
        found = [pixzip.decode(data), *pixzip.decode_batch([data]), pixzip.decode(data, region=(0, 0, *x.shape[1::-1]))]
        for again in found:
            assert again.shape == x.shape
            assert again.dtype == x.dtype.newbyteorder("=")
            np.testing.assert_array_equal(again, x)


def test_one_channel_as_an_axis_costs_a_mark_and_changes_no_other_file() -> None:
    flat = PHOTO[..., 0]
    plain, marked = pixzip.encode_batch([flat, flat[..., None]], "fast")
    assert len(marked) - len(plain) < 10
    assert pixzip.info(plain)["metadata"] == []
    assert pixzip.info(marked)["metadata"] == ["pxAx"]
    chunk = ChunkCodec("fast", axes="HWC").encode(flat[..., None])
    assert b"pxAx" not in chunk  # chunks have axes of their own
    assert ChunkCodec("fast", axes="HWC").decode(chunk).shape == (*flat.shape, 1)


def test_the_mark_survives_a_png_and_is_no_loss_elsewhere() -> None:
    (picture,) = Codec("fast").decode_pictures([pixzip.encode(PHOTO[..., :1], "fast")])
    again, dropped = image_files.load(image_files.write(picture, ".png"), None)
    assert (again, dropped) == (picture, [])
    assert pixzip.decode(pixzip.encode(again, "fast")).shape == (20, 24, 1)
    for suffix in (".tif", ".pgm"):
        assert image_files.lost(picture, suffix) == []
    with pixzip.open(io.BytesIO(pixzip.encode(picture, "fast"))) as shown:
        assert (np.asarray(shown) == PHOTO[..., 0]).all()


# Regions and stacks.


@pytest.mark.parametrize("region", [(0, 0, 24, 20), (23, 19, 1, 1), [3, 4, 5, 6], np.int64([3, 4, 5, 6]).tolist()])
def test_a_region_is_the_part_of_the_image(region: Any, data: bytes) -> None:
    x, y, width, height = region
    np.testing.assert_array_equal(pixzip.decode(data, region=region), PHOTO[y : y + height, x : x + width])


def test_a_region_that_is_none_is_refused_in_words(data: bytes) -> None:
    for outside in ((0, 0, 25, 20), (-1, 0, 2, 2), (0, 0, 0, 4), (24, 0, 1, 1)):
        with pytest.raises(pixzip.PixzipError, match="is not inside the image of 24x20 pixels"):
            pixzip.decode(data, region=outside)
    with pytest.raises(ValueError, match="expected"):
        pixzip.decode(data, region=(1, 2, 3))  # type: ignore[arg-type]
    for other in ("0,0,2,2", 7, (0, 0, 2.0, 2), (0, 0, True, 2), {1, 2, 3, 4}):
        with pytest.raises(TypeError, match="region"):
            pixzip.decode(data, region=other)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5, 6, 3), (1, 1, 1), (1, 1, 1, 3)])
def test_a_stack_gives_back_the_images_and_their_names(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    names = [f"{i}.png" for i in range(len(images))]
    found = pixzip.decode_stack(pixzip.encode_stack(images, "fast", names=names))
    np.testing.assert_array_equal(np.stack(found.images), images)
    assert found.names == tuple(names)


def test_images_that_a_stack_does_not_hold_are_refused_in_words() -> None:
    grey, rgb = PHOTO[..., 0], PHOTO
    for images in ([], [grey, rgb], [grey[..., None]], [PHOTO[..., :2]]):
        with pytest.raises(ValueError, match=r"images are of shapes .*expected"):
            pixzip.encode_stack(images)
    with pytest.raises(pixzip.UnsupportedImageError):
        pixzip.encode_stack([rgb], names=["../a.png"])
    with pytest.raises(TypeError, match="a name is int 7"):
        pixzip.encode_stack([rgb], names=[7])  # type: ignore[list-item]


def test_damage_is_found_by_verify(data: bytes, stacked: bytes) -> None:
    for file in (data, stacked):
        for damaged in (file[:-1], file[:9], b"", bytes([*file[:-3], file[-3] ^ 1, *file[-2:]])):
            with pytest.raises(pixzip.BitstreamError):
                pixzip.verify(damaged)


def test_verify_checks_a_picture_that_is_coded_by_rows(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixzip.codec.by_rows.LARGE_PIXELS", 10)
    pixzip.verify(data)
    with pytest.raises(pixzip.BitstreamError):
        pixzip.verify(data[:-1] + bytes([data[-1] ^ 1]))


# Names, paths and numbers.


@pytest.mark.parametrize("wrong", [7, b"fast", ["fast"], object()])
def test_names_and_paths_of_another_type_are_type_errors(wrong: Any, tmp_path: Path) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: Codec(wrong), lambda: Codec(coder=wrong), lambda: Codec(device=wrong), lambda: pixzip.open(wrong),
        lambda: pixzip.save(PHOTO, wrong), lambda: pixzip.encode(PHOTO, wrong), lambda: ChunkCodec(wrong),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match="expected a str or a path"):
            call()


@pytest.mark.parametrize("limit", ["100", 1.5, True, [1]])
def test_a_limit_that_is_no_number_is_a_type_error(limit: Any, data: bytes) -> None:
    for call in (pixzip.decode, pixzip.verify, pixzip.decode_stack):
        with pytest.raises(TypeError, match=r"max_pixels is .*expected an integer"):
            call(data, max_pixels=limit)
    assert Codec(max_pixels=np.int64(7)).max_pixels == 7


def test_open_takes_a_file_too(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pxz").write_bytes(data)
    for given in (str(tmp_path / "a.pxz"), tmp_path / "a.pxz", io.BytesIO(data)):
        with pixzip.open(given) as image:
            assert image.size == (24, 20)


@pytest.mark.parametrize("wrong", [7, ["fast"], {}])
def test_codecs_of_arrays_take_names_only(wrong: Any) -> None:
    zarr_codec = pytest.importorskip("pixzip.zarr").PixzipCodec
    numcodecs_codec = pytest.importorskip("pixzip.numcodecs").Pixzip
    for codec in (zarr_codec, numcodecs_codec):
        with pytest.raises(TypeError, match=r"model is .*expected a str or a path"):
            codec(wrong)
    assert zarr_codec(Path("fast")) == zarr_codec("fast")
    assert numcodecs_codec(Path("fast")) == numcodecs_codec("fast")
    with pytest.raises(TypeError):
        numcodecs_codec("fast").decode("photo.pxz")
    with pytest.raises(ValueError, match="expected uint8 or uint16"):
        numcodecs_codec("fast").encode(np.zeros((4, 4)))
