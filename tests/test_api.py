"""The Python API: its examples run, it takes what it says, and it may be called from many threads."""

import doctest
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import Layout

import pixzip
from pixzip import api, library, stack, tiles
from pixzip.codec import compress, evaluate
from pixzip.engine import with_known_answer
from pixzip.exact.fixed import fixed
from pixzip.models.family import FAMILY
from pixzip.pixel_bits import pixel_bits
from tests.family import tiny
from tests.pictures import picture
from tests.support import scene, tiny_weights

EXAMPLES = [test for test in doctest.DocTestFinder().find(api) if test.examples]


def photo(channels: int, height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """(H, W, C)"""
    return np.ascontiguousarray(scene(channels, height, width, seed).transpose(1, 2, 0))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_are_true(example: doctest.DocTest, request: pytest.FixtureRequest) -> None:
    example.globs["getfixture"] = request.getfixturevalue
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_public_function_has_an_example() -> None:
    functions = {name for name in pixzip.__all__ if not name.endswith("Error")}
    assert {example.name.removeprefix("pixzip.api.") for example in EXAMPLES} >= functions


# Importing.


def test_importing_imports_neither_pytorch_nor_numpy_nor_plug_ins(child_env: dict[str, str]) -> None:
    heavy = ["torch", "numpy", "zarr", "numcodecs", "imageio"]
    code = f"import sys, pixzip; print(dir(pixzip)); assert not {heavy!r} & sys.modules.keys()"
    code = code.replace(repr(heavy), repr(set(heavy)))
    listed = subprocess.run([sys.executable, "-c", code], env=child_env, capture_output=True, text=True, check=True)
    assert all(repr(name) in listed.stdout for name in pixzip.__all__)


def test_public_names_are_listed_and_others_are_no_attributes() -> None:
    assert set(pixzip.__all__) <= set(dir(pixzip))
    assert all(hasattr(pixzip, name) for name in pixzip.__all__)
    with pytest.raises(AttributeError, match="no attribute 'compress'"):
        pixzip.compress  # noqa: B018


# What can be encoded.


SHAPES = [(5, 7), (1, 1), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4)]


@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2"])
def test_arrays_of_every_shape_and_dtype_come_back(dtype: str) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, np.iinfo(dtype).max, shape, np.dtype(dtype).newbyteorder("=")) for shape in SHAPES]
    found = pixzip.decode_batch(pixzip.encode_batch([array.astype(dtype) for array in arrays], "fast"))

    for shape, array, again in zip(SHAPES, arrays, found, strict=True):
        assert again.dtype == array.dtype
        assert again.dtype.isnative
        np.testing.assert_array_equal(again, array[..., 0] if shape == (5, 7, 1) else array)


def test_views_that_are_not_contiguous_are_encoded_as_they_look() -> None:
    array = photo(4)
    views = [
        array[::2, ::-1],
        array.transpose(1, 0, 2),
        np.asfortranarray(array),
        array[..., :3],
        array[3:9, 5:6, ::-2],
    ]
    assert pixzip.encode_batch(views, "fast") == pixzip.encode_batch([view.copy(order="C") for view in views], "fast")


def test_pillow_images_and_pictures_are_encoded_too() -> None:
    array = photo(3)
    palette = picture(Layout.PALETTE, 4, transparency=b"\x07")
    shown, same, indices = pixzip.encode_batch([Image.fromarray(array), array, palette], "fast")

    assert shown == same
    np.testing.assert_array_equal(pixzip.decode(indices), palette.samples[..., 0])
    assert api.Codec("fast").decode_pictures([indices]) == [palette]


def test_a_batch_is_what_its_images_are_alone() -> None:
    rng = np.random.default_rng(1)
    images: list[Any] = [photo(3), photo(1), photo(4, 9, 5), rng.integers(0, 1 << 16, (6, 6), np.uint16)]
    files = pixzip.encode_batch(images, "fast")

    assert files == [pixzip.encode(image, "fast") for image in images]
    assert pixzip.encode_batch([], "fast") == []
    assert pixzip.decode_batch([]) == []


# Errors.


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 2), "f8"), ((2, 2), "i1"), ((2, 2), "?"), ((2, 2), "u4"),
        ((4,), "u1"), ((2, 2, 5), "u1"), ((2, 2, 2, 2), "u1"), ((0, 3), "u1"), ((2, 2, 0), "u2"),
    ],
)  # fmt: skip
def test_other_arrays_are_value_errors(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        pixzip.encode(np.zeros(shape, dtype), "fast")


def test_images_that_the_format_does_not_hold_are_unsupported() -> None:
    with pytest.raises(pixzip.UnsupportedImageError, match="CMYK"):
        pixzip.encode(Image.new("CMYK", (2, 2)), "fast")
    with pytest.raises(pixzip.UnsupportedImageError, match="65536"):
        pixzip.encode(np.zeros((1, 65536), np.uint8), "fast")


def test_unknown_models_and_devices_are_errors() -> None:
    with pytest.raises(pixzip.ModelMismatchError, match="no model 'none'"):
        pixzip.encode(photo(3), "none")
    with pytest.raises(ValueError, match="device is 'tpu'"):
        pixzip.encode(photo(3), "fast", "tpu")


def test_damaged_foreign_and_large_files_are_bitstream_errors(tmp_path: Path) -> None:
    data = pixzip.encode(photo(3), "fast")
    for wrong in (b"", b"PNG", data[:-1], data[:9], data[:-1] + bytes([data[-1] ^ 1])):
        with pytest.raises(pixzip.BitstreamError):
            pixzip.decode(wrong)
        with pytest.raises(pixzip.BitstreamError):
            pixzip.info(wrong)
    with pytest.raises(pixzip.BitstreamError, match="more than the limit of 100"):
        pixzip.decode(data, max_pixels=100)
    (tmp_path / "a.pxz").write_bytes(data[:9])
    with pytest.raises(OSError, match="file that can be shown"):
        pixzip.open(tmp_path / "a.pxz")
    with pytest.raises(FileNotFoundError):
        pixzip.open(tmp_path / "none.pxz")


def test_saving_writes_a_file_of_any_name_over_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pxz", "-", "a.pxz"):
        pixzip.save(photo(3), name, "fast")
        assert (tmp_path / name).read_bytes() == pixzip.encode(photo(3), "fast")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["-", "a.pxz"]
    with pytest.raises(pixzip.PixzipError, match="does not exist"):
        pixzip.save(photo(3), tmp_path / "none" / "a.pxz", "fast")


def test_every_error_is_a_pixzip_error() -> None:
    for name in ("BitstreamError", "ModelMismatchError", "UnsupportedImageError"):
        assert issubclass(getattr(pixzip, name), pixzip.PixzipError)


# Threads.


def test_four_threads_give_the_bytes_and_pixels_of_one() -> None:
    codecs = [api.Codec("fast"), api.Codec("graphics")]
    weights = library.resolve("fast", 3)
    images = [photo(channels, 8 + 5 * seed, 11 + 3 * seed, seed) for channels in (1, 3, 4) for seed in range(3)]
    jobs = [(codec, image) for image in images for codec in codecs]
    stacks = [[photo(3, 6, 7, seed + i) for i in range(4)] for seed in range(4)]

    def there_and_back(job: tuple[api.Codec, np.ndarray]) -> tuple[bytes, bytes]:
        codec, image = job
        data = codec.encode(image)
        return data, codec.decode(data).tobytes()

    def stacked(of: list[np.ndarray]) -> tuple[bytes, bytes]:
        data = stack.compress_stack(of, weights)
        return data, np.stack(stack.decompress_stack(data, library.by_id).images).tobytes()

    serial = [*map(there_and_back, jobs)], [*map(stacked, stacks)]
    with ThreadPoolExecutor(4) as pool:
        runs = [(pool.map(there_and_back, jobs), pool.map(stacked, stacks)) for _ in range(2)]
        threaded = [(list(alone), list(together)) for alone, together in runs]

    assert threaded == [serial, serial]
    assert [pixels for _, pixels in serial[0]] == [image.tobytes() for _, image in jobs]
    assert [pixels for _, pixels in serial[1]] == [np.stack(of).tobytes() for of in stacks]


# Maps of bits.


def check_map(bits: np.ndarray, data: bytes, shape: tuple[int, ...]) -> dict[str, Any]:
    """What the file says of itself."""
    facts = pixzip.info(data)
    assert bits.shape == shape[:2]
    assert bits.dtype == np.float32
    assert np.isfinite(bits).all()
    assert (bits >= 0).all()
    assert float(bits.sum(dtype=np.float64)) == pytest.approx(
        8 * (facts["file_bytes"] - facts["header_bytes"]), rel=1e-5
    )
    return facts


def flat_drawing() -> np.ndarray:
    """What WebP is smallest for: a tile that comes again and again."""
    return np.tile(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8), (8, 8, 1))


NOISE = np.random.default_rng(5).integers(0, 256, (40, 48, 1), np.uint16)
BLOCKS: dict[str, tuple[Any, str]] = {
    "photo": (photo(3, 40, 48), "MODEL"),
    "grey": (photo(1, 40, 48), "MODEL"),
    "alpha": (photo(4, 40, 48), "ALPHA"),
    "WebP": (flat_drawing(), "WEBP_BODY"),
    "constant": (np.full((9, 11, 3), 7, np.uint8), "CONSTANT"),
    "raw": (np.random.default_rng(0).integers(0, 256, (4, 3), np.uint8), "RAW"),
    "16 bits": (photo(1, 40, 48).astype(np.uint16) * 257 ^ NOISE, "HIGH_LOW"),
    "10 bits": (photo(1, 40, 48).astype(np.uint16) * 4 ^ NOISE & 3, "NARROW"),
    "few of 16 bits": (photo(1, 40, 48).astype(np.uint16) // 4 * 1028, "LEVELS"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_map_adds_up_to_the_file_without_its_header(name: str) -> None:
    image, kind = BLOCKS[name]
    data = pixzip.encode(image, "fast")
    facts = check_map(pixzip.bits_map(data), data, image.shape)

    assert list(facts["blocks"]) == [kind]
    np.testing.assert_array_equal(pixzip.bits_map(image, "fast"), pixzip.bits_map(data))


def test_16_bits_of_a_model_have_a_map() -> None:
    image = photo(1, 40, 48).astype(np.uint16) * 257 ^ NOISE
    (data,) = compress([image], lambda channels: library.resolve("fast", channels), models_only=True)
    bits = pixzip.bits_map(data)

    assert list(check_map(bits, data, image.shape)["blocks"]) == ["DEEP_MODEL"]
    assert bits.min() > 4  # the noise below is in every pixel


def test_palettes_have_maps_too() -> None:
    indices = picture(Layout.PALETTE, 4)
    data = pixzip.encode(indices, "fast")
    check_map(pixzip.bits_map(data), data, (5, 7))


def test_the_map_of_what_a_model_coded_holds_the_bits_of_that_model() -> None:
    image = photo(3, 40, 48)
    bits = float(pixzip.bits_map(image, "fast").sum())
    (found,) = evaluate([image], lambda channels: library.resolve("fast", channels))

    assert found["model_bits"] <= bits < found["file_bits"]


def test_a_map_shows_where_the_detail_is() -> None:
    image = photo(3, 40, 48)
    image[:, :24] = 128
    bits = pixzip.bits_map(image, "fast")
    assert bits[:, 30:].mean() > 20 * bits[:, 2:20].mean()


def test_a_map_of_several_tiles_has_each_ones_bits_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 1024)
    monkeypatch.setattr(tiles, "TILE_SIDE", 32)
    image = photo(3, 40, 60)
    image[:20, :30] = 128  # the first of four tiles
    data = pixzip.encode(image, "fast")
    bits = pixzip.bits_map(data)
    facts = check_map(bits, data, image.shape)

    assert (facts["tiles"], facts["tile_width"], facts["tile_height"]) == (4, 30, 20)
    assert facts["blocks"] == {"CONSTANT": 1, "MODEL": 3}
    assert bits[:20, :30].sum() == pytest.approx(8 * 4)  # kind and pixel
    assert bits[20:, :30].sum() > 1000


@pytest.mark.parametrize("name", FAMILY)
def test_models_of_the_family_have_maps(name: str) -> None:
    weights = fixed(tiny(name).requires_grad_(False))
    image = photo(3, 7, 9)
    (data,) = compress([image], lambda channels: weights, models_only=True)
    facts = check_map(pixel_bits(data, lambda model: weights), data, image.shape)

    assert list(facts["blocks"]) == ["MODEL"]


def test_models_of_ones_own_have_maps(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(with_known_answer(tiny_weights(3)).to_bytes())
    codec = api.Codec(path)
    data = codec.encode(photo(3))

    check_map(codec.bits_map(data), data, (24, 32))
    np.testing.assert_array_equal(codec.decode(data), photo(3))
