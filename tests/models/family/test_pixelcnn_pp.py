"""PixelCNN++: pixel by pixel equals all at once, no dependence on the future, no blind spot, exact in fixed point."""

import pytest
import torch
from torch import Tensor

from pixzip.models.family.density import Density
from pixzip.models.family.pixelcnn_pp import PixelCNNpp, PixelCNNppConfig, concat_elu
from pixzip.models.family.weights import fixed

#: Odd and even sides, and sides that vanish at a coarse resolution.
SIZES = [(7, 6), (4, 8), (3, 9), (1, 1), (1, 7), (9, 1)]


def small(seed: int = 0, **sizes: object) -> PixelCNNpp:
    """An untrained model whose gates and last layer have an effect."""
    torch.manual_seed(seed)
    sizes = {"hidden": 5, "blocks": 1, "n_mix": 2} | sizes
    if sizes.get("levels") == 2:
        sizes["head"] = "softmax"
    model = PixelCNNpp(PixelCNNppConfig(**sizes)).double().eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return model


def images(model: Density, h: int, w: int, n: int = 2) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(0, model.config.levels, (n, model.config.channels, h, w)).double()


def pixel_by_pixel(model: Density, x: Tensor) -> Tensor:
    """(N, H, W, C, P) parameters, each computed before its pixel is stored."""
    n, c, h, w = x.shape
    front, found = model.front(n, h, w), []
    for _ in range(front.steps):
        front.advance()
        params: Tensor | None = None
        for channel in range(c):
            params = model.step(front, channel, params)
            model.store(front, channel, x[:, channel, front.ys[0], front.xs[0]])
        assert params is not None
        found.append(params)
    return torch.stack(found, 1).unflatten(1, (h, w))


@pytest.mark.parametrize(
    ("channels", "levels", "scales", "short_cuts"),
    [
        (3, 256, 3, True),
        (3, 256, 2, False),
        (3, 256, 1, True),
        (1, 2, 3, False),
        (1, 2, 1, False),
        (1, 256, 2, True),
        (3, 2, 2, True),
    ],
)
def test_a_pixel_at_a_time_is_as_all_at_once(channels: int, levels: int, scales: int, short_cuts: bool) -> None:
    model = small(channels=channels, levels=levels, scales=scales, short_cuts=short_cuts)
    for h, w in SIZES:
        x = images(model, h, w)
        with torch.no_grad():
            expected = model(x)
        torch.testing.assert_close(pixel_by_pixel(model, x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("scales", "blocks", "reach"), [(1, 1, 3), (2, 1, 5), (3, 1, 6)])
def test_a_pixel_sees_all_earlier_ones_near_it_and_no_other(scales: int, blocks: int, reach: int) -> None:
    model, h, w = small(scales=scales, blocks=blocks), 7, 6
    x = images(model, h, w, 1).requires_grad_()
    out = model(x)[0]
    for y in range(h):
        for column in range(w):
            mixed = (out[y, column] * torch.randn_like(out[y, column])).sum()
            (grad,) = torch.autograd.grad(mixed, x, retain_graph=True)
            seen = (grad[0] != 0).flatten(1)  # C, H W
            now = y * w + column
            assert not seen[:, now:].any()
            near = torch.zeros(h, w, dtype=torch.bool)
            near[max(0, y - reach) : y + 1, max(0, column - reach) : column + reach + 1] = True
            assert seen[:, :now][:, near.flatten()[:now]].all()


def test_dropout_is_for_training_alone() -> None:
    model = small(dropout=0.3)
    x = images(model, 6, 6)
    with torch.no_grad():
        assert torch.equal(model(x), model(x))
        model.train()
        assert not torch.equal(model(x), model(x))


def test_concatenated_elu_is_both_halves() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    arithmetic = PixelCNNpp.arithmetic
    expected = torch.nn.functional.elu(torch.cat([x, -x], -1))
    torch.testing.assert_close(concat_elu(x, arithmetic), expected, rtol=0, atol=1e-15)
    assert torch.autograd.gradcheck(lambda x: concat_elu(x, arithmetic), x)


@pytest.mark.parametrize("sizes", [{}, {"scales": 1}, {"short_cuts": False, "head": "softmax"}, {"channels": 1}])
def test_fixed_point_is_exact_and_close(sizes: dict[str, object]) -> None:
    model = small(**sizes)
    exact, _ = fixed(model).network()
    for h, w in [(5, 6), (3, 1)]:
        x = images(model, h, w)
        with torch.no_grad():
            params = exact(x)
            assert torch.equal(pixel_by_pixel(exact, x), params)
            assert torch.equal(exact(x[1:]), params[1:])
            torch.testing.assert_close(params, model(x), rtol=0, atol=0.02)


def test_sizes_that_no_model_has_are_refused() -> None:
    for sizes in ({"blocks": 0}, {"blocks": 65}, {"scales": 0}, {"scales": 7}, {"dropout": 1.0}, {"dropout": -0.1}):
        with pytest.raises(ValueError, match=r"is .*, expected"):
            PixelCNNppConfig(**sizes).check()  # type: ignore[arg-type]
    PixelCNNppConfig().check()
