"""The compiled wavefront for CPUs."""

import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg.blas  # noqa: F401 (numba multiplies with SciPy's BLAS)
import torch
from numpy.typing import NDArray
from pixcodecs import forking
from pixcodecs.coders.base import Rows, Symbols
from pixcodecs.container.blocks import Precision
from threadpoolctl import ThreadpoolController
from torch import Tensor

from pixzip.engine.backends.base import BINS, Wavefront, joined
from pixzip.engine.backends.numba import heads, threads, trunk
from pixzip.engine.backends.numba.pace import Pace
from pixzip.engine.backends.numba.schedule import CompiledSchedule
from pixzip.engine.backends.torch.gemm import Float32
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.batch import Samples
from pixzip.engine.schedule import Schedule, Step
from pixzip.models.wavefront.taps import MASK_A, MASK_B, NORTH, NORTH_WEST, WEST

#: Runs of adjacent taps of mask A: number of the first tap, and length.
_RUNS = np.array(
    [(MASK_A.index((dy, dx)), sum(row == dy for row, _ in MASK_A)) for dy, dx in MASK_A if (dy, dx - 1) not in MASK_A],
    np.int64,
)


#: The number of threads is a setting of the process, and a batch uses all of them, so calling threads take turns.
_ALONE = forking.Lock()
#: Encloses calls of BLAS, which has locks of its own, and of kernels.
_CALLS = forking.Guard()


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    """The thread pools of this process, cached: finding them takes longer than coding a small image."""
    return ThreadpoolController()


class _Heads(NamedTuple):
    """Views of the first rows of the heads' buffers, cached: creating them takes longer than a kernel."""

    centre: Symbols
    known: Symbols
    fine: Symbols
    units: Symbols
    tops: Symbols
    mixture: tuple[Symbols, Symbols, Symbols]
    bin_rows: Symbols
    freqs: Rows


class CompiledWavefront(Wavefront):
    """The compiled wavefront, with all buffers allocated once; subclasses run the trunk."""

    def __init__(
        self, layers: Layers, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
    ) -> None:
        super().__init__(layers.config, sizes, precisions)
        self.layers = layers
        s, config = self.schedule, layers.config
        c, k, most = config.channels, config.n_mix, s.most
        self._buffer = np.zeros((s.buffer_pixels, c), self.dtype)
        self._inside = s.inside()
        self._centre, self._known, self._fine = (np.zeros((most, c), np.int32) for _ in range(3))
        self._units, self._tops = np.zeros(most, np.int32), np.full(most, 255, np.int32)
        #: Unit of each image; empty for 8 bits.
        self._unit_of = self.of_images("unit") if self.high_depth else np.zeros(0, np.int64)
        self._level_of = self.of_images("depth")[: len(self._unit_of)] - 8
        self._top_of = (1 << self.of_images("depth")) - 1
        self._weights, self._means, self._scales = (np.zeros((most, k), np.int32) for _ in range(3))
        self._bin_rows, self._freqs = np.zeros((most, BINS + 1), np.int32), np.zeros((most, BINS), np.float32)
        self._head_activations = np.zeros((most, config.head_width), np.float32)
        self._outputs = [np.zeros((most, 3 * k + i), np.float32) for i in range(c)]
        self._cache: dict[int, _Heads] = {}
        self._parts = 1

    def make_schedule(self, sizes: list[tuple[int, int]]) -> Schedule:
        return CompiledSchedule(sizes)

    @contextlib.contextmanager
    def coding(self) -> Iterator[None]:
        one_each = {"limits": 1, "user_api": "blas"}  # each of our threads multiplies its own rows
        with _ALONE, threads.available() as most, _libraries().limit(**one_each):
            self._pace, self._parts = Pace(most), 1
            yield

    def begin(self, step: Step) -> None:
        m = step.address.size
        if m not in self._cache:
            mixture = self._weights[:m], self._means[:m], self._scales[:m]
            residuals = self._known[:m], self._fine[:m]
            precision = self._units[:m], self._tops[:m]
            self._cache[m] = _Heads(
                self._centre[:m], *residuals, *precision, mixture, self._bin_rows[:m], self._freqs[:m]
            )
        if self.high_depth:
            self._units[:m], self._tops[:m] = self._unit_of[step.image], self._top_of[step.image]
        self._address, self._now = step.address, self._cache[m]
        parts = self._pace.choose(m)
        with _CALLS:
            if parts != self._parts:
                self._parts = parts
                threads.use(parts)
            self._hidden = self._trunk(step)

    @abstractmethod
    def _trunk(self, step: Step) -> NDArray[np.float32]:
        """Write MED predictions into `_centre`; return the (M, C W) hidden layer of the heads in activation steps."""

    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        with _CALLS:
            return self._digit_freqs(channel, before) if self.high_depth else self._bin_freqs(channel, before)

    def _bin_freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        layers, v = self.layers, self._now
        if before:
            heads.places(
                self._parts, *v.mixture, layers.logistic, layers.reciprocal, layers.reach, v.bin_rows, before[0],
                v.freqs,
            )  # fmt: skip
        else:
            heads.bins(
                self._parts, self._hidden, v.known, v.centre, channel, *layers.heads[channel],
                self._head_activations, self._outputs[channel], layers.exp2, v.units, v.tops, *v.mixture,
                layers.logistic, layers.reciprocal, layers.reach, v.bin_rows, v.freqs,
            )  # fmt: skip
        return v.freqs

    def _digit_freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        layers, v = self.layers, self._now
        if before:
            prefix = joined(before)
        else:
            prefix = np.zeros(len(v.centre), np.int32)
            heads.mixtures(
                self._parts, self._hidden, v.known, v.fine, v.centre, channel, *layers.heads[channel],
                self._head_activations, self._outputs[channel], layers.exp2, v.units, v.tops, *v.mixture,
            )  # fmt: skip
        shift = 4 * (self.digits - 1 - len(before))
        heads.digits(
            self._parts, *v.mixture, v.units, v.tops, prefix, shift, layers.logistic, layers.reciprocal, v.freqs
        )
        return v.freqs

    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        v = self._now
        if self.high_depth:
            heads.high_depth_store(
                joined(digits), channel, self._address, v.centre, v.units, v.known, v.fine, self._buffer
            )
        else:
            heads.store(digits[0], digits[1], channel, self._address, v.centre, v.known, self._buffer)

    def samples(self, image: int) -> Samples:
        return self.view(self._buffer, image)


class FusedWavefront(CompiledWavefront):
    """The trunk as one call per step, with float32 products by BLAS."""

    def __init__(
        self, layers: Layers, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
    ) -> None:
        super().__init__(layers, sizes, precisions)
        s, config = self.schedule, layers.config
        c, w, most = config.channels, config.width, s.most
        self._rings = np.zeros((config.blocks, s.zero_row + 1, w), np.int8)
        columns = (len(MASK_A) + 1) * c, w, len(MASK_B) * w, w, w, c * config.head_width
        self._feats, self._activations, self._seen, self._product, self._stream, self._heads_input = (
            np.zeros((most, n), np.float32) for n in columns
        )

    def _trunk(self, step: Step) -> NDArray[np.float32]:
        trunk.trunk(
            self._parts, self._buffer, self._inside, step.address, step.image, self.schedule.offsets, _RUNS,
            self._unit_of, self._level_of, WEST, NORTH, NORTH_WEST, self._centre, self._feats, step.first,
            step.taps, self._rings, self._activations, self._seen, self._product, self._stream, self._heads_input,
            self.layers.config.finer, *self.layers.fused,
        )  # fmt: skip
        return self._heads_input


class _Views(NamedTuple):
    """Views of the first rows of the trunk's buffers."""

    feats: Tensor
    gathered: Tensor
    trunk: Tensor
    stream: Tensor
    hidden: Tensor
    feats_array: NDArray[Any]
    gathered_array: NDArray[Any]
    trunk_array: NDArray[Any]
    stream_array: NDArray[Any]


class ProductsWavefront(CompiledWavefront):
    """The trunk as separate kernels between the backend's products."""

    def __init__(
        self, layers: Layers, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
    ) -> None:
        super().__init__(layers, sizes, precisions)
        s, config, products = self.schedule, layers.config, layers.products
        c, most = config.channels, s.most
        self._activate = trunk.activate_int32 if products.stream_dtype == torch.int32 else trunk.activate_float32
        #: Inputs of each layer in the last steps; none for a layer that reads only its own pixel.
        self._rings = [
            np.zeros((s.zero_row + 1, config.width), np.int8) if neighbours else None
            for _, neighbours, _ in layers.trunk
        ]

        def tensor(columns: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(most, columns, dtype=dtype)

        activation, stream = products.activation_dtype, products.stream_dtype
        self._feats = tensor((len(MASK_A) + 1) * c, activation)
        self._gathered = tensor(len(MASK_B) * config.width, activation)
        self._trunk_input, self._stream = tensor(config.width, activation), tensor(config.width, stream)
        self._heads_input = tensor(c * config.head_width, stream)
        self._views_of: dict[int, _Views] = {}

    def _views(self, m: int) -> _Views:
        if m not in self._views_of:
            feats, gathered, trunk = self._feats[:m], self._gathered[:m], self._trunk_input[:m]
            stream, hidden = self._stream[:m], self._heads_input[:m]
            self._views_of[m] = _Views(
                feats, gathered, trunk, stream, hidden, feats.numpy(), gathered.numpy(), trunk.numpy(), stream.numpy()
            )
        return self._views_of[m]

    def _trunk(self, step: Step) -> NDArray[np.float32]:
        layers, products = self.layers, self.layers.products
        m = step.address.size
        v = self._views(m)
        trunk.features(
            self._parts, self._buffer, self._inside, step.address, step.image, self.schedule.offsets, _RUNS,
            self._unit_of, self._level_of, WEST, NORTH, NORTH_WEST, self._now.centre, v.feats_array,
        )  # fmt: skip
        v.stream.copy_(layers.input_bias)
        products.accumulate(v.stream, v.feats, layers.input)
        for ring, (matrix, _, finer) in zip(self._rings, layers.trunk, strict=True):
            if ring is None:
                self._activate(v.stream_array, v.trunk_array, finer)
                products.accumulate(v.stream, v.trunk, matrix)
                continue
            self._activate(v.stream_array, ring[step.first : step.first + m], finer)
            trunk.gather(self._parts, ring, step.taps, v.gathered_array)
            products.accumulate(v.stream, v.gathered, matrix)
        self._activate(v.stream_array, v.trunk_array, 0)
        v.hidden.copy_(layers.hidden_bias)
        products.accumulate(v.hidden, v.trunk, layers.hidden)
        hidden: NDArray[np.float32] = products.in_steps(v.hidden).numpy()
        return hidden


def compiled_wavefront(
    layers: Layers, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None
) -> CompiledWavefront:
    """The compiled wavefront for a CPU backend: fused if BLAS computes the same products."""
    form = FusedWavefront if isinstance(layers.products, Float32) else ProductsWavefront
    return form(layers, sizes, precisions)
