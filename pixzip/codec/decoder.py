"""Decode files to pictures, whole or in part."""

import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container.blocks import ForeignDecoder, Kind
from pixcodecs.container.image import Buffer, Header
from pixcodecs.container.memory import check_tile
from pixcodecs.errors import BitstreamError

from pixzip.codec import costs
from pixzip.codec.costs import Decoding
from pixzip.codec.decoders import DECODERS
from pixzip.codec.finding import Models, find_models
from pixzip.codec.kept import pictures
from pixzip.codec.opening import Opening
from pixzip.codec.options import DEFAULTS, Options
from pixzip.codec.progress import Share
from pixzip.codec.tiles import Window
from pixzip.engine import batching, executor
from pixzip.engine.base import Progress
from pixzip.engine.batch import Samples
from pixzip.engine.executor import Payload
from pixzip.engine.stages.registry import stage_of
from pixzip.image.picture import Picture, framed


class Decoded(NamedTuple):
    """A picture, or the requested part of it, and the tiles that could not be recovered."""

    picture: Picture
    damaged: tuple[Window, ...] = ()


def decompress(
    files: Sequence[Buffer | Opening], options: Options = DEFAULTS, progress: Progress | None = None
) -> list[Picture]:  # fmt: skip
    """The picture of each file: the inverse of `compress`; of a kept JPEG, the picture that it decodes to.

    Args:
        files: bytes of the files, or open files.
        progress: called with (pixels done, total pixels).
    Raises:
        BitstreamError: a file is damaged, truncated, foreign or hostile.
        ModelMismatchError: a file's model is missing, or does not run exactly here.
        UnsupportedImageError: a kept JPEG is none that is read.
    """
    kept = [pictures.of_kept(file, options.max_pixels) for file in files]
    others = [file for file, picture in zip(files, kept, strict=True) if picture is None]
    coded = iter(_decompress(others, options, progress))
    return [next(coded) if picture is None else picture for picture in kept]


def _decompress(files: Sequence[Buffer | Opening], options: Options, progress: Progress | None) -> list[Picture]:
    """`decompress` of files that keep no other file."""
    openings = [file if isinstance(file, Opening) else Opening(file, options.max_pixels) for file in files]
    for opening in openings:
        opening.check_blocks()
    models = find_models(openings, options)
    for opening in openings:
        check_costs(opening, models, options)
    targets, share = [_Target(o) for o in openings], Share(progress, sum(opening.pixels for opening in openings))
    return [found.picture for found in decode_files(targets, models, options, share)]


def recover(
    file: Buffer | Opening,
    options: Options = DEFAULTS,
    *,
    region: Window | None = None,
    salvage: bool = False,
    progress: Progress | None = None,
) -> Decoded:
    """Decode a part of a picture, from only the tiles it needs, or the intact part of a damaged file.

    Args:
        region: the part to decode; None for all.
        salvage: fill damaged tiles with zeros and report them, instead of raising an error; a kept JPEG has none.
    Raises:
        PixzipError: the region is not inside the image.
        BitstreamError, ModelMismatchError: see `decompress`; with `salvage`, only if nothing at all can be read.
    """
    if kept := pictures.of_kept(file, options.max_pixels, region):
        return Decoded(kept)
    opening = file if isinstance(file, Opening) else Opening(file, options.max_pixels, whole=not salvage)
    target = _Target(opening, region, salvage)
    models = find_models([opening], options)
    check_costs(opening, models, options, target.wanted, passes=1 + salvage, salvage=salvage)
    (found,) = decode_files([target], models, options, Share(progress, target.region.pixels))
    return found


def decode_region(opening: Opening, region: Window, models: Models, options: Options, share: Share) -> Samples:
    """(H, W, C) samples of a part of a file, after `check_costs`; see `recover`.

    Args:
        models: all models of the file.
    """
    target = _Target(opening, region)
    _decode([target], models, options, share)
    return target.samples()


def check_costs(
    opening: Opening, models: Models, options: Options, tiles: Sequence[int] | None = None, *,
    passes: int = 1, salvage: bool = False,
) -> None:  # fmt: skip
    """Refuse a file that takes processor time or memory out of proportion, see `costs`.

    Args:
        tiles: tiles to decode; None for all.
        passes: number of times that models will code each tile.
        salvage: errors in blocks are no reason to refuse the file.
    Raises:
        BitstreamError: it would take too much; a block contradicts itself.
    """
    if options.max_pixels is None:
        return
    budget, wanted = costs.Budget(len(opening.file)), range(len(opening.header.tiles)) if tiles is None else tiles
    budget.spend(opening.carrying.cost_ns)
    for i in wanted:
        try:
            spent = passes * tile_ns(opening, i, models) if opening.is_whole(i) else 0
        except BitstreamError:
            if not salvage:
                raise
            continue
        budget.spend(spent)
    check_tile(opening.header)


def tile_ns(opening: Opening, i: int, models: Models) -> int:
    """Nanoseconds of processor time to decode a tile.

    Raises:
        BitstreamError: the block contradicts itself.
    """
    blank = costs.Blank()
    return blank.tile_ns(tile_decoding(opening.header, opening.block(i), opening.tile(i), models, blank.decoders))


def samples_crc(samples: Samples) -> int:
    """CRC-32 of samples in raster order, 16-bit samples in little-endian order.  It is computed in strips, because
    samples that repeat one pixel take less memory than a copy."""
    rows, crc = max(1, (1 << 20) // samples[0].size), 0
    for y in range(0, len(samples), rows):
        strip = samples[y : y + rows]
        crc = zlib.crc32(np.ascontiguousarray(strip, strip.dtype.newbyteorder("<")).data, crc)
    return crc


def check_samples(header: Header, tile: int, samples: Samples) -> None:
    """
    Raises:
        BitstreamError: the decoded samples of a tile differ from the encoded ones.
    """
    if samples_crc(samples) != header.tiles[tile].samples_crc:
        raise BitstreamError("decoded pixels do not match the file's checksum: it is damaged")


class _Target:
    """The picture decoded from a file, or from a part of it."""

    def __init__(self, opening: Opening, region: Window | None = None, salvage: bool = False) -> None:
        """
        Raises:
            PixzipError: the region is not inside the image.
            BitstreamError: a block is damaged; with `salvage`, all requested blocks are.
        """
        self.opening, self.region, self.salvage = opening, region or opening.window, salvage
        self.damaged: list[Window] = []
        self.wanted = []
        for i in opening.tiles_in(self.region):
            if salvage and not opening.is_whole(i):
                self.damaged.append(opening.tile(i))
            else:
                opening.block(i)
                self.wanted.append(i)
        if not self.wanted:
            raise BitstreamError("no tile of the file is whole: nothing can be recovered")
        self._samples: Samples | None = None

    def store(self, i: int, samples: Samples) -> None:
        """Check a tile's samples and keep the requested part."""
        header, tile = self.opening.header, self.opening.tile(i)
        check_samples(header, i, samples)
        if self._samples is None:
            if tile == self.region and samples.flags.owndata and samples.flags.c_contiguous:
                self._samples = samples
                return
            shape = self.region.height, self.region.width, header.layout.channels
            self._samples = np.zeros(shape, blocks.dtype(header.depth))
        part = tile.overlap(self.region)
        assert part is not None
        source = part._replace(x=part.x - tile.x, y=part.y - tile.y)
        target = part._replace(x=part.x - self.region.x, y=part.y - self.region.y)
        self._samples[target.slices] = samples[source.slices]

    def samples(self) -> Samples:
        if self._samples is None:
            raise BitstreamError("no tile of the file decodes: nothing can be recovered")
        return self._samples

    def picture(self) -> Picture:
        return framed(self.opening.header, partial(Picture, self.samples()))

    def places(self) -> tuple[Window, ...]:
        """The tiles that were not recovered, from top to bottom."""
        return tuple(sorted(self.damaged, key=lambda w: (w.y, w.x)))


_Wanted = tuple[_Target, int]


def decode_files(
    targets: Sequence[_Target], models: Models, options: Options, share: Share
) -> list[Decoded]:  # fmt: skip
    """The common part of `decompress` and `recover`."""
    _decode(targets, models, options, share)
    return [Decoded(target.picture(), target.places()) for target in targets]


def _decode(targets: Sequence[_Target], models: Models, options: Options, share: Share) -> None:
    """Decode the wanted tiles of all targets."""
    jobs = [(target, i) for target in targets for i in target.wanted]
    for batch in executor.batches(jobs, lambda job: job[0].opening.tile(job[1]).pixels, options.executor):
        report = share.part(sum(target.opening.tile(i).pixels for target, i in batch))
        _decode_tiles(batch, models, options, report)
        report(1, 1)


def _decode_tiles(batch: Sequence[_Wanted], models: Models, options: Options, report: Progress) -> None:
    """Decode tiles; skip damaged tiles of files that are salvaged."""

    def decoded(jobs: Sequence[_Wanted]) -> None:
        codings = [tile_decoding(t.opening.header, t.opening.block(i), t.opening.tile(i), models) for t, i in jobs]
        solved = batching.drive(codings, lambda asked: options.executor.decode(asked, report))
        for (target, i), samples in zip(jobs, solved, strict=True):
            target.store(i, samples)

    try:
        decoded(batch)
    except BitstreamError:
        if not all(target.salvage for target, _ in batch):
            raise
        for target, i in batch:  # one by one rather than by halves, so that no tile is decoded more than twice
            try:
                decoded([(target, i)])
            except BitstreamError:
                target.damaged.append(target.opening.tile(i))


def tile_decoding(
    header: Header, block: bytes, window: Window, models: Models,
    decoders: Mapping[Kind, ForeignDecoder] = DECODERS,
) -> Decoding:  # fmt: skip
    """Decode a tile from its block: a generator that yields payloads for models and is sent their samples.

    Args:
        decoders: decoders of the kinds that no model codes.
    Returns:
        (H, W, C) samples, in StopIteration.
    Raises:
        BitstreamError: the block is damaged.
    """
    if header.version == 1:
        block = blocks.model(0, block)
    shape = window.height, window.width, header.layout.channels

    def payload_of(asked: blocks.ModelRequest) -> Payload:
        if asked.model >= len(header.models):
            raise BitstreamError(f"block asks for model {asked.model} of {len(header.models)}")
        model = models[header.models[asked.model]]
        payload = Payload(model, asked.payload, asked.shape, asked.precision, asked.coder, stage_of(asked.stage))
        payload.check()
        return payload

    return batching.relay(blocks.decode(block, shape, header.depth, decoders), payload_of)
