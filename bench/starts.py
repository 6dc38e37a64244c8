"""Find what better starts of the stages could save at most: code images again with starts that know the image.

Least squares then begin with the sums of the image's own rows, and the full stage with the weights with which the
same image ended.  A start that is learned from other images can hardly save more.

python -m bench.starts base --data photos-train-0.tar --data photos-train-1.tar --out bench/results/starts.json
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from bench.common import provenance, set_threads, write
from bench.warm_start import SIDE, bits_of, crops, learn, warmed
from pixzip.engine.backends.numba import coding, loop
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library
from pixzip.models.wavefront.weights import MIXING_TENSORS, IntegerWeights
from pixzip.train.data import read_images, split_held_out

#: As in `pixzip train`: one image in this many was held out.
HELD_OUT_ONE_IN = 50


def twice(engine: WavefrontEngine, samples: Samples) -> float:
    """The bits of an image in the full stage, beginning with the weights with which it ended before."""
    first, again = (
        coding.Part(engine.model.config, engine.operands, [Job.encoding(samples, stage=FULL)], loop.MEASURE, 1)
        for _ in range(2)
    )
    first.advance(first.wavefront.steps, 1)
    again.decisions.weights[...] = first.decisions.weights
    again.repeats.weights[...] = first.repeats.weights
    again.advance(again.wavefront.steps, 1)
    return float(again.results[0].sum())


def measure(model: IntegerWeights, samples: list[Samples]) -> dict[str, float]:
    """The bits of images, for each start of each stage."""
    model = replace(model, known_answer="", adapted_answer="", full_answer="")
    others = {k: v for k, v in model.tensors.items() if not k.startswith(("prior.", *MIXING_TENSORS))}
    untrained, engine = replace(model, tensors=others), WavefrontEngine(model)
    own = [warmed(model, learn(model, [x]), 1.0, 300.0) for x in samples]
    return {
        "no stage": bits_of(model, samples, IDENTITY).sum(),
        "light, untrained": bits_of(untrained, samples, LIGHT).sum(),
        "light": bits_of(model, samples, LIGHT).sum(),
        "light, own sums": sum(bits_of(m, [x], LIGHT).sum() for m, x in zip(own, samples, strict=True)),
        "full, untrained": bits_of(untrained, samples, FULL).sum(),
        "full": bits_of(model, samples, FULL).sum(),
        "full, own weights": sum(twice(engine, x) for x in samples),
    }


@click.command()
@click.argument("model")
@click.option("--data", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--crops", "count", default=12, show_default=True, help="Most held-out images.")
@click.option("--side", default=SIDE, show_default=True, help="Largest side of what is measured of an image.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
def main(model: str, data: tuple[Path, ...], count: int, side: int, out: Path | None) -> None:
    """Measure MODEL, a name or a path, on images that `pixzip train` holds out of the sets of --data."""
    weights = library.find(model)
    if not isinstance(weights, IntegerWeights):
        raise click.UsageError(f"model {model} has no stages")
    set_threads(1)
    _, held_out = split_held_out(list(read_images(data, weights.channels)), HELD_OUT_ONE_IN)
    found = crops(held_out, min(count, len(held_out)), side, np.random.default_rng(0))
    bits = measure(weights, [to_coding_order(x, weights.order) for x in found])
    result: dict[str, Any] = {"benchmark": "starts", **provenance(data, [model], 1), "bits": bits}
    write(out, result)
    for label, total in bits.items():
        click.echo(f"{label:20s} {total:14,.0f} {100 * (total / bits['no stage'] - 1):+.3f} %", err=True)


if __name__ == "__main__":
    main()
