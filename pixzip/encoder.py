"""Pictures to files: tiles, the smallest block for each, and what models code of many as one batch."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs import container
from pixcodecs.blocks import Samples
from pixcodecs.container import Extra, Header, Layout, Tile
from pixcodecs.errors import ModelMismatchError, PixzipError

from pixzip import decoder, machines, rounds
from pixzip.engine import Progress
from pixzip.exact.weights import IntegerWeights
from pixzip.machines import Share
from pixzip.picture import Picture
from pixzip.smallest import Coded, Search
from pixzip.tiles import Window, batches, tile_sides

Image = Picture | NDArray[Any]


def compress(
    images: Sequence[Image],
    weights_for: Callable[[int], IntegerWeights],
    device: str = "cpu",
    *,
    verify: bool = False,
    models_only: bool = False,
    progress: Progress | None = None,
) -> list[bytes]:
    """A `.pxz` file for each image.

    Args:
        images: pictures, or arrays as `Picture.of` takes them.
        weights_for: number of channels, 1 or 3 -> model.
        device: as `resolve_device` gives it.
        verify: decode the files again and compare.
        models_only: let a model code whatever it can, be it the smallest or not: to measure models.
        progress: called with (pixels done, pixels in all), each pixel counted twice with `verify`.
    Raises:
        UnsupportedImageError: an image's sides or metadata do not fit the format.
        ModelMismatchError: no model for an image's colours, or it does not run exactly here.
        PixzipError: verification failed.
    """
    pictures = [as_picture(image) for image in images]
    for picture in pictures:
        container.check_shape(picture.width, picture.height)
        container.check_extras(_extras(picture))
    models = _models(pictures, weights_for)
    share = Share(progress, sum(p.pixels for p in pictures) * (1 + verify))
    plans = [_Plan(picture, models, models_only) for picture in pictures]
    jobs = [(plan, i) for plan in plans for i in range(len(plan.windows))]
    for batch in batches(jobs, lambda job: job[0].windows[job[1]].pixels):
        report = share.part(sum(plan.windows[i].pixels for plan, i in batch))
        codings = [plan.search.encode(plan.samples(plan.windows[i]), plan.picture.depth) for plan, i in batch]
        solved = rounds.drive(codings, lambda asked: machines.encode(asked, models, device, report))  # noqa: B023 (used at once)
        for (plan, i), coded in zip(batch, solved, strict=True):
            plan.coded[i] = coded
        report(1, 1)
    files = [plan.file() for plan in plans]
    if verify:
        by_id = {weights.model_id: weights for weights in models.values()}
        back = decoder.decode_files(files, by_id.__getitem__, device, share=share)
        if [found.picture for found in back] != pictures:
            raise PixzipError("verification failed: a file decodes to another picture; nothing was written")
    return files


def as_picture(image: Image) -> Picture:
    """(H, W) or (H, W, C) uint8 or uint16 as a picture of full depth, C = 1 to 4: grey, grey with alpha, RGB, RGBA."""
    if isinstance(image, Picture):
        return image
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3):
        raise ValueError(f"image is {image.dtype} {image.shape}, expected uint8 or uint16 (H, W) or (H, W, C)")
    samples = np.ascontiguousarray(image.reshape(*image.shape[:2], -1))
    layouts = {1: Layout.GREY, 2: Layout.GREY_ALPHA, 3: Layout.RGB, 4: Layout.RGBA}
    if samples.shape[2] not in layouts:
        raise ValueError(f"image has {samples.shape[2]} channels, expected 1 to 4")
    return Picture(samples, layouts[samples.shape[2]], 8 * image.dtype.itemsize)


def as_array(picture: Picture) -> NDArray[Any]:
    """Samples as (H, W) or (H, W, C)."""
    return picture.samples[..., 0] if picture.samples.shape[2] == 1 else picture.samples


def _models(pictures: Sequence[Picture], weights_for: Callable[[int], IntegerWeights]) -> dict[int, IntegerWeights]:
    """Channels -> model, of all that the pictures can use."""
    models = {c: weights_for(c) for c in sorted({_colours(p) for p in pictures})}
    if 1 not in models and any(p.layout is Layout.RGBA for p in pictures):
        with contextlib.suppress(ModelMismatchError):  # a model for colours alone was asked for: alpha does without
            models[1] = weights_for(1)
    for channels, weights in models.items():
        if weights.config.channels != channels:
            raise ModelMismatchError(f"model {weights.model_id.hex()} is not for {channels} channels")
    return models


def _colours(picture: Picture) -> int:
    return 3 if picture.layout in (Layout.RGB, Layout.RGBA) else 1


class _Plan:
    """One picture on its way to a file."""

    def __init__(self, picture: Picture, models: dict[int, IntegerWeights], models_only: bool) -> None:
        self.picture = picture
        channels = [c for c in (_colours(picture), 1) if c in models]
        self.ids = [models[c].model_id for c in dict.fromkeys(channels)]
        self.search = Search({c: i for i, c in enumerate(dict.fromkeys(channels))}, models_only=models_only)
        self.sides = tile_sides(picture.width, picture.height)
        self.windows = [Window(*w) for w in container.windows(picture.width, picture.height, *self.sides)]
        self.coded: dict[int, Coded] = {}

    def samples(self, window: Window) -> Samples:
        return np.ascontiguousarray(self.picture.samples[window.slices])

    def file(self) -> bytes:
        """Header, table and blocks."""
        coded = [self.coded[i] for i in range(len(self.windows))]
        windows, sides = self.windows, self.sides
        whole = self.search.whole(self.picture.samples, self.picture.depth, coded) if len(coded) > 1 else None
        if whole:
            coded, sides = [whole], (self.picture.width, self.picture.height)
            windows = [Window(0, 0, *sides)]
        used = frozenset[int]().union(*(c.models for c in coded))
        tiles = [
            Tile(len(c.block), container.crc32(c.block), decoder.samples_crc(self.samples(w)))
            for c, w in zip(coded, windows, strict=True)
        ]
        p = self.picture
        header = Header(
            p.width, p.height, p.layout, p.depth, tuple(self.ids[: max(used, default=-1) + 1]), _extras(p), *sides,
            tuple(tiles),
        )  # fmt: skip
        return container.pack_header(header) + b"".join(c.block for c in coded)


def _extras(picture: Picture) -> tuple[tuple[Extra, bytes], ...]:
    fields = ((Extra.PALETTE, picture.palette), (Extra.TRANSPARENCY, picture.transparency))
    chunks = tuple((Extra.CHUNK, chunk.type + chunk.data) for chunk in picture.metadata)
    return tuple((kind, body) for kind, body in fields if body) + chunks
