"""`pixzip train`."""

from pathlib import Path
from typing import Literal

import click

from pixzip.cli.options import ThreadCount, complete_models


@click.command()
@click.option(
    "--data", "data", multiple=True, required=True, metavar="PATH", type=click.Path(exists=True, path_type=Path),
    help="Tar, folder or image, or a data set (CIFAR-10, MNIST, ImageNet); can be given more than once.",
)  # fmt: skip
@click.option("--config", "name", required=True, metavar="NAME", help="base, fast... or row-lstm-cifar10-small...")
@click.option("-o", "--output", "out", required=True, metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--init", "init", metavar="NAME|PATH", shell_complete=complete_models,
    help="Model to start from: one of the config's sizes.",
)  # fmt: skip
@click.option("--set", "sizes", multiple=True, metavar="KEY=VALUE", help="Change a field of the config or its model.")
@click.option("--megapixels", type=click.FloatRange(min=0, min_open=True), help="Megapixels to see.")
@click.option("--batch", type=click.IntRange(min=1), help="Crops or images a step, of all processes together.")
@click.option("--seed", type=click.IntRange(min=0), help="Of weights and batches.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--threads", type=ThreadCount(), help="CPU threads (default: PyTorch's choice).")
@click.option(
    "--compile/--no-compile", "compiled", default=None,
    help="Fuse operations by torch.compile, which takes a C++ compiler and minutes (default: on a GPU).",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True,
    help="Of products, for wavefront models: auto is bfloat16 where the hardware multiplies it.",
)  # fmt: skip
@click.option(
    "--peak-tflops", type=click.FloatRange(min=0, min_open=True),
    help="Dense bf16 TFLOP/s of the device, for its utilisation (default: known GPUs').",
)  # fmt: skip
def train(
    data: tuple[Path, ...],
    name: str,
    out: Path,
    init: str | None,
    sizes: tuple[str, ...],
    megapixels: float | None,
    batch: int | None,
    seed: int | None,
    device: str,
    threads: int | None,
    compiled: bool | None,
    precision: Literal["auto", "float32", "bfloat16"],
    peak_tflops: float | None,
) -> None:
    """Train a model, or go on training it, and export it to DIR/model.safetensors.

    On N GPUs: torchrun --nproc-per-node N -m pixzip train ...
    """
    from pixzip.cli.work import train as work

    changes = {"megapixels": megapixels, "batch": batch, "seed": seed}
    machine = work.Machine(device, threads, compiled, precision, peak_tflops)
    work.train(data, name, out, init=init, sizes=sizes, changes=changes, machine=machine)
