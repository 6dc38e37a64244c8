"""Tiny untrained models of the PixelRNN family, in which every gate and head has an effect."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixzip.engine.batch import Samples
from pixzip.engine.family import FamilyEngine
from pixzip.engine.walk import walk
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.density import Density, Scale
from pixzip.models.family.weights import FixedWeights, fixed
from tests.helpers.support import decoding, encoding

#: Sizes that are fast on any machine.
SIZES: dict[str, dict[str, Any]] = {
    "pixelcnn-1": {"hidden": 6, "layers": 2, "features": 9},
    "row-lstm-1": {"hidden": 6, "layers": 2, "features": 9},
    "diagonal-bilstm-1": {"hidden": 6, "layers": 2, "features": 9},
    "multi-scale-1": {"hidden": 6, "layers": 1, "features": 9, "condition": 4},
    "gated-pixelcnn-1": {"hidden": 6, "layers": 3, "features": 9, "kernel": 3},
    "pixelcnn-pp-1": {"hidden": 5, "blocks": 1},
}

_MIXTURE: dict[str, Any] = {"head": "mixture", "n_mix": 2}
_EVERY: list[dict[str, Any]] = [
    _MIXTURE,
    {"head": "softmax"},
    {"head": "softmax", "levels": 2, "channels": 1},
    _MIXTURE | {"channels": 1},
]
_OWN: dict[str, list[dict[str, Any]]] = {
    "pixelcnn-1": [{"residual": False}, {"skip": True}, {"first": 3}, {"hidden": 2, "features": 2}],
    "row-lstm-1": [{"residual": False, "skip": True}, {"kernel": 5, "first": 3}, {"hidden": 1, "features": 1}],
    "diagonal-bilstm-1": [{"residual": False, "skip": True}, {"first": 3, "layers": 1}, {"hidden": 2}],
    "multi-scale-1": [{"core": "diagonal-bilstm", "stride": 3}, {"core": "pixelcnn", "residual": False}, {"hidden": 2}],
    "gated-pixelcnn-1": [{"kernel": 5, "first": 3}, {"layers": 1}, {"hidden": 2, "features": 2}],
    "pixelcnn-pp-1": [{"scales": 1}, {"scales": 2, "short_cuts": False}],
}
#: Wire names and changes of sizes: both heads, both numbers of channels and levels, and each model's options.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    " ".join([name, *(f"{k}={v}" for k, v in changes.items())]): (name, changes)
    for name in FAMILY
    for changes in [*_EVERY, *(_MIXTURE | own for own in _OWN[name])]
}


def tiny(name: str, seed: int = 0, **changes: Any) -> Density:
    """An untrained model in float64."""
    torch.manual_seed(seed)
    cls = FAMILY[name]
    config = cls.config_class(**SIZES[name] | {"head": "softmax"} | changes)
    config.check()
    model = cls(config).double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return model


@cache
def pair(variant: str) -> tuple[Density, FixedWeights, Density]:
    """One of `VARIANTS`, its fixed-point weights and their network; callers must not change them."""
    name, changes = VARIANTS[variant]
    model = tiny(name, **changes).requires_grad_(False)
    weights = fixed(model)
    return model, weights, weights.network()[0]


def mixture_of(name: str) -> str:
    """The variant of a model with a mixture over colours."""
    return f"{name} head=mixture n_mix=2"


def changed(weights: FixedWeights, name: str, change: Callable[[Any], Any]) -> FixedWeights:
    """A copy of weights with one tensor changed in place, or replaced, by a function."""
    tensors = {n: a.copy() for n, a in weights.tensors.items()}
    new = change(tensors[name])
    tensors[name] = tensors[name] if new is None else new
    return replace(weights, tensors=tensors)


def smooth(channels: int, height: int, width: int, seed: int, levels: int = 256) -> Samples:
    """(H, W, C) ramps with a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    ramps = [rng.integers(30, 120) + rng.normal(0, 6) * x + rng.normal(0, 6) * y for _ in range(channels)]
    image = (np.stack(ramps) + rng.normal(0, 3, (channels, height, width))).transpose(1, 2, 0)
    return np.ascontiguousarray(np.clip(np.floor(image), 0, 255)).astype(np.uint8) // (256 // levels)


def images_for(model: Density, sizes: Sequence[tuple[int, int]], seed: int) -> list[Samples]:
    """One image of each size for a model."""
    c = model.config
    return [smooth(c.channels, h, w, seed + i, c.levels) for i, (h, w) in enumerate(sizes)]


def values_of(model: Density, n: int, h: int, w: int, seed: int = 0) -> Tensor:
    """(N, C, H, W) random values in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, model.config.levels, (n, model.config.channels, h, w), generator=generator).double()


def each_scale(model: Density, x: Tensor) -> list[tuple[Scale, Tensor, Tensor | None]]:
    """Yield every scale, the values of its image, and those of the previous scale."""
    out: list[tuple[Scale, Tensor, Tensor | None]] = []
    for scale in model.scales():
        out.append((scale, x[..., :: scale.stride, :: scale.stride].contiguous(), out[-1][1] if out else None))
    return out


@torch.no_grad()
def at_once(model: Density, x: Tensor) -> list[Tensor]:
    """(N, H, W, C, P) parameters of every scale, computed as in training; zero for known pixels."""
    found = []
    for scale, part, _ in each_scale(model, x):
        params = scale.model(part)
        params[:, ~scale.coded(*part.shape[2:])] = 0
        found.append(params)
    return found


@torch.no_grad()
def step_by_step(model: Density, x: Tensor, slope: int | None = None) -> list[Tensor]:
    """Like `at_once`, but each pixel's parameters are computed before any values of its front are stored."""
    found = []
    for scale, part, given in each_scale(model, x):
        n, channels, h, w = part.shape
        params = torch.zeros(0)
        if slope is not None:
            scale.model.slope = partial(min, slope)  # type: ignore[method-assign]
        coded = scale.coded(h, w)
        order = _fronts(h, w, scale.model.slope(w), coded)
        rows: list[list[Tensor]] = [[] for _ in range(channels)]

        def choose(c: int, here: Tensor, known: Tensor, rows: list[list[Tensor]] = rows) -> Tensor:
            rows[c].append(here[:, c])
            y, x = order[len(rows[c]) - 1]  # noqa: B023 (called before the loop goes on)
            true = part[:, :, y, x].permute(2, 0, 1).reshape(-1, channels)  # noqa: B023
            assert torch.equal(known, true[:, :c])
            return true[:, c]

        filled = torch.where(torch.from_numpy(coded), torch.full_like(part, 1e3), part)
        walk(scale, filled, ~coded, choose, given)
        assert torch.equal(filled, part)
        size = rows[0][0].shape[-1] if rows[0] else scale.model.head.n_params
        params = part.new_zeros(n, h, w, channels, size)
        for c in range(channels):
            for (y, x_), values in zip(order, rows[c], strict=True):
                params[:, y, x_, c] = values.view(len(y), n, -1).transpose(0, 1)
        if slope is not None:
            del scale.model.slope
        found.append(params)
    return found


def _fronts(h: int, w: int, slope: int, coded: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Yield rows and columns of the coded pixels of every step that has any."""
    found = []
    for t in range(w + slope * (h - 1)):
        y = np.array([y for y in range(h) if 0 <= t - slope * y < w and coded[y, t - slope * y]], np.int64)
        if len(y):
            found.append((y, t - slope * y))
    return found


def equal(found: list[Samples], expected: list[Samples]) -> bool:
    return len(found) == len(expected) and all(map(np.array_equal, found, expected))


def known(engine: FamilyEngine) -> str:
    """Hash of payloads, of which the small one is decoded and compared; the large one occupies two threads."""
    small = images_for(engine.network.model, [(4, 5)], seed=9)
    payloads = engine.encode(encoding(small))
    assert equal(engine.decode(decoding(payloads, [(4, 5)])), small)
    (large,) = engine.encode(encoding(images_for(engine.network.model, [(32, 40)], seed=10)))
    return hashlib.sha256(payloads[0] + large).hexdigest()
