"""Draw where the bits of an image go without a stage, and what the stages save, for docs/how-it-works.md.

python -m bench.stages examples/photo.webp --out docs/stages.png
"""

from pathlib import Path

import click
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from pixzip.engine.base import Job
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library
from pixzip.models.wavefront.weights import IntegerWeights

#: Side of the squares over which bits are averaged.
CELL = 8


def cells(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W) bits -> their means over whole squares of CELL pixels."""
    h, w = (side // CELL for side in bits.shape)
    means: NDArray[np.float64] = bits[: h * CELL, : w * CELL].reshape(h, CELL, w, CELL).mean((1, 3))
    return means


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="base", show_default=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(path: Path, model: str, out: Path) -> None:
    """Draw the bits of the image at PATH, and what the stages save."""
    weights = library.resolve(model, 3)
    assert isinstance(weights, IntegerWeights)
    picture = np.asarray(Image.open(path).convert("RGB"))
    samples = to_coding_order(picture, weights.order)
    jobs = [Job.encoding(samples, stage=stage) for stage in (IDENTITY, LIGHT, FULL)]
    plain, light, full = (cells(bits) for bits in WavefrontEngine(weights).nll_maps(jobs))
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(11, 5.6), layout="constrained")
        axes = figure.subplots(2, 2).ravel()
        axes[0].imshow(picture)
        axes[0].set_title("image")
        shown = axes[1].imshow(plain, cmap="magma")
        axes[1].set_title(f"bits a pixel without a stage: {plain.mean():.2f} on the average")
        figure.colorbar(shown, ax=axes[1])
        most = float(np.percentile(np.abs(plain - full), 99))
        for axis, name, bits in ((axes[2], "light", light), (axes[3], "full", full)):
            shown = axis.imshow(plain - bits, cmap="RdBu", vmin=-most, vmax=most)
            axis.set_title(
                f"{name} saves {plain.mean() - bits.mean():.3f} bits a pixel, {1 - bits.sum() / plain.sum():.1%}"
            )
            figure.colorbar(shown, ax=axis)
        for axis in axes:
            axis.set_axis_off()
        figure.savefig(out, dpi=90, metadata={"Software": None})


if __name__ == "__main__":
    main()
