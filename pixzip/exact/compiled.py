"""The wavefront on a CPU: compiled kernels around torch's products."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.exact import kernels
from pixzip.exact.frequencies import BINS
from pixzip.exact.layers import Layers
from pixzip.exact.schedule import BACK, RING, Schedule, Step
from pixzip.exact.wavefront import NORTH, NORTH_WEST, WEST, Rows, Symbols, Wavefront
from pixzip.models.context import MASK_A, MASK_B

#: A thread is not worth waking for fewer rows.
_ROWS_PER_THREAD = 32


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
    """The first rows of every buffer: making the views takes longer than a kernel does."""

    feats: Tensor
    gathered: Tensor
    trunk: Tensor
    stream: Tensor
    hidden: Tensor
    feats_array: NDArray[Any]
    gathered_array: NDArray[Any]
    trunk_array: NDArray[Any]
    stream_array: NDArray[Any]
    centre: Symbols
    known: Symbols
    mixture: tuple[Symbols, Symbols, Symbols]
    bin_rows: Symbols
    freqs: Rows


class CompiledWavefront(Wavefront):
    """Every buffer is allocated once."""

    def __init__(self, layers: Layers, sizes: list[tuple[int, int]]) -> None:
        super().__init__(layers, sizes)
        s, config, arithmetic = self.schedule, layers.config, layers.arithmetic
        c, k, most = config.channels, config.n_mix, s.most
        self._activate = kernels.activate_int32 if arithmetic.stream_dtype == torch.int32 else kernels.activate_float32
        self._buffer = np.zeros((s.buffer_pixels, c), np.uint8)
        self._inside = s.inside()
        #: What a layer read in the last steps; a layer that reads its own pixel alone has none.
        self._rings = [
            np.zeros((s.zero_row + 1, config.width), np.int8) if neighbours else None for _, neighbours in layers.trunk
        ]

        def tensor(columns: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(most, columns, dtype=dtype)

        activation, stream = arithmetic.activation_dtype, arithmetic.stream_dtype
        self._feats = tensor((len(MASK_A) + 1) * c, activation)
        self._gathered = tensor(len(MASK_B) * config.width, activation)
        self._trunk, self._stream = tensor(config.width, activation), tensor(config.width, stream)
        self._hidden = tensor(c * config.head_width, stream)
        self._centre, self._known = np.zeros((most, c), np.int32), np.zeros((most, c), np.int32)
        self._weights, self._means, self._scales = (np.zeros((most, k), np.int32) for _ in range(3))
        self._bin_rows, self._freqs = np.zeros((most, BINS + 1), np.int32), np.zeros((most, BINS), np.float32)
        self._cache: dict[int, _Views] = {}
        self._parts = 1

    def make_schedule(self, sizes: list[tuple[int, int]]) -> Schedule:
        return _CompiledSchedule(sizes)

    @contextlib.contextmanager
    def coding(self) -> Iterator[None]:
        wanted = torch.get_num_threads()
        before = numba.get_num_threads()
        self._threads = min(wanted, before) if kernels.THREADS else 1
        numba.set_num_threads(self._threads)
        torch.set_num_threads(wanted)  # numba's pool, when it starts, sets OpenMP's number for torch too
        try:
            yield
        finally:
            numba.set_num_threads(before)
            torch.set_num_threads(wanted)

    def _views(self, m: int) -> _Views:
        if m not in self._cache:
            feats, gathered, trunk = self._feats[:m], self._gathered[:m], self._trunk[:m]
            stream, hidden = self._stream[:m], self._hidden[:m]
            self._cache[m] = _Views(
                feats, gathered, trunk, stream, hidden,
                feats.numpy(), gathered.numpy(), trunk.numpy(), stream.numpy(),
                self._centre[:m], self._known[:m], (self._weights[:m], self._means[:m], self._scales[:m]),
                self._bin_rows[:m], self._freqs[:m],
            )  # fmt: skip
        return self._cache[m]

    def begin(self, step: Step) -> None:
        layers, arithmetic = self.layers, self.layers.arithmetic
        m = step.address.size
        self._address, self._now = step.address, self._views(m)
        v, self._parts = self._now, min(self._threads, max(1, m // _ROWS_PER_THREAD))
        kernels.features(
            self._parts, self._buffer, self._inside, step.address, step.image, self.schedule.offsets,
            WEST, NORTH, NORTH_WEST, v.centre, v.feats_array,
        )  # fmt: skip
        v.stream.copy_(layers.input_bias)
        arithmetic.accumulate(v.stream, v.feats, layers.input)
        for ring, (matrix, _) in zip(self._rings, layers.trunk, strict=True):
            if ring is None:
                self._activate(v.stream_array, v.trunk_array)
                arithmetic.accumulate(v.stream, v.trunk, matrix)
                continue
            self._activate(v.stream_array, ring[step.first : step.first + m])
            kernels.gather(self._parts, ring, step.taps, v.gathered_array)
            arithmetic.accumulate(v.stream, v.gathered, matrix)
        self._activate(v.stream_array, v.trunk_array)
        v.hidden.copy_(layers.hidden_bias)
        arithmetic.accumulate(v.hidden, v.trunk, layers.hidden)
        self._hidden_array = arithmetic.in_steps(v.hidden).numpy()

    def bin_freqs(self, channel: int) -> Rows:
        layers, v = self.layers, self._now
        kernels.bins(
            self._parts, self._hidden_array, v.known, v.centre, channel, *layers.heads[channel], layers.exp2,
            *v.mixture, layers.logistic, layers.reciprocal, layers.reach, v.bin_rows, v.freqs,
        )  # fmt: skip
        return v.freqs

    def place_freqs(self, channel: int, bins: Symbols) -> Rows:
        layers, v = self.layers, self._now
        kernels.places(
            self._parts, *v.mixture, layers.logistic, layers.reciprocal, layers.reach, v.bin_rows, bins, v.freqs
        )
        return v.freqs

    def store(self, channel: int, bins: Symbols, places: Symbols) -> None:
        kernels.store(bins, places, channel, self._address, self._now.centre, self._now.known, self._buffer)

    def pixels(self, image: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self._buffer[self.schedule.window(image)].transpose(2, 0, 1))
