"""One step of a batch in tensor operations of fixed shapes, without any transfer to the host."""

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
    """The source of a step's symbols."""

    @abstractmethod
    def bins(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        """(M, 17) cumulative frequencies -> (M,) int64 bins."""

    @abstractmethod
    def places(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        """(M, 17) cumulative frequencies within the bins -> (M,) int64 places."""


class FromPayloads(Symbols):
    """Symbols decoded from interleaved rANS payloads."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes

    def bins(self, channel: int, rows: Tensor, pixels: Pixels) -> Tensor:
        return self.lanes.decode(rows, pixels.active)

    places = bins


class FromImages(Symbols):
    """Symbols looked up in images; `edges` keeps what an entropy coder needs.

    Attributes:
        edges: (buffer_pixels, C, 2) int64, for bins and for values: cumulative frequencies at both ends of the
            symbol's interval.
    """

    def __init__(self, slots: Slots, images: Sequence[Samples], device: torch.device) -> None:
        channels = images[0].shape[2]
        values = np.zeros((slots.buffer_pixels, channels), np.int64)
        for i, samples in enumerate(images):
            slots.schedule.view(values, i)[...] = samples
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
    """The state of a batch, and the operation that advances it by one step.

    Attributes:
        t: () int64, number of the next step.
    """

    def __init__(self, layers: Layers, slots: Slots, symbols: Symbols) -> None:
        device, config = layers.products.device, layers.config
        self.layers, self.slots, self.symbols = layers, slots, symbols
        self.t = torch.zeros((), dtype=torch.int64, device=device)
        self.buffer = torch.zeros(slots.buffer_pixels, config.channels, dtype=torch.uint8, device=device)
        #: Inputs of each layer in the last steps; none for a layer that reads only its own pixel.
        self.rings = [
            torch.zeros(slots.ring_rows, config.width, dtype=layers.products.activation_dtype, device=device)
            if neighbours
            else None
            for _, neighbours, _ in layers.trunk
        ]

    def __call__(self) -> None:
        """Code the pixels of step `t` and increment `t`."""
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
        """(H, W, C) uint8 coded samples of an image."""
        stored: Samples = self.slots.schedule.view(self.buffer, image).cpu().numpy()
        return stored
