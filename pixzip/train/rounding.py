"""Rounding of a trained network to int8 weights by GPTQ [1]: errors of one weight are made good by the next.

To the nearest integer, the inputs of a column that are alike add up their errors: neighbouring pixels, above all.
GPTQ rounds one input after another, and moves the weights that are still to be rounded so that the layer's outputs
change least over real images.

[1] Frantar, Ashkboos, Hoefler, Alistarh, GPTQ: Accurate post-training quantization for generative pre-trained
    transformers, 2023 (arXiv 2210.17323), algorithm 1, with inputs in falling order of their power.
"""

import torch
from torch import Tensor

from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.models.wavefront.raster import activate, integers, masked_residual, weight_exponents

#: Share of the mean power of inputs that is added to each, so that the weights in between do not grow.
_DAMPING = 1e-3
#: Rows of inputs that are squared at once.
_CHUNK_ROWS = 1 << 14


def gptq(weight: Tensor, gram: Tensor, exponents: Tensor) -> Tensor:
    """Weights rounded to multiples of 2^-s, so that ``|x (rounded - weight)|^2`` over all inputs x is small.

    Args:
        weight: (K, N) of K inputs.
        gram: (K, K) sum of ``x^T x`` over the inputs, float64.
        exponents: (N,) s.
    Returns:
        (K, N) integers in [-127, 127] times 2^-s.
    """
    order = gram.diagonal().argsort(descending=True, stable=True)
    left, power = weight.to(gram.dtype)[order], gram[order][:, order]
    damping = _DAMPING * power.diagonal().mean().clamp(min=1e-12)
    power = power + damping * torch.eye(len(power), dtype=power.dtype, device=power.device)
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(power)), upper=True)
    steps, rounded = torch.exp2(-exponents.to(gram.dtype)), torch.empty_like(left)
    for k in range(len(left)):
        rounded[k] = integers(left[k], exponents) * steps
        left[k + 1 :] -= inverse[k, k + 1 :, None] * ((left[k] - rounded[k]) / inverse[k, k])
    return rounded[order.argsort()].to(weight.dtype)


@torch.no_grad()
def round_weights(network: WavefrontPixelCNN, planes: Tensor) -> None:
    """Round all matrices of a network in place, each for the inputs that the rounded ones before it give.

    Args:
        planes: (N, C, H, W) float, integers 0..255, channels in coding order: crops of training images.
    """
    config = network.config
    raster, inputs, centre = network.inputs(planes)
    known = (raster.flatten(planes) - raster.flatten(centre)).clamp(-127, 127) / 32
    inside = raster.flatten(torch.ones_like(planes[:, :1]))[:, 0] > 0

    def settle(weight: Tensor, columns: list[Tensor], finer: int = 0) -> None:
        weight.copy_(gptq(weight, _gram(columns, inside), weight_exponents(weight, finer)))

    settle(network.input, [inputs])
    r = torch.addmm(network.input_bias, inputs, network.input)
    for i, (layer, (_, taps)) in enumerate(zip(network.trunk, config.layers, strict=True)):
        finer = 0 if i else config.finer
        shifts = raster.shifts(taps)
        padded = torch.cat([r.new_zeros(max(shifts), r.shape[1]), activate(r, True, finer)])
        raster.clear_outside(padded[max(shifts) :])
        settle(layer, [padded[max(shifts) - s :][: len(r)] for s in shifts], finer)
        r = masked_residual(r, layer, raster, taps, True, finer)
    settle(network.hidden, [activate(r, True)])
    hidden = torch.addmm(network.hidden_bias, activate(r, True), network.hidden)
    for i, (z, out) in enumerate(zip(hidden.split(config.head_width, 1), network.out, strict=True)):
        if i:
            settle(network.known[i - 1], [known[:, :i]])
            z = torch.addmm(z, known[:, :i], network.known[i - 1])
        settle(out, [activate(z, True)])


def _gram(columns: list[Tensor], inside: Tensor) -> Tensor:
    """(K, K) float64 sum of ``x^T x`` over the rows x of the (P, K) matrix of these columns that are pixels."""
    size = sum(c.shape[1] for c in columns)
    gram = torch.zeros(size, size, dtype=torch.float64, device=inside.device)
    for start in range(0, len(inside), _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        x = torch.cat([c[part] for c in columns], 1)[inside[part]].double()
        gram.addmm_(x.T, x)
    return gram
