"""The wavefront in tensor operations, which run wherever PyTorch runs."""

from collections.abc import Sequence

import torch
from pixcodecs.coders.base import Rows, Symbols
from pixcodecs.container.blocks import Precision
from torch import Tensor

from pixzip.engine.backends.base import BINS, Wavefront, joined
from pixzip.engine.backends.torch.adapt import Equations
from pixzip.engine.backends.torch.colours import Colours
from pixzip.engine.backends.torch.frequencies import Mixture
from pixzip.engine.backends.torch.gemm import Products
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.batch import Samples
from pixzip.engine.schedule import Step
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.light import LIGHT
from pixzip.models.wavefront.taps import MASK_B, NORTH, NORTH_WEST, WEST


def med(around: Tensor) -> Tensor:
    """(M, len(MASK_A), C) pixels under the taps, zeros outside the image -> (M, C) MED predictions."""
    west, north, north_west = around[:, WEST], around[:, NORTH], around[:, NORTH_WEST]
    low, high = torch.minimum(west, north), torch.maximum(west, north)
    return (west + north - north_west).clamp_(low, high)


def features(
    around: Tensor,
    centre: Tensor,
    inside: Tensor,
    products: Products,
    grain: Tensor | None = None,
    levels: Tensor | None = None,
) -> Tensor:
    """The input vectors of the first layer, (M, (len(MASK_A) + 1) C).

    Args:
        around: (M, len(MASK_A), C) pixels under the taps.
        centre: (M, C) MED predictions.
        inside: (M, len(MASK_A), 1), whether taps are inside the image.
        grain, levels: (M, 1) grey levels per sample, for differences and for predictions; None for 1.
    """
    differences, level = (around - centre[:, None]) * inside, centre
    if grain is not None and levels is not None:
        differences, level = torch.floor(differences * grain[:, None] + 0.5), torch.floor(centre * levels)
    return torch.cat([differences.flatten(1), level - 128], 1).clamp_(-127, 127).to(products.activation_dtype)


def head_outputs(layers: Layers, hidden: Tensor, known: Tensor, channel: int) -> Tensor:
    """(M, 3 K + i) outputs of a channel's head.

    Args:
        hidden: (M, C E) stream.
        known: (M, C) residuals; the first i are known.
    """
    products, width = layers.products, layers.config.head_width
    z = hidden[:, channel * width : (channel + 1) * width]
    if channel:
        z = products.linear(z, known[:, :channel].to(products.activation_dtype), layers.known[channel - 1])
    a = products.activate(z, torch.empty(z.shape, dtype=products.activation_dtype, device=z.device))
    return products.outputs(products.linear(layers.out_bias[channel], a, layers.out[channel]), layers.shifts[channel])


class TensorWavefront(Wavefront):
    """The wavefront in tensor operations only."""

    def __init__(
        self, layers: Layers, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None,
        stage: Stage = IDENTITY,
    ) -> None:  # fmt: skip
        """
        Args:
            stage: if it is `LIGHT`, the mixtures and frequencies adapt to the images.
        """
        super().__init__(layers.config, sizes, precisions)
        self.layers = layers
        device, dtype = layers.products.device, layers.products.activation_dtype
        s, config = self.schedule, layers.config
        self.device = device
        stored = torch.int32 if self.high_depth else torch.uint8
        self.buffer = torch.zeros(s.buffer_pixels, config.channels, dtype=stored, device=device)
        self.unit_of = torch.from_numpy(self.of_images("unit")).to(device)
        self.depth_of = torch.from_numpy(self.of_images("depth")).to(device)
        self.inside = torch.from_numpy(s.inside()).to(device, torch.float32)
        #: Inputs of each layer in the last steps; none for a layer that reads only its own pixel.
        self.rings = [
            torch.zeros(s.zero_row + 1, config.width, dtype=dtype, device=device) if neighbours else None
            for _, neighbours, _ in layers.trunk
        ]
        self.equations: Equations | None = None
        self.colours: Colours | None = None
        if stage == LIGHT:
            self.equations = Equations(s, layers.priors, self.of_images("unit"), self.inside)
            if config.channels == 3 and not self.high_depth:
                self.colours = Colours(sizes, device, [p.lattice for p in self.precisions], layers.order)

    def begin(self, step: Step) -> None:
        layers, products = self.layers, self.layers.products
        taps = torch.from_numpy(step.address[:, None] + self.schedule.offsets[step.image]).to(self.device)
        around = self.buffer[taps].to(torch.float32)  # MTC
        centre, inside = med(around), self.inside[taps][:, :, None]
        self.image = image = torch.from_numpy(step.image).to(self.device)
        if self.high_depth:
            self.units, self.tops = self.unit_of[image], (1 << self.depth_of[image]) - 1
            self.grain = torch.exp2(-self.units.float())[:, None]  # (M, 1), exact
            levels = torch.exp2(8 - self.depth_of[image].float())[:, None]
            feats = features(around, centre, inside, products, self.grain, levels)
        else:
            feats = features(around, centre, inside, products)
        stream = products.linear(layers.input_bias, feats, layers.input)
        rows = torch.from_numpy(step.taps).to(self.device).flatten()
        m = step.address.size
        trunk = torch.empty_like(stream, dtype=products.activation_dtype)
        for ring, (matrix, _, finer) in zip(self.rings, layers.trunk, strict=True):
            if ring is None:
                stream = products.linear(stream, products.activate(stream, trunk, finer), matrix)
                continue
            products.activate(stream, ring[step.first : step.first + m], finer)
            seen = ring.index_select(0, rows).view(m, len(MASK_B) * layers.config.width)
            stream = products.linear(stream, seen, matrix)
        products.activate(stream, trunk)
        self.hidden = products.linear(layers.hidden_bias, trunk, layers.hidden)
        self.centre, self.known, self.fine = centre, torch.zeros_like(centre), torch.zeros_like(centre)
        self.address = torch.from_numpy(step.address).to(self.device)
        if self.equations:
            self.equations.begin(step)

    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        rows = self._high_depth_rows(channel, before) if self.high_depth else self._rows(channel, before)
        return rows.diff().to(torch.float32).cpu().numpy()

    def _rows(self, channel: int, before: Sequence[Symbols]) -> Tensor:
        tables = self.layers.frequencies
        if before:
            bins = torch.from_numpy(before[0]).to(self.device, torch.int64)
            rows = tables.place_rows(self.mixture, bins, self.bin_rows)
            if self.refined is not None:
                pixels, whole = self.refined
                edges = BINS * bins[pixels, None] + torch.arange(BINS + 1, device=self.device)
                rows[pixels] = whole.gather(1, edges).to(rows.dtype)
            return rows
        self.mix(channel)
        self.bin_rows: Tensor = tables.bin_rows(self.mixture)
        if self.refined is not None:
            pixels, whole = self.refined
            self.bin_rows[pixels] = whole[:, ::BINS].to(self.bin_rows.dtype)
        return self.bin_rows

    def mix(self, channel: int) -> Mixture:
        """Compute the mixtures of a channel of 8 bits, and what colours seen make of them.

        Returns:
            The mixtures before the equations have moved them.
        """
        tables = self.layers.frequencies
        mixture = raw = tables.mixture(
            head_outputs(self.layers, self.hidden, self.known, channel),
            self.centre[:, channel],
            self.known[:, :channel],
        )
        if self.equations:
            moved = self.equations.move(channel, mixture.weights, mixture.means, tables.slopes(mixture), self.buffer)
            mixture = mixture._replace(means=tables.within(mixture.means + moved[:, None]))
        self.mixture: Mixture = mixture
        self.refined: tuple[Tensor, Tensor] | None = None  # pixels, and their (U, 257) frequencies
        if self.colours and channel == 2:
            pixels = self.colours.look(self.image, self.buffer[self.address, :2].long())
            self.refined = pixels, self.colours.refined(tables.whole_rows(Mixture(*(t[pixels] for t in mixture))))
        return raw

    def _high_depth_rows(self, channel: int, before: Sequence[Symbols]) -> Tensor:
        tables = self.layers.high_depth_frequencies
        if before:
            prefix = torch.from_numpy(joined(before)).to(self.device, torch.int64)
        else:
            prefix = torch.zeros_like(self.units)
            mixture = tables.mixture(
                head_outputs(self.layers, self.hidden, self.known, channel),
                self.centre[:, channel],
                self.fine[:, :channel],
                self.units,
                self.tops,
            )
            if self.equations:
                moved = self.equations.move(channel, mixture.weights, mixture.means, mixture.slopes, self.buffer)
                mixture = mixture._replace(means=tables.within(mixture.means + moved[:, None], self.units, self.tops))
            self.high_depth_mixture = mixture
        return tables.rows(self.high_depth_mixture, prefix, self.digits - 1 - len(before))

    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        self.keep(channel, torch.from_numpy(joined(digits)).to(self.device))

    def keep(self, channel: int, values: Tensor) -> None:
        """Store the (M,) samples of a channel for the channels and steps that follow, and learn from them."""
        residual = values - self.centre[:, channel]
        if self.high_depth:
            most = 127 / self.grain[:, 0]
            self.fine[:, channel] = torch.minimum(torch.maximum(residual, -most), most)
            residual = torch.floor(residual * self.grain[:, 0] + 0.5)
        self.known[:, channel] = residual.clamp(-127, 127)
        self.buffer[self.address, channel] = values.to(self.buffer.dtype)
        if self.equations:
            self.equations.learn(channel, values.long())
        if self.colours and channel == 2:
            self.colours.remember(self.buffer[self.address].long())

    def samples(self, image: int) -> Samples:
        stored: Samples = self.schedule.view(self.buffer, image).cpu().numpy().astype(self.dtype, copy=False)
        return stored
