"""The arithmetic of a run, and its share of the devices' peak.

Model FLOPs are counted as in the literature on large models [1]: two per multiply-add, and a step is three forward
passes.  The optimiser, the mixture and recomputation are not counted.

[1] Chowdhery et al., PaLM: Scaling Language Modeling with Pathways, 2022 (arXiv 2204.02311), appendix B.
"""

from typing import Any

import torch
from torch import Tensor, nn

from pixzip.models.family.density import Density
from pixzip.models.family.lstm import Cell
from pixzip.models.family.strided import Up

#: Model FLOPs of a step per multiply-add of the forward pass.
FLOPS_A_MULTIPLY_ADD = 6

#: Beginning of a name from `torch.cuda.get_device_name` -> dense bf16 TFLOP/s with float32 sums from NVIDIA's data
#: sheets, or half of their figures for sparse matrices.  The first match counts.
PEAKS_TFLOPS = {
    "NVIDIA H200 NVL": 835.5,
    "NVIDIA H200": 989.5,
    "NVIDIA H100 NVL": 835.5,
    "NVIDIA H100 PCIe": 756.0,
    "NVIDIA H100 80GB HBM3": 989.5,
    "NVIDIA A100": 312.0,
    "NVIDIA L40S": 362.0,
    "NVIDIA L4": 121.0,
}


def published_peak(name: str) -> float | None:
    """Dense bf16 TFLOP/s of a device; None if unknown, as for a slice of a device (MIG)."""
    words = name.split()
    if "MIG" in words:
        return None
    for known, peak in PEAKS_TFLOPS.items():
        start = known.split()
        # "NVIDIA A100-SXM4-80GB" is an A100, "NVIDIA L40" is not an L4
        if [word.split("-")[0] for word in words[: len(start)]] == start:
            return peak
    return None


def device_peak(device: torch.device) -> float | None:
    """`published_peak` of a device; None for a CPU."""
    return published_peak(torch.cuda.get_device_name(device)) if device.type == "cuda" else None


def model_tflops(multiply_adds: float, megapixels_per_s: float) -> float:
    """TFLOP/s of training.

    Args:
        multiply_adds: number per pixel in the forward pass.
    """
    return FLOPS_A_MULTIPLY_ADD * multiply_adds * megapixels_per_s * 1e-6


def family_multiply_adds(model: Density, h: int, w: int) -> float:
    """Multiply-adds per pixel of an h x w image, with masked weights, without the head's distribution."""
    total = 0.0

    def count(module: nn.Module, _: Any, out: Tensor) -> None:
        nonlocal total
        cell = getattr(module, "cell", None)
        weight = cell.weight if isinstance(cell, Cell) else module.weight
        assert isinstance(weight, Tensor)
        # a transposed convolution has matrices for each of four places, and a pixel is one place
        total += out[..., 0].numel() * weight.numel() / (4 if isinstance(module, Up) else 1)

    hooks = []
    for module in model.modules():
        weight, cell = getattr(module, "weight", None), getattr(module, "cell", None)
        if (isinstance(weight, Tensor) and not isinstance(module, Cell)) or isinstance(cell, Cell):
            hooks.append(module.register_forward_hook(count))
    first = next(model.parameters())
    image = torch.zeros(1, model.config.channels, h, w, dtype=first.dtype, device=first.device)
    with torch.no_grad():
        for scale in model.scales():
            scale.model(image[..., :: scale.stride, :: scale.stride])
    for hook in hooks:
        hook.remove()
    return total / (h * w)
