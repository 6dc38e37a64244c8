"""Compare the two entropy coders on the same photographs: bytes, and processor seconds on one thread, in turn.

python bench/coders.py photos.tar --out bench/results/coders.json
"""

import time
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import click
import numpy as np
from common import Picture, load, provenance, set_threads, write
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import CODERS

from pixzip import codec
from pixzip.models import library


def once(picture: Picture, model: str, coder: EntropyCoder) -> tuple[int, float, float]:
    """(file bytes, encoding seconds, decoding seconds), in processor time.

    Raises:
        SystemExit: a decoded pixel differs.
    """
    start = time.process_time()
    (file,) = codec.compress([picture], codec.Options(partial(library.resolve, model), models_only=True, coder=coder))
    encoded = time.process_time()
    (back,) = codec.decompress([file])
    decoded = time.process_time()
    if not np.array_equal(codec.as_array(back), picture):
        raise SystemExit(f"{model} by {coder.name} did not give the image back")
    return len(file), encoded - start, decoded - encoded


@click.command()
@click.argument("images", type=click.Path(exists=True, path_type=Path))
@click.option("--model", "models", default="fast,base", show_default=True, help="Names or paths, comma-separated.")
@click.option("--limit", default=4, show_default=True, help="Images, the first by name.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(images: Path, models: str, limit: int, repeats: int, out: Path | None) -> None:
    """Print ratios of rANS to the range coder: of total sizes, and of the median seconds of each image."""
    set_threads(1)
    pictures = load(images, limit)
    result: dict[str, Any] = {
        "benchmark": "coders", **provenance([images], models.split(","), 1), "device": "cpu", "repeats": repeats,
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    for model in models.split(","):
        for coder in CODERS.values():
            once(pictures[0][1][:64, :64].copy(), model, coder)  # warm-up: compiles kernels and chooses backends
        for name, picture in pictures:
            (ideal,) = codec.evaluate([picture], codec.Options(partial(library.resolve, model)))
            row: dict[str, Any] = {"model": model, "image": name, "model_bits": ideal["model_bits"]}
            found: dict[str, list[tuple[int, float, float]]] = {name: [] for name in CODERS}
            for _ in range(repeats):
                for coder in CODERS.values():
                    found[coder.name].append(once(picture, model, coder))
            for coder in CODERS.values():
                sizes, encode_s, decode_s = zip(*found[coder.name], strict=True)
                row[coder.name] = {"bytes": sizes[0], "encode_s": encode_s, "decode_s": decode_s}
            click.echo(f"{model} {name} {row}", err=True)
            rows.append(row)
    result["rows"] = rows
    result["totals"] = {model: _totals([r for r in rows if r["model"] == model]) for model in models.split(",")}
    write(out, result)


def _totals(rows: list[dict[str, Any]]) -> dict[str, float]:
    sizes = {c.name: sum(r[c.name]["bytes"] for r in rows) for c in CODERS.values()}
    seconds = {
        f"{what}_ratio": geometric_mean([median(r["rans"][what]) / median(r["range"][what]) for r in rows])
        for what in ("encode_s", "decode_s")
    }
    return {**sizes, "model": sum(r["model_bits"] for r in rows) / 8, "size_ratio": sizes["rans"] / sizes["range"]} | {
        name.replace("_s_", "_"): ratio for name, ratio in seconds.items()
    }


if __name__ == "__main__":
    main()
