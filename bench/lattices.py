"""What lattices of colours save: the bits of images by both stages, without a lattice and with the one recognised.

python -m bench.lattices kodak.tar --limit 4 --out bench/results/lattices.json
python -m bench.lattices photos-train-0.tar --jpeg 85 --jpeg 95 --limit 4 --out bench/results/lattices-jpeg.json
"""

import io
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from bench.common import load, provenance, set_threads, write
from pixzip.codec.lattice_search import trials
from pixzip.engine.base import EIGHT_BITS, Job
from pixzip.engine.batch import Samples
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library
from pixzip.models.wavefront.lattices import LATTICES, NONE
from pixzip.models.wavefront.weights import IntegerWeights


def middle(pixels: Samples, side: int) -> Samples:
    """The middle of (H, W, 3) pixels, at most side x side."""
    y, x = (max(0, n - side) // 2 for n in pixels.shape[:2])
    return np.ascontiguousarray(pixels[y : y + side, x : x + side])


def jpeg(pixels: Samples, quality: int) -> Samples:
    """The pixels after JPEG of a quality, with half of the chroma in both directions."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file))


def measure(engine: WavefrontEngine, pixels: Samples) -> dict[str, Any]:
    """The lattice that an encoder would try, and the bits of (H, W, 3) pixels by each stage without and with it."""
    found = trials(pixels, [LIGHT, FULL], EIGHT_BITS)
    number = max(precision.lattice for _, precision in found)
    samples = to_coding_order(pixels, engine.model.order)
    bits: dict[str, Any] = {"lattice": LATTICES[number].name if number else "none", "pixels": samples[..., 0].size}
    for stage in (LIGHT, FULL):
        for lattice in dict.fromkeys([NONE, number]):
            job = Job.encoding(samples, stage=stage, precision=EIGHT_BITS._replace(lattice=lattice))
            label = f"{stage.name}, lattice" if lattice else stage.name
            bits[label] = float(engine.nll_maps([job])[0].sum())
    return bits


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="base", show_default=True)
@click.option("--jpeg", "qualities", multiple=True, type=int, help="Code the images as decoded JPEGs, in turn of each.")
@click.option("--limit", type=int, help="Number of images of each set, evenly spread.")
@click.option("--side", default=256, show_default=True, help="Largest side of what is measured of an image.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
def main(
    data: tuple[Path, ...], model: str, qualities: tuple[int, ...], limit: int | None, side: int, out: Path | None
) -> None:
    """Measure the images of DATA."""
    weights = library.find(model)
    if not isinstance(weights, IntegerWeights):
        raise click.UsageError(f"model {model} has no stages")
    set_threads(1)
    engine, rows = WavefrontEngine(weights), []
    for path in data:
        images = load(path)
        chosen = images[:: max(1, len(images) // limit)][:limit] if limit else images
        for i, (name, pixels) in enumerate(chosen):
            part = middle(pixels, side)
            if qualities:
                part = jpeg(part, qualities[i % len(qualities)])
            rows.append({"image": name, **measure(engine, part)})
            click.echo(rows[-1], err=True)
    write(out, {"benchmark": "lattices", **provenance(data, [model], 1), "side": side, "images": rows})
    for stage in (LIGHT.name, FULL.name):
        with_one = [row for row in rows if row["lattice"] != "none"]
        before, after = (sum(row[label] for row in with_one) for label in (stage, f"{stage}, lattice"))
        click.echo(f"{stage}: {len(with_one)} of {len(rows)} images on a lattice, {100 * (after / before - 1):+.2f} %")


if __name__ == "__main__":
    main()
