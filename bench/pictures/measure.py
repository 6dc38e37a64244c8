"""Code pictures of every mode and back, and compare sizes with other formats and with the promised maximum.

python -m bench.pictures.measure pngsuite.tar --out bench/results/pngsuite.json --page docs/pngsuite.md
python -m bench.pictures.measure graphics.tar --halves --out bench/results/graphics.json --page docs/graphics.md
"""

import contextlib
import dataclasses
import hashlib
import multiprocessing
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
from pixcodecs.container import image as container
from pixcodecs.container.image import Extra
from pixcodecs.errors import PixzipError

from bench.common import provenance, set_threads, write
from bench.pictures.page import groups, page
from bench.pictures.peers import peer_sizes
from pixzip import codec, image
from pixzip.codec import describe, webp_png
from pixzip.codec.webp_png import WebpEffort
from pixzip.image.picture import Layout, Picture, Samples
from pixzip.image.sources import members

#: Most bytes of a file beyond the best of the formats below.
ALLOWED_BYTES = 24


def promise(picture: Picture, stream: bytes | None) -> tuple[str, int]:
    """The format to which the promise refers, and the most bytes of a file without metadata.

    For up to 8 bits, it is the lossless WebP bitstream without the 20 bytes of file headers; for a palette, that of
    the indices plus the deflated palette. Above 8 bits, it is the PNG that pixzip writes.

    Args:
        stream: WebP bitstream of the samples; None if there is none.
    """
    if stream is None:
        return "PNG", len(image.write(dataclasses.replace(picture, metadata=()))) + ALLOWED_BYTES
    extra = len(zlib.compress(picture.palette, 9)) if picture.layout is Layout.PALETTE else 0
    return "WebP", len(stream) + extra + len(picture.transparency) + ALLOWED_BYTES


def without_metadata(file: bytes) -> bytes:
    """The `.pxz` file of the same picture without its metadata, which does not affect blocks."""
    header = container.read_header(file, None)
    extras = tuple((kind, body) for kind, body in header.extras if kind is not Extra.CHUNK)
    return container.pack_header(dataclasses.replace(header, extras=extras)) + file[header.size_bytes :]


def _remembered(webp: Callable[..., bytes]) -> Callable[..., bytes]:
    """`webp_png.webp` with a cache of streams, which are slow to make."""
    streams: dict[tuple[object, ...], bytes] = {}

    def made(samples: Samples, effort: WebpEffort = WebpEffort.MOST) -> bytes:
        key = hashlib.sha256(np.ascontiguousarray(samples).data).digest(), samples.shape, effort
        if key not in streams:
            streams[key] = webp(samples, effort)
        return streams[key]

    return made


def row(file: tuple[str, bytes], model: str, threads: int) -> dict[str, Any]:
    """The results for one file, given as its path and content."""
    with mock.patch.object(webp_png, "webp", _remembered(webp_png.webp)):
        return _row(*file, model, threads)


def _row(name: str, data: bytes, model: str, threads: int) -> dict[str, Any]:
    try:
        loaded = image.load(data, None)
    except PixzipError as e:
        return {"name": name, "refused": str(e)}
    picture = loaded.picture
    bare = dataclasses.replace(picture, metadata=())
    start = time.perf_counter()
    (whole,) = codec.compress([picture], codec.Options.of(model))
    encode_s = time.perf_counter() - start
    small = without_metadata(whole)
    back = codec.decompress([whole, small], codec.Options(max_pixels=None))
    again = image.load(image.write(back[0]), None).picture
    stream = webp_png.webp(picture.samples) if picture.depth <= 8 and webp_png.webp_fits(picture.samples) else None
    peer, most = promise(picture, stream)
    return {
        "name": name,
        "layout": picture.layout.name,
        "depth": picture.depth,
        "width": picture.width,
        "height": picture.height,
        "metadata": [chunk.type.decode("latin-1") for chunk in picture.metadata],
        "dropped": loaded.dropped,
        "same": back == [picture, bare] and again == picture,
        "source_bytes": len(data),
        "file_bytes": len(whole),
        "bare_bytes": len(small),
        **peer_sizes(picture, data, stream, threads),
        "peer": peer,
        "most_bytes": most,
        "blocks": describe.facts(small)["blocks"],
        "encode_s": round(encode_s, 3),
    }


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="base", show_default=True, help="Name or path.")
@click.option("--threads", default=2, show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Files at a time, each in a process.")
@click.option("--halves", is_flag=True, help="Tell the half that the graphics models were trained on from the other.")
@click.option("--only", default="*", show_default=True, metavar="PATTERN", help="Paths in DATA to take.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
@click.option("--page", "target", type=click.Path(path_type=Path), help="Markdown page.")
def main(
    data: Path, model: str, threads: int, jobs: int, halves: bool, only: str, out: Path | None, target: Path | None
) -> None:  # fmt: skip
    """Measure every file of the tar DATA; exit code 1 if one is changed or larger than promised."""
    set_threads(threads)
    result: dict[str, Any] = {
        "benchmark": "pictures",
        "title": f"Every file of {data.name}" + (f" whose path is like {only}" if only != "*" else ""),
        **provenance([data], [model], threads),
        "device": "cpu",
        "files": [],
    }
    with contextlib.ExitStack() as stack:
        each: Callable[..., Iterator[dict[str, Any]]] = map
        if jobs > 1:
            spawn = multiprocessing.get_context("spawn")
            each = stack.enter_context(spawn.Pool(jobs, set_threads, [threads])).imap
        files = members(data, lambda path: fnmatchcase(str(path), only), hidden=True)
        named = ((source.name, source.read()) for source in files)
        for found in each(partial(row, model=model, threads=threads), named):
            result["files"].append(found)
            click.echo(
                f"{found['name']:30} {found.get('bare_bytes', 'refused')} {found.get('most_bytes', '')}", err=True
            )
    kept = [r for r in result["files"] if "refused" not in r]
    larger = [r["name"] for r in kept if r["bare_bytes"] > r["most_bytes"]]
    result["summary"] = {
        "files": len(result["files"]),
        "refused": len(result["files"]) - len(kept),
        "came back as they were": sum(r["same"] for r in kept),
        "larger than allowed": len(larger),
        "bytes at the source": sum(r["source_bytes"] for r in kept),
        "bytes of pxz": sum(r["file_bytes"] for r in kept),
        "bytes allowed": sum(r["most_bytes"] for r in kept),
        **{f"{kind} blocks": n for kind, n in sum((Counter(r["blocks"]) for r in kept), Counter[str]()).items()},
    }
    result["groups"] = groups(kept, halves)
    write(out, result)
    if target:
        target.write_text(page(result))
    if larger or not all(r["same"] for r in kept):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
