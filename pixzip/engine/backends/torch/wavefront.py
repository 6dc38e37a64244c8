"""The integer model, one diagonal at a time.

What is coded is written into a padded buffer and read back through the taps, so the past is all that a
step can see, in the encoder as in the decoder.  `TensorWavefront` runs anywhere torch does;
`compiled.CompiledWavefront` is the same computation for CPUs.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.container.blocks import Precision, Samples, dtype
from torch import Tensor

from pixzip.engine.backends.torch.frequencies import BINS, Mixture
from pixzip.engine.backends.torch.gemm import Arithmetic
from pixzip.engine.backends.torch.high_depth import common_digits
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.schedule import Schedule, Step
from pixzip.models.wavefront.taps import MASK_A, MASK_B

WEST, NORTH, NORTH_WEST = (MASK_A.index(tap) for tap in ((0, -1), (-1, 0), (-1, -1)))

Symbols = NDArray[np.int32]
Rows = NDArray[np.float32]


class Wavefront(ABC):
    """The state of a batch of images being coded.

    A sample is coded in digits of 4 bits, the highest first.  For every step of `schedule`: `begin`, then for every
    channel `freqs` for each digit, and `store`.
    """

    def __init__(
        self, layers: Layers, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
    ) -> None:
        """
        Args:
            precisions: of each image, of equally many digits; None for 8 bits.
        Raises:
            ValueError: the numbers of digits differ.
        """
        self.layers = layers
        self.schedule = self.make_schedule(sizes)
        self.precisions = list(precisions or [Precision()] * len(sizes))
        self.digits = common_digits(self.precisions)
        self.deep = self.digits > 2
        self.dtype = dtype(max(p.depth for p in self.precisions))

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
    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        """(M, 16) frequencies of the samples' next digit.

        Of 8 bits the first digit, the bin, has sums of 2^20, and the second, the place, sums that are the bins'
        frequencies; of more, every digit has sums of 2^20.

        Args:
            before: (M,) digits already coded.
        """

    @abstractmethod
    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        """Make a channel's samples known to what follows."""

    @abstractmethod
    def pixels(self, image: int) -> Samples:
        """(C, H, W) what was stored."""

    def of_images(self, field: str) -> NDArray[np.int64]:
        """(N,) `depth` or `unit` of each image."""
        return np.array([getattr(p, field) for p in self.precisions], np.int64)


def joined(digits: Sequence[Symbols]) -> Symbols:
    """(M,) samples, or their beginnings, from their digits."""
    value = digits[0]
    for digit in digits[1:]:
        value = value * BINS + digit
    return value


def med(around: Tensor) -> Tensor:
    """(M, len(MASK_A), C) pixels under the taps, zeros outside the image -> (M, C) MED predictions."""
    west, north, north_west = around[:, WEST], around[:, NORTH], around[:, NORTH_WEST]
    low, high = torch.minimum(west, north), torch.maximum(west, north)
    return (west + north - north_west).clamp_(low, high)


def features(
    around: Tensor,
    centre: Tensor,
    inside: Tensor,
    arithmetic: Arithmetic,
    grain: Tensor | None = None,
    levels: Tensor | None = None,
) -> Tensor:
    """The input vectors of the first layer, (M, (len(MASK_A) + 1) C).

    Args:
        around: (M, len(MASK_A), C) pixels under the taps.
        centre: (M, C) MED predictions.
        inside: (M, len(MASK_A), 1), whether taps are inside the image.
        grain, levels: (M, 1) grey levels of the model that a sample is worth, of a difference and of a prediction; None
            for 1.
    """
    differences, level = (around - centre[:, None]) * inside, centre
    if grain is not None and levels is not None:
        differences, level = torch.floor(differences * grain[:, None] + 0.5), torch.floor(centre * levels)
    return torch.cat([differences.flatten(1), level - 128], 1).clamp_(-127, 127).to(arithmetic.activation_dtype)


def head_outputs(layers: Layers, hidden: Tensor, known: Tensor, channel: int) -> Tensor:
    """(M, 3 K + i) outputs of a channel's head.

    Args:
        hidden: (M, C E) stream.
        known: (M, C) residuals of which the first i are known.
    """
    arithmetic, width = layers.arithmetic, layers.config.head_width
    z = hidden[:, channel * width : (channel + 1) * width]
    if channel:
        z = arithmetic.linear(z, known[:, :channel].to(arithmetic.activation_dtype), layers.known[channel - 1])
    a = arithmetic.activate(z, torch.empty(z.shape, dtype=arithmetic.activation_dtype, device=z.device))
    return arithmetic.outputs(
        arithmetic.linear(layers.out_bias[channel], a, layers.out[channel]), layers.shifts[channel]
    )


class TensorWavefront(Wavefront):
    """Tensor operations only."""

    def __init__(
        self, layers: Layers, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
    ) -> None:
        super().__init__(layers, sizes, precisions)
        device, dtype = layers.arithmetic.device, layers.arithmetic.activation_dtype
        s, config = self.schedule, layers.config
        self.device = device
        stored = torch.int32 if self.deep else torch.uint8
        self.buffer = torch.zeros(s.buffer_pixels, config.channels, dtype=stored, device=device)
        self.unit_of = torch.from_numpy(self.of_images("unit")).to(device)
        self.depth_of = torch.from_numpy(self.of_images("depth")).to(device)
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
        centre, inside = med(around), self.inside[taps][:, :, None]
        if self.deep:
            image = torch.from_numpy(step.image).to(self.device)
            self.units, self.tops = self.unit_of[image], (1 << self.depth_of[image]) - 1
            self.grain = torch.exp2(-self.units.float())[:, None]  # (M, 1), exact
            levels = torch.exp2(8 - self.depth_of[image].float())[:, None]
            feats = features(around, centre, inside, arithmetic, self.grain, levels)
        else:
            feats = features(around, centre, inside, arithmetic)
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
        self.centre, self.known, self.fine = centre, torch.zeros_like(centre), torch.zeros_like(centre)
        self.address = torch.from_numpy(step.address).to(self.device)

    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        rows = self._deep_rows(channel, before) if self.deep else self._rows(channel, before)
        return rows.diff().to(torch.float32).cpu().numpy()

    def _rows(self, channel: int, before: Sequence[Symbols]) -> Tensor:
        tables = self.layers.frequencies
        if before:
            bins = torch.from_numpy(before[0]).to(self.device, torch.int64)
            return tables.place_rows(self.mixture, bins, self.bin_rows)
        self.mixture: Mixture = tables.mixture(
            head_outputs(self.layers, self.hidden, self.known, channel),
            self.centre[:, channel],
            self.known[:, :channel],
        )
        self.bin_rows: Tensor = tables.bin_rows(self.mixture)
        return self.bin_rows

    def _deep_rows(self, channel: int, before: Sequence[Symbols]) -> Tensor:
        tables = self.layers.deep_frequencies
        if before:
            prefix = torch.from_numpy(joined(before)).to(self.device, torch.int64)
        else:
            prefix = torch.zeros_like(self.units)
            self.deep_mixture = tables.mixture(
                head_outputs(self.layers, self.hidden, self.known, channel),
                self.centre[:, channel],
                self.fine[:, :channel],
                self.units,
                self.tops,
            )
        return tables.rows(self.deep_mixture, prefix, self.digits - 1 - len(before))

    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        values = torch.from_numpy(joined(digits)).to(self.device)
        residual = values - self.centre[:, channel]
        if self.deep:
            most = 127 / self.grain[:, 0]
            self.fine[:, channel] = torch.minimum(torch.maximum(residual, -most), most)
            residual = torch.floor(residual * self.grain[:, 0] + 0.5)
        self.known[:, channel] = residual.clamp(-127, 127)
        self.buffer[self.address, channel] = values.to(self.buffer.dtype)

    def pixels(self, image: int) -> Samples:
        window = torch.from_numpy(self.schedule.window(image)).to(self.device)
        found = self.buffer[window].permute(2, 0, 1).contiguous().cpu().numpy()
        return found.astype(self.dtype, copy=False)
