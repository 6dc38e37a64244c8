"""The integer model, one diagonal at a time.

What is coded is written into a padded buffer and read back through the taps, so the past is all that a
step can see, in the encoder as in the decoder.  `TensorWavefront` runs anywhere torch does;
`CompiledWavefront` is the same computation for CPUs.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.exact.frequencies import BINS, Frequencies
from pixzip.exact.gemm import Arithmetic, Matrix
from pixzip.exact.schedule import BACK, RING, Schedule, Step
from pixzip.exact.tables import LOGISTIC_LIMIT, RECIPROCAL_BITS
from pixzip.exact.weights import FRACTION, OUTPUT_SHIFTS, IntegerWeights, scaled
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
        #: Distances from a mean, in 1/16 grey level, from which on a component's CDF is 0 or saturated.
        self.reach = (((LOGISTIC_LIMIT + 1) << RECIPROCAL_BITS) // self.reciprocal + 1).astype(np.int32)
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

        #: For compiled kernels: known weights, transposed output weights, output biases, floor steps of each channel.
        self.heads = [
            (
                self._steps(weights, f"known.{i}") if i else np.zeros((0, weights.config.head_width), np.float32),
                np.ascontiguousarray(self._steps(weights, f"out.{i}").T),
                ((weights.tensors[f"out.{i}.bias"] + [1 << (s - 1) for s in shifts[i]]) / (1 << FRACTION)).astype(np.float32),
                np.array([2.0 ** (FRACTION - s) for s in shifts[i]], np.float32),
            )
            for i in range(c)
        ]

    @staticmethod
    def _steps(weights: IntegerWeights, name: str) -> NDArray[np.float32]:
        """A matrix in activation steps, exactly."""
        return (scaled(weights, name) / (1 << FRACTION)).astype(np.float32)

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
        self.schedule = self.make_schedule(sizes)

    def make_schedule(self, sizes: list[tuple[int, int]]) -> Schedule:
        return Schedule(sizes)

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

    def _head(self, channel: int) -> Tensor:
        """(M, 3 K + i) outputs of a channel's head."""
        layers, arithmetic = self.layers, self.layers.arithmetic
        width = layers.config.head_width
        z = self.hidden[:, channel * width : (channel + 1) * width]
        if channel:
            before = self.known[:, :channel].to(arithmetic.activation_dtype)
            z = arithmetic.linear(z, before, layers.known[channel - 1])
        a = arithmetic.activate(z, torch.empty(z.shape, dtype=arithmetic.activation_dtype, device=z.device))
        return arithmetic.outputs(arithmetic.linear(layers.out_bias[channel], a, layers.out[channel]), layers.shifts[channel])

    def bin_freqs(self, channel: int) -> Rows:
        out = self._head(channel)
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


class _CompiledSchedule(Schedule):
    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        super().__init__(sizes)
        self._back, self._rise = np.array(BACK, np.int64), np.array([dy for dy, _ in MASK_B], np.int64)
        self._image, self._address = np.zeros(self.most, np.int64), np.zeros(self.most, np.int64)
        self._taps = np.zeros((self.most, len(MASK_B)), np.int64)

    def step(self, t: int) -> Step:
        first, count, start = self._in_flight(t)
        kernels.diagonal(
            t, first, count, self.base, self.pitch, self.first_row, self._places, self.most,
            self._back, self._rise, self._image, self._address, self._taps,
        )  # fmt: skip
        m = int(start[-1] + count[-1])
        image, address, taps = self._image[:m], self._address[:m], self._taps[:m]
        return Step(t, self._segments(count, start), image, address, t % RING * self.most, taps)


class _Views(NamedTuple):
    feats: Tensor
    feats_rows: NDArray[Any]
    gathered: Tensor
    gathered_rows: NDArray[Any]
    trunk: Tensor
    trunk_rows: NDArray[Any]
    stream: Tensor
    stream_rows: NDArray[Any]
    centre: Symbols
    known: Symbols
    mixture: tuple[Symbols, Symbols, Symbols]
    rows: Symbols
    freqs: Rows


class CompiledWavefront(Wavefront):
    """Products by torch, the rest by compiled kernels; every buffer is allocated once."""

    def make_schedule(self, sizes: list[tuple[int, int]]) -> Schedule:
        return _CompiledSchedule(sizes)

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        super().__init__(layers, sizes)
        s, config, arithmetic = self.schedule, layers.config, layers.arithmetic
        c, k, most = config.channels, config.n_mix, s.most
        self.activate = kernels.activate_int32 if arithmetic.stream_dtype == torch.int32 else kernels.activate_float32
        self.buffer = np.zeros((s.buffer_pixels, c), np.uint8)
        self.inside = s.inside()
        self.rings = [np.zeros((s.zero_row + 1, config.width), np.int8) for _ in layers.blocks]

        def operand(columns: int) -> Tensor:
            return torch.zeros(most, columns, dtype=arithmetic.activation_dtype)

        self.feats = operand((len(MASK_A) + 1) * c)
        self.gathered = operand(len(MASK_B) * config.width)
        self.trunk = operand(config.width)
        self.stream = torch.zeros(most, config.width, dtype=arithmetic.stream_dtype)
        self.centre, self.known = np.zeros((most, c), np.int32), np.zeros((most, c), np.int32)
        self.weights, self.means, self.scales = (np.zeros((most, k), np.int32) for _ in range(3))
        self.rows = np.zeros((most, BINS + 1), np.int32)
        self.freqs = np.zeros((most, BINS), np.float32)
        self._views: dict[int, _Views] = {}

    def _view(self, m: int) -> "_Views":
        """The first m rows of every buffer; making the views takes longer than a kernel."""
        if m not in self._views:
            feats, gathered, trunk, stream = self.feats[:m], self.gathered[:m], self.trunk[:m], self.stream[:m]
            self._views[m] = _Views(
                feats, feats.numpy(), gathered, gathered.numpy(), trunk, trunk.numpy(), stream, stream.numpy(),
                self.centre[:m], self.known[:m], (self.weights[:m], self.means[:m], self.scales[:m]),
                self.rows[:m], self.freqs[:m],
            )  # fmt: skip
        return self._views[m]

    def begin(self, step: Step) -> None:
        layers, arithmetic = self.layers, self.layers.arithmetic
        m = step.address.size
        self.address, self.view = step.address, self._view(m)
        v = self.view
        kernels.features(
            self.buffer, self.inside, step.address, step.image, self.schedule.offsets,
            _WEST, _NORTH, _NORTH_WEST, v.centre, v.feats_rows,
        )  # fmt: skip
        v.stream.copy_(layers.input_bias)
        arithmetic.accumulate(v.stream, v.feats, layers.input)
        for ring, block in zip(self.rings, layers.blocks, strict=True):
            self.activate(v.stream_rows, ring[step.first : step.first + m])
            kernels.gather(ring, step.taps, v.gathered_rows)
            arithmetic.accumulate(v.stream, v.gathered, block)
        self.activate(v.stream_rows, v.trunk_rows)
        hidden = arithmetic.linear(layers.hidden_bias, v.trunk, layers.hidden)
        self.hidden = arithmetic.in_steps(hidden).numpy()

    def bin_freqs(self, channel: int) -> Rows:
        layers, v = self.layers, self.view
        kernels.mixtures(self.hidden, v.known, v.centre, channel, *layers.heads[channel], layers.exp2, *v.mixture)
        kernels.bin_rows(*v.mixture, layers.logistic, layers.reciprocal, layers.reach, v.rows, v.freqs)
        return v.freqs

    def place_freqs(self, channel: int, bins: Symbols) -> Rows:
        layers, v = self.layers, self.view
        kernels.place_rows(*v.mixture, layers.logistic, layers.reciprocal, layers.reach, v.rows, bins, v.freqs)
        return v.freqs

    def store(self, channel: int, bins: Symbols, places: Symbols) -> None:
        kernels.store(bins, places, channel, self.address, self.view.centre, self.view.known, self.buffer)

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


__all__ = ["CompiledWavefront", "Layers", "TensorWavefront", "Wavefront", "wavefront"]
