"""Checkpoints: one safetensors file, replaced atomically, so that a killed run can always be resumed."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def save(
    path: Path, model: nn.Module, ema: dict[str, Tensor], optimisers: list[torch.optim.Optimizer], meta: Any
) -> None:
    """Write model, averaged weights, optimiser state and `meta` (any JSON value)."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in ema.items()}
    for i, optimiser in enumerate(optimisers):
        for key, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{key}.{name}": torch.as_tensor(v) for name, v in state.items()}
    tensors = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
    temporary = path.with_suffix(".partial")
    save_file(tensors, temporary, {"meta": json.dumps(meta)})
    with temporary.open("rb+") as f:
        os.fsync(f.fileno())
    temporary.replace(path)


def restore(path: Path, model: nn.Module, ema: dict[str, Tensor], optimisers: list[torch.optim.Optimizer]) -> Any:
    """The inverse of `save`, in place; return `meta`."""
    with safe_open(path, "pt") as f:
        meta = json.loads(f.metadata()["meta"])
        tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
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
