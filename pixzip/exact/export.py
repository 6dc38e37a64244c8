"""From a trained model to integer weights."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.exact import tables
from pixzip.exact.weights import FRACTION, IntegerWeights, check
from pixzip.models.raster import STEP, weight_exponents
from pixzip.models.wavefront_pixelcnn import WavefrontPixelCNN


def _matrix(name: str, weight: Tensor) -> dict[str, NDArray[Any]]:
    exponent = weight_exponents(weight)
    values = torch.floor(weight.detach() * torch.exp2(exponent) + 0.5).clamp(-127, 127)
    return {
        f"{name}.weight": values.to(torch.int8).cpu().numpy(),
        f"{name}.exponent": exponent.to(torch.int8).cpu().numpy(),
    }


def _bias(bias: Tensor) -> NDArray[np.int32]:
    scaled = torch.floor(bias.detach().double() * (STEP << FRACTION) + 0.5)
    return scaled.to(torch.int32).cpu().numpy()


def export(model: WavefrontPixelCNN, architecture: str, order: tuple[int, ...], notes: str = "") -> IntegerWeights:
    """Quantise a model's weights as its training view does, and add the tables.

    Raises:
        ModelMismatchError: the weights are too large for exact sums.
    """
    tensors = _matrix("input", model.input) | {"input.bias": _bias(model.input_bias)}
    for i, block in enumerate(model.block):
        tensors |= _matrix(f"block.{i}", block)
    tensors |= _matrix("hidden", model.hidden) | {"hidden.bias": _bias(model.hidden_bias)}
    for i, known in enumerate(model.known, 1):
        tensors |= _matrix(f"known.{i}", known)
    for i, (out, bias) in enumerate(zip(model.out, model.out_bias, strict=True)):
        tensors |= _matrix(f"out.{i}", out) | {f"out.{i}.bias": _bias(bias)}
    tensors |= {
        "table.exp2": tables.exp2_table(),
        "table.logistic": tables.logistic_table(),
        "table.reciprocal": tables.reciprocal_table(),
    }
    weights = IntegerWeights(architecture, model.config, order, tensors, notes=notes)
    check(weights)
    return weights
