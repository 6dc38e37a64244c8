"""What several tests need: small models, images made from seeds, and a coder that keeps frequencies."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.container.blocks import Precision

from pixzip.engine.schedule import Step
from pixzip.engine.symbols import RansEncoding
from pixzip.engine.wavefront import Coder, Engine, Planes, run, wavefront
from pixzip.models.wavefront.export import export
from pixzip.models.wavefront.network import Config, WavefrontPixelCNN
from pixzip.models.wavefront.weights import IntegerWeights

ORDERS = {1: (0,), 3: (1, 0, 2)}


def tiny_model(channels: int, seed: int = 0, spread: float = 0.0) -> WavefrontPixelCNN:
    """An untrained model of odd sizes: architecture 1 for grey, 2 for RGB.

    `spread` scales every column of every weight by up to 2^(+-spread).
    """
    torch.manual_seed(seed)
    second = {"mixing": 2, "finer": 2} if channels == 3 else {}
    model = WavefrontPixelCNN(Config(channels, width=12, blocks=2, head_width=10, n_mix=3, **second))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(torch.exp2((2 * torch.rand(p.shape[-1]) - 1) * spread))
        for out in model.out:
            out.mul_(4)  # an untrained head hardly says anything
        for bias in model.out_bias:
            bias.add_(0.2 * torch.randn(bias.shape))
    return model


def tiny_weights(channels: int, seed: int = 0, spread: float = 0.0) -> IntegerWeights:
    return export(tiny_model(channels, seed, spread), ORDERS[channels])


def noise(channels: int, height: int, width: int, seed: int) -> Planes:
    return np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)


def scene(channels: int, height: int, width: int, seed: int) -> Planes:
    """Shading, edges and a little sensor noise: what a photograph has, in small."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.empty((channels, height, width))
    disc = ((y - height * 0.4) ** 2 + (x - width * 0.6) ** 2 < (min(height, width) * 0.3) ** 2).astype(float)
    texture = np.sin(x * 0.9 + y * 0.35) * (x < width * 0.5)
    common = rng.normal(0, 2.0, (height, width))
    for c in range(channels):
        ramp = 90 + 20 * c + 60 * x / width + 40 * y / height
        image[c] = ramp + (40 - 25 * c) * disc + 9 * texture + common + rng.normal(0, 1.0, (height, width))
    return np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)


class Capture(Coder):
    """Codes known images and keeps the rows of every digit of every sub-pixel, placed by the documented order."""

    def __init__(self, images: Sequence[Planes], digits: int = 2) -> None:
        self.images, self.digits = images, digits
        self.rows = [np.zeros((*planes.shape, digits, 16), np.int64) for planes in images]

    def code(self, step: Step, channel: int, digit: int, freqs: NDArray[np.float32]) -> NDArray[np.int32]:
        symbols = np.zeros(len(freqs), np.int32)
        for image, part in step.segments:
            _, height, width = self.images[image].shape
            y = np.array([y for y in range(height) if 0 <= step.t - 2 * y < width])
            x = step.t - 2 * y
            self.rows[image][channel, y, x, digit] = freqs[part]
            values = self.images[image][channel, y, x].astype(np.int32)
            symbols[part] = values // 16 ** (self.digits - 1 - digit) % 16
        return symbols


def captured(
    engine: Engine, images: Sequence[Planes], compiled: bool | None, precisions: Sequence[Precision] | None = None
) -> list[NDArray[np.int64]]:
    """(C, H, W, D, 16) frequencies of each image's digits, each after the true ones before it."""
    coder = Capture(images, precisions[0].digits if precisions else 2)
    run(wavefront(engine.layers, [planes.shape[1:] for planes in images], compiled, precisions), coder)
    return coder.rows


def shares(engine: Engine, planes: Planes, precision: Precision | None = None) -> NDArray[np.int64]:
    """(H, W, C, D) shares that rANS codes of an image; see `rans.intervals_of`."""
    wave = wavefront(engine.layers, [planes.shape[1:]], engine.compiled, [precision] if precision else None)
    encoding = RansEncoding(wave, [planes])
    run(wave, encoding)
    found: NDArray[np.int64] = encoding.shares[encoding.windows[0]]
    return found


def two_stages(tables: NDArray[np.int64], planes: Planes) -> NDArray[np.int64]:
    """(C, H, W, 256) frequencies -> (C, H, W, 2, 16): bins, and the places in the true bin."""
    blocks = tables.reshape(*planes.shape, 16, 16)
    places = np.take_along_axis(blocks, (planes // 16).astype(np.int64)[..., None, None], 3)[..., 0, :]
    return np.stack([blocks.sum(-1), places], -2)


def photos(n: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """(N, H, W, C) photographs in little."""
    return np.stack([scene(channels, height, width, seed).transpose(1, 2, 0) for seed in range(n)])


def photo(channels: int, height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """(H, W, C)"""
    return np.ascontiguousarray(scene(channels, height, width, seed).transpose(1, 2, 0))
