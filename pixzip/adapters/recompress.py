"""Copies of Zarr arrays and groups whose images are coded by pixzip: OME-Zarr and others, as they are.

The unit of work is what Zarr writes at once: a shard, or a chunk where there are no shards.  Units depend on nothing
but the source, so a cluster may carry them out in any order and more than once.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, NamedTuple

import numpy as np
import zarr
from pixcodecs.errors import PixzipError
from pixcodecs.forking import cached_property
from zarr.storage import MemoryStore

from pixzip.adapters.axes import axes_of, check_sizes
from pixzip.adapters.numcodecs_codec import Pixzip
from pixzip.adapters.zarr_codec import PixzipCodec
from pixzip.io import arguments
from pixzip.trees.clusters import check_client

#: Most tasks that wait for a cluster, so that a store of millions of shards takes little memory here.
_PENDING = 1000
Region = tuple[slice, ...]


class Recompressed(NamedTuple):
    """An array of the copy.

    Attributes:
        name: its path below the group; "" if the source is an array.
        coded: whether pixzip codes it; other arrays keep their codecs.
        units: number of shards or chunks.
        bytes_before, bytes_after: of the stored arrays, metadata included.
    """

    name: str
    coded: bool
    units: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class _Place:
    """An array of the source and its copy, for workers, which open both; stores are picklable."""

    source: Any
    target: Any
    path: str
    verify: bool

    def copy(self, region: Region) -> None:
        """Copy one unit.

        Raises:
            PixzipError: it reads back as something else.
        """
        original, copied = self._arrays
        data = original[region]
        copied[region] = data
        if self.verify and not _same(copied[region], data):
            where = ",".join(f"{part.start}:{part.stop}" for part in region)
            raise PixzipError(f"verification failed: [{where}] of {self.path or 'the array'} reads back as another")

    @cached_property
    def _arrays(self) -> tuple[Any, Any]:
        return (
            zarr.open_array(self.source, path=self.path, mode="r"),
            zarr.open_array(self.target, path=self.path, mode="r+"),
        )


def _same(found: Any, data: Any) -> bool:
    """Whether two arrays have the same values, of which NaN and NaT equal themselves."""
    if data.dtype.kind == "V":  # of fields, which may hold NaN
        return bool(found.shape == data.shape and found.dtype == data.dtype and found.tobytes() == data.tobytes())
    return np.array_equal(found, data, equal_nan=data.dtype.kind in "fcmM")


def recompress(
    src: Any,
    dst: Any,
    client: Any = None,
    *,
    model: str = "base",
    effort: int | None = None,
    verify: bool = False,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Recompressed]:
    """Copy an array, or a group with all in it, with every array of images coded by pixzip.

    Arrays keep their Zarr format, shapes, dtypes, chunks, shards, fill values, names of axes and attributes, so that
    what reads the source reads the copy, if pixzip is installed there.  Arrays of uint8 and uint16 with two axes or
    more are images, unless a chunk is larger than images are; the others keep their codecs.

    Args:
        src, dst: paths, URLs, or stores of Zarr, of which a client's workers must reach both.
        client: a client of Dask, whose workers copy the shards; None copies them here, one after another.
        model, effort: see `PixzipCodec`.
        verify: read every shard back and compare it.
        overwrite: delete what is at `dst`.
        progress: called with the name of an array, the number of its shards that are done, and of all.
    Returns:
        The arrays, sorted by name.
    Raises:
        FileNotFoundError: there is nothing at `src`.
        FileExistsError: there is something at `dst`, and `overwrite` is off.
        TypeError, ValueError: an argument is of another type, or out of range; a store is in this process's memory and
            the client's workers are not.
        PixzipError: `verify` found another value.
        ModelMismatchError: there is no such model.

    >>> import numpy as np, zarr
    >>> source = zarr.storage.MemoryStore()
    >>> array = zarr.create_array(source, data=np.zeros((2, 1, 40, 50), np.uint16), chunks=(1, 1, 40, 50))
    >>> target = zarr.storage.MemoryStore()
    >>> [(found.coded, found.units) for found in recompress(source, target, model="fast")]
    [(True, 2)]
    >>> zarr.open_array(target).chunks
    (1, 1, 40, 50)
    """
    PixzipCodec(model, effort=effort)  # raises errors of its arguments before there is a change
    verify, overwrite = arguments.flag(verify, "verify"), arguments.flag(overwrite, "overwrite")
    source = zarr.open(src, mode="r")
    if client is not None:
        check_client(client)
        if any(map(_is_in_memory, (source.store_path, dst))):
            raise ValueError("the client's workers cannot reach a store in this process's memory: pass paths or URLs")
    members = _members(source)
    target = _empty(source, dst, overwrite)
    _make(members, target, model, effort)
    found = []
    for name, array in members.items():
        if not isinstance(array, zarr.Array):
            continue
        place = _Place(source.store_path, target, name, verify)
        count = math.prod(-(-side // unit) for side, unit in zip(array.shape, _unit(array), strict=True))
        for done, _ in enumerate(_carried_out(place.copy, _regions(array), client), 1):
            if progress:
                progress(name, done, count)
        copy = zarr.open_array(target, path=name, mode="r")
        sizes = int(array.nbytes_stored()), int(copy.nbytes_stored())
        found.append(Recompressed(name, _is_images(array), count, *sizes))
    if isinstance(source, zarr.Group) and source.metadata.consolidated_metadata is not None:
        zarr.consolidate_metadata(target)
    return found


def _is_in_memory(place: Any) -> bool:
    """Whether a store, or a place in one, is this process's memory."""
    return isinstance(getattr(place, "store", place), MemoryStore | dict)


def _members(source: Any) -> dict[str, Any]:
    """Name -> group or array, sorted; the source itself is ""."""
    inner = source.members(None) if isinstance(source, zarr.Group) else ()
    return {"": source, **dict(sorted(inner, key=lambda item: str(item[0])))}


def _empty(source: Any, dst: Any, overwrite: bool) -> Any:
    """The place of the copy, with an empty group.

    Raises:
        FileExistsError: there is something, and `overwrite` is off.
        ValueError: it is the source, or a part of it, or holds it.
    """
    try:
        there = f"{zarr.open(dst, mode='r').store_path}/"
    except FileNotFoundError:
        pass
    else:
        own = f"{source.store_path}/"
        if there.startswith(own) or own.startswith(there):
            raise ValueError(f"{there[:-1]} and {own[:-1]} are not apart: the copy needs a place of its own")
        if not overwrite:
            raise FileExistsError(f"{there[:-1]} exists: overwrite=True replaces it")
    return zarr.open_group(dst, mode="w", zarr_format=source.metadata.zarr_format).store_path


def _make(members: dict[str, Any], target: Any, model: str, effort: int | None) -> None:
    """Create all groups and empty arrays of the copy."""
    for name, member in members.items():
        if isinstance(member, zarr.Array):
            _make_array(member, target, name, model, effort)
        else:
            group = zarr.open_group(target, path=name, mode="a", zarr_format=member.metadata.zarr_format)
            group.attrs.update(member.attrs.asdict())


def _is_images(array: Any) -> bool:
    """Whether the array's chunks are images that the codec takes."""
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        return False
    try:
        check_sizes(array.chunks, axes_of(array.chunks))
    except ValueError:
        return False
    return True


def _make_array(array: Any, target: Any, name: str, model: str, effort: int | None) -> None:
    """Create an empty array like another one, coded by pixzip if it is one of images."""
    metadata = array.metadata
    codecs: dict[str, Any] = {"filters": array.filters or None, "compressors": array.compressors or None}
    if metadata.zarr_format == 3:
        codecs["serializer"] = array.serializer
        codecs |= {"dimension_names": metadata.dimension_names, "chunk_key_encoding": metadata.chunk_key_encoding}
    else:
        codecs |= {
            "order": array.order, "chunk_key_encoding": {"name": "v2", "separator": metadata.dimension_separator},
        }  # fmt: skip
    if _is_images(array):
        codecs |= {"filters": None, "compressors": None}
        if metadata.zarr_format == 3:
            codecs["serializer"] = PixzipCodec(model, effort=effort)
        else:
            codecs["compressors"] = Pixzip(model, effort=effort)
    zarr.create_array(
        target, name=name or None, shape=array.shape, dtype=metadata.dtype, chunks=array.chunks, shards=_shards(array),
        fill_value=array.fill_value, attributes=array.attrs.asdict(), zarr_format=metadata.zarr_format,
        overwrite=not name, **codecs,
    )  # fmt: skip


def _shards(array: Any) -> Any:
    """The shape of an array's shards, and where their index is; None if it has none."""
    if array.shards is None:
        return None
    (sharding,) = array.metadata.codecs
    return {"shape": array.shards, "index_location": sharding.index_location.value}


def _unit(array: Any) -> Sequence[int]:
    """The shape of what Zarr writes at once."""
    unit: Sequence[int] = array.shards or array.chunks
    return unit


def _regions(array: Any) -> Iterator[Region]:
    """The shards or chunks of an array."""
    starts = [range(0, side, unit) for side, unit in zip(array.shape, _unit(array), strict=True)]
    for corner in product(*starts):
        ends = (min(a + unit, side) for a, unit, side in zip(corner, _unit(array), array.shape, strict=True))
        yield tuple(slice(a, b) for a, b in zip(corner, ends, strict=True))


def _carried_out(work: Callable[[Region], None], regions: Iterable[Region], client: Any) -> Iterator[None]:
    """Yield whenever a region is done, here or on a client's workers.

    Raises:
        Exception: the first error of a worker.
    """
    if client is None:
        for region in regions:
            work(region)
            yield
        return
    from distributed import as_completed

    waiting = iter(regions)
    first = [client.submit(work, region, pure=False) for region in islice(waiting, _PENDING)]
    running = as_completed(first, loop=client.loop)
    for future in running:
        yield future.result()
        for region in islice(waiting, 1):
            running.add(client.submit(work, region, pure=False))
