"""Measure peak memory of whole processes, from file to file, up to 100 megapixels.

python bench/memory.py photos.tar --out bench/results/memory.json

The first codec takes images of all sizes, the others, which are slower, the smallest of them.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from common import Picture, load, provenance, set_threads, write
from PIL import Image
from scaling import mosaic

from pixzip import image
from pixzip.models import library

#: (width, height): 12, 24, 50 and 100 megapixels.
SIZES = [(4000, 3000), (6000, 4000), (8000, 6250), (10000, 10000)]

# A process's peak includes its parent's memory at the fork, so a small process is in between.
LAUNCHER = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(json.dumps([code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


def run(arguments: list[str]) -> int:
    """The peak memory in bytes of one run of the command line."""
    command = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "pixzip", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    code, peak = json.loads(done.stdout.splitlines()[-1])
    if code:
        raise SystemExit(f"pixzip {' '.join(arguments)} ended with {code}")
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


def same(path: Path, picture: Picture) -> bool:
    """Whether a PNG file holds these pixels; read by rows, because Pillow refuses such large files."""
    rows = image.open_rows(path, None)
    assert rows is not None
    with rows:
        return all(np.array_equal(rows.read(1000), picture[y : y + 1000]) for y in range(0, len(picture), 1000))


def measure(picture: Picture, model: str, effort: str, suffix: str) -> dict[str, Any]:
    """Peak bytes of compression and decompression; checks that nothing is lost."""
    height, width, _ = picture.shape
    with tempfile.TemporaryDirectory() as folder:
        source, packed, back = (Path(folder) / name for name in (f"in{suffix}", "in.pxz", "out.png"))
        if suffix == ".png":
            Image.fromarray(picture).save(source, compress_level=1)
        else:
            source.write_bytes(f"P6 {width} {height} 255\n".encode() + picture.tobytes())
        given = [] if model in library.shipped_paths() else ["--model", model]
        compress = ["compress", str(source), "-o", str(packed), "--model", model, "-e", effort, "--no-pixel-limit"]
        compress_peak = run(compress)
        decompress_peak = run(["decompress", str(packed), "-o", str(back), "--no-pixel-limit", *given])
        if not same(back, picture):
            raise SystemExit(f"{model} did not give the image back")
        return {
            "width": width,
            "height": height,
            "source_bytes": source.stat().st_size,
            "file_bytes": packed.stat().st_size,
            "compress_peak_bytes": compress_peak,
            "decompress_peak_bytes": decompress_peak,
        }


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--codecs", "chosen", default="fast:1,base:1,base:5,base:7", show_default=True,
    help="MODEL:EFFORT, comma-separated: on a photograph 1 is without a stage, 5 with light, 7 with full.",
)  # fmt: skip
@click.option("--threads", default=2, show_default=True)
@click.option("--limit", type=int, help="Only the first N sizes.")
@click.option("--suffix", type=click.Choice([".png", ".ppm"]), default=".png", show_default=True, help="Of the input.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(data: Path, chosen: str, threads: int, limit: int | None, suffix: str, out: Path | None) -> None:
    """Compress and decompress mosaics of the photographs in DATA by the command line."""
    set_threads(threads)
    pictures = [picture for _, picture in load(data)]
    pairs = [pair.split(":") for pair in chosen.split(",")]
    origin = provenance([data], list(dict.fromkeys(model for model, _ in pairs)), threads)
    result: dict[str, Any] = {"benchmark": "memory", **origin, "device": "cpu", "results": {}}
    for i, (model, effort) in enumerate(pairs):
        measure(mosaic(pictures, 64, 64), model, effort, suffix)  # warm-up: compiles kernels
        rows = result["results"][f"pixzip {Path(model).stem} e{effort}"] = []
        for width, height in SIZES[: 1 if i else limit]:
            rows.append(measure(mosaic(pictures, width, height), model, effort, suffix))
            click.echo(f"{model} {effort} {rows[-1]}", err=True)
    write(out, result)


if __name__ == "__main__":
    main()
