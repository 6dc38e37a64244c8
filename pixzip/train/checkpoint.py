"""Checkpoints: one safetensors file, replaced atomically, so that a killed run can always be resumed."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from pixcodecs.errors import ModelMismatchError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pixzip.models.sizes import said


def save(
    path: Path, model: nn.Module, ema: dict[str, Tensor], optimisers: list[torch.optim.Optimizer], meta: Any
) -> None:
    """Write model, averaged weights, optimiser state and `meta` (any JSON value)."""
    tensors = {k: v.detach().cpu().clone().contiguous() for k, v in _tensors(model, ema, optimisers).items()}
    temporary = path.with_suffix(".partial")
    save_file(tensors, temporary, {"meta": json.dumps(meta)})
    with temporary.open("rb+") as f:
        os.fsync(f.fileno())
    temporary.replace(path)


def _tensors(model: nn.Module, ema: dict[str, Tensor], optimisers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Everything that a checkpoint holds, by name."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in ema.items()}
    for i, optimiser in enumerate(optimisers):
        for key, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{key}.{name}": torch.as_tensor(v) for name, v in state.items()}
    return tensors


def read(path: Path) -> tuple[Any, dict[str, Tensor]]:
    """The metadata of a checkpoint, and its tensors by name; those of averaged weights begin with "ema.".

    Raises:
        ModelMismatchError: the file is damaged.
    """
    try:
        with safe_open(path, "pt") as f:
            return json.loads((f.metadata() or {}).get("meta", "")), {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, RecursionError) as e:
        detail = " ".join(str(e).split())[:200]
        raise ModelMismatchError(f"{path} is not a checkpoint: {detail}; without it the run starts anew") from None


def restore(path: Path, model: nn.Module, ema: dict[str, Tensor], optimisers: list[torch.optim.Optimizer]) -> Any:
    """The inverse of `save`, in place; return `meta`.

    Raises:
        ModelMismatchError: the file is damaged, or that of another run; what was to be restored is then undefined.
    """
    meta, tensors = read(path)
    _check(path, tensors, model, ema, optimisers)
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    for name in ema:
        ema[name].copy_(tensors[f"ema.{name}"])
    for i, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(f"optimiser.{i}."):
                index, name = key.split(".")[2:]
                state.setdefault(int(index), {})[name] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return meta


def _check(
    path: Path, tensors: dict[str, Tensor], model: nn.Module, ema: dict[str, Tensor],
    optimisers: list[torch.optim.Optimizer],
) -> None:  # fmt: skip
    """Compare the tensors of a file with those that `save` would write.

    Raises:
        ModelMismatchError: a name, shape or dtype differs.
    """
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    for optimiser in optimisers:
        optimiser.step()  # makes its state; the parameters are overwritten afterwards
        optimiser.zero_grad(set_to_none=True)
    expected = _tensors(model, ema, optimisers)
    owner = {name: name.rpartition(".")[0] for name in expected if name.startswith("optimiser.")}
    idle = set(owner.values()) - {name.rpartition(".")[0] for name in tensors}  # of parameters without a gradient
    missing = {name for name in expected if owner.get(name) not in idle} - tensors.keys()
    if wrong := sorted(missing | (tensors.keys() - expected.keys())):
        raise ModelMismatchError(f"{path} is that of another run: {said(wrong[0])} is missing or unknown")
    for name, tensor in tensors.items():
        if (tensor.shape, tensor.dtype) != (expected[name].shape, expected[name].dtype):
            found = f"{tensor.dtype} {list(tensor.shape)}, expected {expected[name].dtype} {list(expected[name].shape)}"
            raise ModelMismatchError(f"{path} is that of another run: {name} is {found}")


def check_meta(path: Path, meta: Any) -> None:
    """
    Raises:
        ModelMismatchError: the metadata of a checkpoint is not what `run` writes.
    """
    kinds = {"config": dict, "step": int, "best": float, "log": list, "quantise": bool}
    # "quantise" is younger than the others
    good = isinstance(meta, dict) and all(type({"quantise": False, **meta}.get(n)) is kind for n, kind in kinds.items())
    if good:
        times = [entry.get("elapsed_s") if isinstance(entry, dict) else None for entry in meta["log"]]
        good = 0 <= meta["step"] < 1 << 48 and all(type(seconds) in (int, float) for seconds in times)
    if not good:
        raise ModelMismatchError(f"{path} has damaged metadata; without this file the run starts anew")
