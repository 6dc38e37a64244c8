"""The integer model, one diagonal at a time.

What is coded is written into a padded buffer and read back through the taps, so the past is all that a
step can see, in the encoder as in the decoder.  `TensorWavefront` runs anywhere torch does;
`CompiledWavefront` is the same computation for CPUs.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.exact.frequencies import BINS, Frequencies
from pixzip.exact.gemm import Arithmetic, Matrix
from pixzip.exact.schedule import RING, Schedule, Step
from pixzip.exact.weights import FRACTION, OUTPUT_SHIFTS, IntegerWeights
from pixzip.models.context import MASK_A, MASK_B

try:
    from pixzip.exact import kernels
except ImportError:  # numba does not exist for this interpreter
    kernels = None  # type: ignore[assignment]

_WEST, _NORTH, _NORTH_WEST = (MASK_A.index(tap) for tap in ((0, -1), (-1, 0), (-1, -1)))

Symbols = NDArray[np.int32]
Rows = NDArray[np.float32]


class Layers:
    """A model's matrices as a backend wants them, and its tables."""

    def __init__(self, weights: IntegerWeights, arithmetic: Arithmetic) -> None:
        t = {name: torch.from_numpy(a) for name, a in weights.tensors.items()}
        c, k = weights.config.channels, weights.config.n_mix
        half = 1 << (FRACTION - 1)  # activations round to nearest

        def matrix(name: str) -> Matrix:
            return arithmetic.matrix(t[f"{name}.weight"], t[f"{name}.exponent"])

        self.config = weights.config
        self.arithmetic = arithmetic
        self.frequencies = Frequencies(weights, arithmetic.device)
        self.exp2 = weights.tensors["table.exp2"].astype(np.int32)
        self.logistic = weights.tensors["table.logistic"].astype(np.int32)
        self.reciprocal = weights.tensors["table.reciprocal"]
        self.input, self.input_bias = matrix("input"), arithmetic.bias(t["input.bias"] + half)
        self.blocks = [matrix(f"block.{i}") for i in range(weights.config.blocks)]
        self.hidden, self.hidden_bias = matrix("hidden"), arithmetic.bias(t["hidden.bias"] + half)
        self.known = [matrix(f"known.{i}") for i in range(1, c)]
        self.out = [matrix(f"out.{i}") for i in range(c)]
        shared = [OUTPUT_SHIFTS[name] for name in ("logits", "means", "scales") for _ in range(k)]
        shifts = [shared + [OUTPUT_SHIFTS["factors"]] * i for i in range(c)]
        self.shifts = [arithmetic.shifts(s) for s in shifts]
        self.out_bias = [
            arithmetic.bias(t[f"out.{i}.bias"] + torch.tensor([1 << (s - 1) for s in shifts[i]], dtype=torch.int32))
            for i in range(c)
        ]

    @staticmethod
    def shapes(weights: IntegerWeights) -> list[tuple[int, int]]:
        """(K, N) of every product, for the self-test."""
        shapes = {a.shape for n, a in weights.tensors.items() if n.endswith(".weight")}
        return sorted((int(k), int(n)) for k, n in shapes)


class Wavefront(ABC):
    """The state of a batch of images being coded.

    For every step of `schedule`: `begin`, then for every channel `bin_freqs`, `place_freqs`, `store`.
    """

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        self.layers = layers
        self.schedule = Schedule(sizes)

    @abstractmethod
    def begin(self, step: Step) -> None:
        """Run the trunk for the step's pixels."""

    @abstractmethod
    def bin_freqs(self, channel: int) -> Rows:
        """(M, 16) frequencies of the values' bins, sums 2^20."""

    @abstractmethod
    def place_freqs(self, channel: int, bins: Symbols) -> Rows:
        """(M, 16) frequencies of the values within (M,) bins; sums are the bins' frequencies."""

    @abstractmethod
    def store(self, channel: int, bins: Symbols, places: Symbols) -> None:
        """Make a channel's values known to what follows."""

    @abstractmethod
    def pixels(self, image: int) -> NDArray[np.uint8]:
        """(C, H, W) what was stored."""

    def head(self, channel: int, hidden: Tensor, known: Tensor) -> Tensor:
        """(M, 3 K + i) outputs of a channel's head from the (M, C W) hidden stream and (M, C) residuals."""
        layers, arithmetic = self.layers, self.layers.arithmetic
        width = layers.config.head_width
        z = hidden[:, channel * width : (channel + 1) * width]
        if channel:
            before = known[:, :channel].to(arithmetic.activation_dtype)
            z = arithmetic.linear(z, before, layers.known[channel - 1])
        a = arithmetic.activate(z, torch.empty(z.shape, dtype=arithmetic.activation_dtype, device=z.device))
        return arithmetic.outputs(arithmetic.linear(layers.out_bias[channel], a, layers.out[channel]), layers.shifts[channel])


class TensorWavefront(Wavefront):
    """Tensor operations only."""

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        super().__init__(layers, sizes)
        device, dtype = layers.arithmetic.device, layers.arithmetic.activation_dtype
        s, config = self.schedule, layers.config
        self.device = device
        self.buffer = torch.zeros(s.buffer_pixels, config.channels, dtype=torch.uint8, device=device)
        self.inside = torch.from_numpy(s.inside()).to(device, torch.float32)
        self.rings = [torch.zeros(s.zero_row + 1, config.width, dtype=dtype, device=device) for _ in layers.blocks]

    def begin(self, step: Step) -> None:
        layers, arithmetic = self.layers, self.layers.arithmetic
        taps = torch.from_numpy(step.address[:, None] + self.schedule.offsets[step.image]).to(self.device)
        seen = self.buffer[taps].to(torch.float32)  # MTC
        west, north, north_west = seen[:, _WEST], seen[:, _NORTH], seen[:, _NORTH_WEST]
        low, high = torch.minimum(west, north), torch.maximum(west, north)
        med = (west + north - north_west).clamp_(low, high)
        differences = (seen - med[:, None]) * self.inside[taps][:, :, None]
        feats = torch.cat([differences.flatten(1), med - 128], 1).clamp_(-127, 127).to(arithmetic.activation_dtype)
        stream = arithmetic.linear(layers.input_bias, feats, layers.input)
        rows = torch.from_numpy(step.taps).to(self.device).flatten()
        m = step.address.size
        for ring, block in zip(self.rings, layers.blocks, strict=True):
            arithmetic.activate(stream, ring[step.first : step.first + m])
            stream = arithmetic.linear(stream, ring.index_select(0, rows).view(m, -1), block)
        trunk = arithmetic.activate(stream, torch.empty_like(stream, dtype=arithmetic.activation_dtype))
        self.hidden = arithmetic.linear(layers.hidden_bias, trunk, layers.hidden)
        self.centre, self.known = med, torch.zeros_like(med)
        self.address = torch.from_numpy(step.address).to(self.device)

    def bin_freqs(self, channel: int) -> Rows:
        out = self.head(channel, self.hidden, self.known)
        self.mixture = self.layers.frequencies.mixture(out, self.centre[:, channel], self.known[:, :channel])
        self.bin_rows = self.layers.frequencies.bin_rows(self.mixture)
        return self.bin_rows.diff().cpu().numpy()

    def place_freqs(self, channel: int, bins: Symbols) -> Rows:
        on_device = torch.from_numpy(bins).to(self.device, torch.int64)
        return self.layers.frequencies.place_rows(self.mixture, on_device, self.bin_rows).diff().cpu().numpy()

    def store(self, channel: int, bins: Symbols, places: Symbols) -> None:
        values = torch.from_numpy(bins * BINS + places).to(self.device)
        self.known[:, channel] = (values - self.centre[:, channel]).clamp_(-127, 127)
        self.buffer[self.address, channel] = values.to(torch.uint8)

    def pixels(self, image: int) -> NDArray[np.uint8]:
        window = torch.from_numpy(self.schedule.window(image)).to(self.device)
        return self.buffer[window].permute(2, 0, 1).contiguous().cpu().numpy()


class CompiledWavefront(Wavefront):
    """Products by torch, the rest by compiled kernels; every buffer is allocated once."""

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        super().__init__(layers, sizes)
        s, config, arithmetic = self.schedule, layers.config, layers.arithmetic
        c, k, most = config.channels, config.n_mix, s.most

        def empty(columns: int, dtype: torch.dtype) -> Any:
            return torch.zeros(most, columns, dtype=dtype).numpy()

        activation = arithmetic.activation_dtype
        self.activate = kernels.activate_int8 if activation == torch.int8 else kernels.activate_float32
        self.buffer = np.zeros((s.buffer_pixels, c), np.uint8)
        self.inside = s.inside()
        self.rings = [
            torch.zeros(s.zero_row + 1, config.width, dtype=activation).numpy() for _ in layers.blocks
        ]
        self.feats = empty((len(MASK_A) + 1) * c, activation)
        self.gathered = empty(len(MASK_B) * config.width, activation)
        self.trunk = empty(config.width, activation)
        self.centre_rows, self.known_rows = np.zeros((most, c), np.float32), np.zeros((most, c), np.float32)
        self.weights, self.means, self.scales = (np.zeros((most, k), np.int32) for _ in range(3))
        self.rows = np.zeros((most, BINS + 1), np.int32)
        self.scratch = np.zeros(BINS + 1, np.int32)
        self.freqs = np.zeros((most, BINS), np.float32)

    def begin(self, step: Step) -> None:
        layers, arithmetic = self.layers, self.layers.arithmetic
        m = step.address.size
        self.m, self.address = m, step.address
        self.centre, self.known = self.centre_rows[:m], self.known_rows[:m]
        feats, gathered, trunk = self.feats[:m], self.gathered[:m], self.trunk[:m]
        kernels.features(
            self.buffer, self.inside, step.address, step.image, self.schedule.offsets,
            _WEST, _NORTH, _NORTH_WEST, self.centre, feats,
        )  # fmt: skip
        stream = arithmetic.linear(layers.input_bias, torch.from_numpy(feats), layers.input)
        operand = torch.from_numpy(gathered)
        for ring, block in zip(self.rings, layers.blocks, strict=True):
            self.activate(stream.numpy(), ring[step.first : step.first + m])
            kernels.gather(ring, step.taps, gathered)
            stream = arithmetic.linear(stream, operand, block)
        self.activate(stream.numpy(), trunk)
        self.hidden = arithmetic.linear(layers.hidden_bias, torch.from_numpy(trunk), layers.hidden)

    def bin_freqs(self, channel: int) -> Rows:
        layers, m = self.layers, self.m
        out = self.head(channel, self.hidden, torch.from_numpy(self.known)).numpy()
        weights, means, scales = self.weights[:m], self.means[:m], self.scales[:m]
        kernels.mixtures(out, self.centre, self.known, channel, layers.exp2, weights, means, scales)
        freqs = self.freqs[:m]
        kernels.bin_rows(weights, means, scales, layers.logistic, layers.reciprocal, self.rows[:m], freqs)
        return freqs

    def place_freqs(self, channel: int, bins: Symbols) -> Rows:
        layers, m = self.layers, self.m
        freqs = self.freqs[:m]
        kernels.place_rows(
            self.weights[:m], self.means[:m], self.scales[:m], layers.logistic, layers.reciprocal,
            self.rows[:m], bins, self.scratch, freqs,
        )  # fmt: skip
        return freqs

    def store(self, channel: int, bins: Symbols, places: Symbols) -> None:
        kernels.store(bins, places, channel, self.address, self.centre, self.known, self.buffer)

    def pixels(self, image: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.buffer[self.schedule.window(image)].transpose(2, 0, 1))


def wavefront(layers: Layers, sizes: list[tuple[int, int]], compiled: bool | None = None) -> Wavefront:
    """The fastest form for the layers' device; `compiled` overrules.

    Raises:
        ValueError: compiled kernels are asked for where there are none.
    """
    possible = kernels is not None and layers.arithmetic.device.type == "cpu"
    if compiled and not possible:
        raise ValueError("compiled kernels need numba and a CPU")
    use = possible if compiled is None else compiled
    return CompiledWavefront(layers, sizes) if use else TensorWavefront(layers, sizes)


__all__ = ["RING", "CompiledWavefront", "Layers", "TensorWavefront", "Wavefront", "wavefront"]
