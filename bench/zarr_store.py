"""Compare Zarr arrays of images with Blosc and JPEG XL: bytes of chunks and speed.

    python bench/zarr_store.py kodak.tar cifar10-test.npy --out bench/results/zarr.json --page docs/zarr.md

A set of photographs becomes one array per image size, with one image per chunk.  An `.npy` of small images is one
array with `--chunk` images per chunk.  All arrays are in memory, of Zarr format 2, written and read as a whole, and
compared.  Without DATA, the page is rewritten from the JSON.
"""

import importlib.metadata
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import numcodecs
import numpy as np
import zarr
from common import RESULTS, load, origin, provenance, set_threads, table, timed, write
from imagecodecs.numcodecs import Jpegxl
from numpy.typing import NDArray

from pixzip.numcodecs import Pixzip

START, END = "<!-- zarr:start -->", "<!-- zarr:end -->"
JXL = "JPEG XL e9"
Images = NDArray[np.uint8]


def codecs(model: str, threads: int) -> dict[str, Any]:
    """Name -> numcodecs codec."""
    return {
        "Blosc (zstd 9, bitshuffle)": numcodecs.Blosc("zstd", clevel=9, shuffle=numcodecs.Blosc.BITSHUFFLE),
        JXL: Jpegxl(effort=9, lossless=True, numthreads=threads),
        f"pixzip {model}": Pixzip(model),
    }


def arrays(path: Path, limit: int) -> list[Images]:
    """(N, H, W, C) images of each size, in the order of the first occurrence of sizes."""
    if path.suffix == ".npy":
        return [np.load(path)[:limit]]
    by_size = defaultdict(list)
    for _, picture in load(path, limit):
        by_size[picture.shape].append(picture)
    return [np.stack(pictures) for pictures in by_size.values()]


def chunk_bytes(store: dict[str, Any]) -> int:
    """The bytes of all chunks, without metadata."""
    return sum(len(value.to_bytes()) for key, value in store.items() if not key.rpartition("/")[2].startswith("."))


def measure(images: Images, chunk: int, codec: Any) -> tuple[int, int, float, float]:
    """(number of chunks, their bytes, seconds to write, seconds to read).

    Raises:
        SystemExit: a pixel differs after reading.
    """
    store: dict[str, Any] = {}
    chunks = (chunk, *images.shape[1:])
    array = zarr.create_array(
        store, shape=images.shape, dtype=images.dtype, chunks=chunks, zarr_format=2, compressors=codec
    )
    _, write_s = timed(array.__setitem__, ..., images)
    again, read_s = timed(array.__getitem__, ...)
    if not np.array_equal(again, images):
        raise SystemExit(f"{codec} did not give the images back")
    return array.nchunks, chunk_bytes(store), write_s, read_s


def row(path: Path, limit: int, chunk: int, codec: Any) -> dict[str, Any]:
    """The results of one codec on all arrays of a set."""
    found = [measure(images, chunk, codec) for images in arrays(path, limit)]
    chunks, size, write_s, read_s = (sum(column) for column in zip(*found, strict=True))
    return {"chunks": chunks, "bytes": size, "write_s": write_s, "read_s": read_s}


def page_table(result: dict[str, Any]) -> str:
    """The table of all codecs on all sets; times are ratios, because other work may share the machine."""
    times = [f"{way} time / {JXL} write" for way in ("write", "read")]
    rows = []
    for name, of in result["sets"].items():
        peer = of["codecs"][JXL]
        for i, (codec, r) in enumerate(of["codecs"].items()):
            label = f"{name}: {of['images']:,} images, {of['chunks_of']} a chunk" if i == 0 else ""
            sizes = [f"{r['bytes']:,}", f"{8 * r['bytes'] / of['raw']:.3f}", f"{r['bytes'] / peer['bytes']:.3f}"]
            ratios = [f"{r[f'{way}_s'] / peer['write_s']:.2g}" for way in ("write", "read")]
            rows.append([label, codec, *sizes, *ratios])
    return table(["images", "codec", "bytes", "bits/sub-pixel", f"size / {JXL}", *times], rows)


def measured(data: tuple[Path, ...], model: str, limit: int, chunk: int, threads: int) -> dict[str, Any]:
    """The results of all codecs on all sets, with provenance."""
    result: dict[str, Any] = {"benchmark": "zarr", **provenance(data, [model], threads), "device": "cpu", "sets": {}}
    result["versions"] |= {name: importlib.metadata.version(name) for name in ("zarr", "numcodecs")}
    for codec in codecs(model, threads).values():  # warm-up: loads models, compiles kernels
        codec.decode(codec.encode(np.arange(768, dtype=np.uint8).reshape(4, 8, 8, 3)))
    for path in data:
        images = arrays(path, limit)
        per_chunk = chunk if path.suffix == ".npy" else 1
        result["sets"][path.stem] = {
            "images": sum(map(len, images)),
            "raw": sum(a.nbytes for a in images),
            "chunks_of": per_chunk,
            "codecs": {name: row(path, limit, per_chunk, codec) for name, codec in codecs(model, threads).items()},
        }
    return result


def splice(page: Path, result: dict[str, Any]) -> None:
    """Rewrite the page between its markers."""
    before, rest = page.read_text().split(START)
    after = rest.split(END)[1]
    versions = ", ".join(f"{name} {result['versions'][name]}" for name in ("zarr", "numcodecs"))
    page.write_text(
        f"{before}{START}\n\n{page_table(result)}\n\n{origin(result)} <sub>{versions}</sub>\n\n{END}{after}"
    )


@click.command(help=__doc__)
@click.argument("data", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="fast", show_default=True)
@click.option("--limit", default=1000, show_default=True, help="The first so many images of each set.")
@click.option("--chunk", default=100, show_default=True, help="Images a chunk, of an .npy.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", default=RESULTS / "zarr.json", type=click.Path(path_type=Path), help="JSON.")
@click.option("--page", type=click.Path(exists=True, path_type=Path), help="Page with the table between its markers.")
def main(
    data: tuple[Path, ...], model: str, limit: int, chunk: int, threads: int, out: Path, page: Path | None
) -> None:
    set_threads(threads)
    numcodecs.blosc.set_nthreads(threads)
    if data:
        write(out, measured(data, model, limit, chunk, threads))
    if page:
        splice(page, json.loads(out.read_text()))


if __name__ == "__main__":
    main()
