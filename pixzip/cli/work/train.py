"""The work of `pixzip train`."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from pixcodecs.errors import PixzipError

from pixzip.cli.options import Manner
from pixzip.cli.say import say
from pixzip.cli.work.threads import set_threads
from pixzip.cli.work.training_display import Display
from pixzip.codec import resolve_device
from pixzip.models import library
from pixzip.models.wavefront.config import ARCHITECTURES
from pixzip.train import family, wavefront
from pixzip.train.execution import Execution, Precision
from pixzip.train.family_configs import CONFIGS
from pixzip.train.loop import run
from pixzip.train.parallel import processes


class Machine(NamedTuple):
    """How a run uses the machine.

    Attributes:
        device: "auto", "cpu" or "cuda".
        threads: number of CPU threads; None for PyTorch's choice.
        compiled: whether to compile; None for the device's default.
        precision: of products.
        peak_tflops: dense bf16 TFLOP/s of the device; None if it is a known GPU, or does not matter.
    """

    device: str
    threads: int | None
    compiled: bool | None
    precision: Precision
    peak_tflops: float | None


def train(
    data: Sequence[Path],
    name: str,
    out: Path,
    *,
    init: str | None,
    sizes: Sequence[str],
    changes: Mapping[str, Any],
    machine: Machine,
    manner: Manner,
) -> None:
    """Train the model of a config and export it.

    Args:
        sizes: changes of the config or its model as KEY=VALUE.
        changes: fields of the config; those that are None stay as they are.
        manner: only `quiet` and `verbose` are used.
    Raises:
        PixzipError: there is no such config or device, the data is unsuitable, or the run failed.
    """
    known: dict[str, Any] = {**wavefront.CONFIGS, **CONFIGS}
    if name not in known:
        families = ", ".join(sorted({n.removesuffix("-small") for n in CONFIGS}))
        names = ", ".join(wavefront.CONFIGS)
        raise PixzipError(f"config is {name!r}, expected one of {names}; or, with -small or without, {families}")
    given = {key: value for key, value in changes.items() if value is not None}
    config = _changed(dataclasses.replace(known[name], **given), sizes)
    where = resolve_device(machine.device)
    set_threads(machine.threads)
    compiled = where == "cuda" if machine.compiled is None else machine.compiled
    try:
        with processes(where) as these, Display(config.megapixels, these.first, manner) as display:
            these.part(config.batch)
            execution = Execution(these, compiled, machine.peak_tflops, machine.precision)
            if isinstance(config, family.FamilyConfig):
                if init:
                    raise PixzipError("a model of the PixelRNN family starts from random weights: leave out --init")
                config.model.check()
                model_id = run(family.FamilyTask(data, config, these.device), out, display, execution).model_id
            else:
                start = library.resolve(init, config.model.channels) if init else None
                if start is not None and start.architecture not in ARCHITECTURES:
                    raise PixzipError(f"--init {init} is {start.architecture}, the config another architecture")
                model = wavefront.train(data, config, out, these.device, display, cast(Any, start), execution)
                model_id = model.model_id
    except (ValueError, FloatingPointError) as e:
        raise PixzipError(str(e)) from e
    except RuntimeError as e:
        if not type(e).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        raise PixzipError(f"torch.compile failed, --no-compile does without it: {str(e).splitlines()[0]}") from e
    if these.first and not manner.quiet:
        say(f"{out / 'model.safetensors'}: model {model_id.hex()}")


def _changed(config: Any, changes: Sequence[str]) -> Any:
    """A config with changed fields of its own or of its model; values keep their types."""
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
