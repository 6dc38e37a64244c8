"""Networks of several shapes after training alike: their bits, their arithmetic and the time they take to decode.

    python bench/shapes.py photos-valid.tar --out bench/results/shapes.json --page docs/experiments.md

Bits are read from the logs of the runs.  Times are of networks of these shapes that compute what `base` does, enlarged.
All decode the same photograph, in turn, and the median time of each counts.  Without DATA, the page is rewritten from
the JSON.
"""

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from common import RESULTS, load, origin, provenance, rewrite, set_threads, table, timed, write

from pixzip.api import Codec
from pixzip.engine.backends.torch.engine import with_known_answer
from pixzip.models import library
from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.export import export, training_view
from pixzip.models.wavefront.growth import grown, grows
from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.models.wavefront.taps import MASK_A
from pixzip.models.wavefront.weights import IntegerWeights
from pixzip.train.wavefront import CONFIGS

START, END = "<!-- shapes:start -->", "<!-- shapes:end -->"
LOGS = Path(__file__).parent.parent / "docs" / "training"
BASE = CONFIGS["base"]
#: Log -> what was changed, and the sizes that differ from those of `base`; None where the format has no such network.
RUNS: dict[str, tuple[str, dict[str, int] | None]] = {
    "plain": ("5 1 x 6, 64 channels, heads of 32, 4 logistics, 4 crops a step (`base`)", {}),
    "heads64": ("heads of 64 (`--set head_width=64`)", {"head_width": 64}),
    "mix8": ("8 logistics (`--set n_mix=8`)", {"n_mix": 8}),
    "batch16": ("16 crops a step, a quarter of the steps (`--batch 16`)", {}),
    "w96b8": ("5 1 x 8, 96 channels, heads of 64", {"width": 96, "blocks": 8, "head_width": 64}),
    "logs": ("the differences under the taps a second time, as sign(d) log2(1 + abs(d)) / 4 in steps of 1/32", None),
}


def more_logistics(smaller: WavefrontPixelCNN, config: Config) -> WavefrontPixelCNN:
    """A network of the output of `smaller` whose mixtures have each of their logistics several times."""
    new, k = WavefrontPixelCNN(config), smaller.config.n_mix
    state = smaller.state_dict()
    for name, parameter in state.items():
        if name.startswith("out"):
            *mixture, factors = parameter.split([k, k, k, parameter.shape[-1] - 3 * k], -1)
            state[name] = torch.cat([*(torch.cat([x] * (config.n_mix // k), -1) for x in mixture), factors], -1)
    new.load_state_dict(state)
    return new


def network(sizes: dict[str, int]) -> IntegerWeights:
    """A network of these sizes with the output of `base`."""
    base, config = load_wavefront(library.path_of("base")), dataclasses.replace(BASE.model, **sizes)
    torch.manual_seed(0)
    enlarge = grown if grows(base.config, config) else more_logistics
    return with_known_answer(export(enlarge(training_view(base), config), base.order))


def measure(data: Path, repeats: int) -> tuple[str, dict[str, Any]]:
    """The name of the first image, and the shapes with their seconds.

    Raises:
        SystemExit: a pixel differs after decoding.
    """
    (name, picture), *_ = load(data, 1)
    decoders: dict[str, Callable[[], Any]] = {}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for run, (_, sizes) in RUNS.items():
            if sizes is None:
                continue
            weights, path = network(sizes), Path(folder) / f"{run}.safetensors"
            path.write_bytes(weights.to_bytes())
            codec = Codec(path, device="cpu", effort=1)
            file = codec.encode(picture)
            if not np.array_equal(codec.decode(file), picture):
                raise SystemExit(f"{run} does not give the image back")
            decoders[run] = lambda codec=codec, file=file: codec.decode(file)  # type: ignore[misc]
            found[run] = {"multiply_adds": weights.multiply_adds, "all_decode_s": []}
        for _ in range(repeats):
            for run, decode in decoders.items():
                found[run]["all_decode_s"].append(timed(decode)[1])
    return name, found


def page(result: dict[str, Any]) -> str:
    """The table in Markdown."""
    shapes = result["shapes"]
    twice = len(MASK_A) * BASE.model.channels * BASE.model.width
    plain, rows = median(shapes["plain"]["all_decode_s"]), []
    for run, (label, _) in RUNS.items():
        last = json.loads((LOGS / f"shape-{run}.jsonl").read_text("utf-8").splitlines()[-1])
        costs = [f"{shapes['plain']['multiply_adds'] + twice:,}", ""]  # only the input of "logs" is larger
        if run in shapes:
            time = median(shapes[run]["all_decode_s"]) / plain
            costs = [f"{shapes[run]['multiply_adds']:,}", f"{time:.2f}"]
        rows.append([label, *costs, f"{last['held_out']:.4f}", f"{last['training']:.4f}"])
    heads = ["run", "multiply-adds a pixel", "time to decode, of that of `base`", "held-out", "training images"]
    return table(heads, rows) + "\n\n" + origin(result)


@click.command()
@click.argument("data", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--repeats", default=12, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "shapes.json", show_default=True)
@click.option("--page", "to", type=click.Path(path_type=Path), help="Markdown whose table is rewritten.")
def main(data: Path | None, repeats: int, threads: int, out: Path, to: Path | None) -> None:
    """Decode the first image of DATA with networks of every shape."""
    if data:
        set_threads(threads)
        image, shapes = measure(data, repeats)
        write(out, {**provenance([data], ["base"], threads), "image": image, "shapes": shapes})
    if to:
        rewrite(to, START, END, page(json.loads(out.read_text("utf-8"))))


if __name__ == "__main__":
    main()
