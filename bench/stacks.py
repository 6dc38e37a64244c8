"""Measure stacks of small images under the stages: bytes and processor time, each stage beside none.

python -m bench.stacks --data cifar10=cifar10.npy --data mnist=mnist --images 2000 --out bench/results/stacks.json

A set is an array (N, H, W[, C]) of uint8, or a set of `pixzip train` of which the test images count; of both, images at
equal distances. Every image is decoded and compared.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numpy.typing import NDArray

from bench.common import provenance, set_threads, write
from bench.family.measure import named_paths
from pixzip.codec.options import Options
from pixzip.codec.stack import compress_stack, decompress_stack
from pixzip.data import datasets
from pixzip.engine.stages.registry import STAGES
from pixzip.models import library
from pixzip.models.base import Model

Result = TypeVar("Result")


def images_of(path: Path, count: int | None) -> list[NDArray[np.uint8]]:
    """(H, W, C) images of a set at equal distances."""
    of_set = path.suffix != ".npy"
    found = datasets.load(datasets.detect(path), path, "test").images if of_set else np.load(path, mmap_mode="r")
    chosen = np.arange(n := min(count or len(found), len(found))) * len(found) // n
    return [np.ascontiguousarray(found[i]).reshape(*found.shape[1:3], -1) for i in chosen]


def measured(images: list[NDArray[np.uint8]], model: Model, stage: str) -> dict[str, Any]:
    """Bytes, and seconds of the processor to encode and decode."""
    options = Options.only(model)
    decompress_stack(compress_stack(images[:4], model, stage=STAGES[stage]), options)  # compiles
    file, encode_s = _processor(lambda: compress_stack(images, model, stage=STAGES[stage]))
    found, decode_s = _processor(lambda: decompress_stack(file, options))
    if not all(map(np.array_equal, found.images, images)):
        raise SystemExit("pixzip did not give the images back")
    return {"bytes": len(file), "encode_s": encode_s, "decode_s": decode_s}


def _processor(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.process_time()
    return work(), time.process_time() - began


@click.command()
@click.option("--data", "sets", multiple=True, required=True, metavar="NAME=PATH", callback=named_paths)
@click.option("--model", "models", multiple=True, default=("fast", "base"), show_default=True)
@click.option("--images", type=click.IntRange(min=1), help="Images measured; all without it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
def main(sets: dict[str, Path], models: tuple[str, ...], images: int | None, out: Path | None) -> None:
    """Compress each set as a stack by each model and stage, in one thread."""
    set_threads(1)
    found: dict[str, Any] = {}
    for name, path in sets.items():
        some = images_of(path, images)
        height, width, channels = some[0].shape
        of: dict[str, Any] = {"images": len(some), "side": f"{width} x {height}", "models": {}}
        for model in models:
            weights = library.resolve(model, channels)
            of["models"][model] = {stage: measured(some, weights, stage) for stage in STAGES}
            click.echo(f"{name}, {model}: {of['models'][model]}", err=True)
        found[name] = of
    result = {"benchmark": "stacks", **provenance([*sets.values()], list(models), 1), "sets": found}
    write(out, result)


if __name__ == "__main__":
    main()
