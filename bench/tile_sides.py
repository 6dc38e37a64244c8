"""What smaller tiles cost, and what a region and a damaged byte then take.

    python bench/tile_sides.py photos-valid.tar --limit 8 --out bench/results/tiles.json --page docs/limits.md

Every file is decoded and compared.  Without DATA, the page is rewritten from the JSON.
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from common import RESULTS, load, origin, provenance, rewrite, set_threads, table, write

from pixzip import codec
from pixzip.api import Codec
from pixzip.codec.tiles import Window

START, END = "<!-- tiles:start -->", "<!-- tiles:end -->"
SIDES = (None, 512, 256, 128)
#: Side of the regions, and how many of them an image has.
REGION, REGIONS = 64, 200


def measure(pictures: list[Any], side: int | None, effort: int) -> dict[str, Any]:
    """Bytes of the files, and the mean shares of an image that a region and a damaged byte take.

    Raises:
        SystemExit: a pixel differs after decoding.
    """
    coder = Codec(device="cpu", effort=effort, tile=side)
    files = coder.encode_batch(pictures)
    if not all(map(np.array_equal, coder.decode_batch(files), pictures)):
        raise SystemExit("a file decodes to another picture")
    decoded, lost, rng = [], [], np.random.default_rng(0)
    for file, picture in zip(files, pictures, strict=True):
        opening = codec.Opening(file, None)
        height, width = picture.shape[:2]
        parts = [opening.tile(i).pixels / opening.pixels for i in range(len(opening.header.tiles))]
        corners = rng.integers(0, (width - REGION, height - REGION), (REGIONS, 2)).tolist()
        decoded += [sum(parts[i] for i in opening.tiles_in(Window(x, y, REGION, REGION))) for x, y in corners]
        sizes = [tile.size_bytes for tile in opening.header.tiles]
        lost.append(sum(a * b for a, b in zip(sizes, parts, strict=True)) / sum(sizes))
    return {
        "side": side, "bytes": sum(map(len, files)), "decoded": float(np.mean(decoded)), "lost": float(np.mean(lost)),
    }  # fmt: skip


def page(found: dict[str, Any]) -> str:
    """The table in Markdown."""
    whole = found["sides"][0]["bytes"]
    rows = [
        [
            f"`--tile {row['side']}`" if row["side"] else "1024, the usual side", str(found["images"]),
            f"{row['bytes']:,}", f"{100 * (row['bytes'] / whole - 1):+.2f} %",
            f"{100 * row['decoded']:.1f} %", f"{100 * row['lost']:.1f} %",
        ]
        for row in found["sides"]
    ]  # fmt: skip
    heads = [
        "tiles",
        "images",
        "bytes",
        "beside the usual",
        f"decoded for {REGION} x {REGION} pixels",
        "lost by a damaged byte",
    ]
    return table(heads, rows) + "\n\n" + origin(found)


@click.command()
@click.argument("data", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--limit", type=int, help="Only the first images.")
@click.option("--effort", type=click.IntRange(1, 9), default=5, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "tiles.json", show_default=True)
@click.option("--page", "to", type=click.Path(path_type=Path), help="Markdown whose table is rewritten.")
def main(data: Path | None, limit: int | None, effort: int, threads: int, out: Path, to: Path | None) -> None:
    """Measure tiles of several sides."""
    if data:
        set_threads(threads)
        pictures = [picture for _, picture in load(data, limit)]
        sides = [measure(pictures, side, effort) for side in SIDES]
        write(out, {**provenance([data], [], threads), "images": len(pictures), "effort": effort, "sides": sides})
    if to:
        rewrite(to, START, END, page(json.loads(out.read_text("utf-8"))))


if __name__ == "__main__":
    main()
