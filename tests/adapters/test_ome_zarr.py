"""A pyramid of OME-Zarr, written by ome-zarr-py with the codec, and read by ome-zarr-py, dask.array and xarray."""

import importlib.util
import json
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import zarr

from pixzip.zarr import PixzipCodec, recompress
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The program that makes the pyramid, with small images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of ome-zarr and scikit-image
        pytest.importorskip("ome_zarr", exc_type=ImportError)  # here, because it takes seconds
    spec = importlib.util.spec_from_file_location("ome_zarr_pyramid", ROOT / "examples" / "ome_zarr_pyramid.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SIDE, module.PLANES = 40, 2  # type: ignore[attr-defined]
    return module


@pytest.fixture(scope="module")
def places(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pyramids of the same image: by ome-zarr's codec, by pixzip, and a copy of the first one by pixzip."""
    folder = tmp_path_factory.mktemp("pyramids")
    found = {name: folder / f"{name}.ome.zarr" for name in ("plain", "pixzip", "copy")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of ome-zarr and scikit-image
        example.write_pyramid(example.cells(), found["plain"])
        codecs = {"serializer": PixzipCodec("fast"), "compressors": None}
        example.write_pyramid(example.cells(), found["pixzip"], **codecs)
    recompress(found["plain"], found["copy"], model="fast", verify=True)
    return found


coded = pytest.mark.parametrize("name", ["pixzip", "copy"])


@coded
def test_the_levels_are_coded_by_pixzip_and_the_metadata_are_those_of_ome_zarr(
    name: str, places: dict[str, Path]
) -> None:
    group, plain = (zarr.open_group(places[which], mode="r") for which in (name, "plain"))
    assert group.attrs.asdict() == plain.attrs.asdict()
    for level, array in plain.arrays():
        found = group[level]
        assert isinstance(found, zarr.Array)
        assert isinstance(found.serializer, PixzipCodec)
        assert found.chunks == (1, 1, 1, 20, 20)
        assert found.metadata.dimension_names == array.metadata.dimension_names == ("t", "c", "z", "y", "x")
        np.testing.assert_array_equal(found[:], array[:])
    sizes = [sum(f.stat().st_size for f in places[which].rglob("*") if f.is_file()) for which in (name, "plain")]
    assert sizes[0] < sizes[1]


@coded
def test_ome_zarr_reads_every_level(name: str, places: dict[str, Path], example: ModuleType) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Multiscales, Reader

        (node,) = [n for n in Reader(parse_url(places[name]))() if any(isinstance(s, Multiscales) for s in n.specs)]
    assert [level.shape for level in node.data] == [(1, 2, 2, 40, 40), (1, 2, 2, 20, 20)]
    np.testing.assert_array_equal(np.asarray(node.data[0]), example.cells())


@coded
def test_dask_and_xarray_read_parts_with_the_names_of_their_axes(
    name: str, places: dict[str, Path], example: ModuleType
) -> None:
    dask_array, xarray = pytest.importorskip("dask.array"), pytest.importorskip("xarray")
    image = example.cells()
    lazy = dask_array.from_zarr(str(places[name]), component="s0")
    assert lazy.chunksize == (1, 1, 1, 20, 20)
    np.testing.assert_array_equal(lazy[0, 1, :, 5:25, 30:].compute(), image[0, 1, :, 5:25, 30:])
    assert lazy.max().compute() == image.max()
    with xarray.open_zarr(places[name], consolidated=False, drop_variables=["s1"]) as found:
        assert found["s0"].dims == ("t", "c", "z", "y", "x")
        np.testing.assert_array_equal(found["s0"].isel(c=0, z=1).values, image[:, 0, 1])


@coded
def test_another_implementation_could_find_the_codec_by_its_specification(name: str, places: dict[str, Path]) -> None:
    schema = json.loads((ROOT / "docs" / "zarr-codec" / "schema.json").read_text("utf-8"))
    properties = schema["$defs"]["configuration"]["properties"]
    (codec,) = json.loads((places[name] / "s0" / "zarr.json").read_text("utf-8"))["codecs"]
    assert codec["name"] == schema["properties"]["name"]["const"]
    assert set(schema["$defs"]["configuration"]["required"]) <= set(codec["configuration"]) <= set(properties)
