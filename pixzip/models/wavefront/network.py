"""Wavefront PixelCNN: masked convolutions that allow decoding one diagonal at a time.

It is a PixelCNN [1] (mask A, then residual blocks of mask B) restricted to the taps of `taps`, so that all
pixels of one step ``t = x + 2 y`` are independent given the past.  The trunk runs once per pixel.  Each channel
has a head, which reads the trunk and the residuals of the channels already coded, and gives a logistic
mixture [2] centred on the MED prediction plus learned factors times those residuals.

This module is the training view.  Activations are clamped to [0, 127/32].  With `quantise`, activations are
rounded to multiples of 1/32 and every weight to an int8 times a power of two; the engine repeats this in
integers.

Unlike [1], a layer of the trunk is one clamped ReLU and one convolution added to the stream (a block is a masked
convolution followed by `mixing` 1x1 layers of the same kind), and the channels share the trunk.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759).
[2] Salimans et al., PixelCNN++, 2017 (arXiv 1701.05517).
"""

import math

import torch
from torch import Tensor, nn

from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.mixture import nll_bits
from pixzip.models.wavefront.planes import med, shifted, validity
from pixzip.models.wavefront.raster import Raster, activate, fake_quantise_weight, masked_residual, round_through
from pixzip.models.wavefront.taps import MASK_A


class WavefrontPixelCNN(nn.Module):
    """The training view; weights are (inputs, outputs), with a convolution's inputs ordered tap by tap."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        c, w, hw, k = config.channels, config.width, config.head_width, config.n_mix
        self.config = config
        self.quantise = False
        n_in, taps = (len(MASK_A) + 1) * c, [taps for _, taps in config.layers]
        self.input = nn.Parameter(torch.randn(n_in, w) * (1.5 / math.sqrt(n_in)))
        self.input_bias = nn.Parameter(torch.rand(w) * 0.5)
        fans = [len(t) * w for t in taps]
        self.trunk = nn.ParameterList(nn.Parameter(torch.randn(f, w) / math.sqrt(f * len(fans))) for f in fans)
        self.hidden = nn.Parameter(torch.randn(w, c * hw) / math.sqrt(w))
        self.hidden_bias = nn.Parameter(torch.zeros(c * hw))
        self.known = nn.ParameterList(nn.Parameter(torch.randn(i, hw) * 0.5) for i in range(1, c))
        self.out = nn.ParameterList(nn.Parameter(torch.randn(hw, 3 * k + i) * (0.1 / math.sqrt(hw))) for i in range(c))
        start = torch.cat([torch.zeros(2 * k), torch.linspace(-1.0, 2.5, k)])
        self.out_bias = nn.ParameterList(nn.Parameter(torch.cat([start, torch.ones(i)])) for i in range(c))

    def weight(self, w: Tensor, finer: int = 0) -> Tensor:
        return fake_quantise_weight(w, finer) if self.quantise else w

    def inputs(self, planes: Tensor) -> tuple[Raster, Tensor, Tensor]:
        """The geometry of (N, C, H, W) planes, the (P, inputs) matrix that the network reads, and the MED predictions,
        (N, C, H, W)."""
        n, _, h, w = planes.shape
        centre = med(planes)
        inside = validity(h, w, MASK_A, planes.device)
        seen = [(shifted(planes, dy, dx) - centre) * inside[i] for i, (dy, dx) in enumerate(MASK_A)]
        raster = Raster(n, h, w)
        return raster, raster.flatten(torch.cat([*seen, centre - 128], 1).clamp(-127, 127) / 32), centre

    def forward(self, planes: Tensor) -> Tensor:
        """Ideal code length of every sub-pixel.

        Args:
            planes: (N, C, H, W) float, integers 0..255, channels in coding order.
        Returns:
            (N, C, H, W) float32 bits.
        """
        raster, x, centre = self.inputs(planes)
        r = torch.addmm(self.input_bias, x, self.weight(self.input))
        for i, (layer, (_, taps)) in enumerate(zip(self.trunk, self.config.layers, strict=True)):
            finer = 0 if i else self.config.finer
            r = masked_residual(r, self.weight(layer, finer), raster, taps, self.quantise, finer)
        hidden = torch.addmm(self.hidden_bias, activate(r, self.quantise), self.weight(self.hidden))
        with torch.autocast(planes.device.type, enabled=False):  # mixtures need more precision than bfloat16
            bits = self._head_bits(raster, planes, centre, hidden.to(planes.dtype))
        return raster.unflatten(torch.stack(bits, 1))

    def _head_bits(self, raster: Raster, planes: Tensor, centre: Tensor, hidden: Tensor) -> list[Tensor]:
        """(P, C head_width) -> (P,) bits of each channel."""
        k, hw = self.config.n_mix, self.config.head_width
        value, mid = raster.flatten(planes), raster.flatten(centre)
        known = (value - mid).clamp(-127, 127)
        bits = []
        for i, z in enumerate(hidden.split(hw, 1)):
            if i:
                z = torch.addmm(z, known[:, :i] / 32, self.weight(self.known[i - 1]))
            out = torch.addmm(self.out_bias[i], activate(z, self.quantise), self.weight(self.out[i]))
            logits, means, scales, factors = out.split([k, k, k, i], 1)
            if self.quantise:
                logits, means = round_through(logits, 32), round_through(means, 128)
                scales, factors = round_through(scales, 8), round_through(factors, 64)
            means = mid[:, i : i + 1] + (factors * known[:, :i]).sum(1, keepdim=True) + 8 * means
            bits.append(nll_bits(value[:, i], 2 * logits, means, scales))
        return bits
