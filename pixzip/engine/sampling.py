"""Sample and complete images with the models of the PixelRNN family.

Symbols are drawn from the integer frequencies used for coding, so at temperature 1 a seed gives the same
picture on every machine.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.coders.base import TOTAL_BITS
from torch import Tensor

from pixzip.engine.base import Progress
from pixzip.engine.family import FamilyEngine
from pixzip.engine.walk import walk
from pixzip.models.family.heads import Head

Images = NDArray[np.uint8]


def sample(
    engine: FamilyEngine,
    n: int,
    height: int,
    width: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    progress: Progress | None = None,
) -> Images:
    """Draw images from a model.

    Args:
        temperature: probabilities are raised to the power 1 / temperature; below 1, likely values get likelier.
        progress: called with (steps done, total steps) for each of the model's scales.
    Returns:
        (n, height, width, C) uint8 in [0, levels).
    Raises:
        ValueError: the temperature is not positive.
    """
    images = np.zeros((n, height, width, engine.model.channels), np.uint8)
    return complete(engine, images, 0, seed=seed, temperature=temperature, progress=progress)


@torch.no_grad()
def complete(
    engine: FamilyEngine,
    images: Images,
    keep_rows: int,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    progress: Progress | None = None,
) -> Images:
    """Keep the first rows of images and draw the other rows from a model.

    Args:
        images: (N, H, W, C) uint8 in [0, levels).
        keep_rows: number of rows to keep; a multi-scale model sees only these rows, in both scales.
        temperature, progress: see `sample`.
    Returns:
        (N, H, W, C) uint8.
    Raises:
        ValueError: the temperature is not positive, or the images are not for this model.
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, expected more than 0")
    expected = engine.model.channels
    if images.ndim != 4 or images.shape[3] != expected or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 (N, H, W, {expected})")
    if int(images[:, :keep_rows].max(initial=0)) >= engine.model.levels:
        raise ValueError(f"images have values above the model's {engine.model.levels} levels")
    rng = np.random.Generator(np.random.PCG64(seed))
    planar = images.transpose(0, 3, 1, 2).astype(np.float64)
    values = torch.from_numpy(planar).to(engine.network.device)
    h = values.shape[2]
    given: Tensor | None = None
    for scale in engine.network.model.scales():
        part = values[..., :: scale.stride, :: scale.stride].contiguous()
        fixed = ~scale.coded(*part.shape[2:])
        fixed[np.arange(0, h, scale.stride) < keep_rows] = True

        def choose(channel: int, params: Tensor, known: Tensor, head: Head = scale.model.head) -> Tensor:
            levels = torch.arange(engine.model.levels + 1, dtype=params.dtype, device=params.device)
            below = head.below(params, known, engine.network.tables)(levels[None])
            return _draw(below.cpu().numpy(), temperature, rng).to(params)

        walk(scale, part, fixed, choose, given, progress)
        values[..., :: scale.stride, :: scale.stride] = part
        given = part
    return values.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def _draw(below: NDArray[np.float64], temperature: float, rng: np.random.Generator) -> Tensor:
    """(M, L + 1) cumulative frequencies -> (M,) symbols."""
    if temperature == 1:
        # NumPy keeps the generator's raw outputs stable, but not its distributions
        point = (rng.bit_generator.random_raw(len(below)) >> np.uint64(64 - TOTAL_BITS)).astype(np.float64)
    else:
        weights = np.diff(below) ** (1 / temperature)
        below = np.concatenate([np.zeros((len(below), 1)), weights.cumsum(1)], 1)
        point = rng.random(len(below)) * below[:, -1]
    return torch.from_numpy((below[:, 1:-1] <= point[:, None]).sum(1))


def grid(images: Images, columns: int, levels: int = 256, gap: int = 2) -> Images:
    """Arrange images in a grid on white.

    Args:
        images: (N, H, W, C) uint8 in [0, levels).
        columns: images per row.
        gap: pixels between them.
    Returns:
        (H', W', C) uint8.
    """
    n, h, w, c = images.shape
    rows = -(-n // columns)
    out = np.full((rows * (h + gap) + gap, columns * (w + gap) + gap, c), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = gap + i // columns * (h + gap), gap + i % columns * (w + gap)
        out[y : y + h, x : x + w] = image if levels == 256 else image * (255 // (levels - 1))
    return out
