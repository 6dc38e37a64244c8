"""The integer model, one diagonal at a time, for a batch of images of any sizes.

At step ``t = x + 2 y`` every image row in flight has one pixel; a batch is just more rows.  What is coded
is written into a padded buffer and read back through the taps, so the past is all a step can see, in the
encoder as in the decoder.  A layer keeps the activations of the last four steps; rows that are not in
flight, and taps outside an image, lead to one row of zeros.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.exact.frequencies import Frequencies
from pixzip.exact.gemm import Arithmetic, Matrix
from pixzip.exact.weights import FRACTION, OUTPUT_SHIFTS, IntegerWeights
from pixzip.models.context import MASK_A, MASK_B, SLOPE

_TOP = max(-dy for dy, _ in MASK_A)
_LEFT = max(-dx for _, dx in MASK_A)
_RIGHT = max(dx for _, dx in MASK_A)
#: Steps back that a tap of mask B reaches, and how many steps a layer must remember.
_BACK = tuple(-(dx + SLOPE * dy) for dy, dx in MASK_B)
_RING = max(_BACK) + 1
_WEST, _NORTH, _NORTH_WEST = (MASK_A.index(tap) for tap in ((0, -1), (-1, 0), (-1, -1)))


def count_steps(height: int, width: int) -> int:
    """Steps that one image takes."""
    return width + SLOPE * (height - 1)


class Step(NamedTuple):
    """The pixels coded together."""

    t: int
    segments: list[tuple[int, slice]]  # image -> its part of the M pixels
    address: NDArray[np.int64]  # (M,) places in the padded buffer


class Layers:
    """A model's matrices as a backend wants them, and its tables."""

    def __init__(self, weights: IntegerWeights, arithmetic: Arithmetic) -> None:
        t = {name: torch.from_numpy(a) for name, a in weights.tensors.items()}
        c, k = weights.config.channels, weights.config.n_mix
        half = 1 << (FRACTION - 1)  # activations round to nearest

        def matrix(name: str) -> Matrix:
            return arithmetic.matrix(t[f"{name}.weight"], t[f"{name}.exponent"])

        self.config = weights.config
        self.arithmetic = arithmetic
        self.frequencies = Frequencies(weights, arithmetic.device)
        self.input, self.input_bias = matrix("input"), arithmetic.bias(t["input.bias"] + half)
        self.blocks = [matrix(f"block.{i}") for i in range(weights.config.blocks)]
        self.hidden, self.hidden_bias = matrix("hidden"), arithmetic.bias(t["hidden.bias"] + half)
        self.known = [matrix(f"known.{i}") for i in range(1, c)]
        self.out = [matrix(f"out.{i}") for i in range(c)]
        shared = [OUTPUT_SHIFTS[name] for name in ("logits", "means", "scales") for _ in range(k)]
        shifts = [shared + [OUTPUT_SHIFTS["factors"]] * i for i in range(c)]
        self.shifts = [arithmetic.shifts(s) for s in shifts]
        self.out_bias = [
            arithmetic.bias(t[f"out.{i}.bias"] + torch.tensor([1 << (s - 1) for s in shifts[i]], dtype=torch.int32))
            for i in range(c)
        ]

    @staticmethod
    def shapes(weights: IntegerWeights) -> list[tuple[int, int]]:
        """(K, N) of every product, for the self-test."""
        shapes = {a.shape for n, a in weights.tensors.items() if n.endswith(".weight")}
        return sorted((int(k), int(n)) for k, n in shapes)


class Wavefront:
    """The state of a batch of images being coded."""

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        """
        Args:
            sizes: (height, width) of each image.
        """
        self.layers = layers
        self.height, self.width = (np.array(side, np.int64) for side in zip(*sizes, strict=True))
        self.device = layers.arithmetic.device
        self.pitch = self.width + _LEFT + _RIGHT
        area = (self.height + _TOP) * self.pitch
        self.base = np.cumsum(area) - area + _TOP * self.pitch + _LEFT  # address of each image's first pixel
        self.pixels = torch.zeros(int(area.sum()), layers.config.channels, dtype=torch.uint8, device=self.device)
        inside = np.zeros(int(area.sum()), np.float32)
        for i, (h, w) in enumerate(sizes):
            inside[self.window(i)] = 1
            assert self.window(i).shape == (h, w)
        self.inside = torch.from_numpy(inside).to(self.device)
        self.offsets = np.stack([dy * self.pitch + dx for dy, dx in MASK_A], 1)  # (N, 24)
        self.first_row = np.cumsum(self.height + 1) - self.height  # an empty row above each image
        self.steps = int((self.width + SLOPE * (self.height - 1)).max())
        self.most = self._most_rows()
        width, dtype = layers.config.width, layers.arithmetic.activation_dtype
        self.zero_row = _RING * self.most
        self.rings = [
            torch.zeros(self.zero_row + 1, width, dtype=dtype, device=self.device) for _ in layers.blocks
        ]
        self.places = np.full((_RING, int((self.height + 1).sum()) + 1), self.zero_row, np.int64)

    def window(self, image: int) -> NDArray[np.int64]:
        """(H, W) addresses of an image's pixels in the padded buffer."""
        h, w = self.height[image], self.width[image]
        out: NDArray[np.int64] = self.base[image] + np.arange(h)[:, None] * self.pitch[image] + np.arange(w)
        return out

    def _in_flight(self, t: NDArray[np.int64] | int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First row in flight and number of rows in flight, an image each."""
        first = np.maximum(0, (t - self.width + SLOPE) // SLOPE)
        return first, np.maximum(0, np.minimum(self.height - 1, t // SLOPE) - first + 1)

    def _most_rows(self) -> int:
        return int(max(self._in_flight(t)[1].sum() for t in range(self.steps)))

    def __iter__(self) -> Iterator[Step]:
        """Advance; between two items the caller must have called `store`."""
        for t in range(self.steps):
            first, count = self._in_flight(t)
            image = np.repeat(np.arange(count.size), count)
            start = np.cumsum(count) - count
            m = image.size
            y = first[image] + np.arange(m) - start[image]
            address = self.base[image] + y * (self.pitch[image] - SLOPE) + t
            row = self.first_row[image] + y
            self.places[t % _RING].fill(self.zero_row)
            self.places[t % _RING, row] = t % _RING * self.most + np.arange(m)
            taps = [self.places[(t - b) % _RING, row + dy] for b, (dy, _) in zip(_BACK, MASK_B, strict=True)]
            self._trunk(t, address[:, None] + self.offsets[image], np.stack(taps, 1))
            self._address = torch.from_numpy(address).to(self.device)
            segments = [(int(i), slice(int(start[i]), int(start[i] + count[i]))) for i in np.flatnonzero(count)]
            yield Step(t, segments, address)

    def _trunk(self, t: int, pixel_taps: NDArray[np.int64], feature_taps: NDArray[np.int64]) -> None:
        layers, arithmetic = self.layers, self.layers.arithmetic
        m, n_taps = pixel_taps.shape
        flat = torch.from_numpy(pixel_taps.reshape(-1)).to(self.device)
        taps = self.pixels.index_select(0, flat).view(m, n_taps, -1).to(torch.float32)
        inside = self.inside.index_select(0, flat).view(m, n_taps, 1)
        west, north = taps[:, _WEST], taps[:, _NORTH]
        med = torch.maximum(west, north).minimum(torch.minimum(west, north).maximum(west + north - taps[:, _NORTH_WEST]))
        feats = torch.cat([((taps - med[:, None]) * inside).flatten(1), med - 128], 1).clamp_(-127, 127)
        self.centre = med
        stream = arithmetic.linear(layers.input_bias, feats.to(arithmetic.activation_dtype), layers.input)
        flat = torch.from_numpy(feature_taps.reshape(-1)).to(self.device)
        slot = slice(t % _RING * self.most, t % _RING * self.most + m)
        for ring, block in zip(self.rings, layers.blocks, strict=True):
            arithmetic.activate(stream, ring[slot])
            stream = arithmetic.linear(stream, ring.index_select(0, flat).view(m, -1), block)
        trunk = arithmetic.activate(stream, torch.empty_like(stream, dtype=arithmetic.activation_dtype))
        self.hidden = arithmetic.linear(layers.hidden_bias, trunk, layers.hidden)
        self.known = torch.zeros_like(med)

    def outputs(self, channel: int) -> Tensor:
        """(M, 3 K + i) outputs of a channel's head, given the channels stored before it."""
        layers, arithmetic = self.layers, self.layers.arithmetic
        width = layers.config.head_width
        z = self.hidden[:, channel * width : (channel + 1) * width]
        if channel:
            known = self.known[:, :channel].to(arithmetic.activation_dtype)
            z = arithmetic.linear(z, known, layers.known[channel - 1])
        hidden = arithmetic.activate(z, torch.empty(z.shape, dtype=arithmetic.activation_dtype, device=self.device))
        out = arithmetic.linear(layers.out_bias[channel], hidden, layers.out[channel])
        return arithmetic.outputs(out, layers.shifts[channel])

    def store(self, channel: int, values: Tensor) -> None:
        """Make (M,) values of a channel, int64 0..255, known to what follows."""
        self.known[:, channel] = (values - self.centre[:, channel]).clamp_(-127, 127)
        self.pixels[self._address, channel] = values.to(torch.uint8)
