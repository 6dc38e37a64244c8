"""Execution of runs: compilation, and utilisation of a device."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from pixzip.cli import main
from pixzip.cli.options import Manner
from pixzip.cli.work.training_display import Display
from pixzip.models import library
from pixzip.models.family.architectures import FAMILY
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.export import export
from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.models.wavefront.weights import EXACT_FLOAT32, stream_bounds
from pixzip.train.execution import Execution, Objective
from pixzip.train.family_configs import CONFIGS as FAMILY_CONFIGS
from pixzip.train.loop import Status
from pixzip.train.parallel import Processes
from pixzip.train.utilisation import family_multiply_adds, model_tflops, published_peak
from pixzip.train.wavefront import CONFIGS, WavefrontTask
from tests.helpers.support import ORDERS, noise
from tests.helpers.training import DATA, wavefront_config, write_data

#: PyTorch's compiler uses functions that PyTorch deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def planes(channels: int, side: int) -> torch.Tensor:
    return torch.from_numpy(noise(channels, side, side, 1)).permute(2, 0, 1).float()[None]


def model_mean(model: WavefrontPixelCNN) -> Objective:
    return Objective(model, lambda x: model(x).mean())


def step(objective: torch.nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """A loss and its gradients."""
    objective.zero_grad()
    loss = objective(images)
    loss.backward()
    return [loss.detach(), *(p.grad.clone() for p in objective.parameters() if p.grad is not None)]


def test_what_is_compiled_has_the_same_loss_and_gradients() -> None:
    torch.manual_seed(0)
    model = WavefrontPixelCNN(Config(1, width=8, blocks=1, head_width=8, n_mix=1))
    model.quantise = True
    plain, traced = model_mean(model), model_mean(model)
    traced.compile(backend="aot_eager")  # traced only: compiling takes a minute
    expected, found = step(plain, planes(1, 12)), step(traced, planes(1, 12))
    assert len(expected) == 1 + len(list(model.parameters()))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="no C++ compiler")
def test_an_execution_compiles_where_it_is_told_to() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)

    def bits(images: torch.Tensor) -> torch.Tensor:
        return model(images).square().mean()

    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    images = torch.randn(4, 3)
    expected = step(Execution().prepare(model, bits), images)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before
    found = step(Execution(compiled=True).prepare(model, bits), images)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before + 1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_a_failing_compiler_is_named_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import BackendCompilerFailed

    def failing(*args: Any) -> Any:
        raise BackendCompilerFailed(lambda: None, RuntimeError("no compiler"), None)

    monkeypatch.setattr(WavefrontTask, "bits", failing)
    write_data(tmp_path)
    args = [
        "train",
        "--data",
        str(tmp_path / DATA),
        "--config",
        "tiny",
        "--set",
        "crop=16",
        "-o",
        str(tmp_path / "run"),
    ]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2, result.output
    assert "torch.compile failed, --no-compile does without it" in result.stderr


def test_flops_are_six_a_multiply_add_and_the_peak_that_of_all_devices() -> None:
    assert model_tflops(160_000, 50.0) == pytest.approx(48.0)
    assert Execution().peak() is None  # there are no published figures for CPUs
    assert Execution(Processes(0, 4), peak_tflops=100.0).peak() == 400.0


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989.5),
        ("NVIDIA H100 80GB HBM3", 989.5),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA A100-SXM4-80GB", 312.0),
        ("NVIDIA A100 80GB PCIe", 312.0),
        ("NVIDIA L4", 121.0),
        ("NVIDIA L40S", 362.0),
        ("NVIDIA L40", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("NVIDIA GeForce RTX 4090", None),
    ],
)
def test_only_known_devices_have_a_peak(name: str, peak: float | None) -> None:
    assert published_peak(name) == peak


def test_multiply_adds_are_those_of_the_exported_model(tmp_path: Path) -> None:
    write_data(tmp_path)
    task = WavefrontTask([tmp_path / DATA], wavefront_config())
    assert task.multiply_adds == export(task.model, ORDERS[3]).multiply_adds
    published = FAMILY_CONFIGS["pixelcnn-cifar10-small"]
    model = FAMILY[published.architecture](published.model)
    assert family_multiply_adds(model, 5, 4) == sum(
        p.numel() for name, p in model.named_parameters() if "weight" in name
    )


def test_utilisation_is_shown_where_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(1.0, True, Manner(verbose=True)) as display:
        display(Status())
        display(Status(log=[{"mfu": 0.25}]))
    with Display(1.0, False, Manner()) as display:
        display(Status())
        display(Status(log=[{"mfu": 0.5}]))
    assert capsys.readouterr().err.endswith("\nmfu 0.25\n")


def test_large_has_some_three_times_the_arithmetic_of_base_and_stays_exact_as_it_learns() -> None:
    torch.manual_seed(0)
    model = WavefrontPixelCNN(CONFIGS["large"].model)
    weights = export(model, ORDERS[3])
    base = library.load(library.WEIGHTS / "base.safetensors").multiply_adds
    assert 2.5 <= weights.multiply_adds / base <= 3
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.quantise = True
    losses = [step(model_mean(model), planes(3, 12))[0].item()]
    for _ in range(4):
        optimiser.step()
        losses.append(step(model_mean(model), planes(3, 12))[0].item())
    assert losses[-1] < losses[0]
    assert max(stream_bounds(export(model, ORDERS[3])).values()) < EXACT_FLOAT32 / 4
