"""Slow, obviously correct frequencies: one pixel at a time, 64-bit integers, no steps and no shortcuts.

This module is `docs/format.md` in code, and the fast forms are tested against it.  It shares with them only
the weights file, the taps and the constants of the tables.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container.blocks import Precision

from pixzip.models.wavefront import tables as T
from pixzip.models.wavefront.taps import MASK_A
from pixzip.models.wavefront.weights import ACTIVATION_MAX, OUTPUT_SHIFTS, STREAM_FRACTION, IntegerWeights, scaled

Integers = NDArray[np.int64]

TOTAL = 1 << 20
#: Smallest frequency of a high-depth digit, and total of the CDF from which these frequencies are computed.
FLOOR = 16
CDF_FULL = 1024 * 16380 * 256


class Reference:
    """The integer model of one image, visited pixel by pixel in any order that respects the taps.

    For every pixel call `begin`, then for every channel `cumulative` (`digit_freqs` for more than 8 bits) and `store`.
    """

    def __init__(
        self, weights: IntegerWeights, height: int, width: int, precision: Precision = Precision()  # noqa: B008
    ) -> None:  # fmt: skip
        config = weights.config
        self.unit, self.depth = precision.unit, precision.depth
        self.weights, self.height, self.width = weights, height, width
        self.pixels = np.zeros((height, width, config.channels), np.int64)
        self.features = [np.zeros((height, width, config.width), np.int64) for _ in config.layers]
        names = [name.removesuffix(".weight") for name in weights.tensors if name.endswith(".weight")]
        self.matrix: dict[str, Integers] = {name: scaled(weights, name) for name in names}
        self.table = {n: weights.tensors[f"table.{n}"].astype(np.int64) for n in ("exp2", "logistic", "reciprocal")}

    def _bias(self, name: str) -> Integers:
        return self.weights.tensors[f"{name}.bias"].astype(np.int64)

    def _at(self, array: Integers, y: int, x: int) -> Integers:
        """A row of (H, W, C); zero outside the image."""
        if 0 <= y < self.height and 0 <= x < self.width:
            row: Integers = array[y, x]
            return row
        return np.zeros(array.shape[2], np.int64)

    def begin(self, y: int, x: int) -> None:
        """Run the trunk for one pixel."""
        west, north = self._at(self.pixels, y, x - 1), self._at(self.pixels, y - 1, x)
        gradient = west + north - self._at(self.pixels, y - 1, x - 1)
        self.centre = np.clip(gradient, np.minimum(west, north), np.maximum(west, north))  # MED, one per channel
        taps: list[Integers] = []
        for dy, dx in MASK_A:
            if y + dy >= 0 and 0 <= x + dx < self.width:
                taps.append(np.clip(self._levels(self.pixels[y + dy, x + dx] - self.centre), -127, 127))
            else:
                taps.append(np.zeros_like(self.centre))
        inputs: Integers = np.concatenate([*taps, np.clip((self.centre >> self.depth - 8) - 128, -127, 127)])
        stream: Integers = self._bias("input") + (inputs @ self.matrix["input"])
        for i, (name, offsets) in enumerate(self.weights.config.layers):
            features = self.features[i]
            features[y, x] = activate(stream, 0 if i else self.weights.config.finer)
            seen = [self._at(features, y + dy, x + dx) for dy, dx in offsets]
            stream = stream + np.concatenate(seen) @ self.matrix[name]
        self.hidden: Integers = self._bias("hidden") + activate(stream) @ self.matrix["hidden"]
        self.known = self.fine = np.zeros(0, np.int64)

    def _levels(self, difference: Integers) -> Integers:
        """Convert samples to the model's grey levels, rounded to nearest, halves up."""
        return (difference + (1 << self.unit >> 1)) >> self.unit

    def outputs(self, channel: int) -> Integers:
        """(3 K + channel,) logits, means, scales, factors of the current pixel; earlier channels must be stored."""
        width, k = self.weights.config.head_width, self.weights.config.n_mix
        z: Integers = self.hidden[channel * width : (channel + 1) * width]
        if channel:
            z = z + self.known @ self.matrix[f"known.{channel}"]
        stream = self._bias(f"out.{channel}") + activate(z) @ self.matrix[f"out.{channel}"]
        kinds = ["logits"] * k + ["means"] * k + ["scales"] * k + ["factors"] * channel
        return np.array([round_shift(v, OUTPUT_SHIFTS[kind]) for v, kind in zip(stream, kinds, strict=True)])

    def mixture(self, channel: int) -> tuple[Integers, Integers, Integers]:
        """(K,) weights, means in 1/16 sample, and scale indices."""
        k = self.weights.config.n_mix
        logits, means, scales, factors = np.split(self.outputs(channel), [k, 2 * k, 3 * k])
        e = self.table["exp2"][np.minimum(logits.max() - logits, 255)]
        weights = e * T.WEIGHT_TOTAL // e.sum()
        weights[0] += T.WEIGHT_TOTAL - weights.sum()
        middle = 16 * self.centre[channel]
        if channel:
            middle += (np.clip(factors, -T.FACTOR_LIMIT, T.FACTOR_LIMIT) @ self.fine + 2) >> 2
        margin = 16 * T.MEAN_MARGIN << self.unit
        means = np.clip((means << self.unit) + middle, -margin, 16 * ((1 << self.depth) - 1) + margin)
        return weights, means, np.clip(scales + T.SCALE_ZERO, 0, T.N_SCALES - 1)

    def cumulative(self, channel: int) -> Integers:
        """(257,) F(v), the frequency below each value; F(0) = 0, F(256) = 2^20."""
        weights, means, scales = self.mixture(channel)
        row = np.zeros(257, np.int64)
        for v in range(1, 256):
            total = 0
            for weight, mean, scale in zip(weights, means, scales, strict=True):
                z = ((16 * v - 8 - mean) * self.table["reciprocal"][scale]) >> T.RECIPROCAL_BITS
                z = max(-T.LOGISTIC_LIMIT, min(T.LOGISTIC_LIMIT, int(z)))
                total += int(weight) * int(self.table["logistic"][z + T.LOGISTIC_LIMIT])
            row[v] = (total >> 4) + v
        row[256] = TOTAL
        return row

    def share_below(self, channel: int, sample: int) -> int:
        """The mixture's CDF below a high-depth sample, out of CDF_FULL."""
        if sample <= 0 or sample >= 1 << self.depth:
            return CDF_FULL if sample > 0 else 0
        total = 0
        for weight, mean, scale in zip(*self.mixture(channel), strict=True):
            z = (16 * sample - 8 - int(mean)) * int(self.table["reciprocal"][scale]) >> self.unit
            z = max(-T.LOGISTIC_LIMIT << 8, min(T.LOGISTIC_LIMIT << 8, z))
            at = z + (T.LOGISTIC_LIMIT << 8)
            entry, between = at // 16384 * 64, at % 16384
            here, beyond = (int(self.table["logistic"][min(entry + i, 2 * T.LOGISTIC_LIMIT)]) for i in (0, 64))
            total += int(weight) * (256 * here + between * (beyond - here) // 64)
        return total

    def digit_freqs(self, channel: int, prefix: int, place: int) -> Integers:
        """(16,) frequencies, with sum 2^20, of the digit of weight 16^place that follows the digits `prefix`."""
        edges = [(16 * prefix + e) * 16**place for e in range(17)]
        below = [self.share_below(channel, sample) for sample in edges]
        span, spare = below[16] - below[0], TOTAL - 16 * FLOOR
        shares = [(b - below[0]) * spare // span if span else e * spare // 16 for e, b in enumerate(below)]
        return np.diff(shares) + FLOOR

    def store(self, y: int, x: int, channel: int, value: int) -> None:
        """Store a value for the channels and pixels that follow."""
        self.pixels[y, x, channel] = value
        residual, most = value - self.centre[channel], 127 << self.unit
        self.known = np.append(self.known, np.clip(self._levels(residual), -127, 127))
        self.fine = np.append(self.fine, np.clip(residual, -most, most))


def activate(stream: Integers, finer: int = 0) -> Integers:
    """Stream in 2^-STREAM_FRACTION activation steps -> nearest activations 0..127, with `finer` extra bits."""
    activations: Integers = np.clip(round_shift(stream, STREAM_FRACTION - finer), 0, ACTIVATION_MAX)
    return activations


def round_shift(value: Integers, bits: int) -> Integers:
    """value / 2^bits, rounded to the nearest integer, halves up."""
    return (value + (1 << (bits - 1))) >> bits


def frequencies(weights: IntegerWeights, samples: NDArray[np.uint8]) -> Iterator[tuple[int, int, int, Integers]]:
    """Yield (y, x, channel, frequencies) of every sub-pixel, in raster order.

    Args:
        samples: (H, W, C) uint8 in coding order.
    Returns:
        An iterator; frequencies are (256,) int64, each at least 1, with sum 2^20.
    """
    height, width, channels = samples.shape
    model = Reference(weights, height, width)
    for y in range(height):
        for x in range(width):
            model.begin(y, x)
            for channel in range(channels):
                yield y, x, channel, np.diff(model.cumulative(channel))
                model.store(y, x, channel, int(samples[y, x, channel]))


def bin_freqs(freqs: Integers) -> Integers:
    """(256,) frequencies -> (16,) frequencies of the bins, the first stage."""
    return np.array([freqs[16 * b : 16 * b + 16].sum() for b in range(16)])


def place_freqs(freqs: Integers, symbol: int) -> Integers:
    """(256,) frequencies -> (16,) frequencies of the values within bin `symbol`, the second stage."""
    return freqs[16 * symbol : 16 * symbol + 16]


__all__ = ["Reference", "bin_freqs", "frequencies", "place_freqs"]
