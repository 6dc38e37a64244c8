"""Samples of the full stage in plain Python integers: sections 13.1 and 13.2 of `docs/format.md`."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container.blocks import Precision

from pixzip.models.wavefront.reference import Integers
from pixzip.models.wavefront.weights import IntegerWeights
from tests.oracles.light import TOTAL, Found, Light, odd

LIMIT = 2815
WORD = (1 << 64) - 1

Decision = tuple[int, int]


def clamp(a: int, least: int, most: int) -> int:
    return max(least, min(most, a))


def size(f: int) -> int:
    b = f.bit_length() - 1
    return 64 * b + (64 * f >> b) - 64


def h(a: int, b: int) -> int:
    g = (a * 0x9E3779B97F4A7C15 & WORD) ^ (b * 0xC2B2AE3D27D4EB4F & WORD)
    return (g ^ (g >> 29)) * 0xBF58476D1CE4E5B9 & WORD


def top(g: int, n: int) -> int:
    return g >> (64 - n)


def level(r: int) -> int:
    reached = sum(abs(r) >= edge for edge in (8, 24, 64, 160))
    return 4 + (reached if r >= 0 else -reached)


@dataclass
class Candidate:
    """A candidate that was looked at; `p` is its probability of 2^16."""

    colour: int
    kind: int
    p: int
    slots: list[int]
    inputs: list[int]


@dataclass
class Pixel:
    """A pixel of the current step.

    Attributes:
        f0, f1: of each channel (257,) frequencies below each value, after and before stage 1.
        middle: of each channel m'.
        nll: what its samples take so far, in 1/64 bit.
    """

    y: int
    x: int
    f0: list[Integers] = field(default_factory=list)
    f1: list[Integers] = field(default_factory=list)
    middle: list[int] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    repeated: bool = False
    nll: int = 0


class Mixing(Light):
    """The integer model, the light stage and the decisions of samples, on one image whose samples are known.

    Attributes:
        mix: (2 C, 33, 12, 18) int64 weights of the decisions' mixers.
        repeat: (13, 8, 6) int64 weights of the candidates' mixers.
        counts: slot -> its two counts; absent ones are zero.
        residuals: (H, W, C) int64.
    """

    def __init__(
        self, weights: IntegerWeights, samples: NDArray[np.integer], least_pixels: int = 4096, lattice: int = 0
    ) -> None:
        """
        Args:
            samples: (H, W, C) uint8 in coding order.
            least_pixels: number of pixels from which colours are remembered.
        """
        super().__init__(weights, samples, Precision(lattice=lattice), least_pixels)
        height, width, channels = samples.shape
        self.channels = channels
        found = weights.tensors
        if "mix.squash" in found:
            self.squashed = [int(p) for p in found["mix.squash"]]
            self.mix, self.repeat = (found[f"{name}.weights"].astype(np.int64) * 64 for name in ("mix", "repeat"))
        else:
            rising = (math.floor(65536 / (1 + math.exp(-(i - LIMIT) / 256)) + 0.5) for i in range(2 * LIMIT + 1))
            self.squashed = [clamp(p, 1, 65535) for p in rising]
            self.mix = np.zeros((2 * channels, 33, 12, 18), np.int64)
            self.mix[..., :3] = 64 * np.array([768, 100, 156])
            self.repeat = np.full((13, 8, 6), 64 * 410)
        self.counts: dict[int, list[int]] = {}
        self.residuals = np.zeros((height, width, channels), np.int64)
        self.forget()

    def forget(self) -> None:
        """Begin a step's news: of mixers the sums of inputs times errors, of slots the bits."""
        self.news: dict[tuple[int, ...], list[int]] = {}
        self.bits: list[Decision] = []

    def look(self, pixel: Pixel) -> Found | None:
        """Run the model and stage 1 for a pixel, all of whose samples are known; return its class of 12.3."""
        y, x = pixel.y, pixel.x
        self.begin(y, x)
        kind = None
        for channel, sample in enumerate(map(int, self.samples[y, x])):
            self.moved = super(Light, self).mixture(channel)
            pixel.f1.append(self.below())
            m = self.move(y, x, channel)
            weights, means, _ = self.mixture(channel)
            pixel.middle.append((int(sum(weights * means)) + 512) >> 10)
            f = self.below()
            if channel == 2 and self.remembers:
                f, kind = self.refined(f, y, x)
            pixel.f0.append(f)
            self.record(y, x, channel, sample, m)
            self.residuals[y, x, channel] = 16 * sample - pixel.middle[-1]
        return kind

    # 13.1

    def squash(self, x: int) -> int:
        return self.squashed[x + LIMIT]

    def stretch(self, p: int) -> int:
        return min(bisect_left(self.squashed, p), 2 * LIMIT) - LIMIT

    def slot(self, counts: dict[int, list[int]], slot: int) -> tuple[int, int]:
        """The inputs `counted` and `sure`."""
        n0, n1 = counts.get(slot, (0, 0))
        q = (5 * n1 + 2) * 65536 // (5 * (n0 + n1) + 4)
        return self.stretch(q), (q - 32768) * min(n0 + n1, 3) // 384

    @staticmethod
    def mixed(weights: Integers, inputs: Sequence[int]) -> int:
        total = sum(int(w) * i for w, i in zip(weights, inputs, strict=True))
        return clamp(total >> 16, -LIMIT, LIMIT)

    def note(self, mixer: tuple[int, ...], inputs: Sequence[int], error: int) -> None:
        """Add to the news of a mixer's weights."""
        sums = self.news.setdefault(mixer, [0] * len(inputs))
        for k, value in enumerate(inputs):
            sums[k] += value * error

    # 13.2

    def sample(self, pixel: Pixel, c: int) -> Iterator[Decision]:
        """The decisions of a sample; none for a repetition."""
        f0, p = pixel.f0[c], int(self.samples[pixel.y, pixel.x, c])
        if pixel.repeated:
            pixel.nll += 1280 - size(int(f0[p + 1] - f0[p]))
            return
        lines, kd, ke, scale = self.surroundings(pixel, c)
        v = np.arange(257)
        d = (16 * v - 8 - pixel.middle[c]) * self.table["reciprocal"][scale] >> 8
        f2 = 64 * self.table["logistic"][np.clip(d, -5632, 5632) + 5632] + v
        f2[0], f2[256] = 0, TOTAL
        experts = [f0.tolist(), pixel.f1[c].tolist(), f2.tolist()]
        for t, node, low, high in places(p, clamp(pixel.middle[c] + 8 >> 4, 0, 255)):
            inputs = [self.stretch(clamp((f[high] - f[t]) * 65536 // (f[high] - f[low]), 16, 65520)) for f in experts]
            inputs.append(77)
            for line in lines:
                inputs += self.slot(self.counts, 64 * line + node)
            mixers = (c, node, kd), (self.channels + c, node, ke)
            x0, x1 = (self.mixed(self.mix[mixer], inputs) for mixer in mixers)
            chance, bit = self.squash((x0 + x1) >> 1), int(p >= t)
            pixel.nll += 1024 - size(chance if bit else 65536 - chance)
            for mixer, x in zip(mixers, (x0, x1), strict=True):
                self.note(mixer, inputs, 65536 * bit - self.squash(x))
            self.bits += [(64 * line + node, bit) for line in lines]
            yield bit, chance

    def surroundings(self, pixel: Pixel, c: int) -> tuple[list[int], int, int, int]:
        """The lines of a sample's contexts, kd, ke and scale."""
        y, x = pixel.y, pixel.x

        def residual(dy: int, dx: int) -> int:
            return int(self._at(self.residuals, y + dy, x + dx)[c])

        w, n, nw, ne = residual(0, -1), residual(-1, 0), residual(-1, -1), residual(-1, 1)
        a, b = (int(self.residuals[y, x, c - i]) if c >= i else 0 for i in (1, 2))
        e = (2 * abs(w) + 2 * abs(n) + abs(nw) + abs(ne) + abs(residual(0, -2)) + abs(residual(-2, 0))) >> 3
        if c > 0:
            e = (11 * e + 5 * abs(a)) >> 4
        middle = pixel.middle[c]
        v0 = clamp((middle + 8) >> 4, 0, 255)
        part = ((middle - 16 * v0 + 8) >> 1) & 7
        kd = clamp(odd(math.floor(self.deviations[y, x, c] * np.float32(16)) + 1) - 3, 0, 11)
        ke = clamp(odd(e + 1) - 1, 0, 11)
        here, left = self.pixels[y, x], self._at(self.pixels, y, x - 1)
        one = int(here[0] if c > 0 else left[max(0, self.channels - 2)])
        two = int(here[1] if c > 1 else left[self.channels - 1])
        contexts = [
            (kd, part), (ke, part), (9 * level(w) + level(n), level(ne)), (9 * level(a) + level(b), kd), (v0, part),
            (v0, 256 * one + two), (clamp(a >> 2, -128, 127) + 128, clamp(b >> 2, -128, 127) + 128),
        ]  # fmt: skip
        lines = [8192 * k + top(h(h(4 * k + c, i), j), 13) for k, (i, j) in enumerate(contexts)]
        f = (11 * e >> 4) + 2
        j = f.bit_length() - 1
        return lines, kd, ke, min(79, 36 + 8 * (j - 4) + ((8 * f >> j) & 7))


def places(p: int, v0: int) -> Iterator[tuple[int, int, int, int]]:
    """The decisions that lead to a sample: t, node, low and high."""
    low, high = 0, 256
    t = clamp(v0, 1, 255)
    yield t, 0, low, high
    up = p >= t
    low, high = (t, high) if up else (low, t)
    steps, node = [1, 1, 1, 1, 2, 4, 8, 16, 32, 64, 128, 256], 1 if up else 13
    while high - low > 1:
        step = steps.pop(0)
        t = min(high - 1, low + step) if up else max(low + 1, high - step)
        yield t, node, low, high
        node, bit = node + 1, p >= t
        low, high = (t, high) if bit else (low, t)
        if bit != up:
            break
    while high - low > 1:
        t = (low + high) >> 1
        yield t, 24 + (high - low - 1).bit_length(), low, high
        low, high = (t, high) if p >= t else (low, t)
