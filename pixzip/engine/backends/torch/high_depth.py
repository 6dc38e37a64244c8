"""Frequencies of samples of 9 to 16 bits, from heads trained on 256 grey levels.

The model sees such samples in a unit: a grey level is 2^unit samples, chosen so that the noise has the
amplitude that the model knows.  The mixture is a density, so it can be evaluated at every sample, for as many
4-bit digits as the depth takes.  Unlike with 8 bits, the CDF is interpolated between the entries of its table,
because a sample can be much smaller than a table step.  All tensors are int64.
"""

from typing import NamedTuple

import torch
from pixcodecs.coders.base import TOTAL
from torch import Tensor

from pixzip.engine.backends.base import BINS
from pixzip.engine.backends.torch.frequencies import Frequencies
from pixzip.models.wavefront import tables as T
from pixzip.models.wavefront.weights import IntegerWeights


class HighDepthMixture(NamedTuple):
    """M mixtures of K components."""

    weights: Tensor  # (M, K), rows sum to WEIGHT_TOTAL
    means: Tensor  # (M, K), 1/16 sample
    slopes: Tensor  # (M, K), reciprocal scales
    units: Tensor  # (M,), log2 of samples per grey level
    tops: Tensor  # (M,), largest possible samples


class HighDepthFrequencies:
    """The tables of one model on one device."""

    def __init__(self, weights: IntegerWeights, eight_bit: Frequencies) -> None:
        self.eight_bit = eight_bit
        device = eight_bit.cdf.device
        self.logistic = torch.from_numpy(weights.tensors["table.logistic"][:: T.STRIDE].astype("int64")).to(device)
        self.reciprocal = torch.from_numpy(weights.tensors["table.reciprocal"]).to(device, torch.int64)
        self.edges = torch.arange(BINS + 1, device=device)

    def mixture(self, out: Tensor, centre: Tensor, fine: Tensor, units: Tensor, tops: Tensor) -> HighDepthMixture:
        """Integer parameters of one channel's mixtures.

        Args:
            out: (M, 3 K + i) outputs of the head: logits, means, scales, factors.
            centre: (M,) MED predictions, in samples.
            fine: (M, i) residuals of the channels already coded, in samples, within 127 grey levels.
            units: (M,) log2 of samples per grey level.
            tops: (M,) largest possible samples.
        """
        k = self.eight_bit.n_mix
        weights = self.eight_bit.weights(out[:, :k]).long()
        middle = 16 * centre.long()
        if fine.shape[1]:
            factors = out[:, 3 * k :].clamp(-T.FACTOR_LIMIT, T.FACTOR_LIMIT).long()
            middle = middle + (((factors * fine.long()).sum(1) + 2) >> 2)
        means = self.within(middle[:, None] + (out[:, k : 2 * k].long() << units[:, None]), units, tops)
        scales = (out[:, 2 * k : 3 * k].long() + T.SCALE_ZERO).clamp(0, T.N_SCALES - 1)
        return HighDepthMixture(weights, means, self.reciprocal[scales], units, tops)

    @staticmethod
    def within(means: Tensor, units: Tensor, tops: Tensor) -> Tensor:
        """(M, K) means, clamped to the range of the model's."""
        margin = (16 * T.MEAN_MARGIN) << units
        return torch.minimum(torch.maximum(means, -margin[:, None]), (16 * tops + margin)[:, None])

    def _cumulative(self, m: HighDepthMixture, edges: Tensor) -> Tensor:
        """(M, E) samples -> (M, E) shares of T.CDF_FULL below each."""
        unit = m.units[:, None, None]
        z = (16 * edges[:, None, :] - 8 - m.means[:, :, None]) * m.slopes[:, :, None]  # MKE
        limit = T.LOGISTIC_LIMIT << T.RECIPROCAL_BITS
        at = (z >> unit).clamp(-limit, limit) + limit
        stride = at >> T.STRIDE_BITS
        between = at & ((1 << T.STRIDE_BITS) - 1)
        left, right = self.logistic[stride], self.logistic[(stride + 1).clamp(max=self.logistic.numel() - 1)]
        cdf = (left << T.RECIPROCAL_BITS) + (between * (right - left) >> T.STRIDE_BITS - T.RECIPROCAL_BITS)
        total = (cdf * m.weights[:, :, None]).sum(1)
        total = torch.where(edges <= 0, 0, total)
        return torch.where(edges > m.tops[:, None], T.CDF_FULL, total)

    def rows(self, mixture: HighDepthMixture, prefix: Tensor, digits_left: int) -> Tensor:
        """(M, 17) cumulative frequencies, 0 to TOTAL, of the digit that follows (M,) int64 `prefix`.

        Args:
            digits_left: number of digits after that one.
        """
        width = BINS**digits_left
        c = self._cumulative(mixture, (prefix[:, None] * BINS + self.edges) * width)
        spare = TOTAL - BINS * T.FLOOR
        span = c[:, -1:] - c[:, :1]
        share = (c - c[:, :1]) * spare // span.clamp(min=1)
        return torch.where(span > 0, share, self.edges * (spare // BINS)) + self.edges * T.FLOOR
