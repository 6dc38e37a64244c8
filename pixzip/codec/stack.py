"""Stacks: many small images in one file, with one header, one model and one stream of the range coder."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import image as container
from pixcodecs.container import stack
from pixcodecs.container.image import Buffer, Layout
from pixcodecs.container.limits import MAX_PIXELS
from pixcodecs.container.stack import DEFAULT_BATCH, LOOP_BATCH, StackHeader
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError
from pixcodecs.primitives import crc32

from pixzip.codec import carried, costs
from pixzip.codec.finding import model_of_stack
from pixzip.codec.options import DEFAULTS, Options
from pixzip.codec.progress import Share
from pixzip.engine.base import Job, Progress
from pixzip.engine.executor import Executor, Local, min_bits
from pixzip.engine.order import from_coding_order, to_coding_order
from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.engine.stages.registry import stage_of
from pixzip.models.base import Model

Image = NDArray[np.uint8]
#: `executor.MIN_SUBPIXEL_BITS` for 1-bit samples: the only row gives one of the two values at most 2^20 - 1 of 2^20.
MIN_BIT_BITS = 1.3e-6


class Stack(NamedTuple):
    """The content of a file.

    Attributes:
        images: (H, W, C) uint8, C = 1 or 3, below 2**depth.
        names: one per image, or none at all.
        depth: 8 or 1.
    """

    images: list[Image]
    names: tuple[str, ...]
    depth: int


def compress_stack(
    images: Sequence[Image],
    model: Model,
    where: Executor = Local(),  # noqa: B008
    *,
    depth: int = 8,
    names: Sequence[str] = (),
    batch: int | None = None,
    stage: Identity = IDENTITY,
    embed: bool = False,
    verify: bool = False,
    progress: Progress | None = None,
) -> bytes:
    """One `.pxz` file of all images; images of similar size should be adjacent.

    Args:
        images: one or more, (H, W) or (H, W, C) uint8 below 2**depth, with as many channels as the model.
        where: executor that runs the model.
        depth: 8 with a model of 256 levels, 1 with a model of 2 levels.
        names: one per image, valid for `pixcodecs.container.names`, or none at all.
        batch: largest number of images coded together, 1 to `pixcodecs.container.stack.MAX_BATCH`; None for a good one.
        stage: what adapts the model to the images, and goes on from batch to batch.
        embed: put the model into the file.
        verify: decode the file and compare.
        progress: called with (pixels done, total pixels); each pixel counts twice with `verify`.
    Raises:
        UnsupportedImageError: a name or a side does not fit the format.
        ModelMismatchError: the model is for other images, does not run exactly here, or no stage adapts it.
        PixzipError: verification failed.
    """
    stacked = [_as_stacked(image, depth) for image in images]
    _check_model(model, {image.shape[2] for image in stacked}, depth)
    _check_stage(model, stage)
    batch = batch if batch is not None else LOOP_BATCH if model.adapts else DEFAULT_BATCH
    layout = Layout.RGB if model.channels == 3 else Layout.GREY
    runs = stack.runs((image.shape[1], image.shape[0]) for image in stacked)
    crc = _samples_crc(stacked)
    weights = carried.packed(model) if embed else b""
    named = model.model_id, tuple(names)
    header = StackHeader(layout, depth, batch, runs, *named, 0, 0, crc, stage=stage.number, weights=weights)
    stack.pack_header(header)  # refuses invalid arguments before the work
    _check_sides(model, header)
    share = Share(progress, header.pixels * (1 + verify))
    payload = _encode(stacked, header, model, where, share)
    header = replace(header, payload_bytes=len(payload), payload_crc=crc32(payload))
    file = stack.pack_header(header) + payload
    if verify:
        back = _decode(payload, header, model, where, share)
        same = len(back) == len(stacked) and all(map(np.array_equal, back, stacked))
        if not same or parse(file, None).names != tuple(names):
            raise PixzipError("verification failed: the stack decodes to other images; nothing was written")
    return file


def check_images(images: Sequence[Image]) -> None:
    """
    Raises:
        ValueError: there are none, or one is not (H, W) or (H, W, C) uint8.
    """
    if not len(images):
        raise ValueError("there are no images, expected one or more")
    for image in images:
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise ValueError(f"image is {image.dtype} {image.shape}, expected uint8 (H, W) or (H, W, C)")


def _as_stacked(image: Image, depth: int) -> Image:
    """The image as a contiguous (H, W, C) array."""
    check_images([image])
    container.check_shape(image.shape[1], image.shape[0])
    samples = np.ascontiguousarray(image.reshape(*image.shape[:2], -1))
    if int(samples.max()) >> depth:
        raise ValueError(f"samples go up to {samples.max()}, expected less than 2**{depth}")
    return samples


def _samples_crc(images: Sequence[Image]) -> int:
    """CRC-32 of all images' samples in raster order."""
    crc = 0
    for image in images:
        crc = zlib.crc32(image.data, crc)
    return crc


def _check_model(model: Model, channels: set[int], depth: int) -> None:
    """
    Raises:
        ValueError: there are no images, or their numbers of channels differ.
        ModelMismatchError: the model is for other images.
    """
    if len(channels) != 1:
        raise ValueError(f"images have {sorted(channels)} channels, expected one number for all of one or more images")
    (found,) = channels
    name = model.model_id.hex()
    if model.channels != found:
        raise ModelMismatchError(f"model {name} is for images of {model.channels} channels, these have {found}")
    if model.levels != 1 << depth:
        raise ModelMismatchError(
            f"model {name} is for images of {model.levels} grey levels, "
            f"a stack of {depth} bits a sample needs one of {1 << depth}"
        )


def _check_stage(model: Model, stage: Identity) -> None:
    """
    Raises:
        ModelMismatchError: the stage does not adapt the model.
    """
    if stage != IDENTITY and not model.adapts:
        raise ModelMismatchError(f"stage {stage.name} does not adapt models of {model.architecture}")


def _check_sides(model: Model, header: StackHeader) -> None:
    """
    Raises:
        ModelMismatchError: an image is too large for the model; a stack has no tiles.
    """
    most = model.largest_tile
    if most is None:
        return
    for run in header.runs:
        if run.width * run.height > most * most:
            found, name = f"{run.width}x{run.height}", model.model_id.hex()
            raise ModelMismatchError(f"model {name} takes at most {most}x{most} pixels at once, an image has {found}")


def _encode(images: Sequence[Image], header: StackHeader, model: Model, where: Executor, share: Share) -> bytes:
    stage, start = stage_of(header.stage), 0
    encoder = where.stream_engine(model).stack_encoder(stage)
    for run in header.batches():
        some = images[start : start + run.images]
        jobs = [Job.encoding(to_coding_order(image, model.order), stage=stage) for image in some]
        report = share.part(run.pixels)
        encoder.encode(jobs, report)
        report(1, 1)
        start += run.images
    return encoder.finish()


def _decode(payload: bytes, header: StackHeader, model: Model, where: Executor, share: Share) -> list[Image]:
    stage, images = stage_of(header.stage), list[Image]()
    decoder = where.stream_engine(model).stack_decoder(payload, header.subpixels, stage)
    for run in header.batches():
        report = share.part(run.pixels)
        jobs = [Job(run.height, run.width, stage=stage)] * run.images
        for samples in decoder.decode(jobs, report):
            images.append(from_coding_order(samples, model.order).astype(np.uint8, copy=False))
        report(1, 1)
    decoder.check_exhausted()
    return images


def decompress_stack(
    file: Buffer, options: Options = DEFAULTS, progress: Progress | None = None
) -> Stack:  # fmt: skip
    """The inverse of `compress_stack`.

    Args:
        progress: called with (pixels done, total pixels).
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.
    """
    header = parse(file, options.max_pixels)
    model, model_ns = model_of_stack(header, len(file), options)
    found, expected = (header.layout.channels, 1 << header.depth), (model.channels, model.levels)
    if found != expected:
        text = "{} channels of {} levels"
        raise BitstreamError(f"file has {text.format(*found)}, its model {text.format(*expected)}: one is wrong")
    if header.stage and not model.adapts:
        raise BitstreamError(f"stage {stage_of(header.stage).name} does not adapt models of {model.architecture}")
    if options.max_pixels is not None:
        costs.check_stack(header, model, len(file), model_ns=model_ns)
    payload = stack.payload(file, header)
    images = _decode(payload, header, model, options.executor, Share(progress, header.pixels))
    if _samples_crc(images) != header.samples_crc:
        raise BitstreamError("decoded pixels do not match the file's checksum: it is damaged")
    return Stack(images, header.names, header.depth)


def parse(file: Buffer, max_pixels: int | None = MAX_PIXELS) -> StackHeader:
    """The header of a file, after all checks of length and checksums that need no decoding.

    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
    """
    header = stack.read_header(file, max_pixels)
    stack.payload(file, header)
    bits = min_bits(stage_of(header.stage), header.layout.channels) if header.depth == 8 else MIN_BIT_BITS
    least = header.subpixels * bits - 64
    if 8 * header.payload_bytes < least:
        found = f"{header.payload_bytes} bytes, {header.pixels} pixels"
        raise BitstreamError(f"payload has {found} take at least {math.ceil(least / 8)}")
    return header
