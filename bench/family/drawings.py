"""Pictures for the PixelRNN family: receptive fields, and images drawn from models.

A pixel sees the positions where the gradient of its parameters is not zero, as in the tests.  The model is narrow and
untrained, with all layers of the small config, and several images are used so that no ReLU hides a path.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.family.data import Measured
from bench.family.runs import Run
from pixzip.engine import sampling
from pixzip.engine.device import engine
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.arithmetic import FLOAT
from pixzip.models.family.density import Density, each_module
from pixzip.train.family_configs import CONFIGS, NAMES

#: Side of the window, and position of the observing pixel, which in a Multi-Scale model belongs to the large image.
SIDE, AT = 15, 7
#: Side of a drawn pixel, in pixels.
CELL = 12
_COLOURS = {
    "later": (238, 238, 238),
    "seen": (70, 120, 180),
    "blind": (224, 96, 60),
    "known": (130, 180, 120),
    "own": (40, 40, 40),
}


def gradient(model: Density, images: Tensor, y: int, x: int) -> Tensor:
    """(N, H, W) largest gradient of a random mixture of a pixel's parameters over its neighbours' channels.

    Args:
        images: (N, C, H, W) of the model's dtype.
    """
    scales = model.scales()
    scale = next(s for s in scales[::-1] if s.coded(*images.shape[2:])[y, x] or len(scales) == 1)
    images = images.clone().requires_grad_()
    out = scale.model(images[..., :: scale.stride, :: scale.stride])[:, y // scale.stride, x // scale.stride]
    (out * torch.randn(out.shape, dtype=out.dtype)).sum().backward()
    assert images.grad is not None
    return images.grad.abs().amax(1)


def field(name: str) -> NDArray[np.str_]:
    """(SIDE, SIDE) keys of `_COLOURS`: the receptive field of the middle pixel.

    Raises:
        SystemExit: the pixel sees pixels that are coded later.
    """
    small = CONFIGS[f"{name}-cifar10-small"].model
    narrow = {"hidden": 6, "features": 9, "n_mix": 2, "condition": 6}
    config = replace(small, **{key: size for key, size in narrow.items() if hasattr(small, key)})
    if getattr(small, "condition", 1) == 0:
        config = replace(config, condition=0)
    torch.manual_seed(0)
    model = FAMILY[NAMES[name]](config).double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    images = torch.randint(0, config.levels, (16, config.channels, SIDE, SIDE)).double()
    seen = (gradient(model, images, AT, AT) != 0).any(0).numpy()
    past = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) < AT * SIDE + AT
    known = ~model.scales()[-1].coded(SIDE, SIDE)
    found = np.where(past, np.where(seen, "seen", "blind"), "later")
    found[known & ~past & seen] = "known"
    found[AT, AT] = "own"
    if (seen & (found == "later")).any():
        raise SystemExit(f"{name} sees the future")
    return found


def draw_field(name: str, out: Path) -> None:
    """Draw the receptive field of a pixel."""
    found = field(name)
    picture = np.array([[_COLOURS[key] for key in row] for row in found], np.uint8)
    _cells(picture, out)


def draw_influence(run: Run, test: Measured, out: Path) -> None:
    """Draw how much a trained model's parameters change with each pixel in view, by decades from dark to light."""
    model, _ = run.weights.network()
    each_module(model, FLOAT)
    _, h, w, _ = test.images.shape
    top, left = max(0, h // 2 - AT), max(0, w // 2 - AT)
    windows = test.images[:64, top : top + SIDE, left : left + SIDE]
    torch.manual_seed(0)
    images = torch.from_numpy(windows.transpose(0, 3, 1, 2).astype(np.float64))
    y, x = (min(AT, side - 1) for side in windows.shape[1:3])
    strength = gradient(model, images, y, x).square().mean(0).sqrt().numpy()
    shade = np.clip(1 + np.log10(np.maximum(strength / strength.max(), 1e-9)) / 4, 0, 1)[..., None]
    seen, background = np.array(_COLOURS["own"]), np.array(_COLOURS["later"])
    _cells((background + shade * (seen - background)).astype(np.uint8), out)


def _cells(colours: NDArray[np.uint8], out: Path) -> None:
    """Draw a square for each pixel, on white."""
    large = np.kron(colours, np.ones((CELL, CELL, 1), np.uint8))
    large[::CELL], large[:, ::CELL] = 255, 255
    _save(large, out)


def _save(picture: NDArray[np.uint8], out: Path, colours: int = 64) -> None:
    """Save a PNG with a palette, which is enough for a page."""
    out.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    if picture.shape[2] == 3:
        image = image.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    image.save(out, optimize=True)


def _grid(images: NDArray[np.uint8], columns: int, levels: int, out: Path) -> None:
    picture = sampling.grid(images, columns, levels)
    _save(picture.repeat(2, 0).repeat(2, 1), out)


def draw_samples(run: Run, test: Measured, count: int, out: Path) -> None:
    """Draw images sampled from the model."""
    _, h, w, _ = test.images.shape
    images = sampling.sample(engine(run.weights, "cpu"), count, h, w, seed=0)
    _grid(images, min(8, count), test.levels, out)


def draw_completions(run: Run, test: Measured, count: int, each: int, out: Path) -> None:
    """Draw rows of an original, its kept part, and the model's completions."""
    n, h = test.images.shape[:2]
    chosen = test.images[np.arange(count) * n // count]
    keep = h // 2
    drawn = sampling.complete(engine(run.weights, "cpu"), np.repeat(chosen, each, 0), keep, seed=0)
    cut = chosen.copy()
    cut[:, keep:] = (test.levels - 1) // 2 if test.levels > 2 else 0
    rows = [np.stack([chosen[i], cut[i], *drawn[i * each : (i + 1) * each]]) for i in range(count)]
    _grid(np.concatenate(rows), each + 2, test.levels, out)


def draw_run(run: Run, test: Measured, folder: Path, samples: int, completions: int) -> None:
    """Draw all pictures of a trained model; a count of 0 omits a kind."""
    draw_influence(run, test, folder / f"{run.folder.name}-influence.png")
    if samples:
        draw_samples(run, test, samples, folder / f"{run.folder.name}-samples.png")
    if completions:
        draw_completions(run, test, completions, 6, folder / f"{run.folder.name}-completions.png")


def draw_model(name: str, folder: Path) -> None:
    """Draw the pictures that need no training: the block diagram and the receptive field."""
    from bench.family.diagrams import DIAGRAMS  # only this needs matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    DIAGRAMS[name]().save(folder / f"{name}.svg")
    draw_field(name, folder / f"{name}-field.png")
