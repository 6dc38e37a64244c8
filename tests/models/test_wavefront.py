"""The training view sees only the past, and its bits match those of the integer view."""

import numpy as np
import pytest
import torch
from torch import Tensor

from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.models.wavefront import network
from pixzip.models.wavefront.export import export
from pixzip.models.wavefront.planes import med, shifted, validity
from pixzip.models.wavefront.taps import MASK_A, MASK_B
from tests.helpers.support import ORDERS, encoding, scene, tiny_model

HEIGHT, WIDTH = 7, 12
PIXELS = [(0, 0), (0, 5), (3, 0), (3, 6), (3, 11), (6, 4), (6, 11)]


def gradients(channels: int, quantise: bool, y: int, x: int, channel: int, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """(C, H, W) |d parameters of one sub-pixel's mixture / d planes|.

    The code length itself depends on the coded value, but the model's prediction must not.  So the gradient is
    that of the mixture's parameters.
    """

    def parameters(values: Tensor, logits: Tensor, means: Tensor, log2_scales: Tensor) -> Tensor:
        k = torch.arange(1, logits.shape[1] + 1)
        return (k * logits + (k + 0.5) * means + k * k * log2_scales).sum(1)

    monkeypatch.setattr(network, "nll_bits", parameters)
    model = tiny_model(channels, seed=1)
    model.quantise = quantise
    with torch.no_grad():  # keep every activation inside its clamp, where gradients flow
        model.input_bias.fill_(1.5)
        model.input.mul_(0.3)
        model.hidden_bias.fill_(1.5)
    g = torch.Generator().manual_seed(2)
    planes = (96 + 64 * torch.rand(1, channels, HEIGHT, WIDTH, generator=g)).requires_grad_()
    model(planes)[0, channel, y, x].backward()
    assert planes.grad is not None
    return planes.grad[0].abs()


@pytest.mark.parametrize("quantise", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_output_ignores_the_future(channels: int, quantise: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = torch.arange(HEIGHT)[:, None], torch.arange(WIDTH)[None, :]
    for y, x in PIXELS:
        earlier_step = columns + 2 * rows < x + 2 * y
        for channel in range(channels):
            grad = gradients(channels, quantise, y, x, channel, monkeypatch)
            allowed = earlier_step.repeat(channels, 1, 1)
            allowed[:channel, y, x] = True
            assert (grad[~allowed] == 0).all(), (y, x, channel)


@pytest.mark.parametrize("quantise", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_output_sees_every_tap_earlier_channels_and_beyond(
    channels: int, quantise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = 5, 6
    for channel in range(channels):
        grad = gradients(channels, quantise, y, x, channel, monkeypatch)
        for dy, dx in MASK_A:
            assert (grad[:, y + dy, x + dx] > 0).all(), (channel, dy, dx)
        assert (grad[:channel, y, x] > 0).all()
        assert grad[:, y - 4, x + 5].max() > 0  # two blocks reach this far beyond mask A
        assert grad[:, 0].max() > 0


def test_taps_lie_in_earlier_steps() -> None:
    assert len(set(MASK_A)) == len(MASK_A)
    assert all(dx + 2 * dy < 0 for dy, dx in MASK_A)
    assert MASK_B[0] == (0, 0)
    assert all(dx + 2 * dy < 0 for dy, dx in MASK_B[1:])


def test_med_is_the_published_predictor_with_zeros_outside() -> None:
    rng = np.random.default_rng(3)
    planes = rng.integers(0, 256, (1, 2, 6, 7))
    got = med(torch.from_numpy(planes)).numpy()
    padded = np.pad(planes, ((0, 0), (0, 0), (1, 0), (1, 0)))
    for c, y, x in np.ndindex(2, 6, 7):
        a, b, corner = padded[0, c, y + 1, x], padded[0, c, y, x + 1], padded[0, c, y, x]
        published = min(a, b) if corner >= max(a, b) else max(a, b) if corner <= min(a, b) else a + b - corner
        assert got[0, c, y, x] == published


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 1), (4, 9)])
def test_shifted_and_validity_agree_with_indexing(size: tuple[int, int]) -> None:
    h, w = size
    planes = torch.arange(1, h * w + 1, dtype=torch.float32).view(h, w)
    for tap, inside in zip((*MASK_A, *MASK_B), validity(h, w, (*MASK_A, *MASK_B)), strict=True):
        moved = shifted(planes, *tap)
        for y, x in np.ndindex(h, w):
            sy, sx = y + tap[0], x + tap[1]
            legal = 0 <= sy < h and 0 <= sx < w
            assert bool(inside[y, x]) == legal
            assert moved[y, x] == (planes[sy, sx] if legal else 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_training_view_and_integer_view_agree_within_half_a_percent(channels: int) -> None:
    model = tiny_model(channels, seed=4)
    samples = scene(channels, 40, 52, 4)
    batch = torch.from_numpy(samples.transpose(2, 0, 1)[None].astype(np.float32))  # NCHW
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    before = after = 0.0
    model.quantise = True
    for i in range(60):  # bits of an untrained model would agree too easily
        loss = model(batch).mean()
        before, after = before or loss.item(), loss.item()
        optimiser.zero_grad()
        if i < 59:
            loss.backward()
            optimiser.step()
    assert after < 0.8 * before
    (exact,) = TensorEngine(export(model, ORDERS[channels]), backend="float32").nll_bits(encoding([samples]))
    assert exact / samples.size == pytest.approx(after, rel=0.005)


def test_code_lengths_in_training_are_those_of_a_distribution() -> None:
    g = torch.Generator().manual_seed(5)
    values = torch.arange(256.0).view(1, 16, 16)
    for spread in (-1.0, 2.0, 5.0):
        logits, means = torch.randn(2, 3, generator=g).unbind(0)
        args = [p.view(1, 3, 1, 1).expand(1, 3, 16, 16) for p in (logits, 120 + 90 * means, torch.full((3,), spread))]
        bits = network.nll_bits(values, *args)
        assert float(torch.exp2(-bits.double()).sum()) == pytest.approx(1, abs=2e-4)
