"""Export of a trained model to integer weights."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.models.wavefront import tables
from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.models.wavefront.raster import STEP, integers, weight_exponents
from pixzip.models.wavefront.weights import STREAM_FRACTION, IntegerWeights, check


def _matrix(name: str, weight: Tensor, finer: int = 0) -> dict[str, NDArray[Any]]:
    exponent = weight_exponents(weight, finer)
    values = integers(weight.detach(), exponent)
    return {
        f"{name}.weight": values.to(torch.int8).cpu().numpy(),
        f"{name}.exponent": (exponent + finer).to(torch.int8).cpu().numpy(),
    }


def _bias(bias: Tensor) -> NDArray[np.int32]:
    scaled = torch.floor(bias.detach().double() * (STEP << STREAM_FRACTION) + 0.5)
    return scaled.to(torch.int32).cpu().numpy()


def export(model: WavefrontPixelCNN, order: tuple[int, ...], notes: str = "") -> IntegerWeights:
    """`quantised`, with a check.

    Raises:
        ModelMismatchError: the weights are too large for exact sums.
    """
    weights = quantised(model, order, notes)
    check(weights)
    return weights


def quantised(model: WavefrontPixelCNN, order: tuple[int, ...], notes: str = "") -> IntegerWeights:
    """Quantise a model's weights as in its training view, and add the tables."""
    tensors = _matrix("input", model.input) | {"input.bias": _bias(model.input_bias)}
    for i, ((name, _), layer) in enumerate(zip(model.config.layers, model.trunk, strict=True)):
        tensors |= _matrix(name, layer, 0 if i else model.config.finer)
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
    return IntegerWeights(model.config, order, tensors, notes=notes)


def training_view(weights: IntegerWeights) -> WavefrontPixelCNN:
    """The inverse of `export`: a model whose quantised training view has exactly these weights."""
    model = WavefrontPixelCNN(weights.config)
    model.quantise = True
    t = {name: torch.from_numpy(a) for name, a in weights.tensors.items()}

    def matrix(parameter: Tensor, name: str, finer: int = 0) -> None:
        parameter.copy_(t[f"{name}.weight"] * torch.exp2(finer - t[f"{name}.exponent"].float()))

    def bias(parameter: Tensor, name: str) -> None:
        parameter.copy_(t[f"{name}.bias"].double() / (STEP << STREAM_FRACTION))

    with torch.no_grad():
        matrix(model.input, "input")
        bias(model.input_bias, "input")
        for i, ((name, _), layer) in enumerate(zip(model.config.layers, model.trunk, strict=True)):
            matrix(layer, name, 0 if i else model.config.finer)
        matrix(model.hidden, "hidden")
        bias(model.hidden_bias, "hidden")
        for i, known in enumerate(model.known, 1):
            matrix(known, f"known.{i}")
        for i, (out, out_bias) in enumerate(zip(model.out, model.out_bias, strict=True)):
            matrix(out, f"out.{i}")
            bias(out_bias, f"out.{i}")
    return model
