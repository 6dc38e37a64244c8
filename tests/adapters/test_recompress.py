"""Copies of Zarr arrays and groups: everything is kept but the codec, here and on the workers of Dask."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

import pixzip
from pixzip.numcodecs import Pixzip
from pixzip.zarr import PixzipCodec, recompress
from tests.helpers.support import photos
from tests.helpers.workers import log_writes

PHOTOS = photos(4, 20, 24)


def group(path: Path, zarr_format: int) -> zarr.Group:
    """A group with images of several kinds, an array that is of none, and attributes."""
    root = zarr.create_group(path, zarr_format=zarr_format, attributes={"about": "photographs"})
    inner = root.create_group("in", attributes={"deep": [1, 2]})
    of_3: dict[str, Any] = {"dimension_names": ["n", "y", "x", "c"]} if zarr_format == 3 else {"order": "F"}
    sharded = {"shards": (2, 40, 24, 3)} if zarr_format == 3 else {}
    images = inner.create_array(
        "images", data=PHOTOS, chunks=(1, 20, 12, 3), attributes={"unit": "level"}, fill_value=9, **of_3, **sharded
    )  # fmt: skip
    assert images.chunks == (1, 20, 12, 3)
    planes = root.create_array(
        "planes", shape=(1, 2, 2, 20, 24), dtype=">u2" if zarr_format == 2 else "u2", chunks=(1, 1, 1, 20, 24)
    )
    planes[:, :, :1] = 300 * PHOTOS[:2, ..., 0][None, :, None].astype(np.uint16)
    root.create_array("table", data=np.linspace(0, 1, 7), chunks=(3,))
    return root


def members(path: Path) -> dict[str, Any]:
    return dict(zarr.open_group(path, mode="r").members(None))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_group_is_copied_with_all_but_its_codecs(zarr_format: int, tmp_path: Path) -> None:
    group(tmp_path / "a.zarr", zarr_format)
    seen: list[tuple[str, int, int]] = []
    found = recompress(
        tmp_path / "a.zarr", tmp_path / "b.zarr", model="fast", verify=True, progress=lambda *x: seen.append(x)
    )

    names = ["in/images", "planes", "table"]
    assert [(f.name, f.coded) for f in found] == list(zip(names, [True, True, False], strict=True))
    assert [f.units for f in found] == [2 if zarr_format == 3 else 8, 4, 3]
    assert seen == [(f.name, i + 1, f.units) for f in found for i in range(f.units)]
    before, after = members(tmp_path / "a.zarr"), members(tmp_path / "b.zarr")
    assert after.keys() == before.keys()
    assert zarr.open_group(tmp_path / "b.zarr").attrs.asdict() == {"about": "photographs"}
    for name, old in before.items():
        new = after[name]
        assert new.attrs.asdict() == old.attrs.asdict()
        if isinstance(old, zarr.Group):
            continue
        np.testing.assert_array_equal(new[...], old[...])
        for kept in ("shape", "dtype", "chunks", "shards", "fill_value", "order"):
            assert getattr(new, kept) == getattr(old, kept), kept
        if zarr_format == 3:
            assert new.metadata.dimension_names == old.metadata.dimension_names
            assert isinstance(new.serializer, PixzipCodec) == (name != "table")
        else:
            assert new.metadata.dtype == old.metadata.dtype
            assert isinstance(new.compressors[0], Pixzip) == (name != "table")
    assert found[0].bytes_after == after["in/images"].nbytes_stored() < found[0].bytes_before


def test_an_array_alone_is_copied_and_chunks_that_were_never_written_stay_away(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(5, 20, 24, 3), chunks=(2, 20, 24, 3), dtype="u1", compressors=BloscCodec()
    )
    array[2:4] = PHOTOS[:2]
    (found,) = recompress(tmp_path / "a.zarr", tmp_path / "b.zarr", model="fast", effort=1)
    assert (found.name, found.units) == ("", 3)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "b.zarr")[:], array[:])
    assert len(list((tmp_path / "b.zarr" / "c").rglob("*/0"))) == len(list((tmp_path / "a.zarr" / "c").rglob("*/0")))


def test_what_is_in_the_way_is_an_error_before_anything_is_touched(tmp_path: Path) -> None:
    group(tmp_path / "a.zarr", 3)
    other = zarr.create_group(tmp_path / "b.zarr", attributes={"keep": 1})
    with pytest.raises(FileNotFoundError):
        recompress(tmp_path / "none.zarr", tmp_path / "c.zarr", model="fast")
    with pytest.raises(FileExistsError, match=r"b.zarr exists: overwrite=True replaces it"):
        recompress(tmp_path / "a.zarr", tmp_path / "b.zarr", model="fast")
    assert other.attrs.asdict() == {"keep": 1}
    for wrong in (tmp_path / "a.zarr", tmp_path / "a.zarr" / "in"):
        with pytest.raises(ValueError, match="are not apart"):
            recompress(tmp_path / "a.zarr", wrong, model="fast", overwrite=True)
    recompress(tmp_path / "a.zarr", tmp_path / "b.zarr", model="fast", effort=1, overwrite=True)
    assert len(members(tmp_path / "b.zarr")) == len(members(tmp_path / "a.zarr"))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"model": "fasst"}, pixzip.ModelMismatchError),
        ({"effort": 12}, ValueError),
        ({"verify": 1}, TypeError),
        ({"client": 5}, TypeError),
    ],
)
def test_a_wrong_argument_changes_nothing(tmp_path: Path, wrong: dict[str, Any], error: type[Exception]) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=PHOTOS, chunks=(1, 20, 24, 3))
    zarr.create_group(tmp_path / "b.zarr").create_array("precious", data=np.arange(10))
    for target in ("b.zarr", "c.zarr"):
        with pytest.raises(error):
            recompress(tmp_path / "a.zarr", tmp_path / target, overwrite=True, **wrong)
    assert members(tmp_path / "b.zarr")["precious"][3] == 3
    assert not (tmp_path / "c.zarr").exists()


@pytest.mark.parametrize("chunks", [(70_000, 2), (2, 70_000), (10_000, 9_000)])
def test_arrays_with_chunks_larger_than_images_keep_their_codecs(tmp_path: Path, chunks: tuple[int, int]) -> None:
    root = zarr.create_group(tmp_path / "a.zarr")
    root.create_array("a", data=PHOTOS, chunks=(1, 20, 24, 3))
    root.create_array("z", shape=chunks, dtype="u2", chunks=chunks, fill_value=7)
    found = recompress(tmp_path / "a.zarr", tmp_path / "b.zarr", model="fast", effort=1)
    assert [(f.name, f.coded) for f in found] == [("a", True), ("z", False)]
    assert members(tmp_path / "b.zarr")["z"][1, 1] == 7


def test_the_index_of_shards_stays_where_it_is(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr")
    shards: Any = {"shape": (2, 20, 24, 3), "index_location": "start"}
    root.create_array("a", data=PHOTOS, chunks=(1, 20, 24, 3), shards=shards)
    root.create_array("b", data=np.linspace(0, 1, 8), chunks=(2,), shards={"shape": (4,), "index_location": "start"})
    recompress(tmp_path / "a.zarr", tmp_path / "b.zarr", model="fast", effort=1, verify=True)
    for array in members(tmp_path / "b.zarr").values():
        assert array.metadata.codecs[0].index_location.value == "start"


@pytest.mark.parametrize(
    "data",
    [
        np.array(["2020-01-01", "NaT"], "M8[s]"),
        np.array([3, "NaT"], "m8[s]"),
        np.array([1, np.nan]),
        np.array([(1, np.nan), (2, 3)], [("x", "i4"), ("y", "f4")]),
    ],
)
@pytest.mark.filterwarnings("ignore:The data type:zarr.errors.UnstableSpecificationWarning")
def test_values_that_do_not_equal_themselves_are_copied(data: Any) -> None:
    source, target = zarr.storage.MemoryStore(), zarr.storage.MemoryStore()
    zarr.create_array(source, data=data)
    recompress(source, target, model="fast", verify=True)
    assert zarr.open_array(target)[:].tobytes() == data.tobytes()


def test_a_shard_that_reads_back_as_another_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=PHOTOS, chunks=(2, 20, 24, 3))
    from pixzip.adapters.chunks import ChunkCodec

    encode = ChunkCodec.encode
    monkeypatch.setattr(ChunkCodec, "encode", lambda self, chunk: encode(self, chunk ^ 1))
    with pytest.raises(pixzip.PixzipError, match=r"verification failed: \[0:2,0:20,0:24,0:3\] of the array"):
        recompress(tmp_path / "a.zarr", tmp_path / "b.zarr", model="fast", verify=True)


def test_the_workers_of_dask_copy_shards_and_their_errors_arrive(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    group(tmp_path / "a.zarr", 3)
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0", set_as_default=False
    ) as client:
        recompress(tmp_path / "a.zarr", tmp_path / "b.zarr", client, model="fast", effort=1)
        memory = {"precious": b"bytes"}
        for place in (memory, zarr.storage.MemoryStore(memory)):
            with pytest.raises(ValueError, match="memory: pass paths or URLs"):
                recompress(tmp_path / "a.zarr", place, client, model="fast", overwrite=True)
        assert memory == {"precious": b"bytes"}
        chunk = next(path for path in (tmp_path / "a.zarr" / "in" / "images" / "c").rglob("*") if path.is_file())
        chunk.write_bytes(bytes(5))
        with pytest.raises((ValueError, RuntimeError, IndexError)):
            recompress(tmp_path / "a.zarr", tmp_path / "c.zarr", client, model="fast", effort=1)
    recompress(tmp_path / "b.zarr", tmp_path / "d.zarr", model="fast", effort=1)
    for name, array in members(tmp_path / "b.zarr").items():
        if isinstance(array, zarr.Array):
            np.testing.assert_array_equal(array[...], members(tmp_path / "d.zarr")[name][...])
    np.testing.assert_array_equal(members(tmp_path / "b.zarr")["in/images"][:], PHOTOS)
    files = [
        {p.relative_to(tmp_path / x): p.read_bytes() for p in (tmp_path / x).rglob("*") if p.is_file()}
        for x in ("b.zarr", "d.zarr")
    ]
    assert files[0] == files[1]


def test_worker_processes_write_every_shard_once(tmp_path: Path, two_workers: Any) -> None:
    images = photos(5, 40, 36)
    zarr.create_array(tmp_path / "a.zarr", data=images, chunks=(1, 20, 12, 3), shards=(2, 40, 24, 3))
    pids = set(two_workers.run(log_writes, str(tmp_path / "log")).values())
    assert len(pids) == 2
    target = tmp_path / "b.zarr"
    (found,) = recompress(tmp_path / "a.zarr", target, two_workers, model="fast", effort=1, verify=True)
    assert found.units == 3 * 2
    writes = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    shards = [key for _, key in writes]
    assert sorted(shards) == sorted(p.relative_to(target).as_posix() for p in (target / "c").rglob("*") if p.is_file())
    assert len(shards) == found.units
    assert {int(pid) for pid, _ in writes} <= pids
    np.testing.assert_array_equal(zarr.open_array(target)[:], images)
    recompress(tmp_path / "a.zarr", tmp_path / "c.zarr", model="fast", effort=1)
    assert all((target / key).read_bytes() == (tmp_path / "c.zarr" / key).read_bytes() for key in shards)
