"""One step of a batch in tensor operations of fixed shapes, which never ask the host for anything."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from pixcodecs.coders.base import EDGE_BITS
from torch import Tensor

from pixzip.engine.backends.cuda.lanes import Lanes
from pixzip.engine.backends.cuda.slots import Pixels, Slots
from pixzip.engine.backends.torch.frequencies import Mixture
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.backends.torch.wavefront import features, head_outputs, med
from pixzip.engine.batch import Samples
from pixzip.models.wavefront.taps import MASK_B


class Symbols(ABC):
    """Where a step's symbols come from."""

    @abstractmethod
    def bins(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        """(M, 17) cumulative frequencies -> (M,) int64 bins."""

    @abstractmethod
    def places(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        """(M, 17) cumulative frequencies in the bins -> (M,) int64 places."""


class FromPayloads(Symbols):
    """Decoded from payloads of interleaved rANS."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes

    def bins(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        return self.lanes.decode(rows, pixels.active)

    places = bins


class FromImages(Symbols):
    """Looked up; what an entropy coder needs to know of them is kept in `edges`.

    Attributes:
        edges: (buffer_pixels, C, 2) int64, of bins and of values: cumulative frequency below, and below the next.
    """

    def __init__(self, slots: Slots, images: Sequence[Samples], device: torch.device) -> None:
        channels = images[0].shape[2]
        values = np.zeros((slots.buffer_pixels, channels), np.int64)
        for i, samples in enumerate(images):
            values[slots.schedule.window(i)] = samples
        self._values = torch.from_numpy(values).to(device)
        self.edges = torch.zeros(slots.buffer_pixels, channels, 2, dtype=torch.int64, device=device)

    def bins(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        return self._chosen(0, channel, self._values[pixels.address, channel] >> 4, rows, pixels)

    def places(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        return self._chosen(1, channel, self._values[pixels.address, channel] & 15, rows, pixels)

    def _chosen(self, digit: int, channel: int, symbols: Tensor, rows: Tensor, pixels: Pixels) -> Tensor:
        below, above = rows.gather(1, torch.stack([symbols, symbols + 1], 1)).to(torch.int64).unbind(1)
        self.edges[pixels.address, channel, digit] = below << EDGE_BITS | above
        return symbols


class MaskedStep:
    """The state of a batch, and what takes it from one step to the next.

    Attributes:
        t: () int64, the step that is next.
    """

    def __init__(self, layers: Layers, slots: Slots, symbols: Symbols) -> None:
        device, config = layers.products.device, layers.config
        self.layers, self.slots, self.symbols = layers, slots, symbols
        self.t = torch.zeros((), dtype=torch.int64, device=device)
        self.buffer = torch.zeros(slots.buffer_pixels, config.channels, dtype=torch.uint8, device=device)
        #: What a layer read in the last steps; a layer that reads its own pixel alone has none.
        self.rings = [
            torch.zeros(slots.ring_rows, config.width, dtype=layers.products.activation_dtype, device=device)
            if neighbours
            else None
            for _, neighbours, _ in layers.trunk
        ]

    def __call__(self) -> None:
        """Code the pixels of step `t`, and count it."""
        pixels = self.slots.at(self.t)
        around = self.buffer[pixels.seen].to(torch.float32)  # MTC
        centre = med(around)
        hidden = self._trunk(features(around, centre, pixels.inside[:, :, None], self.layers.products), pixels)
        known = torch.zeros_like(centre)
        tables = self.layers.frequencies
        for channel in range(self.layers.config.channels):
            outputs = head_outputs(self.layers, hidden, known, channel)
            mixture: Mixture = tables.mixture(outputs, centre[:, channel], known[:, :channel])
            rows = tables.bin_rows(mixture)
            bins = self.symbols.bins(channel, rows, pixels)
            places = self.symbols.places(channel, tables.place_rows(mixture, bins, rows), pixels)
            values = bins * 16 + places
            known[:, channel] = (values - centre[:, channel]).clamp_(-127, 127)
            self.buffer[pixels.address, channel] = values.to(torch.uint8)
        self.t += 1

    def _trunk(self, feats: Tensor, pixels: Pixels) -> Tensor:
        """(M, 25 C) features -> (M, C E) hidden layer of the heads."""
        layers, products = self.layers, self.layers.products
        stream = products.linear(layers.input_bias, feats, layers.input)
        trunk = torch.empty_like(stream, dtype=products.activation_dtype)
        for ring, (matrix, _, finer) in zip(self.rings, layers.trunk, strict=True):
            read = products.activate(stream, trunk, finer)
            if ring is not None:
                ring[pixels.write] = read
                read = ring.index_select(0, pixels.read).view(len(stream), len(MASK_B) * layers.config.width)
            stream = products.linear(stream, read, matrix)
        return products.linear(layers.hidden_bias, products.activate(stream, trunk), layers.hidden)

    def samples(self, image: int) -> Samples:
        """(H, W, C) uint8 what was coded."""
        window = torch.from_numpy(self.slots.schedule.window(image)).to(self.buffer.device)
        return self.buffer[window].cpu().numpy()
