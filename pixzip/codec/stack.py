"""Many small images as one file: one header, one model, and one stream of the range coder for all of them."""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import range as range_coder
from pixcodecs.container import image as container
from pixcodecs.container import stack
from pixcodecs.container.image import Buffer, Layout
from pixcodecs.container.limits import MAX_PIXELS
from pixcodecs.container.stack import DEFAULT_BATCH, Header
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError
from pixcodecs.primitives import crc32

from pixzip.engine import executor
from pixzip.engine.executor import MIN_SUBPIXEL_BITS, Share
from pixzip.engine.order import from_planes, to_planes
from pixzip.engine.wavefront import Progress
from pixzip.models.registry import Weights

Image = NDArray[np.uint8]
#: As `MIN_SUBPIXEL_BITS` of 8 bits: one row, which gives one of its two values at most 2^20 - 1 of 2^20.
MIN_BIT_BITS = 1.3e-6


class Stack(NamedTuple):
    """What a file holds.

    Attributes:
        images: (H, W, C) uint8, C = 1 or 3, below 2**depth.
        names: of each, or none at all.
        depth: 8 or 1.
    """

    images: list[Image]
    names: tuple[str, ...]
    depth: int


def compress_stack(
    images: Sequence[Image],
    weights: Weights,
    device: str = "cpu",
    *,
    depth: int = 8,
    names: Sequence[str] = (),
    batch: int = DEFAULT_BATCH,
    verify: bool = False,
    progress: Progress | None = None,
) -> bytes:
    """One `.pxz` file of all images; the most alike in size should follow each other.

    Args:
        images: one or more, (H, W) or (H, W, C) uint8 below 2**depth, of as many channels as the model.
        device: as `coding_device` gives it.
        depth: 8 with a model of 256 levels, 1 with one of 2.
        names: of each image, as `pixcodecs.container.names` takes them, or none at all.
        batch: how many are coded together, at most; 1 to `pixcodecs.container.stack.MAX_BATCH`.
        verify: decode the file again and compare.
        progress: called with (pixels done, pixels in all), each pixel counted twice with `verify`.
    Raises:
        UnsupportedImageError: a name or a side does not fit the format.
        ModelMismatchError: the model is for other images, or does not run exactly here.
        PixzipError: verification failed.
    """
    stacked = [_as_stacked(image, depth) for image in images]
    _check_model(weights, {image.shape[2] for image in stacked}, depth)
    layout = Layout.RGB if weights.config.channels == 3 else Layout.GREY
    runs = stack.runs((image.shape[1], image.shape[0]) for image in stacked)
    header = Header(layout, depth, batch, runs, weights.model_id, tuple(names), 0, 0, _samples_crc(stacked))
    stack.pack_header(header)  # refuses what is wrong before the work
    _check_sides(weights, header)
    share = Share(progress, header.pixels * (1 + verify))
    payload = _encode(stacked, header, weights, device, share)
    header = replace(header, payload_bytes=len(payload), payload_crc=crc32(payload))
    file = stack.pack_header(header) + payload
    if verify:
        back = _decode(payload, header, weights, device, share)
        same = len(back) == len(stacked) and all(map(np.array_equal, back, stacked))
        if not same or parse(file, None).names != tuple(names):
            raise PixzipError("verification failed: the stack decodes to other images; nothing was written")
    return file


def _as_stacked(image: Image, depth: int) -> Image:
    """(H, W, C), contiguous."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"image is {image.dtype} {image.shape}, expected uint8 (H, W) or (H, W, C)")
    container.check_shape(image.shape[1], image.shape[0])
    samples = np.ascontiguousarray(image.reshape(*image.shape[:2], -1))
    if int(samples.max()) >> depth:
        raise ValueError(f"samples go up to {samples.max()}, expected less than 2**{depth}")
    return samples


def _samples_crc(images: Sequence[Image]) -> int:
    """Over all images' samples in raster order."""
    crc = 0
    for image in images:
        crc = zlib.crc32(image.data, crc)
    return crc


def _check_model(weights: Weights, channels: set[int], depth: int) -> None:
    """
    Raises:
        ValueError: there are no images, or they are of several kinds.
        ModelMismatchError: the model is for others.
    """
    if len(channels) != 1:
        raise ValueError(f"images have {sorted(channels)} channels, expected one number for all of one or more images")
    (found,) = channels
    if weights.config.channels != found:
        model, expected = weights.model_id.hex(), weights.config.channels
        raise ModelMismatchError(f"model {model} is for images of {expected} channels, these have {found}")
    if levels(weights) != 1 << depth:
        raise ModelMismatchError(
            f"model {weights.model_id.hex()} is for images of {levels(weights)} grey levels, "
            f"a stack of {depth} bits a sample needs one of {1 << depth}"
        )


def _check_sides(weights: Weights, header: Header) -> None:
    """
    Raises:
        ModelMismatchError: the model takes no images of that size: in a stack there are no tiles.
    """
    most = weights.largest_tile
    if most is None:
        return
    for run in header.runs:
        if run.width * run.height > most * most:
            found, model = f"{run.width}x{run.height}", weights.model_id.hex()
            raise ModelMismatchError(f"model {model} takes at most {most}x{most} pixels at once, an image has {found}")


def levels(weights: Weights) -> int:
    """How many grey levels a model knows: 256, or 2."""
    found: int = getattr(weights, "levels", 256)
    return found


def _encode(images: Sequence[Image], header: Header, weights: Weights, device: str, share: Share) -> bytes:
    encoder, engine, start = range_coder.Encoder(), executor.stepping_engine(weights, device), 0
    for run in header.batches():
        planes = [to_planes(image, weights.order) for image in images[start : start + run.images]]
        report = share.part(run.pixels)
        engine.encode_into(planes, encoder, report)
        report(1, 1)
        start += run.images
    return encoder.finish()


def _decode(payload: bytes, header: Header, weights: Weights, device: str, share: Share) -> list[Image]:
    decoder, engine = range_coder.Decoder(payload, header.subpixels), executor.stepping_engine(weights, device)
    images: list[Image] = []
    for run in header.batches():
        report = share.part(run.pixels)
        for planes in engine.decode_from([(run.height, run.width)] * run.images, decoder, report):
            images.append(from_planes(planes, weights.order).astype(np.uint8, copy=False))
        report(1, 1)
    decoder.check_exhausted()
    return images


def decompress_stack(
    file: Buffer,
    weights_for: Callable[[bytes], Weights],
    device: str = "cpu",
    *,
    max_pixels: int | None = MAX_PIXELS,
    progress: Progress | None = None,
) -> Stack:
    """The inverse of `compress_stack`.

    Args:
        weights_for: model id -> model, such as `library.by_id`.
        max_pixels: refuse stacks of more pixels in all; None lifts the limit.
        progress: called with (pixels done, pixels in all).
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: its model is missing, or does not run exactly here.
    """
    header = parse(file, max_pixels)
    weights = weights_for(header.model)
    if weights.model_id != header.model:
        raise ModelMismatchError(f"file needs model {header.model.hex()}, this is {weights.model_id.hex()}")
    found, expected = (header.layout.channels, 1 << header.depth), (weights.config.channels, levels(weights))
    if found != expected:
        text = "{} channels of {} levels"
        raise BitstreamError(f"file has {text.format(*found)}, its model {text.format(*expected)}: one is wrong")
    payload = stack.payload(file, header)
    images = _decode(payload, header, weights, device, Share(progress, header.pixels))
    if _samples_crc(images) != header.samples_crc:
        raise BitstreamError("decoded pixels do not match the file's checksum: it is damaged")
    return Stack(images, header.names, header.depth)


def parse(file: Buffer, max_pixels: int | None = MAX_PIXELS) -> Header:
    """Header of a file, whose length and checksums are verified as far as can be without decoding.

    Raises:
        BitstreamError: whatever is wrong.
    """
    header = stack.read_header(file, max_pixels)
    stack.payload(file, header)
    least = header.subpixels * (MIN_SUBPIXEL_BITS if header.depth == 8 else MIN_BIT_BITS) - 64
    if 8 * header.payload_bytes < least:
        found = f"{header.payload_bytes} bytes, {header.pixels} pixels"
        raise BitstreamError(f"payload has {found} take at least {math.ceil(least / 8)}")
    return header
