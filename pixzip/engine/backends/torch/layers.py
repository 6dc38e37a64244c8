"""A model's matrices and tables in a backend's form."""

import numpy as np
import torch
from numpy.typing import NDArray

from pixzip.engine.backends.torch.frequencies import Frequencies
from pixzip.engine.backends.torch.gemm import Matrix, Products
from pixzip.engine.backends.torch.high_depth import HighDepthFrequencies
from pixzip.models.wavefront.tables import LOGISTIC_LIMIT, RECIPROCAL_BITS
from pixzip.models.wavefront.taps import CENTRE
from pixzip.models.wavefront.weights import OUTPUT_SHIFTS, STREAM_FRACTION, IntegerWeights, scaled


class Layers:
    """A model's matrices in a backend's form, and its tables."""

    def __init__(self, weights: IntegerWeights, products: Products) -> None:
        t = {name: torch.from_numpy(a) for name, a in weights.tensors.items()}
        c, k = weights.config.channels, weights.config.n_mix
        half = 1 << (STREAM_FRACTION - 1)  # rounds activations to nearest

        def matrix(name: str) -> Matrix:
            return products.matrix(t[f"{name}.weight"], t[f"{name}.exponent"])

        self.config = weights.config
        self.products = products
        self.frequencies = Frequencies(weights, products.device)
        self.high_depth_frequencies = HighDepthFrequencies(weights, self.frequencies)
        self.exp2 = weights.tensors["table.exp2"].astype(np.int32)
        self.logistic = weights.tensors["table.logistic"]
        self.reciprocal = weights.tensors["table.reciprocal"]
        #: Smallest distance from the mean, in 1/16 grey level, at which a component's CDF is 0 or saturated.
        self.reach = (((LOGISTIC_LIMIT + 1) << RECIPROCAL_BITS) // self.reciprocal + 1).astype(np.int32)
        self.input, self.input_bias = matrix("input"), products.bias(t["input.bias"] + half)
        #: Trunk layers: matrix, whether the layer reads neighbours, and extra fractional bits of its inputs.
        self.trunk = [
            (matrix(name), taps != CENTRE, 0 if i else weights.config.finer)
            for i, (name, taps) in enumerate(weights.config.layers)
        ]
        self.hidden, self.hidden_bias = matrix("hidden"), products.bias(t["hidden.bias"] + half)
        self.known = [matrix(f"known.{i}") for i in range(1, c)]
        self.out = [matrix(f"out.{i}") for i in range(c)]
        shared = [OUTPUT_SHIFTS[name] for name in ("logits", "means", "scales") for _ in range(k)]
        shifts = [shared + [OUTPUT_SHIFTS["factors"]] * i for i in range(c)]
        self.shifts = [products.shifts(s) for s in shifts]
        self.out_bias = [
            products.bias(t[f"out.{i}.bias"] + torch.tensor([1 << (s - 1) for s in shifts[i]], dtype=torch.int32))
            for i in range(c)
        ]

        #: For compiled kernels: the operands of `trunk.trunk`.
        self.fused = (
            *self._affine(weights, "input"),
            self._stack(weights, [f"block.{i}" for i in range(weights.config.blocks)]),
            self._stack(weights, [name for name, taps in weights.config.layers if taps == CENTRE]).reshape(
                weights.config.blocks, weights.config.mixing, weights.config.width, weights.config.width
            ),
            *self._affine(weights, "hidden"),
        )
        #: For compiled kernels: known weights, output weights, output biases and floor steps of each channel.
        self.heads = [
            (
                self._steps(weights, f"known.{i}") if i else np.zeros((0, weights.config.head_width), np.float32),
                self._steps(weights, f"out.{i}"),
                (
                    (weights.tensors[f"out.{i}.bias"] + [1 << (s - 1) for s in shifts[i]]) / (1 << STREAM_FRACTION)
                ).astype(np.float32),
                np.array([2.0 ** (STREAM_FRACTION - s) for s in shifts[i]], np.float32),
            )
            for i in range(c)
        ]

    @staticmethod
    def _steps(weights: IntegerWeights, name: str) -> NDArray[np.float32]:
        """A matrix in activation steps, without rounding."""
        return (scaled(weights, name) / (1 << STREAM_FRACTION)).astype(np.float32)

    @classmethod
    def _stack(cls, weights: IntegerWeights, names: list[str]) -> NDArray[np.float32]:
        width = weights.config.width
        return np.stack([cls._steps(weights, name) for name in names]) if names else np.zeros((0, width), np.float32)

    @classmethod
    def _affine(cls, weights: IntegerWeights, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A matrix and its bias in activation steps; the bias includes the half that rounds to nearest."""
        bias = weights.tensors[f"{name}.bias"] + (1 << (STREAM_FRACTION - 1))
        return cls._steps(weights, name), (bias / (1 << STREAM_FRACTION)).astype(np.float32)

    @staticmethod
    def shapes(weights: IntegerWeights) -> list[tuple[int, int]]:
        """(K, N) of every product, for the self-test."""
        shapes = {a.shape for n, a in weights.tensors.items() if n.endswith(".weight")}
        return sorted((int(k), int(n)) for k, n in shapes)
