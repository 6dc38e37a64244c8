"""Rounding by GPTQ: weights of the integer model whose outputs stay closest to those of the float network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.models.wavefront.raster import fake_quantise_weight, weight_exponents
from pixzip.train import wavefront
from pixzip.train.loop import Status
from pixzip.train.rounding import gptq, round_weights
from pixzip.train.wavefront import TrainConfig, train
from tests.helpers.support import scene
from tests.train.test_loop import TINY, StoppedError, folder


def matrix(rows: int, columns: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, columns)))


def loss(weight: Tensor, rounded: Tensor, gram: Tensor) -> float:
    """Squared change of the outputs over all inputs."""
    change = rounded - weight
    return float((change.T @ gram @ change).trace())


def test_inputs_that_are_alike_do_not_add_up_their_errors() -> None:
    base = matrix(1000, 3, 0)
    inputs = base @ matrix(3, 40, 1) + 0.1 * matrix(1000, 40, 2)  # 40 inputs that are mixtures of three, nearly
    weight, gram = 0.3 * matrix(40, 7, 3), inputs.T @ inputs
    exponents = weight_exponents(weight) - 2
    rounded = gptq(weight, gram, exponents)
    nearest = torch.floor(weight * torch.exp2(exponents) + 0.5) / torch.exp2(exponents)
    assert loss(weight, rounded, gram) < 0.2 * loss(weight, nearest, gram)
    integers = rounded * torch.exp2(exponents)
    assert torch.equal(integers, integers.round())
    assert integers.abs().max() <= 127


def test_independent_inputs_are_rounded_to_nearest_and_weights_on_the_grid_stay() -> None:
    weight, exponents = matrix(12, 5, 0), torch.full((5,), 4.0)
    nearest = torch.floor(weight * 16 + 0.5).clamp(-127, 127) / 16
    assert torch.equal(gptq(weight, torch.diag(matrix(12, 1, 1)[:, 0] ** 2), exponents), nearest)
    inputs = matrix(100, 12, 2)
    assert torch.equal(gptq(nearest, inputs.T @ inputs, exponents), nearest)


def test_inputs_that_are_always_zero_are_no_obstacle() -> None:
    weight, inputs = matrix(6, 3, 0), matrix(50, 6, 1)
    inputs[:, 2] = 0
    for gram in (inputs.T @ inputs, torch.zeros(6, 6, dtype=torch.float64)):
        rounded = gptq(weight, gram, torch.full((3,), 5.0))
        assert (rounded - weight).abs().max() < 0.5


@pytest.mark.parametrize("channels", [1, 3])
def test_a_rounded_network_predicts_other_images_as_the_float_one_did(channels: int) -> None:
    torch.manual_seed(0)
    config = Config(channels=channels, width=24, blocks=3, head_width=16, n_mix=2, mixing=1, finer=2)
    pictures = np.stack([scene(channels, 32, 32, seed) for seed in range(24)]).transpose(0, 3, 1, 2)
    planes = torch.from_numpy(pictures.astype(np.float32))
    network, nearest, rounded = (WavefrontPixelCNN(config) for _ in range(3))
    for copy in (nearest, rounded):
        copy.load_state_dict(network.state_dict())
    round_weights(rounded, planes[:16])
    with torch.no_grad():
        for (name, p), given, to_nearest in zip(
            rounded.named_parameters(), network.parameters(), nearest.parameters(), strict=True
        ):
            finer = config.finer if name == "trunk.0" else 0
            if p.ndim == 2:
                to_nearest.copy_(fake_quantise_weight(given, finer))
                assert torch.equal(fake_quantise_weight(p, finer), p), name
            assert torch.equal(p, to_nearest) == (p.ndim == 1 or len(p) == 1), (
                name
            )  # one input has nobody to make it good
        wanted = network(planes[16:])
        worse, better = ((n(planes[16:]) - wanted).square().mean() for n in (nearest, rounded))
    assert better < 0.5 * worse


def test_a_run_rounds_once_where_its_weights_become_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounded: list[int] = []
    monkeypatch.setattr(wavefront, "round_weights", lambda network, planes: rounded.append(len(planes)))
    data, steps = folder(tmp_path / "data", 3), list[int]()

    def report(status: Status) -> None:
        steps.append(status.step)
        if status.step == 33 and steps.count(33) == 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        train([data], TINY, tmp_path / "run", report=report)
    train([data], TINY, tmp_path / "run", report=report)
    assert steps.count(33) == 2  # resumed between
    assert len(rounded) == 1


@pytest.mark.parametrize("share", [0.0, 2.0])
def test_a_run_that_is_quantised_from_the_start_or_never_rounds_nothing(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wavefront, "round_weights", lambda *args: pytest.fail("rounded"))
    config = TrainConfig(**{**vars(TINY), "quantise_from": share, "megapixels": TINY.megapixels / 10})
    train([folder(tmp_path / "data", 3)], config, tmp_path / "run")
