"""A model's matrices and tables in a backend's form."""

import torch

from pixzip.engine.backends.torch.frequencies import Frequencies
from pixzip.engine.backends.torch.gemm import Matrix, Products
from pixzip.engine.backends.torch.high_depth import HighDepthFrequencies
from pixzip.models.wavefront.taps import CENTRE
from pixzip.models.wavefront.weights import OUTPUT_SHIFTS, STREAM_FRACTION, IntegerWeights


class Layers:
    """A model's matrices in a backend's form, and its tables."""

    def __init__(self, weights: IntegerWeights, products: Products) -> None:
        t = {name: torch.from_numpy(a) for name, a in weights.tensors.items()}
        c, k = weights.config.channels, weights.config.n_mix
        half = 1 << (STREAM_FRACTION - 1)  # rounds activations to nearest

        def matrix(name: str) -> Matrix:
            return products.matrix(t[f"{name}.weight"], t[f"{name}.exponent"])

        self.config, self.order = weights.config, weights.order
        #: For each channel the totals above the first row, for images that the light stage learns.
        self.priors = weights.priors
        self.products = products
        self.frequencies = Frequencies(weights, products.device)
        self.high_depth_frequencies = HighDepthFrequencies(weights, self.frequencies)
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

    @staticmethod
    def shapes(weights: IntegerWeights) -> list[tuple[int, int]]:
        """(K, N) of every product, for the self-test."""
        shapes = {a.shape for n, a in weights.tensors.items() if n.endswith(".weight")}
        return sorted((int(k), int(n)) for k, n in shapes)
