"""Training in bfloat16: only products are rounded, and a run learns as well as in float32."""

from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

from pixzip.cli import main
from pixzip.cli.train import train
from pixzip.train import execution
from pixzip.train.execution import PRECISIONS, Execution, Objective, Precision
from pixzip.train.loop import run
from pixzip.train.wavefront import WavefrontTask
from tests.helpers.training import DATA, IMAGES, wavefront_config, write_data


def test_a_run_in_bfloat16_learns_what_one_in_float32_learns(tmp_path: Path) -> None:
    write_data(tmp_path)
    loss = {}
    precisions: list[Precision] = ["float32", "bfloat16"]
    for precision in precisions:
        task = WavefrontTask([tmp_path / DATA], wavefront_config())
        losses: list[float] = []
        run(
            task,
            tmp_path / precision,
            lambda status, losses=losses: losses.append(status.bits_per_dim),  # type: ignore[misc]
            Execution(precision=precision),
        )
        assert {p.dtype for p in task.model.parameters()} == {torch.float32}
        loss[precision] = losses[-1]
    assert loss["bfloat16"] == pytest.approx(loss["float32"], rel=5e-3)
    assert loss["bfloat16"] != loss["float32"]


@pytest.mark.parametrize("native", [True, False])
def test_auto_is_bfloat16_where_hardware_and_model_take_it(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "multiplies_bfloat16", lambda device: native)
    model = torch.nn.Linear(2, 2)

    def product_type(precision: Precision, takes_bfloat16: bool) -> torch.dtype:
        def bits(images: torch.Tensor) -> torch.Tensor:
            found.append(model(images).dtype)
            return images.sum()

        found: list[torch.dtype] = []
        objective = Execution(precision=precision).prepare(model, bits, takes_bfloat16=takes_bfloat16)
        assert isinstance(objective, Objective)
        objective(torch.ones(1, 2))
        assert found == [objective.product_type]
        return found[0]

    assert product_type("auto", True) == (torch.bfloat16 if native else torch.float32)
    assert product_type("auto", False) == product_type("float32", True) == torch.float32
    assert product_type("bfloat16", True) == torch.bfloat16


def test_a_family_model_refuses_bfloat16(tmp_path: Path) -> None:
    write_data(tmp_path)
    args = ["train", "--data", str(tmp_path / IMAGES), "--config", "pixelcnn-mnist-small", "-o", str(tmp_path / "run")]
    result = CliRunner().invoke(main, [*args, "--precision", "bfloat16"])
    assert result.exit_code == 2
    assert result.stderr == "pixzip: precision is bfloat16, a model of this kind trains in float32\n"


def test_the_command_line_takes_every_precision() -> None:
    (option,) = (p for p in train.params if p.name == "precision")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == PRECISIONS
