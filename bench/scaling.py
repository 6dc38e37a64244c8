"""Measure time per pixel by image size.

Large photographs are mosaics of small photographs and their mirror images.

    python bench/scaling.py photos.tar --out bench/results/scaling.json
"""

from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from common import Picture, load, pixzip_codec, provenance, round_trip, set_threads, warm_up, write

from pixzip.codec.tiles import tile_sides
from pixzip.engine.schedule import count_steps

#: (width, height): 0.1, 0.4, 1.6 and 6.3 megapixels.
SIZES = [(384, 256), (768, 512), (1536, 1024), (3072, 2048)]


def mosaic(pictures: list[Picture], width: int, height: int) -> Picture:
    """(height, width, 3) photographs in a grid, every other one mirrored, so that content continues across edges."""
    h, w = (min(p.shape[axis] for p in pictures) for axis in (0, 1))
    rows = []
    for i in range(-(-height // h)):
        columns = -(-width // w)
        tiles = [pictures[(i // 2 * columns + j // 2) % len(pictures)][:h, :w] for j in range(columns)]
        row = np.concatenate([t[:, ::-1] if j % 2 else t for j, t in enumerate(tiles)], 1)
        rows.append(row[::-1] if i % 2 else row)
    return np.ascontiguousarray(np.concatenate(rows)[:height, :width])


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--model", "models", default="base,fast", show_default=True, help="Names or paths, comma-separated.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--limit", type=int, help="Only the first N sizes.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(
    data: Path,
    models: str,
    device: str,
    threads: int,
    repeats: int,
    limit: int | None,
    out: Path | None,
) -> None:
    """Measure time per pixel on mosaics of the photographs in DATA."""
    set_threads(threads)
    pictures = [picture for _, picture in load(data)]
    origin = provenance([data], models.split(","), threads)
    result: dict[str, Any] = {"benchmark": "scaling", **origin, "device": device, "results": {}}
    for model in models.split(","):
        codec = pixzip_codec(model, device=device)
        warm_up([codec])
        rows = []
        for width, height in SIZES[:limit]:
            picture = mosaic(pictures, width, height)
            _, encode_s, decode_s = zip(*(round_trip(codec, picture) for _ in range(repeats)), strict=True)
            pixels = width * height
            rows.append(
                {
                    "width": width,
                    "height": height,
                    "steps": count_steps(*reversed(tile_sides(width, height))),  # tiles run in parallel
                    "encode_ns_per_pixel": median(encode_s) / pixels * 1e9,
                    "decode_ns_per_pixel": median(decode_s) / pixels * 1e9,
                }
            )
            click.echo(f"{codec.name} {rows[-1]}", err=True)
        result["results"][codec.name] = {"sizes": rows}
    write(out, result)


if __name__ == "__main__":
    main()
