"""Models on devices: engines made once, and many payloads coded by several models."""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.range import EntropyCoder
from pixcodecs.container.blocks import Precision, Samples
from pixcodecs.errors import BitstreamError, PixzipError

from pixzip.engine import batching
from pixzip.engine.backends.cuda import memory
from pixzip.engine.crossover import Crossover
from pixzip.engine.family import DensityEngine
from pixzip.engine.order import from_planes, to_planes
from pixzip.engine.schedule import count_steps
from pixzip.engine.wavefront import Engine, Progress
from pixzip.models.family.weights import FixedWeights
from pixzip.models.registry import Weights

Item = TypeVar("Item")

#: No sub-pixel can cost less, whatever the model.  Its two rows of frequencies (bins, then places) give each
#: value at least 1 of 2^20, so one value has at most 2^20 - 255: at least 0.00035 bits.  The range coder's own
#: rounding can only take from the likeliest value, but for one part in 2^24 a row; rANS changes bits by a 2000th.
MIN_SUBPIXEL_BITS = 0.0003


def resolve_device(name: str = "auto") -> str:
    """The device's name for PyTorch: "auto" takes CUDA where there is a device.

    Raises:
        PixzipError: CUDA is asked for where there is none.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device is {name!r}, expected auto, cpu or cuda")
    if name == "cpu":
        return name
    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise PixzipError("device cuda asked for, but there is no CUDA device here: use --device cpu")
    return "cpu"


def coding_device(name: str = "auto") -> str:
    """As `resolve_device`, but that "auto" stays what it is where there is a choice: each batch makes its own.

    Raises:
        PixzipError: see `resolve_device`.
    """
    found = resolve_device(name)
    return "auto" if name == "auto" and found == "cuda" else found


def batch_pixels(device: str) -> int:
    """Pixels that are worth coding together on a device."""
    return batching.BATCH_PIXELS if device == "cpu" else max(batching.BATCH_PIXELS, memory.batch_pixels())


def batches(items: Sequence[Item], pixels: Callable[[Item], int], device: str) -> Iterator[list[Item]]:
    """`batching.batches` of a device's size."""
    return batching.batches(items, pixels) if device == "cpu" else batching.batches(items, pixels, batch_pixels(device))


@lru_cache(maxsize=1)
def crossover() -> Crossover:
    """The one of this process."""
    return Crossover()


def stepping_engine(weights: Weights, device: str) -> Engine | DensityEngine:
    """An engine for what a GPU codes through the host, step by step: a CPU's, unless a GPU's is asked for."""
    return engine(weights, "cpu" if device == "auto" and not isinstance(weights, FixedWeights) else device)


@contextmanager
def _engine_for(
    weights: Weights, device: str, sizes: Sequence[tuple[int, ...]], precisions: Sequence[Precision]
) -> Iterator[Engine | DensityEngine]:
    """An engine for a batch of images of (height, width)."""
    if device != "auto" or isinstance(weights, FixedWeights):
        yield engine(weights, device)
        return
    if any(precision.depth > 8 for precision in precisions):
        yield stepping_engine(weights, device)
        return
    steps = max(count_steps(height, width) for height, width, *_ in sizes)
    pixels = sum(height * width for height, width, *_ in sizes)
    chosen = crossover().choose(steps, pixels)
    with crossover().timed(chosen, steps, pixels):
        yield engine(weights, chosen)


class _ByDigest:
    """Weights as a key: equal where their digests are."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def __hash__(self) -> int:
        return hash(self.weights.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and other.weights.digest == self.weights.digest


@lru_cache(maxsize=4)
def _engine(key: _ByDigest, known_answer: str, device: str) -> Engine | DensityEngine:
    if isinstance(key.weights, FixedWeights):
        return DensityEngine(key.weights, device)
    if device == "cuda":
        from pixzip.engine.backends.cuda.engine import DeviceEngine

        return DeviceEngine(key.weights, device)
    return Engine(key.weights, device)


def engine(weights: Weights, device: str) -> Engine | DensityEngine:
    """The engine of a model on a device, as `resolve_device` takes it; made once."""
    return _engine(_ByDigest(weights), weights.known_answer, resolve_device(device))


class Ask(NamedTuple):
    """What a model shall code: (H, W, C) samples."""

    samples: Samples
    weights: Weights
    precision: Precision = Precision()
    coder: EntropyCoder = EntropyCoder.RANGE


class Payload(NamedTuple):
    """What a model coded."""

    model_id: bytes
    payload: bytes
    shape: tuple[int, int, int]
    precision: Precision = Precision()
    coder: EntropyCoder = EntropyCoder.RANGE

    def check(self) -> None:
        """
        Raises:
            BitstreamError: it is too short for its shape, whatever the model.
        """
        least = math.prod(self.shape) * MIN_SUBPIXEL_BITS - 64
        if 8 * len(self.payload) < least:
            found, size = len(self.payload), f"{self.shape[1]}x{self.shape[0]}"
            raise BitstreamError(f"payload has {found} bytes, {size} pixels take at least {math.ceil(least / 8)}")


def encode(asked: Sequence[Ask], device: str, report: Progress | None = None) -> list[bytes]:
    """The payload of each array."""
    answers = [b""] * len(asked)
    for chosen in _alike((a.weights.model_id, a.precision.digits, a.coder) for a in asked):
        weights, coder = asked[chosen[0]].weights, asked[chosen[0]].coder
        for batch in batches(chosen, lambda i: math.prod(asked[i].samples.shape[:2]), device):
            planes = [to_planes(asked[i].samples, weights.order) for i in batch]
            sizes, precisions = [asked[i].samples.shape for i in batch], [asked[i].precision for i in batch]
            with _engine_for(weights, device, sizes, precisions) as chosen_engine:
                payloads = chosen_engine.encode(planes, report, precisions, coder)
            for i, payload in zip(batch, payloads, strict=True):
                answers[i] = payload
    return answers


def decode(
    asked: Sequence[Payload], models: dict[bytes, Weights], device: str, report: Progress | None = None
) -> list[Samples]:
    """The (H, W, C) samples of each payload."""
    answers: dict[int, Samples] = {}
    for chosen in _alike((a.model_id, a.precision.digits) for a in asked):
        weights = models[asked[chosen[0]].model_id]
        for i in chosen:
            if asked[i].shape[2] != weights.config.channels:
                found = f"{asked[i].shape[2]} channels, its model {weights.config.channels}"
                raise BitstreamError(f"file has {found}: one is wrong")
        sizes, precisions = [asked[i].shape[:2] for i in chosen], [asked[i].precision for i in chosen]
        payloads = [asked[i].payload for i in chosen]
        coders = [asked[i].coder for i in chosen]
        with _engine_for(weights, device, sizes, precisions) as chosen_engine:
            decoded = chosen_engine.decode(payloads, sizes, report, precisions, coders)
        answers |= {i: from_planes(planes, weights.order) for i, planes in zip(chosen, decoded, strict=True)}
    return [answers[i] for i in range(len(asked))]


def nll_maps(asked: Sequence[Ask], device: str, report: Progress | None = None) -> list[NDArray[np.float64]]:
    """(H, W) of each array: the bits of its model for each pixel."""
    answers: dict[int, NDArray[np.float64]] = {}
    for chosen in _alike((a.weights.model_id, a.precision.digits) for a in asked):
        weights = asked[chosen[0]].weights
        planes = [to_planes(asked[i].samples, weights.order) for i in chosen]
        maps = engine(weights, device).nll_maps(planes, report, [asked[i].precision for i in chosen])
        answers |= dict(zip(chosen, maps, strict=True))
    return [answers[i] for i in range(len(asked))]


def _alike(kinds: Iterable[Hashable]) -> list[list[int]]:
    """Positions of what is of one kind."""
    found: dict[Hashable, list[int]] = {}
    for i, kind in enumerate(kinds):
        found.setdefault(kind, []).append(i)
    return list(found.values())


class Share:
    """Turns the progress of parts into one, in pixels."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self.total, self.done = progress, total, 0
        self._shown = 0

    def show(self, done: int) -> None:
        """Never goes back: a part may be coded in several rounds."""
        if self._progress and done > self._shown:
            self._shown = done
            self._progress(done, self.total)

    def part(self, pixels: int) -> Progress:
        """The progress callback of the next part."""
        start = self.done
        self.done += pixels
        return lambda done, total: self.show(start + pixels * done // total)
