"""A checkpoint is restored exactly, or refused: a damaged one, and that of another run, end in one error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pixcodecs.errors import ModelMismatchError
from safetensors.torch import save_file
from torch import Tensor, nn

from pixzip.train import checkpoint
from pixzip.train.checkpoint import check_meta
from pixzip.train.optim import Muon


class Run:
    """A network, its averaged weights and both optimisers, after two steps."""

    def __init__(self, width: int = 3, steps: int = 2) -> None:
        torch.manual_seed(width)
        self.model = nn.Sequential(nn.Linear(4, width), nn.Linear(width, 2))
        self.ema = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        matrices = [p for p in self.model.parameters() if p.ndim == 2]
        others = [p for p in self.model.parameters() if p.ndim == 1]
        self.optimisers = [Muon(matrices, lr=0.1), torch.optim.AdamW(others, lr=0.1)]
        for step in range(steps):
            self.step(step)

    def step(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.model(torch.randn(5, 4, generator=generator)).square().sum().backward()
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad()

    def save(self, path: Path, meta: Any = None) -> dict[str, Tensor]:
        checkpoint.save(path, self.model, self.ema, self.optimisers, meta)
        return {k: v.clone() for k, v in checkpoint._tensors(self.model, self.ema, self.optimisers).items()}

    def restore(self, path: Path) -> Any:
        return checkpoint.restore(path, self.model, self.ema, self.optimisers)


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    run, again = Run(), Run(steps=0)
    run.save(tmp_path / "c", {"step": 2})
    assert again.restore(tmp_path / "c") == {"step": 2}
    run.step(9)
    again.step(9)
    for a, b in zip(run.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


CHANGES: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "a tensor less": lambda t: t.pop("model.0.weight"),
    "an average less": lambda t: t.pop("ema.1.bias"),
    "a part of an optimiser's state less": lambda t: t.pop("optimiser.1.0.exp_avg"),
    "a tensor more": lambda t: t.update({"model.2.weight": torch.zeros(1)}),
    "an optimiser more": lambda t: t.update({"optimiser.2.0.step": torch.zeros(1)}),
    "an odd name": lambda t: t.update({"optimiser.0.x": torch.zeros(1)}),
    "a name of dots": lambda t: t.update({"optimiser.0.0.a.b\x1b": torch.zeros(1)}),
    "another shape": lambda t: t.update({"model.0.weight": torch.zeros(3, 5)}),
    "another shape of a state": lambda t: t.update({"optimiser.0.0.momentum": torch.zeros(1)}),
    "another dtype": lambda t: t.update({"ema.0.weight": torch.zeros(3, 4, dtype=torch.bfloat16)}),
    "nothing": lambda t: t.clear(),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_checkpoint_of_another_run_is_refused(case: str, tmp_path: Path) -> None:
    tensors = {k: v.detach().contiguous() for k, v in Run().save(tmp_path / "c").items()}
    CHANGES[case](tensors)
    save_file(tensors, tmp_path / "c", {"meta": "{}"})
    with pytest.raises(ModelMismatchError, match="is that of another run"):
        Run(steps=0).restore(tmp_path / "c")


def test_every_truncation_and_garbage_are_refused(tmp_path: Path) -> None:
    Run().save(tmp_path / "c", {})
    data = (tmp_path / "c").read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    cuts = [data[:n] for n in (0, 1, 7, 8, 9, header // 2, header, len(data) - 1)]
    for bad in [*cuts, b"no checkpoint", np.arange(999, dtype=np.uint8).tobytes(), (1 << 60).to_bytes(8, "little")]:
        (tmp_path / "c").write_bytes(bad)
        with pytest.raises(ModelMismatchError, match="is not a checkpoint"):
            Run(steps=0).restore(tmp_path / "c")


@pytest.mark.parametrize("meta", [None, {}, {"meta": ""}, {"meta": "["}, {"meta": "[" * 99_999}, {"other": "{}"}])
def test_metadata_that_is_no_json_is_refused(meta: dict[str, str] | None, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "c", meta)
    with pytest.raises(ModelMismatchError, match="is not a checkpoint"):
        Run(steps=0).restore(tmp_path / "c")


GOOD = {"config": {}, "step": 3, "best": float("inf"), "log": [{"elapsed_s": 1.5}]}


@pytest.mark.parametrize(
    "change",
    [{"config": []}, {"step": -1}, {"step": 1.0}, {"step": 1 << 80}, {"step": True}, {"best": "x"}, {"best": None},
     {"log": {}}, {"log": [3]}, {"log": [{}]}, {"log": [{"elapsed_s": "x"}]}],
)  # fmt: skip
def test_metadata_of_another_form_is_refused(change: dict[str, Any]) -> None:
    check_meta(Path("c"), json.loads(json.dumps(GOOD)))
    with pytest.raises(ModelMismatchError, match="damaged metadata"):
        check_meta(Path("c"), GOOD | change)
