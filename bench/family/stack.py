"""Code a whole test set as one stack with models of the PixelRNN family: its bytes and the models' own bits.

python -m bench.family.stack runs/row-lstm-cifar10 --data cifar10=cifar10-test.npy --out bench/results/family.json

Every image of the stack is decoded and compared. Run after `bench/family/measure.py`.
"""

from pathlib import Path

import click
import numpy as np

from bench.common import provenance, set_threads, timed, write
from bench.family.data import take
from bench.family.measure import named_paths, put, read
from bench.family.runs import BATCH, bits_and_file, fits, model_name, prepare, sizes
from pixzip.codec.options import Options
from pixzip.codec.stack import decompress_stack
from pixzip.engine.executor import Local


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", "sets", multiple=True, required=True, metavar="NAME=PATH", callback=named_paths)
@click.option("--images", type=click.IntRange(min=1), help="Test images measured, evenly spaced; all without it.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON file to add to.")
def main(runs: tuple[Path, ...], sets: dict[str, Path], images: int | None, threads: int, out: Path) -> None:
    """Code all test images with each of RUNS."""
    set_threads(threads)
    for folder in runs:
        run = prepare(folder, "")
        weights = run.weights
        name = fits(run, sets)
        test = take(name, sets[name], weights.levels, images)
        (bits, file), encode_s = timed(lambda: bits_and_file(test, weights, "cpu"))  # noqa: B023
        stack, decode_s = timed(lambda: decompress_stack(file, Options.only(weights, executor=Local("cpu"))))  # noqa: B023
        if len(stack.images) != len(test.images) or not all(map(np.array_equal, stack.images, test.images)):
            raise SystemExit("pixzip did not give the images back")
        entry = {
            "run": folder.name,
            "data": test.name,
            "model": model_name(run),
            "set": test.title,
            "images": len(test.images),
            "verified_images": len(stack.images),
            "batch": BATCH,
            "unit": test.unit,
            **sizes(test, bits, file),
            "encode_s": encode_s,
            "decode_s": decode_s,
            "measured": {**provenance([sets[test.source]], [], threads), "device": "cpu"},
        }
        result = read(out)  # another process may have changed the file
        put(result, "stacks", entry)
        write(out, result)
        click.echo(f"{folder.name}: {len(file)} bytes, {entry['overhead']:.4%} over the model's bits", err=True)


if __name__ == "__main__":
    main()
