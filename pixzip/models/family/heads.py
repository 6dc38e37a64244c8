"""Distributions of sub-pixels from a family model's last features: a 256-way softmax [1] or a logistic mixture [2].

A head has three views of the same distribution: differentiable log probabilities for training, probabilities
for sampling, and cumulative integer frequencies for coding.  The frequencies are computed in fixed point
(`pixzip.models.family.arithmetic`), so they are the same on every machine.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 3.5.
[2] Salimans et al., PixelCNN++, 2017 (arXiv 1701.05517), sections 2.1 and 2.2.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from pixcodecs.coders.base import TOTAL
from torch import Tensor, nn
from torch.nn import functional as F

from pixzip.models.family import arithmetic as A

#: Bits of a mixture's integer weights.
WEIGHT_BITS = 16
#: Means stay within this many grey levels of 0..255.
MEAN_MARGIN = 64


class Head(Protocol):
    """A family of distributions over the channels of a pixel."""

    #: Number of the network's outputs per channel.
    n_params: int
    #: Names of the tables that `below` reads.
    tables: tuple[str, ...]

    def initial(self, channels: int) -> Tensor:
        """(C P,) biases of the network's last layer before training."""
        ...

    def log_prob(self, params: Tensor, values: Tensor) -> Tensor:
        """(..., C, P) parameters, (..., C) float values in [0, levels) -> (...) log probabilities of whole pixels."""
        ...

    def pmf(self, params: Tensor, known: Tensor) -> Tensor:
        """Probabilities of the next channel.

        Args:
            params: (M, c + 1, P) parameters of the channels up to the next one.
            known: (M, c) values of the earlier channels.
        Returns:
            (M, levels); rows sum to 1.
        """
        ...

    def below(self, params: Tensor, known: Tensor, tables: Mapping[str, Tensor]) -> "Below":
        """The next channel's frequencies in fixed point; arguments as for `pmf`, in float64."""
        ...


#: (M, E) float64 integers in 0..levels -> (M, E) frequency below each, 0 to TOTAL, rising by at least one per level.
Below = Callable[[Tensor], Tensor]


def _weights(logits: Tensor, tables: Mapping[str, Tensor]) -> Tensor:
    """(M, K) logits -> (M, K) exp(logit - largest), as integers in units of 2^-EXP_BITS."""
    gap = logits.amax(-1, keepdim=True) - logits
    index = gap.mul_(A.EXP_STEPS).add_(0.5).floor_().clamp_(max=A.EXP_LIMIT * A.EXP_STEPS).long()
    return tables["exp"][index]


def normalised(weights: Tensor) -> Tensor:
    """(M, K) integers, not all zero -> (M, K) integers that sum to 2^WEIGHT_BITS; the remainder goes to the largest.

    IEEE 754 rounds the quotient correctly, so it is the same on every machine.
    """
    out = torch.floor(weights * (1 << WEIGHT_BITS) / weights.sum(-1, keepdim=True))
    out.scatter_add_(-1, weights.argmax(-1, keepdim=True), (1 << WEIGHT_BITS) - out.sum(-1, keepdim=True))
    return out


class Softmax(nn.Module):
    """One probability per level [1].  Unlike [1], earlier channels of a pixel may act through the head.

    With `coupled` the network gives a whole pixel's logits at once, and a learned row for each value of the
    earlier channels is added to the logits of G and B: for a softmax on PixelCNN++, which has no groups.
    """

    tables: tuple[str, ...] = ("exp",)

    def __init__(self, levels: int, channels: int, coupled: bool = False) -> None:
        super().__init__()
        self.n_params = self.levels = levels
        self.coupled = coupled
        pairs = channels * (channels - 1) // 2 if coupled else 0
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(levels, levels)) for _ in range(pairs))

    def initial(self, channels: int) -> Tensor:
        return torch.zeros(channels * self.n_params)

    def _logits(self, params: Tensor, values: Tensor, channel: int) -> Tensor:
        out = params[..., channel, :]
        if len(self.shifts):
            first = channel * (channel - 1) // 2
            for i in range(channel):
                out = out + self.shifts[first + i][values[..., i].long()]
        return out

    def log_prob(self, params: Tensor, values: Tensor) -> Tensor:
        if len(self.shifts):
            params = torch.stack([self._logits(params, values, c) for c in range(params.shape[-2])], -2)
        flat = F.cross_entropy(params.reshape(-1, self.levels), values.reshape(-1).long(), reduction="none")
        return -flat.view(values.shape).sum(-1)

    def pmf(self, params: Tensor, known: Tensor) -> Tensor:
        return torch.softmax(self._logits(params, known, known.shape[-1]), -1)

    def below(self, params: Tensor, known: Tensor, tables: Mapping[str, Tensor]) -> Below:
        e = _weights(self._logits(params, known, known.shape[-1]), tables)
        sums = F.pad(e.cumsum(-1), (1, 0))
        # exact: 2^20 times a sum below 2^31
        shares = torch.floor(sums * (TOTAL - self.levels) / sums[..., -1:])
        table = shares + torch.arange(self.levels + 1, dtype=shares.dtype, device=shares.device)
        return lambda levels: table.gather(1, levels.long().expand(len(table), -1))


class _SoftmaxOfProduct(torch.autograd.Function):
    """Nats of symbols under softmax(x W + b), a few rows at a time, so that the logits stay in the cache."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, values: Tensor) -> Tensor:
        channels = values.shape[1]
        nats = x.new_empty(x.shape[0])
        grad_x, grad_w, grad_b = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(bias)
        for start in range(0, x.shape[0], _CHUNK_ROWS):
            part = x[start : start + _CHUNK_ROWS]
            logits = torch.addmm(bias, part, weight).view(len(part), channels, -1)
            chosen = values[start : start + _CHUNK_ROWS, :, None]
            log_p = torch.log_softmax(logits, -1)
            nats[start : start + _CHUNK_ROWS] = -log_p.gather(2, chosen).sum((1, 2))
            p = log_p.exp_().scatter_add_(2, chosen, log_p.new_full((), -1.0).expand(chosen.shape)).flatten(1)
            torch.mm(p, weight.t(), out=grad_x[start : start + _CHUNK_ROWS])
            grad_w.addmm_(part.t(), p)
            grad_b += p.sum(0)
        ctx.save_for_backward(grad_x, grad_w, grad_b)
        return nats

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        # the weights' gradients were summed over equally weighted rows
        scale = grads[0]
        grad_x, grad_w, grad_b = ctx.saved_tensors
        return grad_x * scale[:, None], grad_w * scale[0], grad_b * scale[0], None


_CHUNK_ROWS = 512


def softmax_of_product(x: Tensor, weight: Tensor, bias: Tensor, values: Tensor) -> Tensor:
    """Mean nats per row of symbols under softmax(x W + b), with gradients; several times faster than separate steps.

    Args:
        x: (M, F).
        weight, bias: (F, C L) and (C L,).
        values: (M, C) int64 in [0, L).
    """
    nats: Tensor = _SoftmaxOfProduct.apply(x, weight, bias, values)  # type: ignore[no-untyped-call]
    return nats.mean()


class LogisticMixture(nn.Module):
    """K discretised logistics [2].

    With `coupled` all channels of a pixel share the choice of the component, and the means of later channels
    depend linearly on the values of earlier ones [2].  Otherwise each channel has its own mixture, whose
    parameters the network computes from the earlier channels.
    """

    tables: tuple[str, ...] = ("exp", "scale", "logistic")

    def __init__(self, levels: int, channels: int, n_mix: int, coupled: bool) -> None:
        super().__init__()
        if levels != 256:
            raise ValueError(f"a logistic mixture is over 256 levels, not {levels}")
        self.levels, self.n_mix, self.coupled = levels, n_mix, coupled
        self.n_params = (3 + (channels - 1 if coupled else 0)) * n_mix

    def initial(self, channels: int) -> Tensor:
        k = self.n_mix
        own = [torch.zeros(k), torch.linspace(-0.7, 0.7, k), torch.full((k,), 1.5), torch.zeros(self.n_params - 3 * k)]
        return torch.cat(own).repeat(channels)

    def _components(self, params: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(..., K) logits, means in grey levels and log scales of channel c = known.shape[-1]."""
        c, k = known.shape[-1], self.n_mix
        own = params[..., c, :]
        logits = params[..., 0, :k] if self.coupled else own[..., :k]
        means = own[..., k : 2 * k] * 128 + 127.5
        if self.coupled:
            for i in range(c):
                factor = own[..., (3 + i) * k : (4 + i) * k].clamp(-4, 4)
                means = means + factor * (known[..., i, None] - 127.5)
        means = means.clamp(-MEAN_MARGIN, 255 + MEAN_MARGIN)
        return logits, means, (own[..., 2 * k : 3 * k] + 2).clamp(A.LOG_SCALE_MIN, A.LOG_SCALE_MAX)

    def _log_probs(self, means: Tensor, log_scales: Tensor, values: Tensor) -> Tensor:
        """(..., K) log probability of a value under each component, computed as in [2], in grey levels."""
        inverse = torch.exp(-log_scales)
        centred = values[..., None] - means
        plus, minus = (centred + 0.5) * inverse, (centred - 0.5) * inverse
        inside = torch.log((torch.sigmoid(plus) - torch.sigmoid(minus)).clamp(min=1e-12))
        middle = centred * inverse
        thin = middle - log_scales - 2 * F.softplus(middle)  # the density, if the difference underflows
        inside = torch.where(inside > math.log(1e-5), inside, thin)
        at_0, at_255 = (values == 0)[..., None], (values == 255)[..., None]
        return torch.where(at_0, -F.softplus(-plus), torch.where(at_255, -F.softplus(minus), inside))

    def log_prob(self, params: Tensor, values: Tensor) -> Tensor:
        total: Tensor | float = 0.0
        pixel: Tensor | float = 0.0
        for c in range(params.shape[-2]):
            logits, means, log_scales = self._components(params, values[..., :c])
            each = self._log_probs(means, log_scales, values[..., c])
            if self.coupled:
                pixel = pixel + each
            else:
                total = total + torch.logsumexp(torch.log_softmax(logits, -1) + each, -1)
        if self.coupled:
            assert isinstance(pixel, Tensor)
            total = torch.logsumexp(torch.log_softmax(params[..., 0, : self.n_mix], -1) + pixel, -1)
        assert isinstance(total, Tensor)
        return total

    def pmf(self, params: Tensor, known: Tensor) -> Tensor:
        logits, means, log_scales = self._components(params, known)
        log_weights = torch.log_softmax(logits, -1)
        if self.coupled:
            for c in range(known.shape[-1]):
                _, m, s = self._components(params, known[..., :c])
                log_weights = log_weights + self._log_probs(m, s, known[..., c])
        weights = torch.softmax(log_weights, -1)
        edges = torch.arange(1, 256, device=params.device, dtype=params.dtype) - 0.5
        cdf = torch.sigmoid((edges[:, None] - means[..., None, :]) * torch.exp(-log_scales)[..., None, :])
        below = F.pad((cdf * weights[..., None, :]).sum(-1), (1, 1))
        below[..., -1] = 1
        return below.diff(dim=-1).clamp(min=0)

    def below(self, params: Tensor, known: Tensor, tables: Mapping[str, Tensor]) -> Below:
        logits, means, log_scales = self._components(params, known)
        weights = _weights(logits, tables)
        if self.coupled:
            for c in range(known.shape[-1]):
                _, m, s = self._components(params, known[..., :c])
                value = known[..., c]
                ends = _distribution(torch.stack([value, value + 1], -1), m, s, tables)
                low = torch.where((value == 0)[:, None], 0.0, ends[:, 0])
                high = torch.where((value == 255)[:, None], float(1 << A.LOGISTIC_BITS), ends[:, 1])
                weights = normalised(weights) * (high - low + 1)  # posterior, below 2^41
        weights = normalised(weights)

        def frequencies(levels: Tensor) -> Tensor:
            cdf = _distribution(levels.expand(len(params), -1), means, log_scales, tables)
            mixed = torch.floor((cdf * weights[:, None]).sum(-1) * 2.0 ** (20 - WEIGHT_BITS - A.LOGISTIC_BITS))
            mixed = torch.where(levels == 0, 0.0, torch.where(levels == 256, float(TOTAL), mixed))
            return torch.floor(mixed * (1 - 256 / TOTAL)) + levels

        return frequencies


def _distribution(levels: Tensor, means: Tensor, log_scales: Tensor, tables: Mapping[str, Tensor]) -> Tensor:
    """(M, E) levels -> (M, E, K) distribution functions half a grey level below, in units of 2^-LOGISTIC_BITS."""
    index = (A.LOG_SCALE_MAX - log_scales).mul(A.EXP_STEPS).add_(0.5).floor_().long()
    # below 2^10 in units of 2^-14 times below 2^3 in units of 2^-24
    z = (levels[..., None] - 0.5 - means[:, None]) * tables["scale"][index][:, None]
    # position in the table in 2^-10 entries
    z = z.clamp_(-A.TABLE_LIMIT, A.TABLE_LIMIT).add_(A.TABLE_LIMIT).mul_(A.LOGISTIC_STEPS << 10).floor_()
    entry = torch.floor(z * 2.0**-10)
    part = z - entry * (1 << 10)
    entry_index = entry.long()
    return torch.floor(tables["logistic"][entry_index] + tables["logistic_step"][entry_index] * part * 2.0**-10)
