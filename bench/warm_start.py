"""Learn from training images what the stages of a model begin with, and measure what that saves on small images.

    python -m bench.warm_start base --data photos-train-0.tar --data photos-train-1.tar --mixed graphics.tar \\
        --report photos-valid.tar -o base.safetensors
    python -m bench.warm_start graphics --drawings --data graphics.tar --report graphics.tar -o graphics.safetensors

A prior (`docs/format.md`, section 12.2) is what the rows above an image would have left: the totals of its rows on the
average over rows and training images, times a number of such rows, with something on the diagonal.  One in ten of the
training images is held out, to choose these two numbers.  Priors are of the network's errors and nothing else, so
they do not depend on those the model has.

The weights of the full stage (section 13) go from image to image, of which one in three is a drawing if there is
--mixed, and are averaged over the second half of them.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.pictures.sheets import sheets
from pixzip.engine.backends.numba import coding, loop
from pixzip.engine.backends.numba.lanes import LANES
from pixzip.engine.backends.torch.engine import with_known_answer
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library
from pixzip.models.wavefront import mixing
from pixzip.models.wavefront.least_squares import PERIOD, PRIOR_LIMIT, count_sums, count_taps
from pixzip.models.wavefront.weights import MIXING_TENSORS, IntegerWeights, check
from pixzip.train.data import Picture, read_images, split_held_out

Means = list[NDArray[np.float64]]

#: Largest side of the crops that are learned from.
SIDE = 256
#: One photograph in this many passes through JPEG; one image in this many is held out.
JPEG_ONE_IN, HELD_OUT_ONE_IN = 5, 10


def through_jpeg(picture: Picture, rng: np.random.Generator) -> Picture:
    """An RGB picture after JPEG of quality 75 to 95, with or without halved chroma."""
    buffer = io.BytesIO()
    quality, subsampling = int(rng.integers(75, 96)), int(rng.choice([0, 2]))
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(buffer))


def crops(pictures: Sequence[Picture], count: int, side: int, rng: np.random.Generator) -> Iterator[Picture]:
    """Yield crops of at most side x side from random places, of every picture once before one is taken again."""
    order: list[int] = []
    for _ in range(count):
        order = order or rng.permutation(len(pictures)).tolist()
        picture = pictures[order.pop()]
        y, x = (int(rng.integers(max(0, n - side) + 1)) for n in picture.shape[:2])
        yield picture[y : y + side, x : x + side]


def zero(model: IntegerWeights) -> IntegerWeights:
    """The model with priors of zeros."""
    return replace(model, tensors=model.tensors | {f"prior.{c}": 0 * p for c, p in enumerate(model.priors)})


def mean_totals(engine: WavefrontEngine, samples: Samples) -> Means:
    """For each channel the totals of an image's rows after its last step, on the average.

    Args:
        engine: of a model whose priors are zeros.
        samples: (H, W, C) in coding order.
    """
    job = Job.encoding(samples, stage=LIGHT)
    part = coding.Part(engine.model.config, engine.operands, [job], loop.MEASURE, 1)
    part.advance(part.wavefront.steps, 1)
    e, y = part.wavefront.equations, np.arange(job.height)
    planes = e.totals.reshape(PERIOD, e.all_sums, -1)
    mean = planes[y % PERIOD, :, LANES + y // PERIOD].mean(0, np.float64)
    return np.split(mean, e.first_sum[1:])


def learn(model: IntegerWeights, samples: Sequence[Samples]) -> Means:
    """`mean_totals` on the average over images, each of which counts the same."""
    engine = WavefrontEngine(replace(zero(model), known_answer="", adapted_answer="", full_answer=""))
    each = [mean_totals(engine, x) for x in samples]
    return [np.mean(channel, 0) for channel in zip(*each, strict=True)]


def warmed(model: IntegerWeights, means: Means, rows: float, diagonal: float) -> IntegerWeights:
    """The model with priors of `rows` times the means, and a constant on the diagonals; without known answers."""
    priors = {}
    for c, mean in enumerate(means):
        taps = count_taps(c, model.channels)
        assert mean.shape == (count_sums(taps),)
        i = np.arange(1, taps + 1)
        sums = rows * mean
        sums[i * (i + 1) // 2 - 1] += diagonal
        sums *= min(
            1.0, PRIOR_LIMIT / np.abs(sums).max()
        )  # a scaled matrix stays one of squares, a clipped one does not
        priors[f"prior.{c}"] = np.rint(sums).astype(np.int32)
    made = replace(model, tensors=model.tensors | priors, known_answer="", adapted_answer="", full_answer="")
    check(made)
    return made


def learn_mixing(model: IntegerWeights, samples: Sequence[Samples]) -> IntegerWeights:
    """The model with weights of the full stage, learned from image to image; without known answers."""
    made = replace(model, known_answer="", adapted_answer="", full_answer="")
    engine = WavefrontEngine(made)
    weights: list[NDArray[np.int64]] = []
    sums: list[NDArray[np.float64]] = []
    for i, x in enumerate(samples):
        part = coding.Part(made.config, engine.operands, [Job.encoding(x, stage=FULL)], loop.MEASURE, 1)
        state = part.decisions.weights, part.repeats.weights
        for own, learned in zip(state, weights, strict=False):
            own[...] = learned
        part.advance(part.wavefront.steps, 1)
        weights = [own.copy() for own in state]
        if i == len(samples) // 2:
            sums = [np.zeros(own.shape) for own in state]
        for total, own in zip(sums, state, strict=False):
            total += own
    means = [total / (len(samples) - len(samples) // 2) / (1 << mixing.WEIGHT_SHIFT) for total in sums]
    _, decisions, repeats = made.mixing
    tensors = {"mix.squash": mixing.squash_table()}
    for name, own, mean in zip(("mix.weights", "repeat.weights"), (decisions, repeats), means, strict=True):
        tensors[name] = np.rint(mean).astype(np.int16).reshape(own.shape)
    made = replace(made, tensors=made.tensors | tensors)
    check(made)
    return made


def bits_of(model: IntegerWeights, samples: Sequence[Samples], stage: Stage = LIGHT) -> NDArray[np.float64]:
    """(N,) bits of images in coding order."""
    engine = WavefrontEngine(replace(model, known_answer="", adapted_answer="", full_answer=""))
    return np.array(engine.nll_bits([Job.encoding(x, stage=stage) for x in samples]))


def line(label: str, bits: NDArray[np.float64], plain: NDArray[np.float64]) -> str:
    """A row of Markdown: bits, their relation to those without a stage, and the share of images that have more."""
    return (
        f"| {label} | {bits.sum():,.0f} | {100 * (bits.sum() / plain.sum() - 1):+.3f} % "
        f"| {100 * np.mean(bits > plain):.1f} % |"
    )


def table(model: IntegerWeights, warm: dict[str, IntegerWeights], samples: Sequence[Samples]) -> str:
    """What the stage does to images with the default priors, and with others."""
    plain = bits_of(model, samples, IDENTITY)
    own = ("prior.", *MIXING_TENSORS)
    cold = replace(model, tensors={k: v for k, v in model.tensors.items() if not k.startswith(own)})
    rows = [line("no stage", plain, plain), line("default prior", bits_of(cold, samples), plain)]
    rows += [line(label, bits_of(made, samples), plain) for label, made in warm.items()]
    rows += [line("full, without training", bits_of(cold, samples, FULL), plain)]
    rows += [line("full", bits_of(list(warm.values())[-1], samples, FULL), plain)]
    return "\n".join(["| light with prior; full | bits | by no stage | images that lose |", "|---|--:|--:|--:|", *rows])


def read(data: Sequence[Path], channels: int, *, drawings: bool, trained: bool = True) -> list[tuple[str, Picture]]:
    """The names and pictures of tars: of drawings only one half of the files."""
    if drawings:
        return [named for path in data for named in sheets(path, channels, trained=trained)]
    return list(read_images(data, channels))


@click.command()
@click.argument("model")
@click.option("--data", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--drawings", is_flag=True, help="Sets are of drawings: learn from the half that graphics is trained on.")
@click.option(
    "--mixed", multiple=True, type=click.Path(exists=True, path_type=Path), help="Drawings for the full stage."
)
@click.option("--report", "reported", type=click.Path(exists=True, path_type=Path), help="Set that is only measured.")
@click.option("--crops", "count", default=100, show_default=True, help="Number of crops that are learned from.")
@click.option("--rows", multiple=True, default=[0.3], show_default=True, help="The last is written.")
@click.option("--diagonal", multiple=True, default=[300.0], show_default=True, help="The last is written.")
@click.option("--side", default=64, show_default=True, help="Side of the crops that are measured.")
@click.option("--measured", default=200, show_default=True, help="Number of crops that are measured.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path))
def main(
    model: str, data: tuple[Path, ...], drawings: bool, mixed: tuple[Path, ...], reported: Path | None, count: int,
    rows: tuple[float, ...], diagonal: tuple[float, ...], side: int, measured: int, out: Path | None,
) -> None:  # fmt: skip
    """Write MODEL, a name or a path, with priors that are learned from the sets of --data."""
    weights = library.find(model)
    if not isinstance(weights, IntegerWeights):
        raise click.UsageError(f"model {model} has no least squares")
    channels, rng = weights.channels, np.random.default_rng(0)
    pictures, held_out = split_held_out(read(data, channels, drawings=drawings), HELD_OUT_ONE_IN)
    found = list(crops(pictures, count, SIDE, rng))
    if channels == 3 and not drawings:
        found = [through_jpeg(x, rng) if rng.integers(JPEG_ONE_IN) == 0 else x for x in found]
    means = learn(weights, [to_coding_order(x, weights.order) for x in found])
    warm = {
        f"{r:g} rows, {d:g}": warmed(weights, means, r, d) for r in rows for d in diagonal
    }  # fmt: skip
    learned = [to_coding_order(x, weights.order) for x in found]
    if mixed:
        others = [x for _, x in read(mixed, channels, drawings=True)]
        some = crops(others, len(found) // 2, SIDE, rng)
        learned += [to_coding_order(x, weights.order) for x in some]
        learned = [learned[i] for i in rng.permutation(len(learned))]
    last = list(warm)[-1]
    warm[last] = learn_mixing(warm[last], learned)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(with_known_answer(warm[last]).to_bytes())
    sets = {"held out": held_out}
    if reported:
        sets["reported"] = [x for _, x in read([reported], channels, drawings=drawings, trained=False)]
    for label, chosen in sets.items():
        shown = [to_coding_order(x, weights.order) for x in crops(chosen, measured, side, rng)]
        click.echo(
            f"\n{model}, {label}, {len(shown)} crops of at most {side} x {side}\n\n{table(weights, warm, shown)}"
        )


if __name__ == "__main__":
    main()
