"""`pixzip train`."""

from pathlib import Path
from typing import Literal

import click

from pixzip.cli.options import Manner, complete_models, computing_options, device_option, refuse_with
from pixzip.cli.words import complete_configs


@click.command()
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--data", "data", multiple=True, metavar="PATH", type=click.Path(exists=True, path_type=Path),
    help="Tar, folder or image, or a data set (CIFAR-10, MNIST, ImageNet); can be given more than once.",
)  # fmt: skip
@click.option(
    "--config", "name", metavar="NAME", shell_complete=complete_configs,
    help="base, fast... or row-lstm-cifar10-small...",
)  # fmt: skip
@click.option(
    "-o", "--output", "out", required=True, metavar="DIR|MODEL", type=click.Path(path_type=Path),
    help="Folder of the run; with --minutes, the weights file.",
)  # fmt: skip
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True),
    help="Choose config, start and length for about so many minutes, and say what the model saves.",
)  # fmt: skip
@click.option(
    "--init", "init", metavar="NAME|PATH", shell_complete=complete_models,
    help="Model to start from: one of the config's sizes or smaller.",
)  # fmt: skip
@click.option("--set", "sizes", multiple=True, metavar="KEY=VALUE", help="Change a field of the config or its model.")
@click.option("--megapixels", type=click.FloatRange(min=0, min_open=True), help="Megapixels to see.")
@click.option("--batch", type=click.IntRange(min=1), help="Crops or images a step, of all processes together.")
@click.option("--seed", type=click.IntRange(min=0), help="Of weights and batches.")
@device_option
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
@computing_options
def train(
    folders: tuple[Path, ...],
    data: tuple[Path, ...],
    name: str | None,
    out: Path,
    minutes: float | None,
    init: str | None,
    sizes: tuple[str, ...],
    megapixels: float | None,
    batch: int | None,
    seed: int | None,
    device: str,
    compiled: bool | None,
    precision: Literal["auto", "float32", "bfloat16"],
    peak_tflops: float | None,
    manner: Manner,
) -> None:
    """Train a model, or go on training it, and export it to DIR/model.safetensors.

    By itself, for some minutes: pixzip train FOLDER -o mine.safetensors --minutes 10

    On N GPUs: torchrun --nproc-per-node N -m pixzip train ...
    """
    data = folders + data
    if not data:
        raise click.UsageError("there are no images to learn from: give folders, tars or images")
    changes = {"megapixels": megapixels, "batch": batch, "seed": seed}
    if minutes is not None:
        chosen = {"--config": name, "--init": init, "--set": sizes or None}
        given = {**chosen, **{f"--{key}": value for key, value in changes.items()}}
        refuse_with("--minutes", {key: value is not None for key, value in given.items()}, "it chooses by itself")
        if out.is_dir():
            raise click.UsageError(f"-o {out} is a folder, --minutes writes a weights file, such as {out}.safetensors")
    elif name is None:
        raise click.UsageError("--config NAME says what to train, or --minutes N lets it be chosen")
    elif out.exists() and not out.is_dir():
        raise click.UsageError(f"-o {out} is a file, expected the folder of a run")
    from pixzip.cli.work import train as work

    machine = work.Machine(device, manner.threads, compiled, precision, peak_tflops)
    if minutes is None:
        work.train(data, str(name), out, init=init, sizes=sizes, changes=changes, machine=machine, manner=manner)
        return
    from pixzip.cli.work import train_minutes

    train_minutes.train(data, out, minutes, machine, manner)
