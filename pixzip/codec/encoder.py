"""Encode pictures to files: split them into tiles, find the smallest block for each, and run models in batches."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import image as container
from pixcodecs.container.image import Extra, Header, Layout, Tile, crc32
from pixcodecs.errors import ModelMismatchError, PixzipError

from pixzip.codec import affordable, carried, decoder
from pixzip.codec.options import DEFAULTS, Options
from pixzip.codec.progress import Share
from pixzip.codec.search import Choice, Coded, Search
from pixzip.codec.tiles import Window, tile_sides
from pixzip.engine import batching, executor
from pixzip.engine.base import Progress
from pixzip.engine.batch import Samples
from pixzip.engine.batching import BATCH_PIXELS
from pixzip.engine.executor import Executor
from pixzip.image.picture import Frame, Picture
from pixzip.models.base import Model

Image = Picture | NDArray[Any]
#: Number of channels -> models, the first for photographs.
Models = dict[int, list[Model]]


def compress(
    images: Sequence[Image], options: Options = DEFAULTS, progress: Progress | None = None
) -> list[bytes]:  # fmt: skip
    """A `.pxz` file for each image, in memory; use `by_rows` for larger images.

    Args:
        images: pictures, or arrays for `as_picture`.
        progress: called with (pixels done, total pixels); each pixel counts twice with `options.verify`.
    Raises:
        UnsupportedImageError: an image's sides or metadata do not fit the format.
        ModelMismatchError: there is no model for an image's colours, or it does not run exactly here.
        PixzipError: verification failed.
    """
    pictures = [as_picture(image) for image in images]
    tries = attempts([picture.frame for picture in pictures], options)
    share = Share(progress, sum(p.pixels for p in pictures) * (len(tries) + options.verify))
    found = [_coded(pictures, own, choice, share) for choice, own in tries]
    files = [min(of, key=len) for of in zip(*found, strict=True)]
    if options.verify and not _give_back(files, pictures, [own for _, own in tries], options, share):
        raise PixzipError("verification failed: a file decodes to another picture; nothing was written")
    return files


def _coded(pictures: Sequence[Picture], models: Models, options: Options, share: Share) -> list[bytes]:
    """A file of each picture."""
    plans = [_Plan(picture, models, options) for picture in pictures]
    jobs = [(plan, i) for plan in plans for i in range(len(plan.tiling.windows))]
    for batch in executor.batches(jobs, lambda job: job[0].tiling.windows[job[1]].pixels, options.executor):
        report = share.part(sum(plan.tiling.windows[i].pixels for plan, i in batch))
        tiles = [(plan.tiling.search, plan.samples(i), plan.picture.depth) for plan, i in batch]
        for (plan, i), coded in zip(batch, code_tiles(tiles, options.executor, report), strict=True):
            plan.coded[i] = coded
        report(1, 1)
    return [plan.file() for plan in plans]


def _give_back(
    files: Sequence[bytes], pictures: Sequence[Picture], models: Sequence[Models], options: Options, share: Share
) -> bool:
    """Whether the files decode to the pictures, with the models that coded them."""
    by_id = {model.model_id: model for own in models for choices in own.values() for model in choices}
    own = Options(model_by_id=by_id.__getitem__, executor=options.executor, max_pixels=None)
    total = sum(picture.pixels for picture in pictures)
    return decoder.decompress(files, own, share.part(total)) == list(pictures)


def as_picture(image: Image) -> Picture:
    """A picture of full depth from (H, W) or (H, W, C) uint8 or uint16, C = 1 to 4: grey, grey + alpha, RGB, RGBA."""
    if isinstance(image, Picture):
        return image
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3):
        raise ValueError(f"image is {image.dtype} {image.shape}, expected uint8 or uint16 (H, W) or (H, W, C)")
    samples = np.ascontiguousarray(np.atleast_3d(image))
    layouts = {1: Layout.GREY, 2: Layout.GREY_ALPHA, 3: Layout.RGB, 4: Layout.RGBA}
    if samples.shape[2] not in layouts:
        raise ValueError(f"image has {samples.shape[2]} channels, expected 1 to 4")
    return Picture(samples, layouts[samples.shape[2]], 8 * image.dtype.itemsize)


def as_array(picture: Picture) -> NDArray[Any]:
    """Samples as an (H, W) or (H, W, C) array."""
    return picture.samples[..., 0] if picture.samples.shape[2] == 1 else picture.samples


def attempts(frames: Sequence[Frame], options: Options) -> list[tuple[Options, Models]]:
    """The options that are tried in turn on some pictures, with their models; none that would do what an earlier does.

    Raises:
        UnsupportedImageError, ModelMismatchError: see `models_for`.
    """
    found: dict[Any, tuple[Options, Models]] = {}
    for choice in (options, *options.alternatives):
        models = models_for(frames, choice)
        ids = tuple((channels, tuple(model.model_id for model in own)) for channels, own in models.items())
        found.setdefault((ids, replace(choice.effort, model="")), (choice, models))
    return list(found.values())


def models_for(frames: Sequence[Frame], options: Options) -> Models:
    """Number of channels -> models that the pictures can use.

    Raises:
        UnsupportedImageError: a picture's sides or metadata do not fit the format.
        ModelMismatchError: there is no model for a picture's colours, or the model does not support the coder.
    """
    for frame in frames:
        container.check_shape(frame.width, frame.height)
        container.check_extras(_extras(frame))
    models = {c: [options.model_for(c)] for c in sorted({_colours(f) for f in frames})}
    if 1 not in models and any(f.layout is Layout.RGBA for f in frames):
        with contextlib.suppress(ModelMismatchError):  # the requested model has no grey one for alpha
            models[1] = [options.model_for(1)]
    if options.drawings_for:
        for channels, choices in models.items():
            choices.append(options.drawings_for(channels))
    for channels, choices in models.items():
        for model in choices:
            _check_model(model, channels, options.coder.name)
    return models


def _check_model(model: Model, channels: int, coder: str) -> None:
    """
    Raises:
        ModelMismatchError: the model does not support this number of channels or this coder.
    """
    if model.channels != channels:
        raise ModelMismatchError(f"model {model.model_id.hex()} is not for {channels} channels")
    if model.levels != 256:
        raise ModelMismatchError(
            f"model {model.model_id.hex()} codes {model.levels} levels, which only stacks can hold"
        )
    if model.coders is not None and coder not in model.coders:
        known = " or ".join(sorted(model.coders))
        raise ModelMismatchError(f"model {model.model_id.hex()} codes by {known} only, not by {coder}")


def largest_tile(models: Iterable[Model]) -> int | None:
    """The side of the largest tile that all models support; None without a limit."""
    return min((m.largest_tile for m in models if m.largest_tile), default=None)


def _colours(frame: Frame) -> int:
    return 3 if frame.layout in (Layout.RGB, Layout.RGBA) else 1


def code_tiles(tiles: Sequence[tuple[Search, Samples, int]], where: Executor, report: Progress) -> list[Coded]:
    """The block of each tile, given as (search, samples, depth)."""
    codings = [search.encode(samples, depth) for search, samples, depth in tiles]
    return batching.drive(codings, lambda asked: where.encode(asked, report))


class Tiling:
    """The tiles of one picture, and the header of its file.

    Attributes:
        windows: positions of the tiles, in raster order.
    """

    def __init__(self, frame: Frame, models: Models, options: Options) -> None:
        self.frame = frame
        colours = [(_colours(frame), model) for model in models[_colours(frame)]]
        # a file names at most three models, the likeliest first; alpha gets one, that for drawings
        alpha = [(1, models[1][-1])] if frame.layout is Layout.RGBA and 1 in models else []
        listed = [*colours[:1], *alpha, *colours[1:]]
        self._models, self._options = [model for _, model in listed], options
        self._ids = [model.model_id for model in self._models]
        choices = [(channels, Choice(i, model, model.max_depth)) for i, (channels, model) in enumerate(listed)]
        by_channels = {c: [choice for channels, choice in choices if channels == c] for c, _ in listed}
        self.search = Search(
            by_channels, models_only=options.models_only, coder=options.coder, effort=options.effort
        )  # fmt: skip
        largest = largest_tile(model for _, model in listed)
        self.sides = tile_sides(frame.width, frame.height, largest, options.tile)
        self.windows = [Window(*w) for w in container.windows(frame.width, frame.height, *self.sides)]

    def header(self, tiles: Sequence[Tile], models: Iterable[int], sides: tuple[int, int] | None = None) -> bytes:
        """The header of a file with these tiles.

        Args:
            models: positions of the models that the blocks need.
            sides: sides of a tile, if they differ from `self.sides`.
        """
        f = self.frame
        ids = tuple(self._ids[: max(models, default=-1) + 1])
        sides = sides or self.sides
        fields = Header(
            f.width, f.height, f.layout, f.depth, ids, (*_extras(f), *self._carried(len(ids))), *sides, tuple(tiles)
        )
        return container.pack_header(fields)

    def _carried(self, count: int) -> tuple[tuple[Extra, bytes], ...]:
        """The extras that refer to the first models."""
        return carried.extras(self._models[:count], self._options.reference, self._options.max_pixels)

    def within_limits(self, data: bytes) -> bytes:
        """The whole file, or a larger one that readers accept by default; see `affordable`."""
        heavy = self.maybe_heavy(len(data))
        return affordable.lightened(data, self._models, self._options) if heavy else data

    def maybe_heavy(self, file_bytes: int) -> bool:
        """Whether a file of this size may need `within_limits`."""
        if self._options.max_pixels is None or self._options.models_only:
            return False
        sides, effort = (self.frame.width, self.frame.height), self._options.effort
        more_ns = carried.written_ns(self._models, self._options.reference)
        return any(
            affordable.may_be_heavy(*sides, self.sides, self._models, stage, file_bytes, more_ns)
            for stage in (effort.stage, effort.drawings)
        )


class _Plan:
    """One picture in memory that is being encoded."""

    def __init__(self, picture: Picture, models: Models, options: Options) -> None:
        self.picture = picture
        self.tiling = Tiling(picture.frame, models, options)
        several = len(self.tiling.windows) > 1 and options.tile is None
        self._may_be_whole = several and picture.pixels <= BATCH_PIXELS
        self.coded: dict[int, Coded] = {}

    def samples(self, i: int) -> Samples:
        """A view of a tile's samples."""
        return self.picture.samples[self.tiling.windows[i].slices]

    def file(self) -> bytes:
        """Header, table and blocks."""
        coded = [self.coded[i] for i in range(len(self.tiling.windows))]
        crcs = [decoder.samples_crc(self.samples(i)) for i in range(len(coded))]
        whole = None
        if self._may_be_whole:
            whole = self.tiling.search.whole(self.picture.samples, self.picture.depth, coded)
        if whole:
            return self._of_one_block(whole)
        tiles = [Tile(len(c.block), crc32(c.block), crc) for c, crc in zip(coded, crcs, strict=True)]
        used = frozenset[int]().union(*(c.models for c in coded))
        data = self.tiling.header(tiles, used, self.tiling.sides) + b"".join(c.block for c in coded)
        light = self.tiling.within_limits(data)
        if light is not data and self._may_be_whole:
            whole = self.tiling.search.without_models(self.picture.samples, self.picture.depth, len(light) - 40)
            return self._of_one_block(whole) if whole else light
        return light

    def _of_one_block(self, block: Coded) -> bytes:
        tile = Tile(len(block.block), crc32(block.block), decoder.samples_crc(self.picture.samples))
        sides = self.picture.width, self.picture.height
        return self.tiling.within_limits(self.tiling.header([tile], block.models, sides) + block.block)


def _extras(frame: Frame) -> tuple[tuple[Extra, bytes], ...]:
    fields = ((Extra.PALETTE, frame.palette), (Extra.TRANSPARENCY, frame.transparency))
    chunks = tuple((Extra.CHUNK, chunk.type + chunk.data) for chunk in frame.metadata)
    return tuple((kind, body) for kind, body in fields if body) + chunks
