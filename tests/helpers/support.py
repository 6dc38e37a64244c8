"""Common helpers: small models, images made from seeds, and a coder that records frequencies."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.rans_numba import Encoder as RansEncoder
from pixcodecs.coders.registry import RANGE
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import ModelMismatchError

from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples, Step
from pixzip.engine.loop import run
from pixzip.engine.symbols import Encoding, SymbolCoder
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.export import export
from pixzip.models.wavefront.network import WavefrontPixelCNN
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
            out.mul_(4)  # an untrained head has little effect
        for bias in model.out_bias:
            bias.add_(0.2 * torch.randn(bias.shape))
    return model


def tiny_weights(channels: int, seed: int = 0, spread: float = 0.0) -> IntegerWeights:
    return export(tiny_model(channels, seed, spread), ORDERS[channels])


def noise(channels: int, height: int, width: int, seed: int) -> Samples:
    """(H, W, C) noise."""
    flat = np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)
    return np.ascontiguousarray(flat.transpose(1, 2, 0))


def scene(channels: int, height: int, width: int, seed: int) -> Samples:
    """(H, W, C) shading, edges and a little sensor noise, like a small photograph."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    image = np.empty((height, width, channels))
    disc = ((y - height * 0.4) ** 2 + (x - width * 0.6) ** 2 < (min(height, width) * 0.3) ** 2).astype(float)
    texture = np.sin(x * 0.9 + y * 0.35) * (x < width * 0.5)
    common = rng.normal(0, 2.0, (height, width))
    for c in range(channels):
        ramp = 90 + 20 * c + 60 * x / width + 40 * y / height
        image[..., c] = ramp + (40 - 25 * c) * disc + 9 * texture + common + rng.normal(0, 1.0, (height, width))
    return np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)


def photos(n: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """(N, H, W, C) scenes."""
    return np.stack([scene(channels, height, width, seed) for seed in range(n)])


def photo(channels: int, height: int = 24, width: int = 32, seed: int = 0) -> Samples:
    """(H, W, C) scene."""
    return scene(channels, height, width, seed)


def encoding(
    images: Sequence[Samples], precisions: Sequence[Precision] | None = None, coder: EntropyCoder = RANGE
) -> list[Job]:
    """Jobs that encode (H, W, C) images in coding order."""
    precisions = precisions or [Precision()] * len(images)
    return [Job.encoding(x, precision=p, coder=coder) for x, p in zip(images, precisions, strict=True)]


def decoding(
    payloads: Sequence[bytes],
    sizes: Sequence[tuple[int, ...]],
    precisions: Sequence[Precision] | None = None,
    coders: Sequence[EntropyCoder] | None = None,
) -> list[Job]:
    """Jobs that decode payloads of images with (height, width)."""
    precisions, coders = precisions or [Precision()] * len(payloads), coders or [RANGE] * len(payloads)
    return [
        Job.decoding(payload, h, w, precision=p, coder=coder)
        for payload, (h, w), p, coder in zip(payloads, sizes, precisions, coders, strict=True)
    ]


def engine_in(form: str, model: IntegerWeights) -> SteppedEngine:
    """An engine of one form: "compiled", or tensor operations by a backend; skips the test where it is not exact."""
    try:
        return WavefrontEngine(model) if form == "compiled" else TensorEngine(model, backend=form)
    except ModelMismatchError as e:
        pytest.skip(str(e))


class Capture(SymbolCoder):
    """Codes known images and records the rows of all digits of all sub-pixels, placed by the documented order."""

    def __init__(self, images: Sequence[Samples], digits: int = 2) -> None:
        self.images, self.digits = images, digits
        self.rows = [np.zeros((*samples.shape, digits, 16), np.int64) for samples in images]

    def code(self, step: Step, channel: int, digit: int, freqs: NDArray[np.float32]) -> NDArray[np.int32]:
        symbols = np.zeros(len(freqs), np.int32)
        for image, part in step.segments:
            height, width, _ = self.images[image].shape
            y = np.array([y for y in range(height) if 0 <= step.t - 2 * y < width])
            x = step.t - 2 * y
            self.rows[image][y, x, channel, digit] = freqs[part]
            values = self.images[image][y, x, channel].astype(np.int32)
            symbols[part] = values // 16 ** (self.digits - 1 - digit) % 16
        return symbols


def captured(
    engine: SteppedEngine, images: Sequence[Samples], precisions: Sequence[Precision] | None = None
) -> list[NDArray[np.int64]]:
    """(H, W, C, D, 16) frequencies of each image's digits, each given the true ones before it."""
    coder = Capture(images, precisions[0].digits if precisions else 2)
    run(engine.batch([samples.shape[:2] for samples in images], precisions), coder)
    return coder.rows


def shares(engine: SteppedEngine, samples: Samples, precision: Precision | None = None) -> NDArray[np.int64]:
    """(H, W, C, D) shares of an image for rANS; see `rans.intervals_of`."""
    batch = engine.batch([samples.shape[:2]], [precision] if precision else None)
    symbols = Encoding(batch, [Job.encoding(samples, precision=precision or Precision())])
    symbols.encoders = [encoder := RansEncoder((*samples.shape, batch.digits))]  # type: ignore[list-item]
    run(batch, symbols)
    return encoder.shares.reshape(*samples.shape, batch.digits)


def two_stages(tables: NDArray[np.int64], samples: Samples) -> NDArray[np.int64]:
    """(H, W, C, 256) frequencies -> (H, W, C, 2, 16) frequencies of bins, and of places within the true bin."""
    blocks = tables.reshape(*samples.shape, 16, 16)
    places = np.take_along_axis(blocks, (samples // 16).astype(np.int64)[..., None, None], 3)[..., 0, :]
    return np.stack([blocks.sum(-1), places], -2)
