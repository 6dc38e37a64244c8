"""Time per pixel as images grow, and peak memory of both directions.

Large photographs are made of small ones: a mosaic of photographs and their mirror images.

    python bench/scaling.py photos.tar --out bench/results/scaling.json
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from common import Picture, load, pixzip_codec, provenance, round_trip, set_threads, warm_up, write
from PIL import Image

from pixzip import library
from pixzip.exact.schedule import count_steps
from pixzip.tiles import tile_sides

#: (width, height): 0.1, 0.4, 1.6 and 6.3 megapixels.
SIZES = [(384, 256), (768, 512), (1536, 1024), (3072, 2048)]
MEMORY_SIZE = (4000, 3000)

# A process's peak counts what its parent held when it was forked, so a small one stands in between.
LAUNCHER = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(json.dumps([code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


def mosaic(pictures: list[Picture], width: int, height: int) -> Picture:
    """(height, width, 3): photographs in a grid, every other one mirrored, so that edges meet in like content."""
    h, w = (min(p.shape[axis] for p in pictures) for axis in (0, 1))
    rows = []
    for i in range(-(-height // h)):
        columns = -(-width // w)
        tiles = [pictures[(i // 2 * columns + j // 2) % len(pictures)][:h, :w] for j in range(columns)]
        row = np.concatenate([t[:, ::-1] if j % 2 else t for j, t in enumerate(tiles)], 1)
        rows.append(row[::-1] if i % 2 else row)
    return np.ascontiguousarray(np.concatenate(rows)[:height, :width])


def peak_bytes(arguments: list[str]) -> int:
    """The most memory that one run of the command line held."""
    command = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "pixzip", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    code, peak = json.loads(done.stdout.splitlines()[-1])
    if code:
        raise SystemExit(f"pixzip {' '.join(arguments)} ended with {code}")
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


def memory(picture: Picture, model: str) -> dict[str, int]:
    """Peak bytes of compressing and of decompressing, and that nothing was lost."""
    with tempfile.TemporaryDirectory() as folder:
        source, packed, back = (str(Path(folder) / name) for name in ("in.png", "in.pxz", "out.png"))
        Image.fromarray(picture).save(source, compress_level=1)
        extra = [] if model in library.shipped_paths() else ["--model", model]
        peaks = {
            "compress_peak_bytes": peak_bytes(["compress", source, "-o", packed, "--model", model]),
            "decompress_peak_bytes": peak_bytes(["decompress", packed, "-o", back, *extra]),
        }
        with Image.open(back) as image:
            if not np.array_equal(np.asarray(image), picture):
                raise SystemExit(f"{model} did not give the image back")
        return peaks


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--model", "models", default="base,fast", show_default=True, help="Names or paths, comma-separated.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--limit", type=int, help="Only the first N sizes.")
@click.option("--memory/--no-memory", "with_memory", default=True, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(
    data: Path,
    models: str,
    device: str,
    threads: int,
    repeats: int,
    limit: int | None,
    with_memory: bool,
    out: Path | None,
) -> None:
    """Time per pixel and peak memory for mosaics of the photographs in DATA."""
    set_threads(threads)
    pictures = [picture for _, picture in load(data)]
    origin = provenance([data], models.split(","), threads)
    result: dict[str, Any] = {"benchmark": "scaling", **origin, "device": device, "results": {}}
    for model in models.split(","):
        codec = pixzip_codec(model, device)
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
                    "steps": count_steps(*reversed(tile_sides(width, height))),  # tiles go side by side
                    "encode_ns_per_pixel": median(encode_s) / pixels * 1e9,
                    "decode_ns_per_pixel": median(decode_s) / pixels * 1e9,
                }
            )
            click.echo(f"{codec.name} {rows[-1]}", err=True)
        entry: dict[str, Any] = {"sizes": rows}
        if with_memory:
            width, height = MEMORY_SIZE
            entry["memory"] = {"width": width, "height": height, **memory(mosaic(pictures, width, height), model)}
            click.echo(f"{codec.name} {entry['memory']}", err=True)
        result["results"][codec.name] = entry
    write(out, result)


if __name__ == "__main__":
    main()
