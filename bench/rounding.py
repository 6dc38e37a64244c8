"""What rounding a trained network to integers costs: of its activations, its weights, and parts of them.

    python -m bench.rounding runs/large/checkpoint.safetensors \\
        --data photos-train-0.tar --data photos-train-1.tar --data graphics.tar --page docs/experiments.md

The checkpoint is that of a run whose weights are still floats; what is measured are its averaged weights on the
images that it holds out.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from bench.common import RESULTS, origin, provenance, rewrite, set_threads, table, write
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.models.wavefront.raster import fake_quantise_weight, round_through, weight_exponents
from pixzip.train.checkpoint import check_meta, read
from pixzip.train.wavefront import TrainConfig, WavefrontTask, bits_of

START, END = "<!-- rounding:start -->", "<!-- rounding:end -->"
FLOATS = "floats, as trained"
#: A weight matrix, and the extra fractional bits of its inputs -> the matrix to compute with.
Rounding = Callable[[Tensor, int], Tensor]


class PartlyRounded(WavefrontPixelCNN):
    """A network with rounded activations whose matrices are rounded each as `rounding` says."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.quantise = True
        self.chosen: tuple[str, ...] = ()
        self.rounding: Rounding = fake_quantise_weight
        trunk = {f"trunk.{i}": name for i, (name, _) in enumerate(config.layers)}
        self._names = {id(p): trunk.get(name, name) for name, p in self.named_parameters()}

    def weight(self, w: Tensor, finer: int = 0) -> Tensor:
        return self.rounding(w, finer) if self._names[id(w)].startswith(self.chosen) else w


def one_bit_more(w: Tensor, finer: int) -> Tensor:
    """Weights of nine bits."""
    return round_through(w, torch.exp2(weight_exponents(w, finer) + 1))


def largest_to_127(w: Tensor, finer: int) -> Tensor:
    """Int8 weights times a float a column, instead of a power of two."""
    return round_through(w, 127 / w.abs().amax(0).clamp(min=1e-9))


def measure(task: WavefrontTask, state: dict[str, Tensor]) -> dict[str, float]:
    """What is rounded -> bits per sub-pixel of the held-out images."""
    network = PartlyRounded(task.config.model)
    network.load_state_dict(state)
    names = [name for name, _ in task.config.model.layers]
    groups = {
        "`input`": ("input",),
        "`block.0`": ("block.0",),
        "the other blocks": tuple(n for n in names if n.startswith("block.") and n != "block.0"),
        "the 1x1 layers": ("mix.",),
        "the heads": ("hidden", "known", "out"),
    }

    def bits(model: WavefrontPixelCNN) -> float:
        return bits_of(model, task.held_out, task.config.order, task.device)

    found = {"floats": bits(network)}
    for label, chosen in groups.items():
        network.chosen = chosen
        found[f"{label} to nearest"] = bits(network)
    network.chosen = ("",)
    found["all to nearest"] = bits(network)
    for label, rounding in {"nine bits": one_bit_more, "a float as scale": largest_to_127}.items():
        network.rounding = rounding
        found[f"all to nearest, {label}"] = bits(network)
    task.averaged.load_state_dict(state)
    task.averaged.quantise = False
    floats = bits(task.averaged)
    task.round()
    task.averaged.quantise = True
    return {FLOATS: floats, **found, "**all by GPTQ**": bits(task.averaged)}


def page(result: dict[str, Any]) -> str:
    """The table in Markdown."""
    bits = result["bits"]
    rows = [
        [label, "floats" if label == FLOATS else "rounded", f"{b:.4f}", f"{b / bits[FLOATS] - 1:+.2%}"]
        for label, b in bits.items()
    ]
    return table(["weights", "activations", "held-out", "by floats"], rows) + "\n\n" + origin(result)


@click.command()
@click.argument("checkpoint", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--data", multiple=True, type=click.Path(exists=True, path_type=Path), help="That of the run.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "rounding.json", show_default=True)
@click.option("--page", "to", type=click.Path(path_type=Path), help="Markdown whose table is rewritten.")
def main(checkpoint: Path | None, data: tuple[Path, ...], out: Path, to: Path | None) -> None:
    """Measure the averaged weights of CHECKPOINT; without one, rewrite the page from the JSON."""
    if checkpoint:
        meta, tensors = read(checkpoint)
        check_meta(checkpoint, meta)
        if meta.get("quantise"):
            raise click.UsageError(f"the weights of {checkpoint} are rounded already")
        state = {name[4:]: tensor for name, tensor in tensors.items() if name.startswith("ema.")}
        given = {**meta["config"], "order": tuple(meta["config"]["order"]), "model": Config(**meta["config"]["model"])}
        set_threads(1)
        task = WavefrontTask(data, TrainConfig(**given))
        result = {**provenance(data, [], 1), "step": meta["step"], "bits": measure(task, state)}
        write(out, result)
    if to:
        rewrite(to, START, END, page(json.loads(out.read_text("utf-8"))))


if __name__ == "__main__":
    main()
