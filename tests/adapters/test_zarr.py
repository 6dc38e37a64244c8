"""Zarr arrays of both formats, with the real library."""

import doctest
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import ShardingCodec, TransposeCodec

import pixzip
from pixzip.adapters import numcodecs_codec, recompress, zarr_codec
from pixzip.models import library
from pixzip.numcodecs import Pixzip
from pixzip.zarr import PixzipCodec
from tests.helpers.support import photos

FAST = library.find("fast").model_id.hex()
MODULES = [numcodecs_codec, zarr_codec, recompress]
EXAMPLES = [test for module in MODULES for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_are_true(example: doctest.DocTest) -> None:
    assert doctest.DocTestRunner().run(example).failed == 0


def create(
    store: Any, zarr_format: int, shape: tuple[int, ...], of: tuple[int, ...], dtype: str = "u1", **kw: Any
) -> Any:
    """Create an empty array with the codec."""
    serializer: dict[str, Any] = {"serializer": PixzipCodec("fast"), "compressors": None}
    codecs = {"compressors": Pixzip("fast")} if zarr_format == 2 else serializer
    return zarr.create_array(store, shape=shape, chunks=of, dtype=dtype, zarr_format=zarr_format, **(codecs | kw))


both_formats = pytest.mark.parametrize("zarr_format", [2, 3])


@both_formats
@pytest.mark.parametrize(("dtype", "order"), [("u1", "C"), ("u1", "F"), ("<u2", "C"), (">u2", "F")])
def test_arrays_with_partial_chunks_come_back(zarr_format: int, dtype: str, order: str, tmp_path: Path) -> None:
    data = photos(5, 12, 14).astype(dtype) * (1 if dtype == "u1" else 250)
    ordered: dict[str, Any] = {"order": order} if zarr_format == 2 else {"config": {"order": order}}
    array = create(tmp_path / "a.zarr", zarr_format, data.shape, (3, 12, 14, 3), dtype, fill_value=9, **ordered)
    array[:] = data
    again = zarr.open_array(tmp_path / "a.zarr", mode="r")

    assert again.dtype.itemsize == np.dtype(dtype).itemsize
    np.testing.assert_array_equal(again[:], data)
    np.testing.assert_array_equal(again[1:5:2, 5:9], data[1:5:2, 5:9])
    np.testing.assert_array_equal(again.oindex[[0, 4], :, [3, 1]], data[np.ix_([0, 4], range(12), [3, 1])])


@both_formats
@pytest.mark.parametrize(
    ("shape", "of"),
    [((70, 50), (32, 32)), ((40, 50, 4), (32, 32, 4)), ((5, 20, 30), (2, 16, 30)), ((3, 12, 9, 1), (2, 8, 8, 1))],
)
def test_arrays_of_every_kind_of_chunk_come_back(zarr_format: int, shape: tuple[int, ...], of: tuple[int, ...]) -> None:
    data = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    array = create({}, zarr_format, shape, of)
    array[:] = data
    np.testing.assert_array_equal(array[:], data)


@both_formats
def test_arrays_can_be_appended_to_resized_and_changed_in_part(zarr_format: int, tmp_path: Path) -> None:
    data = photos(9, 16, 16)
    array = create(tmp_path / "a.zarr", zarr_format, (4, 16, 16, 3), (3, 16, 16, 3))
    array[:] = data[:4]
    array.append(data[4:8])
    array.resize((9, 16, 16, 3))
    array[8, 3:7] = data[8, 3:7]
    expected = np.concatenate([data[:8], np.zeros_like(data[:1])])
    expected[8, 3:7] = data[8, 3:7]

    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr")[:], expected)
    array.resize((2, 16, 16, 3))
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr")[:], data[:2])


def test_another_process_reads_arrays_and_their_metadata_without_pytorch(
    tmp_path: Path, child_env: dict[str, str]
) -> None:
    data = photos(3, 16, 16)
    np.save(tmp_path / "a.npy", data)
    for zarr_format in (2, 3):
        create(tmp_path / f"{zarr_format}.zarr", zarr_format, data.shape, (2, 16, 16, 3))[:] = data
    code = """
import sys, numpy as np, zarr
import pixzip.numcodecs, pixzip.zarr
arrays = [zarr.open_array(f"{form}.zarr", mode="r") for form in (2, 3)]
assert all(array.shape == (3, 16, 16, 3) for array in arrays)
assert "torch" not in sys.modules
for array in arrays:
    np.testing.assert_array_equal(array[:], np.load("a.npy"))
"""
    subprocess.run([sys.executable, "-c", code], env=child_env, cwd=tmp_path, check=True)


def test_a_format_3_array_names_model_and_id_in_its_metadata(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", 3, (4, 4), (4, 4))
    metadata = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    assert metadata["codecs"] == [{"name": "pixzip", "configuration": {"model": "fast", "model_id": FAST}}]


def test_shards_transposed_axes_and_given_axes_come_back() -> None:
    data = photos(6, 16, 16).transpose(0, 3, 1, 2)  # NCHW
    of = (2, 3, 16, 16)
    inner = [TransposeCodec(order=(0, 2, 3, 1)), PixzipCodec("fast")]
    for kw in (
        {"serializer": ShardingCodec(chunk_shape=of, codecs=inner), "compressors": None, "of": (4, 3, 16, 16)},
        {"serializer": PixzipCodec("fast"), "filters": inner[:1], "of": of},
        {"serializer": PixzipCodec("fast", axes="NCHW"), "of": of},
    ):
        array = create({}, 3, data.shape, **kw)
        array[:] = data
        np.testing.assert_array_equal(array[:], data)


NO_IMAGES = pytest.mark.parametrize(("dtype", "shape"), [("f4", (4, 4)), ("i2", (4, 4)), ("u4", (4, 4)), ("u1", (4,))])


@NO_IMAGES
def test_arrays_that_are_of_no_images_are_refused_when_they_are_created(dtype: str, shape: tuple[int, ...]) -> None:
    store: dict[str, Any] = {}
    for kw in ({}, {"shards": tuple(2 * side for side in shape)}):
        with pytest.raises(ValueError, match=r"array is (float32|int16|uint32), expected|array has 1 axes, expected 2"):
            create(store, 3, tuple(2 * side for side in shape), shape, dtype, **kw)
    assert not store
    with pytest.raises(ValueError, match="array has 2 axes, expected NHW"):
        create(store, 3, (4, 4), (4, 4), serializer=PixzipCodec("fast", axes="NHW"))


@NO_IMAGES
def test_format_2_refuses_them_at_the_first_write(dtype: str, shape: tuple[int, ...]) -> None:
    array = create({}, 2, shape, shape, dtype)
    with pytest.raises(ValueError, match=r"expected uint8 or uint16|chunk has shape"):
        array[:] = 1


def test_filters_may_convert_the_dtype_if_the_codec_is_told() -> None:
    from zarr.codecs.numcodecs import AsType

    data = np.arange(48, dtype=np.float32).reshape(6, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, about codecs without a specification
        convert = [AsType(encode_dtype="uint16", decode_dtype="float32")]
        array = create({}, 3, data.shape, (6, 8), "f4", filters=convert, serializer=PixzipCodec("fast", dtype="uint16"))
        array[:] = data
        np.testing.assert_array_equal(array[:], data)
    assert PixzipCodec.from_dict(PixzipCodec("fast", dtype="uint16").to_dict()).dtype == "uint16"
    with pytest.raises(ValueError, match="dtype is 'float32', expected uint8 or uint16"):
        PixzipCodec("fast", dtype="float32")


def test_a_chunk_of_another_array_is_told(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", 3, (4, 6), (4, 6))[:] = np.eye(4, 6, dtype=np.uint8)
    create(tmp_path / "b.zarr", 3, (6, 4), (6, 4))[:] = np.eye(6, 4, dtype=np.uint8)
    (tmp_path / "a.zarr" / "c" / "0" / "0").replace(tmp_path / "b.zarr" / "c" / "0" / "0")
    with pytest.raises(pixzip.BitstreamError, match=r"chunk has uint8 \(4, 6\), the array's have uint8 \(6, 4\)"):
        zarr.open_array(tmp_path / "b.zarr")[:]


def test_an_array_with_a_filter_that_moves_axes_is_created_and_opened_again(tmp_path: Path) -> None:
    data = photos(1, 20, 24)[0].transpose(2, 0, 1)
    codec = PixzipCodec("fast", axes="HWC", effort=1)
    filters = [TransposeCodec(order=(1, 2, 0))]
    zarr.create_array(
        tmp_path / "a.zarr", data=data, chunks=data.shape, filters=filters, serializer=codec, compressors=None
    )
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], data)
