"""What each part of the stages brings: the bits of sets of images with one part left out, and the time.

Constants are compiled into kernels, so every variant runs in a process of its own with a cache of its own.

python -m bench.parts --set photos-valid.tar:4 --set kodak.tar:3 --jpegs photos-train-1.tar:8 --set graphics.tar:12 \\
    --out bench/results/parts.json
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench.common import Picture, load, provenance, set_threads, write
from bench.left_out import VARIANTS
from bench.warm_start import through_jpeg
from pixzip.engine.base import Job
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.registry import STAGES
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library
from pixzip.models.wavefront.weights import IntegerWeights

#: Largest side of what is measured of an image.
SIDE = 512
#: Program of a child, whose last word is a variant: constants are changed before kernels are imported.
_CHILD = "import sys, bench.left_out as b; b.leave_out(sys.argv[-1]); from bench.parts import main; main()"


def images(sets: Sequence[str], jpegs: Sequence[str]) -> dict[str, list[Picture]]:
    """The middles of the first images of each set, given as PATH:COUNT; those of `jpegs` pass through JPEG."""
    found = {}
    for given, coded in [*((s, False) for s in sets), *((s, True) for s in jpegs)]:
        path, _, count = given.rpartition(":")
        rng = np.random.default_rng(5)
        pictures = [picture for _, picture in load(Path(path), int(count))]
        starts = [[max(0, n - SIDE) // 2 for n in p.shape[:2]] for p in pictures]
        cut = [p[y : y + SIDE, x : x + SIDE] for p, (y, x) in zip(pictures, starts, strict=True)]
        name = Path(path).stem + (" as JPEGs" if coded else "")
        found[name] = [through_jpeg(np.ascontiguousarray(p), rng) for p in cut] if coded else cut
    return found


def measure(label: str, model: str, sets: dict[str, list[Picture]]) -> dict[str, Any]:
    """Bits per sub-pixel of each set, and microseconds a pixel, in one thread."""
    stage, _ = VARIANTS[label]
    set_threads(1)
    weights = library.resolve(model, 3)
    assert isinstance(weights, IntegerWeights)
    engine = WavefrontEngine(weights)
    engine.unchecked.clear()  # (other constants give other answers)
    jobs = {
        name: [Job.encoding(to_coding_order(p, weights.order), stage=STAGES[stage]) for p in pictures]
        for name, pictures in sets.items()
    }
    engine.nll_bits(next(iter(jobs.values()))[:1])  # compile
    start, bits = time.perf_counter(), {}
    for name, some in jobs.items():
        bits[name] = sum(engine.nll_bits(some)) / sum(3 * job.pixels for job in some)
    pixels = sum(job.pixels for some in jobs.values() for job in some)
    return {"bits_per_subpixel": bits, "us_per_pixel": (time.perf_counter() - start) / pixels * 1e6}


@click.command()
@click.option("--set", "sets", multiple=True, help="PATH:COUNT of a tar or folder.")
@click.option("--jpegs", multiple=True, help="The same, of photographs that pass through JPEG first.")
@click.option("--model", default="base", show_default=True)
@click.option("--only", help="One variant, printed as JSON.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
def main(sets: tuple[str, ...], jpegs: tuple[str, ...], model: str, only: str | None, out: Path | None) -> None:
    """Measure all variants, one after another."""
    if only:
        click.echo(json.dumps(measure(only, model, images(sets, jpegs))))
        return
    found = {}
    words = [*(w for s in sets for w in ("--set", s)), *(w for s in jpegs for w in ("--jpegs", s)), "--model", model]
    for label in VARIANTS:
        with tempfile.TemporaryDirectory() as cache:
            ran = subprocess.run(
                [sys.executable, "-c", _CHILD, *words, "--only", label], check=True, text=True,
                stdout=subprocess.PIPE, env=os.environ | {"NUMBA_CACHE_DIR": cache},
            )  # fmt: skip
        found[label] = json.loads(ran.stdout.splitlines()[-1])
        click.echo(f"{label}: {found[label]}", err=True)
    data = [Path(s.rpartition(":")[0]) for s in (*sets, *jpegs)]
    write(out, {"benchmark": "parts", **provenance(data, [model], 1), "variants": found})


if __name__ == "__main__":
    main()
