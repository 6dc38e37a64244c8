"""The integer model, one diagonal at a time.

What is coded is written into a padded buffer and read back through the taps, so the past is all that a
step can see, in the encoder as in the decoder.  `TensorWavefront` runs anywhere torch does;
`compiled.CompiledWavefront` is the same computation for CPUs.
"""

import contextlib
from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.exact.frequencies import BINS
from pixzip.exact.layers import Layers
from pixzip.exact.schedule import Schedule, Step
from pixzip.models.context import MASK_A, MASK_B

WEST, NORTH, NORTH_WEST = (MASK_A.index(tap) for tap in ((0, -1), (-1, 0), (-1, -1)))

Symbols = NDArray[np.int32]
Rows = NDArray[np.float32]


class Wavefront(ABC):
    """The state of a batch of images being coded.

    For every step of `schedule`: `begin`, then for every channel `bin_freqs`, `place_freqs`, `store`.
    """

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        self.layers = layers
        self.schedule = self.make_schedule(sizes)

    def make_schedule(self, sizes: list[tuple[int, int]]) -> Schedule:
        """Which pixels are coded together."""
        return Schedule(sizes)

    def coding(self) -> contextlib.AbstractContextManager[None]:
        """What must be in force while steps are coded."""
        return contextlib.nullcontext()

    @abstractmethod
    def begin(self, step: Step) -> None:
        """Run the trunk for the step's pixels."""

    @abstractmethod
    def bin_freqs(self, channel: int) -> Rows:
        """(M, 16) frequencies of the values' bins, sums 2^20."""

    @abstractmethod
    def place_freqs(self, channel: int, bins: Symbols) -> Rows:
        """(M, 16) frequencies of the values within (M,) bins; sums are the bins' frequencies."""

    @abstractmethod
    def store(self, channel: int, bins: Symbols, places: Symbols) -> None:
        """Make a channel's values known to what follows."""

    @abstractmethod
    def pixels(self, image: int) -> NDArray[np.uint8]:
        """(C, H, W) what was stored."""


class TensorWavefront(Wavefront):
    """Tensor operations only."""

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        super().__init__(layers, sizes)
        device, dtype = layers.arithmetic.device, layers.arithmetic.activation_dtype
        s, config = self.schedule, layers.config
        self.device = device
        self.buffer = torch.zeros(s.buffer_pixels, config.channels, dtype=torch.uint8, device=device)
        self.inside = torch.from_numpy(s.inside()).to(device, torch.float32)
        #: What a layer read in the last steps; a layer that reads its own pixel alone has none.
        self.rings = [
            torch.zeros(s.zero_row + 1, config.width, dtype=dtype, device=device) if neighbours else None
            for _, neighbours, _ in layers.trunk
        ]

    def begin(self, step: Step) -> None:
        layers, arithmetic = self.layers, self.layers.arithmetic
        taps = torch.from_numpy(step.address[:, None] + self.schedule.offsets[step.image]).to(self.device)
        around = self.buffer[taps].to(torch.float32)  # MTC
        west, north, north_west = around[:, WEST], around[:, NORTH], around[:, NORTH_WEST]
        low, high = torch.minimum(west, north), torch.maximum(west, north)
        med = (west + north - north_west).clamp_(low, high)
        differences = (around - med[:, None]) * self.inside[taps][:, :, None]
        feats = torch.cat([differences.flatten(1), med - 128], 1).clamp_(-127, 127).to(arithmetic.activation_dtype)
        stream = arithmetic.linear(layers.input_bias, feats, layers.input)
        rows = torch.from_numpy(step.taps).to(self.device).flatten()
        m = step.address.size
        trunk = torch.empty_like(stream, dtype=arithmetic.activation_dtype)
        for ring, (matrix, _, finer) in zip(self.rings, layers.trunk, strict=True):
            if ring is None:
                stream = arithmetic.linear(stream, arithmetic.activate(stream, trunk, finer), matrix)
                continue
            arithmetic.activate(stream, ring[step.first : step.first + m], finer)
            seen = ring.index_select(0, rows).view(m, len(MASK_B) * layers.config.width)
            stream = arithmetic.linear(stream, seen, matrix)
        arithmetic.activate(stream, trunk)
        self.hidden = arithmetic.linear(layers.hidden_bias, trunk, layers.hidden)
        self.centre, self.known = med, torch.zeros_like(med)
        self.address = torch.from_numpy(step.address).to(self.device)

    def _head(self, channel: int) -> Tensor:
        """(M, 3 K + i) outputs of a channel's head."""
        layers, arithmetic = self.layers, self.layers.arithmetic
        width = layers.config.head_width
        z = self.hidden[:, channel * width : (channel + 1) * width]
        if channel:
            before = self.known[:, :channel].to(arithmetic.activation_dtype)
            z = arithmetic.linear(z, before, layers.known[channel - 1])
        a = arithmetic.activate(z, torch.empty(z.shape, dtype=arithmetic.activation_dtype, device=z.device))
        return arithmetic.outputs(
            arithmetic.linear(layers.out_bias[channel], a, layers.out[channel]), layers.shifts[channel]
        )

    def bin_freqs(self, channel: int) -> Rows:
        out = self._head(channel)
        self.mixture = self.layers.frequencies.mixture(out, self.centre[:, channel], self.known[:, :channel])
        self.bin_rows = self.layers.frequencies.bin_rows(self.mixture)
        return self.bin_rows.diff().cpu().numpy()

    def place_freqs(self, channel: int, bins: Symbols) -> Rows:
        on_device = torch.from_numpy(bins).to(self.device, torch.int64)
        return self.layers.frequencies.place_rows(self.mixture, on_device, self.bin_rows).diff().cpu().numpy()

    def store(self, channel: int, bins: Symbols, places: Symbols) -> None:
        values = torch.from_numpy(bins * BINS + places).to(self.device)
        self.known[:, channel] = (values - self.centre[:, channel]).clamp_(-127, 127)
        self.buffer[self.address, channel] = values.to(torch.uint8)

    def pixels(self, image: int) -> NDArray[np.uint8]:
        window = torch.from_numpy(self.schedule.window(image)).to(self.device)
        return self.buffer[window].permute(2, 0, 1).contiguous().cpu().numpy()
