"""Training of the PixelRNN family: losses and gradients, and runs that learn and resume after a stop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional as F

from pixzip.engine import family as family_engine
from pixzip.engine.family import FamilyEngine
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.heads import softmax_of_product
from pixzip.models.family.taps import Taps, context, taps_product, window
from pixzip.models.family.weights import FixedWeights, fixed
from pixzip.models.registry import load_family
from pixzip.train.family import FamilyConfig, FamilyTask
from pixzip.train.loop import Status, run
from tests.helpers.family import SIZES, VARIANTS, pair, smooth, values_of
from tests.helpers.support import decoding, encoding

STEPS, BATCH, SIDE = 18, 4, 8
every_model = pytest.mark.parametrize("name", FAMILY)


# Losses.


@pytest.mark.parametrize("rows", [5, 1300])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_fused_softmax_is_cross_entropy(rows: int, channels: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    levels = 7

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()

    x, weight, bias = drawn(rows, 6), drawn(6, channels * levels), drawn(channels * levels)
    values = torch.randint(0, levels, (rows, channels), generator=generator)
    found = softmax_of_product(x, weight, bias, values)
    logits = (x @ weight + bias).view(-1, levels)
    expected = F.cross_entropy(logits, values.flatten(), reduction="sum") / rows
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)
    inputs = (x, weight, bias)
    for a, b in zip(torch.autograd.grad(3 * found, inputs), torch.autograd.grad(3 * expected, inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-15)
    if rows < 10:
        assert torch.autograd.gradcheck(lambda *args: softmax_of_product(*args, values), inputs)


TAPS: dict[str, Taps] = {
    "mask B of 3x3": (*context(3), (0, 0)),
    "mask A of 7x7": context(7),
    "rows above alone": window((-2, -1), (-1, 0, 1)),
    "one far tap": ((-3, -2),),
    "all around": window((-1, 0, 1), (-1, 0, 1)),
    "the row so far": window((0,), (-2, -1, 0)),
    "its own pixel": ((0, 0),),
    "beyond every side": window((-9, 0), (-9, 0)),
}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("taps", TAPS)
def test_a_product_of_taps_is_a_convolution(taps: str, bias: bool) -> None:
    torch.manual_seed(0)
    offsets = TAPS[taps]
    for n, h, w in [(2, 5, 6), (1, 1, 1), (3, 1, 4), (1, 7, 1)] + ([(2, 40, 50)] if taps == "mask A of 7x7" else []):
        x = torch.randn(n, h, w, 3, dtype=torch.float64, requires_grad=True)
        weight = torch.randn(len(offsets), 3, 4, dtype=torch.float64, requires_grad=True)
        b = torch.randn(4, dtype=torch.float64, requires_grad=True) if bias else None
        r = max(abs(d) for offset in offsets for d in offset)
        kernel = torch.zeros(4, 3, 2 * r + 1, 2 * r + 1, dtype=torch.float64)
        places = torch.tensor([(r + dy) * (2 * r + 1) + r + dx for dy, dx in offsets])
        kernel = kernel.flatten(2).index_add(2, places, weight.permute(2, 1, 0)).view_as(kernel)
        expected = F.conv2d(x.permute(0, 3, 1, 2), kernel, b, padding=r).permute(0, 2, 3, 1)
        found = taps_product(x, weight, offsets, b)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        inputs = [x, weight] if b is None else [x, weight, b]
        towards = torch.randn_like(found)
        grads = torch.autograd.grad(found, inputs, towards)
        for a, e in zip(grads, torch.autograd.grad(expected, inputs, towards), strict=True):
            torch.testing.assert_close(a, e, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_of_training_is_the_mean_code_length(variant: str) -> None:
    model = pair(variant)[0]
    x = values_of(model, 3, 5, 6)
    torch.testing.assert_close(model.mean_nats(x), model.nll(x).sum() / x.numel(), rtol=1e-9, atol=1e-9)


# Runs.


class StoppedError(Exception):
    """Simulates a kill within the loop."""


@pytest.fixture(autouse=True)
def _small_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """A known-answer pattern that is fast to decode."""
    monkeypatch.setattr(family_engine, "known_answer_pattern", lambda channels: smooth(channels, 3, 4, 1))


def data(path: Path, channels: int = 1, count: int = 40) -> list[Path]:
    images = np.stack([smooth(channels, SIDE, SIDE, seed) for seed in range(count)])
    np.save(path / "images.npy", images)
    return [path / "images.npy"]


def config_of(name: str, **changes: Any) -> FamilyConfig:
    sizes = SIZES[name] | {"channels": 1, "head": "mixture", "n_mix": 2} | changes.pop("sizes", {})
    return replace(
        FamilyConfig(
            architecture=name,
            model=FAMILY[name].config_class(**sizes),
            megapixels=(STEPS - 0.5) * BATCH * SIDE**2 / 1e6,
            batch=BATCH,
            optimiser="adam",
            learning_rate=1e-2,
            warmup_steps=4,
            ema=0.8,
            eval_images=4,
            evals=2,
            checkpoint_s=1e9,  # at evaluations only
        ),
        **changes,
    )


def trained(
    path: Path, config: FamilyConfig, out: str, report: Callable[[Status], None] = lambda status: None
) -> FixedWeights:
    return run(FamilyTask(data(path, config.model.channels), config), path / out, report)


@every_model
def test_a_short_run_learns_and_its_export_codes_an_image_losslessly(name: str, tmp_path: Path) -> None:
    seen: list[tuple[Status, float]] = []

    def report(status: Status) -> None:
        seen.append((status, status.bits_per_dim))

    weights = trained(tmp_path, config_of(name, sizes={"channels": 3}), "run", report)
    log = seen[-1][0].log
    assert [entry["step"] for entry in log] == [9, 18]
    held_out = [entry["held_out"] for entry in log]
    assert held_out[1] < held_out[0] < seen[0][1]
    assert held_out[1] < seen[0][1] - 0.1
    assert seen[-1][0].best == pytest.approx(min(held_out), abs=1e-4)
    assert load_family(tmp_path / "run/model.safetensors").digest == weights.digest
    engine = FamilyEngine(weights)
    image = smooth(3, 4, 5, 99)
    (back,) = engine.decode(decoding(engine.encode(encoding([image])), [(4, 5)]))
    assert np.array_equal(back, image)


RESUMED: dict[str, tuple[str, dict[str, Any]]] = {
    "rmsprop": ("pixelcnn-1", {"optimiser": "rmsprop", "learning_rate": 1e-3, "schedule": "constant"}),
    "adam": ("gated-pixelcnn-1", {}),
    "two stages": ("multi-scale-1", {}),
    "dropout": ("pixelcnn-pp-1", {"sizes": {"dropout": 0.5, "scales": 1}}),
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_stopped_run_goes_on_to_exactly_the_same_weights(case: str, tmp_path: Path) -> None:
    name, changes = RESUMED[case]
    config = config_of(name, **changes)
    whole = trained(tmp_path, config, "whole")

    def stop(status: Status) -> None:
        if status.step == 13:
            raise StoppedError

    with pytest.raises(StoppedError):
        trained(tmp_path, config, "parts", stop)
    steps: list[int] = []
    parts = trained(tmp_path, config, "parts", lambda status: steps.append(status.step))
    assert steps == list(range(10, STEPS + 1))  # resumed from its last checkpoint
    assert parts.digest == whole.digest
    with (
        safe_open(tmp_path / "whole/checkpoint.safetensors", "pt") as a,
        safe_open(tmp_path / "parts/checkpoint.safetensors", "pt") as b,
    ):
        names = list(a.keys())
        assert {name.split(".")[0] for name in names} == {"model", "ema", "optimiser"}
        assert names == list(b.keys())
        assert all(torch.equal(a.get_tensor(name), b.get_tensor(name)) for name in names)


def test_another_seed_gives_other_weights_and_the_same_one_the_same(tmp_path: Path) -> None:
    config = config_of("pixelcnn-1", megapixels=3.5 * BATCH * SIDE**2 / 1e6)
    first, again = trained(tmp_path, config, "a"), trained(tmp_path, config, "b")
    assert first.digest == again.digest
    assert trained(tmp_path, replace(config, seed=1), "c").digest != first.digest


def test_what_is_exported_are_averaged_weights(tmp_path: Path) -> None:
    config = config_of("pixelcnn-1", evals=1)
    task = FamilyTask(data(tmp_path), config)
    expected = {name: p.detach().clone() for name, p in task.model.named_parameters()}

    def follow(status: Status) -> None:
        step = status.step - 1
        decay = min(config.ema, step / (step + 50))
        for name, p in task.model.named_parameters():
            expected[name] = expected[name] + (p.detach() - expected[name]) * (1 - decay)

    weights = run(task, tmp_path / "run", follow)
    for name, p in task.averaged.named_parameters():
        torch.testing.assert_close(p.detach(), expected[name], rtol=1e-4, atol=1e-5)
    assert fixed(task.averaged).digest == weights.digest
    assert fixed(task.model).digest != weights.digest


def test_the_averaged_weights_are_measured_without_dropout(tmp_path: Path) -> None:
    task = FamilyTask(data(tmp_path), config_of("pixelcnn-pp-1", sizes={"dropout": 0.5}))
    assert task.measure() == task.measure()
    assert task.loss(np.random.default_rng(0)) != task.loss(np.random.default_rng(0))


def test_held_out_images_are_never_trained_on(tmp_path: Path) -> None:
    task = FamilyTask(data(tmp_path), config_of("pixelcnn-1"))
    held_out = {image.tobytes() for image in task.source.held_out}
    drawn = {image.tobytes() for image in task.source.draw(500, np.random.default_rng(0))}
    assert len(held_out) == 4
    assert len(drawn) == 36
    assert not held_out & drawn


def test_data_that_is_not_for_the_model_is_refused(tmp_path: Path) -> None:
    grey = data(tmp_path)
    with pytest.raises(ValueError, match="1 channels of 256 levels"):
        FamilyTask(grey, config_of("pixelcnn-1", sizes={"channels": 3}))
    with pytest.raises(ValueError, match="2 data sets given"):
        FamilyTask([*grey, *grey], config_of("pixelcnn-1"))
    with pytest.raises(ValueError, match="takes ten"):
        FamilyTask(data(tmp_path, count=9), config_of("pixelcnn-1"))
