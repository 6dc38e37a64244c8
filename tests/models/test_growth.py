"""A grown network computes what the smaller one does, and every added unit learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.growth import GROWING, grown, grows
from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.train.wavefront import CONFIGS, WavefrontTask
from tests.helpers.support import ORDERS, scene, tiny_model, tiny_weights

LARGER = {"width": 12, "blocks": 4, "head_width": 20}


def larger(config: Config, *names: str) -> Config:
    return replace(config, **{name: getattr(config, name) + by for name, by in LARGER.items() if name in names})


def planes(channels: int) -> torch.Tensor:
    pictures = np.stack([scene(channels, 16, 24, seed) for seed in range(2)])
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32))


@pytest.mark.parametrize("names", [(), *((name,) for name in sorted(GROWING)), tuple(GROWING)])
@pytest.mark.parametrize("quantise", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_computes_the_same(channels: int, quantise: bool, names: tuple[str, ...]) -> None:
    small = tiny_model(channels, seed=1, spread=0.3)
    small.quantise = quantise
    new = grown(small, larger(small.config, *names))
    assert new.config == larger(small.config, *names)
    assert new.quantise == quantise
    torch.testing.assert_close(new(planes(channels)), small(planes(channels)), rtol=1e-4, atol=1e-4)
    if not names:
        for a, b in zip(new.parameters(), small.parameters(), strict=True):
            assert torch.equal(a, b)


def test_what_is_added_learns() -> None:
    torch.manual_seed(0)
    small = tiny_model(3, seed=1, spread=0.3)
    new = grown(small, larger(small.config, *GROWING))
    optimiser = torch.optim.SGD(new.parameters(), lr=1e-3)
    before = [p.detach().clone() for p in new.parameters()]
    for _ in range(3):  # a weight behind a zero learns when that has learned
        optimiser.zero_grad()
        new(planes(3)).mean().backward()
        optimiser.step()
    for (name, p), old in zip(new.named_parameters(), before, strict=True):
        assert (p != old).float().mean() > 0.5, name


@pytest.mark.parametrize(
    "change", [{"width": 4}, {"blocks": 1}, {"head_width": 4}, {"n_mix": 4}, {"mixing": 1}, {"finer": 1}]
)
def test_nothing_else_grows(change: dict[str, int]) -> None:
    small = tiny_model(3).config
    assert grows(small, larger(small, *GROWING))
    other = replace(small, **change)
    assert not grows(small, other)
    with pytest.raises(ValueError, match="cannot grow to"):
        grown(WavefrontPixelCNN(small), other)


def test_a_run_begins_where_its_smaller_start_ended() -> None:
    start = tiny_weights(3, spread=0.3)
    images = [(str(seed), scene(3, 40, 40, seed)) for seed in range(4)]
    sizes = larger(start.config, *GROWING)
    config = replace(CONFIGS["base"], model=sizes, order=ORDERS[3], crop=32, held_out_one_in=2)
    same = WavefrontTask(images, replace(config, model=start.config), start=start)
    task = WavefrontTask(images, config, start=start)
    assert task.model.config == sizes
    for of in (task, same):
        of.averaged.load_state_dict(of.model.state_dict())
        of.averaged.quantise = True
    assert task.measure() == pytest.approx(same.measure(), rel=1e-4)
    with pytest.raises(ValueError, match="has the sizes"):
        WavefrontTask(images, replace(config, order=(0, 1, 2)), start=start)
