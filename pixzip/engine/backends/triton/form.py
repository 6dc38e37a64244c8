"""The Triton kernel as a form of the engine: operands, launches and results.

Triton comes with PyTorch's CUDA builds.  It can also be installed elsewhere; with TRITON_INTERPRET=1 in the environment
it runs kernels on the CPU, one program after another: slow, but exact.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.coders import rans
from pixcodecs.coders.base import Edges
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.errors import BitstreamError
from torch import Tensor

from pixzip.engine.backends.cuda.batch import Form
from pixzip.engine.backends.cuda.memory import TooLargeError
from pixzip.engine.backends.cuda.slots import Slots
from pixzip.engine.backends.triton import kernel
from pixzip.engine.backends.triton.operands import ROWS, operands, power_of_two
from pixzip.engine.base import Job, Progress
from pixzip.engine.batch import Samples
from pixzip.engine.schedule import RING
from pixzip.models.wavefront.weights import IntegerWeights

#: Warps per program, most pixels per matrix product, and most pixels times the trunk's padded width: they fit the
#: registers of compute capability 9.0 (`docs/experiments.md`).
WARPS, MOST_ROWS, MOST_FEATURES = 8, 64, 4096
#: Pipeline stages of loads in a loop: only one, so that no load is issued before the store that it reads.
STAGES = 1
#: Steps per launch; the host reports progress between launches.
STEPS_AT_ONCE = 128
#: Lanes per program: it is compiled for the fewest that its images need; each compilation takes seconds.
LANES = (32, 1 << rans.MOST_LANES_LOG2)
#: Addresses in a kernel are signed 32-bit integers.
_ADDRESSES = 1 << 31
#: The range coder's states have 64 bits.
_MOST = (1 << 64) - 1


class _Sources:
    """The sources of a batch's symbols: lanes and words of each image, and their positions."""

    def __init__(self, states: list[NDArray[np.int64]], words: list[NDArray[np.uint32]], read: int) -> None:
        """
        Args:
            states, words: one array per image.
            read: number of words per image that the states already hold.
        """
        self.lanes = np.array([len(s) for s in states], np.int64)
        self.first_lane = np.cumsum(self.lanes) - self.lanes
        self.lengths = np.array([len(w) for w in words], np.int64)
        self.ends = np.cumsum(self.lengths)
        self.at = self.ends - self.lengths + read
        self.states = np.concatenate(states)
        self.words = np.concatenate([*words, np.zeros(1, np.uint32)])


def _of_nothing(images: int) -> _Sources:
    return _Sources([np.zeros(1, np.int64)] * images, [np.zeros(0, np.uint32)] * images, 0)


def _of_rans(payloads: Sequence[bytes]) -> _Sources:
    """
    Raises:
        BitstreamError: a payload that no encoder writes.
    """
    parsed = [rans.parse(payload) for payload in payloads]
    return _Sources([p.states for p in parsed], [p.words for p in parsed], 0)


def _of_range(payloads: Sequence[bytes]) -> _Sources:
    """
    Raises:
        BitstreamError: the length of a payload is no multiple of 4 bytes.
    """
    for payload in payloads:
        if len(payload) % 4:
            raise BitstreamError(f"payload has {len(payload)} bytes, expected a multiple of 4")
    words = [np.frombuffer(payload, "<u4").astype(np.uint32) for payload in payloads]
    # low, range and point
    points = [int.from_bytes(payload[i : i + 4].ljust(4, b"\0"), "little") for payload in payloads for i in (0, 4)]
    states = [
        np.array([0, _MOST, high << 32 | low], np.uint64).view(np.int64)
        for high, low in zip(points[::2], points[1::2], strict=True)
    ]
    return _Sources(states, words, 2)


def _may_end(low: int, span: int, point: int) -> bool:
    """Whether the range encoder can have written these last words."""
    return span == _MOST or (point - low & _MOST) < _MOST >> 31


class _Batch:
    """The tensors of one batch."""

    def __init__(self, weights: IntegerWeights, sizes: list[tuple[int, int]], sources: _Sources, device: torch.device):
        """
        Raises:
            TooLargeError: the addresses do not fit in 32 bits.
        """
        config = weights.config
        self.slots = slots = Slots(sizes, torch.device("cpu"))
        s, n = slots.schedule, len(slots)
        c, kp = config.channels, power_of_two(config.n_mix)
        d, e = power_of_two(config.width, ROWS), power_of_two(config.head_width, ROWS)
        rows = np.cumsum(s.height) - s.height
        of_image = {
            "height": s.height, "width": s.width, "base": s.base, "pitch": s.pitch, "row": rows, "slot": slots.first,
            "lanes": sources.lanes, "lane": sources.first_lane, "words_end": sources.ends,
        }  # fmt: skip
        fields = np.stack([of_image[name] for name in kernel.FIELDS], 1)
        ring = config.blocks * RING * int(s.height.sum()) * d
        words = len(sources.words) + 2 * slots.buffer_pixels * c  # damaged payloads are read no further
        if max(words, ring, n * 3 * max(kp, e)) >= _ADDRESSES:
            raise TooLargeError(f"a batch of {slots.buffer_pixels} pixels is too large for addresses of 32 bits")

        def zeros(*shape: int, dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        def tensor(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(values).to(device)

        self.rows, self.most_lanes = int(s.height.sum()), int(sources.lanes.max())
        self.images = tensor(fields.astype(np.int32))
        self.buffer = zeros(slots.buffer_pixels, c, dtype=torch.uint8)
        self.ring = zeros(config.blocks, RING * self.rows, d, dtype=torch.int8)
        self.hidden, self.centre, self.residuals = zeros(n, c, e), zeros(n, c), zeros(n, c)
        self.mixtures, self.bins = zeros(n, 3, kp), zeros(n, 3)
        self.values = self.buffer
        self.edges = zeros(1, c, 2, dtype=torch.int64)
        self.states = tensor(sources.states.copy())
        self.words = tensor(sources.words.view(np.int32))
        self.at, self.damaged = tensor(sources.at.astype(np.int32)), zeros(len(sizes))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors in the order of the kernel's parameters."""
        return (
            self.buffer, self.ring, self.hidden, self.centre, self.residuals, self.mixtures, self.bins, self.values,
            self.edges, self.states, self.words, self.at, self.damaged,
        )  # fmt: skip


class Kernel(Form):
    """The Triton kernel."""

    coders = frozenset({RANGE.name, RANS.name})

    def __init__(self, weights: IntegerWeights, device: torch.device, rows_at_once: int | None = None) -> None:
        """
        Args:
            rows_at_once: rows per matrix product; None chooses a number for the model.
        """
        self.weights, self.device = weights, device
        self.operands = op = operands(weights, device)
        self.rows_at_once = rows_at_once or max(16, min(MOST_ROWS, MOST_FEATURES // op.input.shape[1]))

    def edges(self, images: Sequence[Samples], progress: Progress | None = None) -> list[Edges]:
        sizes = [samples.shape[:2] for samples in images]
        batch = _Batch(self.weights, sizes, _of_nothing(len(images)), self.device)
        schedule = batch.slots.schedule
        values = np.zeros((batch.slots.buffer_pixels, self.weights.config.channels), np.uint8)
        for i, samples in enumerate(images):
            schedule.view(values, i)[...] = samples
        batch.values = torch.from_numpy(values).to(self.device)
        batch.edges = torch.zeros(*values.shape, 2, dtype=torch.int64, device=self.device)
        self._run(batch, kernel.KNOWN, progress)
        found = batch.edges.cpu().numpy()
        return [np.ascontiguousarray(schedule.view(found, i)) for i in range(len(images))]

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        payloads, (coder,) = [job.coded for job in jobs], {job.coder.name for job in jobs}
        rans_coded = coder == RANS.name
        sources = _of_rans(payloads) if rans_coded else _of_range(payloads)
        batch = _Batch(self.weights, [job.size for job in jobs], sources, self.device)
        self._run(batch, kernel.RANS if rans_coded else kernel.RANGE, progress)
        states, at, damaged = (x.cpu().numpy() for x in (batch.states, batch.at, batch.damaged))
        read = at - (sources.ends - sources.lengths)
        for i, length in enumerate(sources.lengths):
            own = states[sources.first_lane[i] :][: sources.lanes[i]]
            if rans_coded:
                rans.check_end(own, int(read[i]), int(length))
            elif damaged[i]:
                raise BitstreamError("payload damaged: no encoder writes it")
            elif read[i] < length or not _may_end(*own.view(np.uint64).tolist()):
                raise BitstreamError("payload goes on after its last pixel")
        found = batch.buffer.cpu().numpy()
        return [batch.slots.schedule.view(found, i) for i in range(len(jobs))]

    def constants(self, batch: _Batch, mode: int) -> dict[str, int]:
        """The compile-time constants of the kernel."""
        config, op = self.weights.config, self.operands
        return {
            "MODE": mode, "C": config.channels, "INPUTS": op.input.shape[0], "D": op.input.shape[1],
            "E": op.hidden.shape[2], "K": config.n_mix, "KP": batch.mixtures.shape[2], "N_BLOCKS": config.blocks,
            "N_MIXING": config.mixing, "BM": self.rows_at_once,
            "LANES": next(n for n in LANES if mode != kernel.RANS or batch.most_lanes <= n),
        }  # fmt: skip

    def _run(self, batch: _Batch, mode: int, progress: Progress | None) -> None:
        total, constants = batch.slots.schedule.steps, self.constants(batch, mode)
        for first in range(0, total, STEPS_AT_ONCE):
            end = min(first + STEPS_AT_ONCE, total)
            kernel.steps[len(batch.images),](
                batch.images, first, end, batch.rows, *batch.tensors, *self.operands, **constants,
                enable_fp_fusion=False, num_warps=WARPS, num_stages=STAGES,
            )  # fmt: skip
            if progress:
                if self.device.type == "cuda":
                    torch.cuda.current_stream().synchronize()
                progress(end, total)
