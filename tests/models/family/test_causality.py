"""Receptive fields of the PixelRNN family, by gradient: nothing of the future, and the past as in the papers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pixzip.models.family import diagonal_bilstm, pixelcnn, row_lstm
from pixzip.models.family.heads import Head, LogisticMixture, Softmax
from pixzip.models.family.layers import CausalConv, partition
from pixzip.models.family.taps import context, window
from tests.helpers.family import VARIANTS, each_scale, tiny, values_of
from tests.oracles import reach
from tests.oracles.reach import Grid

Map = NDArray[np.bool_]
#: Seeds of models whose receptive fields are united, because a path can be dead by chance.
SEEDS = range(2)
GRID = (5, 9)


def open_up(model: nn.Module) -> None:
    """Make zeros of ReLUs unlikely."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, CausalConv):
                module.weight.mul_(0.5)
                if module.bias is not None:
                    module.bias.abs_().add_(1.0)


def jacobian(function: Callable[[Tensor], Tensor], x: Tensor, outputs: list[int]) -> Map:
    """The parts of an input on which some outputs depend.

    Args:
        function: (M, ...) inputs -> (M, S, P) outputs; the input is repeated M times.
        x: (1, ...) input.
        outputs: indices of M of the S outputs.
    Returns:
        (M, ...) bool: whether each of the outputs has a gradient there.
    """
    copies = x.expand(len(outputs), *x.shape[1:]).clone().requires_grad_()
    chosen = function(copies)[range(len(outputs)), outputs]
    (grad,) = torch.autograd.grad((chosen * torch.randn(chosen.shape).double()).sum(), copies)
    return (grad != 0).numpy()


def seen(
    name: str, changes: dict[str, Any], h: int, w: int, scale: int = 0, pixel: tuple[int, int] | None = None
) -> tuple[Grid, Any, Map]:
    """(M, H W G) dependencies of the sub-pixels that a scale codes: of all, or of those of one pixel."""
    maps = []
    for seed in SEEDS:
        model = tiny(name, seed, **changes)
        open_up(model)
        part_of, part, _ = each_scale(model, values_of(model, 1, h, w, seed))[scale]
        grid = Grid(*part.shape[2:], model.config.channels)
        outputs = list(range(grid.size))
        if pixel:
            first = (pixel[0] * grid.w + pixel[1]) * grid.g
            outputs = outputs[first : first + grid.g]
        grads = jacobian(lambda x, m=part_of.model, g=grid: m(x).reshape(len(x), g.size, -1), part, outputs)
        maps.append(grads.transpose(0, 2, 3, 1).reshape(len(outputs), grid.size))
    return grid, model.config, np.logical_or.reduce(maps)


def scales(name: str) -> list[int]:
    return [0, 1] if name == "multi-scale-1" else [0]


@pytest.mark.parametrize("variant", [v for v in VARIANTS if not v.endswith("head=softmax")])
def test_parameters_depend_on_exactly_the_past_that_the_paper_says(variant: str) -> None:
    name, changes = VARIANTS[variant]
    for scale in scales(name):
        h, w = GRID if scale or len(scales(name)) == 1 else (2 * GRID[0], 2 * GRID[1])
        grid, config, found = seen(name, changes, h, w, scale)
        past = np.tri(grid.size, grid.size, -1, np.bool_)
        if scale:  # the small image is known in advance
            y, x = np.divmod(np.arange(grid.size) // grid.g, grid.w)
            past |= (y % config.stride == 0) & (x % config.stride == 0)
        assert not (found & ~past).any()
        expected = reach.seen_by(grid, name, config, scale)
        if expected is None:  # a whole pixel at once
            own = np.kron(np.eye(grid.h * grid.w, dtype=np.bool_), np.ones((grid.g, grid.g), np.bool_))
            assert not (found & own).any()
            assert not config.short_cuts or not (grid.reads(reach.before(3)) & ~found).any()
        elif config.hidden < grid.g:  # a group without a feature sees nothing
            assert not (found & ~expected).any()
        else:
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ["pixelcnn-1", "row-lstm-1", "diagonal-bilstm-1", "gated-pixelcnn-1"])
def test_green_and_blue_depend_on_the_colours_before_them_in_their_own_pixel(name: str) -> None:
    grid, _, found = seen(name, {"head": "mixture", "n_mix": 2}, 3, 4)
    own = found.reshape(grid.h * grid.w, 3, grid.h * grid.w, 3)
    for pixel in range(grid.h * grid.w):
        assert np.array_equal(own[pixel, :, pixel], np.tri(3, 3, -1, np.bool_))


GREY: dict[str, Any] = {"head": "softmax", "levels": 2, "channels": 1}


def around(name: str, changes: dict[str, Any], h: int, w: int, y: int, x: int) -> set[tuple[int, int]]:
    """The offsets of the pixels that a pixel's first channel sees."""
    grid, _, found = seen(name, changes, h, w, pixel=(y, x))
    rows, columns = np.nonzero(found[0].reshape(h, w, grid.g).any(-1))
    return set(zip((rows - y).tolist(), (columns - x).tolist(), strict=True))


def test_pixelcnn_has_its_blind_spot() -> None:
    pixels = around("pixelcnn-1", GREY, 8, 13, 7, 6)
    # from a 7x7 window two 3x3s go two pixels left in any row, but right only as they go up
    expected = {(dy, dx) for dy in range(-5, 0) for dx in range(-5, 4 + min(2, -dy - 1))}
    expected |= {(0, dx) for dx in range(-5, 0)}
    assert pixels == expected
    assert not {(-1, 4), (-1, 5), (-2, 5)} & pixels


def test_gated_pixelcnn_has_no_blind_spot() -> None:
    pixels = around("gated-pixelcnn-1", GREY, 7, 13, 6, 6)
    assert pixels == {(dy, dx) for dy in range(-5, 1) for dx in range(-5, 6) if (dy, dx) < (0, 0)}


@pytest.mark.parametrize("layers", [1, 3])
def test_row_lstm_sees_a_triangle_without_end(layers: int) -> None:
    pixels = around("row-lstm-1", GREY | {"layers": layers, "first": 3}, 9, 25, 8, 12)
    # a layer looks a pixel left, and a pixel to both sides for a row up
    triangle = {(-j, dx) for j in range(9) for dx in range(-j - layers, j + 1)}
    window = [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    assert pixels == {(a + dy, b + dx) for a, b in triangle for dy, dx in window if a + dy >= -8 and -12 <= b + dx < 13}


def test_row_lstm_widens_by_its_kernel_and_first_window() -> None:
    pixels = around("row-lstm-1", GREY | {"layers": 1, "first": 7, "kernel": 5}, 6, 27, 5, 14)
    triangle = {(-j, dx) for j in range(6) for dx in range(-2 * j - 2, 2 * j + 1)}
    window = [(dy, dx) for dy in range(-3, 1) for dx in range(-3, 4) if (dy, dx) < (0, 0)]
    assert pixels == {(a + dy, b + dx) for a, b in triangle for dy, dx in window if a + dy >= -5 and -14 <= b + dx < 13}


def test_diagonal_bilstm_sees_all_before_a_pixel_but_for_one() -> None:
    h, w = 5, 9
    _, _, found = seen("diagonal-bilstm-1", GREY | {"layers": 1}, h, w)
    past = np.tri(h * w, h * w, -1, np.bool_)
    for y in range(1, h):
        # the last pixel of the row above is an input of features below it alone, those near the end of this row
        past[y * w : y * w + w - 4, y * w - 1] = False
    assert np.array_equal(found, past)


def feature_map(layer: nn.Module, grid: Grid, n_in: int, n_out: int, seed: int) -> Map:
    """(S, S) dependencies of a layer's output groups on its input groups."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
    open_up(layer)
    outputs, inputs = partition(n_out, grid.g), partition(n_in, grid.g)
    x = torch.randn(1, grid.h, grid.w, n_in, dtype=torch.float64)

    def by_group(x: Tensor) -> Tensor:
        out = layer.double()(x).flatten(1, 2)
        weights = torch.zeros(n_out, grid.g, dtype=torch.float64)
        for group, features in enumerate(outputs):
            weights[features, group] = torch.rand(len(features), dtype=torch.float64) + 0.5
        return (out @ weights).flatten(1)[..., None]

    grads = jacobian(by_group, x, list(range(grid.size))).reshape(grid.size, grid.h * grid.w, n_in)
    found = np.stack([grads[:, :, features].any(-1) for features in inputs], -1)
    return found.reshape(grid.size, grid.size)


def union(make: Callable[[], nn.Module], grid: Grid, n_in: int, n_out: int) -> Map:
    maps = [feature_map(make(), grid, n_in, n_out, seed) for seed in SEEDS]
    return np.logical_or.reduce(maps)


@pytest.mark.parametrize("groups", [1, 3])
def test_layers_alone_see_what_the_paper_draws(groups: int) -> None:
    grid = Grid(5, 7, groups)
    config = row_lstm.RowLSTMConfig(channels=groups, hidden=6, kernel=3)
    layers: dict[str, Callable[[], nn.Module]] = {
        "pixelcnn": lambda: pixelcnn.Block(config),
        "row-lstm": lambda: row_lstm.Layer(config),
        "diagonal-bilstm": lambda: diagonal_bilstm.Layer(config),
    }
    for name, make in layers.items():
        expected, _ = reach.LAYERS[name](grid)
        assert np.array_equal(union(make, grid, 12, 12), expected), name
    if groups == 1:
        y, x = np.mgrid[:5, :7]
        triangle = (x - 3 >= y - 5) & (x - 3 <= 4 - y)
        maps = {name: union(make, grid, 12, 12).reshape(5, 7, 5, 7)[4, 3] for name, make in layers.items()}
        assert np.array_equal(maps["row-lstm"], triangle)
        assert np.array_equal(maps["diagonal-bilstm"], (y < 4) | (x <= 3))
        assert np.array_equal(
            maps["pixelcnn"], (abs(x - 3) <= 1) & (y == 3) | (x == 2) & (y == 4) | (x == 3) & (y == 4)
        )


@pytest.mark.parametrize("centre", [None, "A", "B", "all"])
@pytest.mark.parametrize("groups", [1, 3])
def test_convolutions_see_their_taps_and_what_the_mask_leaves_of_the_centre(groups: int, centre: Any) -> None:
    grid = Grid(4, 6, groups)
    for taps, offsets in [(context(5), reach.before(5)), (window((-2, 0), (-1,)), [(-2, -1), (0, -1)])]:
        found = union(lambda taps=taps: CausalConv(6, 9, taps, centre, groups), grid, 6, 9)
        assert np.array_equal(found, grid.reads(offsets, centre))
    if centre:
        found = union(lambda: CausalConv(6, 9, (), centre, groups), grid, 6, 9)
        assert np.array_equal(found, grid.reads((), centre))


HEADS: dict[str, Callable[[], Any]] = {
    "softmax": lambda: Softmax(256, 3),
    "softmax coupled": lambda: Softmax(256, 3, coupled=True),
    "softmax of 2 coupled": lambda: Softmax(2, 3, coupled=True),
    "mixture": lambda: LogisticMixture(256, 3, 4, coupled=False),
    "mixture coupled": lambda: LogisticMixture(256, 3, 4, coupled=True),
    "mixture of one channel": lambda: LogisticMixture(256, 1, 4, coupled=False),
}


def head_and_values(name: str) -> tuple[Head, Tensor, Tensor]:
    torch.manual_seed(0)
    head = HEADS[name]().double()
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(torch.randn_like(p))
    channels = 1 if "one" in name else 3
    params = head.initial(channels).view(channels, -1) + 0.3 * torch.randn(40, channels, head.n_params)
    return head, params.double(), torch.randint(0, head.levels, (40, channels)).double()


@pytest.mark.parametrize("name", HEADS)
def test_a_pixel_is_as_likely_as_its_channels_one_after_another(name: str) -> None:
    head, params, values = head_and_values(name)
    total = torch.zeros(40, dtype=torch.float64)
    for c in range(values.shape[1]):
        pmf = head.pmf(params[:, : c + 1], values[:, :c])
        torch.testing.assert_close(pmf.sum(1), torch.ones(40, dtype=torch.float64), rtol=0, atol=1e-12)
        total += pmf.gather(1, values[:, c : c + 1].long())[:, 0].log()
    torch.testing.assert_close(head.log_prob(params, values), total, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", HEADS)
def test_only_a_coupled_head_looks_at_the_channels_before(name: str) -> None:
    head, params, values = head_and_values(name)
    for c in range(values.shape[1]):
        for other in range(c):
            changed = values[:, :c].clone()
            changed[:, other] = 0
            changed[values[:, other] == 0, other] = 1
            same = (head.pmf(params[:, : c + 1], values[:, :c]) == head.pmf(params[:, : c + 1], changed)).all(1)
            assert not same.any() if "coupled" in name else same.all()
