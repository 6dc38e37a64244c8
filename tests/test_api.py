"""The Python API: its examples run, it accepts the documented inputs, and it is thread-safe."""

import doctest
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container.image import Layout

import pixzip
from pixzip import api
from pixzip.api import codec as api_codec
from pixzip.api import trees as api_trees
from pixzip.codec import stack
from pixzip.models import library
from tests.helpers.pictures import picture
from tests.helpers.support import photo

EXAMPLES = [
    test for module in (api, api_codec, api_trees) for test in doctest.DocTestFinder().find(module) if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_are_true(example: doctest.DocTest, request: pytest.FixtureRequest) -> None:
    example.globs["getfixture"] = request.getfixturevalue
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_public_function_has_an_example() -> None:
    functions = {name for name in pixzip.__all__ if not name.endswith("Error")}
    assert {example.name.rpartition(".")[2] for example in EXAMPLES} >= functions


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
    with pytest.raises(AttributeError, match="no attribute 'compresses'"):
        pixzip.compresses  # noqa: B018


# Supported images.


SHAPES = [(5, 7), (1, 1), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4)]


@pytest.mark.parametrize("dtype", ["uint8", "<u2", ">u2"])
def test_arrays_of_every_shape_and_dtype_come_back(dtype: str) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, np.iinfo(dtype).max, shape, np.dtype(dtype).newbyteorder("=")) for shape in SHAPES]
    found = pixzip.decode_batch(pixzip.encode_batch([array.astype(dtype) for array in arrays], "fast"))

    for shape, array, again in zip(SHAPES, arrays, found, strict=True):
        assert again.dtype == array.dtype
        assert again.dtype.isnative
        assert again.shape == shape
        np.testing.assert_array_equal(again, array)


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
        return data, np.stack(stack.decompress_stack(data).images).tobytes()

    serial = [*map(there_and_back, jobs)], [*map(stacked, stacks)]
    with ThreadPoolExecutor(4) as pool:
        runs = [(pool.map(there_and_back, jobs), pool.map(stacked, stacks)) for _ in range(2)]
        threaded = [(list(alone), list(together)) for alone, together in runs]

    assert threaded == [serial, serial]
    assert [pixels for _, pixels in serial[0]] == [image.tobytes() for _, image in jobs]
    assert [pixels for _, pixels in serial[1]] == [np.stack(of).tobytes() for of in stacks]
