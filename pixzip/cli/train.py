"""`pixzip train`: the training loop's face."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import click
from pixcodecs.errors import PixzipError

from pixzip.cli.options import complete_models
from pixzip.io import streams


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
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads (default: PyTorch's choice).")
@click.option(
    "--compile/--no-compile", "compiled", default=None,
    help="Fuse operations by torch.compile, which takes a C++ compiler and minutes (default: on a GPU).",
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
    peak_tflops: float | None,
) -> None:
    """Train a model, or go on training it, and export it to DIR/model.safetensors.

    On N GPUs: torchrun --nproc-per-node N -m pixzip train ...
    """
    import torch

    from pixzip.codec import resolve_device
    from pixzip.models import library
    from pixzip.models.wavefront.weights import IntegerWeights
    from pixzip.train import family, wavefront
    from pixzip.train.execution import Execution
    from pixzip.train.family_configs import CONFIGS
    from pixzip.train.loop import run
    from pixzip.train.parallel import processes

    known: dict[str, Any] = {**wavefront.CONFIGS, **CONFIGS}
    if name not in known:
        families = ", ".join(sorted({n.removesuffix("-small") for n in CONFIGS}))
        names = ", ".join(wavefront.CONFIGS)
        raise PixzipError(f"config is {name!r}, expected one of {names}; or, with -small or without, {families}")
    given = {"megapixels": megapixels, "batch": batch, "seed": seed}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    config = _changed(dataclasses.replace(known[name], **changes), sizes)
    where = resolve_device(device)
    if threads:
        torch.set_num_threads(threads)
    if compiled is None:
        compiled = where == "cuda"
    try:
        with processes(where) as these, _Display(config.megapixels, these.first) as display:
            these.part(config.batch)
            execution = Execution(these, compiled, peak_tflops)
            if isinstance(config, family.FamilyConfig):
                if init:
                    raise PixzipError("a model of the PixelRNN family starts from random weights: leave out --init")
                config.model.check()
                model_id = run(family.FamilyJob(data, config, these.device), out, display, execution).model_id
            else:
                start = library.resolve(init, config.model.channels) if init else None
                if start is not None and not isinstance(start, IntegerWeights):
                    raise PixzipError(f"--init {init} is {start.architecture}, the config another architecture")
                model_id = wavefront.train(data, config, out, these.device, display, start, execution).model_id
    except (ValueError, FloatingPointError) as e:
        raise PixzipError(str(e)) from e
    except RuntimeError as e:
        if not type(e).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        raise PixzipError(f"torch.compile failed, --no-compile does without it: {str(e).splitlines()[0]}") from e
    if these.first:
        click.echo(f"{out / 'model.safetensors'}: model {model_id.hex()}", err=True)


def _changed(config: Any, changes: tuple[str, ...]) -> Any:
    """A config with fields of it, or of its model, set to other values of the same type."""
    for change in changes:
        key, _, text = change.partition("=")
        target = config if hasattr(config, key) else config.model
        if not hasattr(target, key) or dataclasses.is_dataclass(getattr(target, key)):
            raise PixzipError(f"--set {change}: the config has no {key}")
        kind = type(getattr(target, key))
        try:
            value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError, TypeError):
            raise PixzipError(f"--set {change}: expected a value of type {kind.__name__}") from None
        changed = dataclasses.replace(target, **{key: value})
        config = changed if target is config else dataclasses.replace(config, model=changed)
    return config


class _Display:
    """A bar on a terminal; elsewhere a line for each evaluation; nothing where it is not shown."""

    def __init__(self, megapixels: float, shown: bool) -> None:
        self._total, self._shown = megapixels, shown
        self._evaluations: int | None = None
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "_Display":
        if self._shown and streams.is_terminal():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(), TextColumn("{task.fields[text]}"))
            self._bar = Progress(*columns, console=Console(stderr=True), refresh_per_second=2)
            self._task = self._bar.add_task("", total=self._total, text="reading images")
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, status: Any) -> None:
        """Show a `pixzip.train.loop.Status`."""
        if self._bar is not None:
            left_s = max(0.0, self._total - status.megapixels) / max(status.megapixels_per_s, 1e-9)
            text = (
                f"{status.megapixels:.1f}/{self._total:g} MP  {status.bits_per_dim:.4f} bits/dim"
                f"  lr {status.learning_rate:.1e}  {status.megapixels_per_s:.3f} MP/s  {_duration(left_s)} left"
                + (f"  held out {status.held_out:.4f}" if not math.isnan(status.held_out) else "")
                + (f"  MFU {status.mfu:.1%}" if status.mfu is not None else "")
                + ("  int8" if status.quantise else "")
            )
            self._bar.update(self._task, completed=status.megapixels, text=text)
        elif self._shown and self._evaluations is not None and len(status.log) > self._evaluations:
            click.echo(" ".join(f"{key} {value}" for key, value in status.log[-1].items()), err=True)
        self._evaluations = len(status.log)


def _duration(seconds: float) -> str:
    minutes, s = divmod(int(min(seconds, 359999)), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}"
