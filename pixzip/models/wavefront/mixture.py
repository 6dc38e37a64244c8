"""Discretised logistic mixture over 0..255: the differentiable view of the frequency tables.

This is the mixture of PixelCNN++ [1] with scales in octaves.  Unlike [1], a share of 2^-12 goes to the
uniform distribution, because the integer tables give every value a frequency of at least one part in 2^20,
and training must take this into account.

[1] Salimans et al., PixelCNN++, 2017 (arXiv 1701.05517), section 2.1.
"""

import torch
from torch import Tensor

FLOOR = 2.0**-20
MIXTURE_SHARE = 1.0 - 256 * FLOOR


def nll_bits(values: Tensor, logits: Tensor, means: Tensor, log2_scales: Tensor) -> Tensor:
    """Ideal code length of `values` under the mixture.

    Args:
        values: (N, H, W) float, integers 0..255.
        logits: (N, K, H, W), base 2: the weights are 2^logits over their sum.
        means: (N, K, H, W), in grey levels.
        log2_scales: (N, K, H, W), log2 of the logistic scale in grey levels.
    Returns:
        (N, H, W) bits.
    """
    inverse = torch.exp2(-log2_scales)
    centred = values[:, None] - means
    sign = torch.where(centred > 0, -1.0, 1.0)  # both ends in the lower half avoid cancellation
    upper = torch.sigmoid((sign * centred + 0.5) * inverse)
    lower = torch.sigmoid((sign * centred - 0.5) * inverse)
    at_0, at_255 = (values == 0)[:, None], (values == 255)[:, None]
    # the edge values include the tails; if sign is -1, coordinates are flipped, with tails above
    upper = torch.where((at_0 & (sign < 0)) | (at_255 & (sign > 0)), 1.0, upper)
    lower = torch.where((at_0 & (sign > 0)) | (at_255 & (sign < 0)), 0.0, lower)
    weights = torch.softmax(logits * 0.6931471805599453, dim=1)
    probability = (weights * (upper - lower)).sum(1)
    return -torch.log2(probability * MIXTURE_SHARE + FLOOR)
