"""The integer model of a whole image at once, with all pixels known.

Products are float64, exact far beyond the bounds of `weights.check`.  Memory grows with the image, so this is for
small images in tests: its frequencies equal those of the wavefront, entry by entry.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.engine.backends.torch.frequencies import Frequencies
from pixzip.models.wavefront.planes import med, shifted, validity
from pixzip.models.wavefront.taps import MASK_A
from pixzip.models.wavefront.weights import ACTIVATION_MAX, OUTPUT_SHIFTS, STREAM_FRACTION, IntegerWeights, scaled


class Heads(NamedTuple):
    """The outputs of the heads for N = H W pixels in raster order."""

    outputs: list[Tensor]  # one per channel, (N, 3 K + i) float32 integers
    centre: Tensor  # (N, C) MED predictions
    known: Tensor  # (N, C) residuals, clamped


def _rounded(stream: Tensor, bits: int) -> Tensor:
    return torch.floor((stream + (1 << (bits - 1))) / (1 << bits))


def _activate(stream: Tensor, finer: int = 0) -> Tensor:
    return _rounded(stream, STREAM_FRACTION - finer).clamp(0, ACTIVATION_MAX)


def heads(weights: IntegerWeights, samples: NDArray[np.uint8]) -> Heads:
    """Run trunk and heads.

    Args:
        samples: (H, W, C) uint8 in coding order.
    """
    config = weights.config

    def matrix(name: str) -> Tensor:
        return torch.from_numpy(scaled(weights, name)).double()

    def bias(name: str) -> Tensor:
        return torch.from_numpy(weights.tensors[f"{name}.bias"]).double()

    def rows(maps: Tensor) -> Tensor:
        return maps.flatten(1).T  # (C, H, W) -> (N, C)

    pixels = torch.from_numpy(samples.transpose(2, 0, 1).astype(np.float64))  # CHW
    h, w = pixels.shape[1:]
    centre = med(pixels[None])[0]
    inside = validity(h, w, MASK_A)
    taps = [(shifted(pixels, dy, dx) - centre) * inside[i] for i, (dy, dx) in enumerate(MASK_A)]
    inputs = torch.cat([*taps, centre - 128]).clamp(-127, 127)
    stream = bias("input") + rows(inputs) @ matrix("input")
    for i, (name, offsets) in enumerate(config.layers):
        maps = _activate(stream, 0 if i else config.finer).T.reshape(-1, h, w)
        seen = torch.cat([shifted(maps, dy, dx) for dy, dx in offsets])
        stream = stream + rows(seen) @ matrix(name)
    hidden = bias("hidden") + _activate(stream) @ matrix("hidden")
    middle, known = rows(centre), rows((pixels - centre).clamp(-127, 127))
    k, outputs = config.n_mix, []
    for i, z in enumerate(hidden.split(config.head_width, 1)):
        if i:
            z = z + known[:, :i] @ matrix(f"known.{i}")
        out = bias(f"out.{i}") + _activate(z) @ matrix(f"out.{i}")
        parts = zip(out.split([k, k, k, i], 1), OUTPUT_SHIFTS.values(), strict=True)
        outputs.append(torch.cat([_rounded(part, shift) for part, shift in parts], 1).float())
    return Heads(outputs, middle.float(), known.float())


def frequencies(weights: IntegerWeights, samples: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(H, W, C) uint8 -> (H, W, C, 256) frequencies; each row sums to 2^20."""
    tables = Frequencies(weights, torch.device("cpu"))
    outputs, centre, known = heads(weights, samples)
    channels = []
    for i, out in enumerate(outputs):
        mixture = tables.mixture(out, centre[:, i], known[:, :i])
        bin_rows = tables.bin_rows(mixture)
        n = len(bin_rows)
        rows = [tables.place_rows(mixture, torch.full((n,), b), bin_rows).diff() for b in range(16)]
        channels.append(torch.cat(rows, 1))
    return torch.stack(channels, 1).view(*samples.shape, 256).numpy().astype(np.int64)
