"""Whole files: images in, `.pxz` bytes out, and back.

Many images are coded as one batch; the bytes of each are the same as if it had been alone.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pixcodecs import container
from pixcodecs.container import MAX_PIXELS, Header
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError

from pixzip.engine import Engine, Progress
from pixzip.exact.weights import IntegerWeights
from pixzip.planes import from_planes, pixel_format, to_planes

Pixels = NDArray[np.uint8]
#: Pixels of images that are coded together; a larger image is a batch of its own.
BATCH_PIXELS = 32 << 20
#: No sub-pixel can cost less, whatever the model.  Its two rows of frequencies (bins, then places) give each
#: value at least 1 of 2^20, so one value has at most 2^20 - 255: at least 0.00035 bits.  The range coder's own
#: rounding can only take from the likeliest value, but for one part in 2^24 a row.
MIN_SUBPIXEL_BITS = 0.0003

T = TypeVar("T")


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


class _ByDigest:
    """Weights as a key: equal where their digests are."""

    def __init__(self, weights: IntegerWeights) -> None:
        self.weights = weights

    def __hash__(self) -> int:
        return hash(self.weights.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and other.weights.digest == self.weights.digest


@lru_cache(maxsize=4)
def _engine(key: _ByDigest, known_answer: str, device: str) -> Engine:
    return Engine(key.weights, device)


def engine(weights: IntegerWeights, device: str) -> Engine:
    """The engine of a model on a device, made once."""
    return _engine(_ByDigest(weights), weights.known_answer, device)


def batches(items: Sequence[T], pixels: Callable[[T], int], limit: int = BATCH_PIXELS) -> Iterator[list[T]]:
    """Consecutive items with at most `limit` pixels together, or one alone."""
    batch: list[T] = []
    total = 0
    for item in items:
        if batch and total + pixels(item) > limit:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += pixels(item)
    if batch:
        yield batch


def compress(
    images: Sequence[Pixels],
    weights_for: Callable[[int], IntegerWeights],
    device: str = "cpu",
    *,
    verify: bool = False,
    progress: Progress | None = None,
) -> list[bytes]:
    """A `.pxz` file for each image.

    Args:
        images: (H, W) or (H, W, 3) uint8.
        weights_for: number of channels -> model.
        device: as `resolve_device` gives it.
        verify: decode the files again and compare.
        progress: called with (pixels done, pixels in all), each pixel counted twice with `verify`.
    Raises:
        UnsupportedImageError: an image's sides do not fit the format.
        ModelMismatchError: no model for an image, or it does not run exactly here.
        PixzipError: verification failed.
    """
    for image in images:
        _check_image(image)
    share = _Share(progress, sum(_area(image) for image in images) * (1 + verify))
    files = [b""] * len(images)
    for channels, batch in _groups(images):
        weights = weights_for(channels)
        group = [images[i] for i in batch]
        coded = _encode(group, weights, device, share.part(group))
        if verify:
            parsed = [container.unpack(file, None) for file in coded]
            decoded = _decode(parsed, weights, device, share.part(group))
            if not all(np.array_equal(a, b) for a, b in zip(group, decoded, strict=True)):
                raise PixzipError("verification failed: the file decodes to other pixels; nothing was written")
        for i, file in zip(batch, coded, strict=True):
            files[i] = file
    return files


def decompress(
    files: Sequence[bytes],
    weights_for: Callable[[bytes], IntegerWeights],
    device: str = "cpu",
    *,
    max_pixels: int | None = MAX_PIXELS,
    progress: Progress | None = None,
) -> list[Pixels]:
    """The image of each file: the inverse of `compress`.

    Args:
        weights_for: model id -> model, such as `library.by_id`.
        max_pixels: refuse larger images; None lifts the limit.
        progress: called with (pixels done, pixels in all).
    Raises:
        BitstreamError: a file is damaged, truncated, foreign or hostile.
        ModelMismatchError: a file's model is missing, or does not run exactly here.
    """
    parsed = [parse(file, max_pixels) for file in files]
    share = _Share(progress, sum(h.width * h.height for h, _ in parsed))
    images: list[Pixels] = [np.empty((0, 0), np.uint8)] * len(files)
    for model_id in dict.fromkeys(h.model_id for h, _ in parsed):
        weights = weights_for(model_id)
        chosen = [i for i, (h, _) in enumerate(parsed) if h.model_id == model_id]
        for batch in batches(chosen, lambda i: parsed[i][0].width * parsed[i][0].height):
            pixels = sum(parsed[i][0].width * parsed[i][0].height for i in batch)
            decoded = _decode([parsed[i] for i in batch], weights, device, share.pixels(pixels))
            for i, image in zip(batch, decoded, strict=True):
                images[i] = image
    return images


def parse(file: bytes, max_pixels: int | None = MAX_PIXELS) -> tuple[Header, bytes]:
    """Header and payload, checked as far as can be without a model.

    Raises:
        BitstreamError: whatever is wrong.
    """
    header, payload = container.unpack(file, max_pixels)
    least = header.subpixels * MIN_SUBPIXEL_BITS - 64
    if 8 * len(payload) < least:
        size = f"{header.width}x{header.height}"
        raise BitstreamError(f"payload has {len(payload)} bytes, {size} pixels take at least {math.ceil(least / 8)}")
    return header, payload


@dataclass(frozen=True)
class Evaluation:
    """How an image's file compares with the model's own bits."""

    width: int
    height: int
    channels: int
    model_id: str
    model_bits: float
    file_bits: int

    @property
    def subpixels(self) -> int:
        return self.width * self.height * self.channels

    def as_dict(self) -> dict[str, Any]:
        """With `ratio` (file by model), `bits_per_dim` (the model's) and `bpsp` (the file's, header included)."""
        return asdict(self) | {
            "ratio": self.file_bits / self.model_bits,
            "bits_per_dim": self.model_bits / self.subpixels,
            "bpsp": self.file_bits / self.subpixels,
        }


def evaluate(
    images: Sequence[Pixels],
    weights_for: Callable[[int], IntegerWeights],
    device: str = "cpu",
    *,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """`Evaluation.as_dict` of each image: the model's bits and those of a real file.

    Args:
        progress: called with (pixels done, pixels in all), each pixel counted twice.
    """
    share = _Share(progress, 2 * sum(_area(image) for image in images))
    files = compress(images, weights_for, device, progress=share.part(images))
    results: list[dict[str, Any]] = [{}] * len(images)
    for channels, batch in _groups(images):
        weights = weights_for(channels)
        group = [images[i] for i in batch]
        planes = [to_planes(image, weights.order) for image in group]
        model_bits = engine(weights, device).nll_bits(planes, share.part(group))
        for i, image, bits in zip(batch, group, model_bits, strict=True):
            height, width = image.shape[:2]
            found = Evaluation(width, height, channels, weights.model_id.hex(), bits, 8 * len(files[i]))
            results[i] = found.as_dict()
    return results


def _groups(images: Sequence[Pixels]) -> Iterator[tuple[int, list[int]]]:
    """(channels, indices) of each batch."""
    for channels in sorted({pixel_format(image).channels for image in images}):
        chosen = [i for i, image in enumerate(images) if pixel_format(image).channels == channels]
        for batch in batches(chosen, lambda i: _area(images[i])):
            yield channels, batch


def _area(image: Pixels) -> int:
    return int(image.shape[0] * image.shape[1])


def _check_image(image: Pixels) -> None:
    pixel_format(image)
    container.check_shape(image.shape[1], image.shape[0])


def _encode(images: Sequence[Pixels], weights: IntegerWeights, device: str, progress: Progress) -> list[bytes]:
    if any(pixel_format(image).channels != weights.config.channels for image in images):
        raise ModelMismatchError(f"model {weights.model_id.hex()} is for {weights.config.channels} channels")
    payloads = engine(weights, device).encode([to_planes(image, weights.order) for image in images], progress)
    files = []
    for image, payload in zip(images, payloads, strict=True):
        height, width = image.shape[:2]
        crc = container.crc32(np.ascontiguousarray(image).tobytes())
        files.append(container.pack(Header(width, height, pixel_format(image), weights.model_id, crc), payload))
    return files


def _decode(
    parsed: Sequence[tuple[Header, bytes]], weights: IntegerWeights, device: str, progress: Progress
) -> list[Pixels]:
    for header, _ in parsed:
        if header.pixel_format.channels != weights.config.channels:
            raise BitstreamError(
                f"file has {header.pixel_format.channels} channels, its model {weights.config.channels}: one is wrong"
            )
        if header.model_id != weights.model_id:
            raise ModelMismatchError(f"file needs model {header.model_id.hex()}, this is {weights.model_id.hex()}")
    machine = engine(weights, device)
    try:
        planes = machine.decode([p for _, p in parsed], [(h.height, h.width) for h, _ in parsed], progress)
    except AssertionError as e:  # how the range decoder says that no symbol fits
        raise BitstreamError(f"payload does not decode: {e}") from e
    images = [from_planes(p, weights.order) for p in planes]
    for (header, _), image in zip(parsed, images, strict=True):
        if container.crc32(image.tobytes()) != header.pixels_crc:
            raise BitstreamError("decoded pixels do not match the file's checksum: it is damaged")
    return images


class _Share:
    """Turns the progress of batches into one, in pixels."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._before = progress, total, 0

    def part(self, images: Sequence[Pixels]) -> Progress:
        return self.pixels(sum(_area(image) for image in images))

    def pixels(self, pixels: int) -> Progress:
        """The progress callback of the next batch."""
        start = self._before
        self._before += pixels

        def report(done: int, total: int) -> None:
            if self._progress:
                self._progress(start + pixels * done // total, self._total)

        return report
