"""Turn a head's outputs into integer frequencies: a logistic mixture in look-up tables.

One of 256 values v is coded in two exact stages, its bin ``v >> 4`` and its place ``v & 15``.  This takes
30 points of the CDF instead of 255.  All tensors are float32 and hold integers below 2^24.
"""

from typing import NamedTuple

import numpy as np
import torch
from pixcodecs.coders.base import TOTAL
from torch import Tensor

from pixzip.models.wavefront import tables as T
from pixzip.models.wavefront.weights import IntegerWeights

_LOWEST = -16 * T.MEAN_MARGIN
_HIGHEST = 16 * (255 + T.MEAN_MARGIN)
#: Rows of 256 values that are computed at once.
_WHOLE_ROWS = 1 << 10


class Mixture(NamedTuple):
    """M mixtures of K components."""

    weights: Tensor  # (M, K), rows sum to WEIGHT_TOTAL
    means: Tensor  # (M, K), 1/16 grey level
    scales: Tensor  # (M, K) int64, start of the scale's row in the CDF table


class Frequencies:
    """The tables of one model on one device."""

    def __init__(self, weights: IntegerWeights, device: torch.device) -> None:
        t = weights.tensors
        self.n_mix = weights.config.n_mix
        self.exp2 = torch.from_numpy(t["table.exp2"].astype(np.float32)).to(device)
        # CDF of every scale at every distance in 1/16 grey level: product and shift are precomputed
        span = _HIGHEST + 8 - 16
        self.zero = span
        distance = np.arange(-span, span + 1, dtype=np.int64)
        z = (distance * t["table.reciprocal"].astype(np.int64)[:, None]) >> T.RECIPROCAL_BITS
        cdf = t["table.logistic"][z.clip(-T.LOGISTIC_LIMIT, T.LOGISTIC_LIMIT) + T.LOGISTIC_LIMIT]
        self.row = distance.size
        self.cdf = torch.from_numpy(cdf.astype(np.float32)).flatten().to(device)
        self.reciprocal = torch.from_numpy(t["table.reciprocal"]).to(device, torch.int64)
        self.bins = torch.arange(16, 256, 16, device=device, dtype=torch.float32)  # (15,)
        self.places = torch.arange(1, 16, device=device, dtype=torch.float32)

    def weights(self, logits: Tensor) -> Tensor:
        """(M, K) logits -> (M, K) weights; rows sum to WEIGHT_TOTAL."""
        gap = (logits.amax(1, keepdim=True) - logits).clamp_(max=255).long()
        e = self.exp2[gap]
        # exact: the quotient is below 2^10 and never less than 2^-12 below an integer
        weights = torch.floor(e * T.WEIGHT_TOTAL / e.sum(1, keepdim=True))
        weights[:, 0] += T.WEIGHT_TOTAL - weights.sum(1)
        return weights

    def mixture(self, out: Tensor, centre: Tensor, known: Tensor) -> Mixture:
        """Integer parameters of one channel's mixtures.

        Args:
            out: (M, 3 K + i) outputs of the head: logits, means, scales, factors.
            centre: (M,) MED predictions, 0..255.
            known: (M, i) residuals of the channels already coded, -127..127.
        """
        k = self.n_mix
        weights = self.weights(out[:, :k])
        middle = centre * 16
        if known.shape[1]:
            factors = out[:, 3 * k :].clamp(-T.FACTOR_LIMIT, T.FACTOR_LIMIT)
            middle = middle + torch.floor(((factors * known).sum(1) + 2) * 0.25)
        means = self.within(out[:, k : 2 * k] + middle[:, None])
        scales = (out[:, 2 * k : 3 * k] + T.SCALE_ZERO).clamp_(0, T.N_SCALES - 1).long() * self.row + self.zero
        return Mixture(weights, means, scales)

    @staticmethod
    def within(means: Tensor) -> Tensor:
        """(M, K) means, clamped to what the table covers."""
        return means.clamp(_LOWEST, _HIGHEST)

    def _cumulative(self, mixture: Mixture, edges: Tensor) -> Tensor:
        """Frequency below each value of `edges`: (M, E) or (E,) -> (M, E)."""
        position = (16 * edges - 8)[..., None, :] - mixture.means[:, :, None]  # MKE
        index = position.long() + mixture.scales[:, :, None]
        cdf = self.cdf[index]
        return torch.floor((cdf * mixture.weights[:, :, None]).sum(1) * (1 / 16)) + edges

    def slopes(self, mixture: Mixture) -> Tensor:
        """(M, K) int64 reciprocal scales."""
        return self.reciprocal[(mixture.scales - self.zero) // self.row]

    def whole_rows(self, mixture: Mixture) -> Tensor:
        """(M, 257) int64 cumulative frequencies of all 256 values, from 0 to 2^20."""
        edges = torch.arange(1, 256, device=self.bins.device, dtype=torch.float32)
        parts = zip(*(t.split(_WHOLE_ROWS) for t in mixture), strict=True)  # bounds the memory of intermediate results
        rows = torch.cat([self._cumulative(Mixture(*part), edges) for part in parts])
        rows = torch.nn.functional.pad(rows, (1, 1))
        rows[:, -1] = TOTAL
        return rows.long()

    def bin_rows(self, mixture: Mixture) -> Tensor:
        """(M, 17) cumulative frequencies of the 16 bins, from 0 to 2^20."""
        rows = torch.nn.functional.pad(self._cumulative(mixture, self.bins), (1, 1))
        rows[:, -1] = TOTAL
        return rows

    def place_rows(self, mixture: Mixture, bins: Tensor, bin_rows: Tensor) -> Tensor:
        """(M, 17) cumulative frequencies of the 16 values in each row's bin; `bins` is (M,) int64."""
        inner = self._cumulative(mixture, bins[:, None] * 16 + self.places)
        ends = bin_rows.gather(1, torch.stack([bins, bins + 1], 1))
        return torch.cat([ends[:, :1], inner, ends[:, 1:]], 1)
