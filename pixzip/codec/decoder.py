"""Files to pictures, whole or in part."""

import zlib
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Samples
from pixcodecs.container.image import MAX_PIXELS, Buffer, Header
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError

from pixzip.codec import webp_png
from pixzip.codec.tiles import Window
from pixzip.engine import batching, executor
from pixzip.engine.executor import Payload, Share
from pixzip.engine.wavefront import Progress
from pixzip.image.picture import Picture, framed
from pixzip.models.registry import Weights

#: Yields what models shall decode, is sent their samples, returns those of a tile.
Decoding = Generator[Payload, Samples, Samples]


class Decoded(NamedTuple):
    """A picture, or the wanted part of one, and where it could not be recovered."""

    picture: Picture
    damaged: tuple[Window, ...] = ()


def decompress(
    files: Sequence[Buffer],
    weights_for: Callable[[bytes], Weights],
    device: str = "cpu",
    *,
    max_pixels: int | None = MAX_PIXELS,
    progress: Progress | None = None,
) -> list[Picture]:
    """The picture of each file: the inverse of `compress`.

    Args:
        weights_for: model id -> model, such as `library.by_id`.
        max_pixels: refuse larger images; None lifts the limit.
        progress: called with (pixels done, pixels in all).
    Raises:
        BitstreamError: a file is damaged, truncated, foreign or hostile.
        ModelMismatchError: a file's model is missing, or does not run exactly here.
    """
    share = Share(progress, sum(h.width * h.height for h in (parse(f, max_pixels) for f in files)))
    return [d.picture for d in decode_files(files, weights_for, device, max_pixels=max_pixels, share=share)]


def recover(
    file: Buffer,
    weights_for: Callable[[bytes], Weights],
    device: str = "cpu",
    *,
    region: Window | None = None,
    salvage: bool = False,
    max_pixels: int | None = MAX_PIXELS,
    progress: Progress | None = None,
) -> Decoded:
    """Part of a picture, reading and decoding only the tiles it needs, or what is left of a damaged one.

    Args:
        region: what is wanted; None takes all.
        salvage: fill damaged tiles with zeros and name them, where they would be an error otherwise.
    Raises:
        PixzipError: the region is not inside the image.
        BitstreamError, ModelMismatchError: see `decompress`; with `salvage` when nothing at all can be read.
    """
    header = container.read_header(file, max_pixels)
    share = Share(progress, region.pixels if region else header.width * header.height)
    (found,) = decode_files(
        [file], weights_for, device, max_pixels=max_pixels, region=region, salvage=salvage, share=share
    )
    return found


def parse(file: Buffer, max_pixels: int | None = MAX_PIXELS) -> Header:
    """Header of a file, whose length and checksums are verified as far as can be without decoding.

    Raises:
        BitstreamError: whatever is wrong.
    """
    header = container.read_header(file, max_pixels)
    container.check_length(file, header)
    for i in range(len(header.tiles)):
        container.block(file, header, i)
    return header


def samples_crc(samples: Samples) -> int:
    """CRC-32 of samples in raster order, those of 16 bits little-endian: a strip at a time, for samples that are
    one pixel repeated take less memory than a copy."""
    rows, crc = max(1, (1 << 20) // samples[0].size), 0
    for y in range(0, len(samples), rows):
        strip = samples[y : y + rows]
        crc = zlib.crc32(np.ascontiguousarray(strip, strip.dtype.newbyteorder("<")).data, crc)
    return crc


def check_samples(header: Header, tile: int, samples: Samples) -> None:
    """
    Raises:
        BitstreamError: the decoded samples of a tile are not those that were encoded.
    """
    if samples_crc(samples) != header.tiles[tile].samples_crc:
        raise BitstreamError("decoded pixels do not match the file's checksum: it is damaged")


def decode_files(
    files: Sequence[Buffer],
    weights_for: Callable[[bytes], Weights],
    device: str,
    *,
    max_pixels: int | None = None,
    region: Window | None = None,
    salvage: bool = False,
    share: Share,
) -> list[Decoded]:
    """What `decompress` and `recover` do."""
    openings = [_Opening(file, max_pixels, region, salvage) for file in files]
    models = find_models((o.header for o in openings), weights_for)
    jobs = [(o, i) for o in openings for i in o.wanted]
    for batch in executor.batches(jobs, lambda job: job[0].windows[job[1]].pixels, device):
        report = share.part(sum(o.windows[i].pixels for o, i in batch))
        if salvage:
            _salvage(batch, models, device, report)
        else:
            _decode_tiles(batch, models, device, report)
        report(1, 1)
    return [o.result() for o in openings]


def find_models(headers: Iterable[Header], weights_for: Callable[[bytes], Weights]) -> dict[bytes, Weights]:
    """The models that files need, by their ids.

    Raises:
        ModelMismatchError: one is missing, or another than was asked for.
    """
    models = {model: weights_for(model) for model in dict.fromkeys(m for header in headers for m in header.models)}
    for model, weights in models.items():
        if weights.model_id != model:
            raise ModelMismatchError(f"file needs model {model.hex()}, this is {weights.model_id.hex()}")
    return models


class _Opening:
    """One file on its way to a picture."""

    def __init__(self, file: Buffer, max_pixels: int | None, region: Window | None, salvage: bool) -> None:
        self.file, self.header = file, container.read_header(file, max_pixels)
        if not salvage:
            container.check_length(file, self.header)
        self.windows = [Window(*w) for w in self.header.windows]
        self.region = region or Window(0, 0, self.header.width, self.header.height)
        x, y, w, h = self.region
        if min(x, y) < 0 or min(w, h) < 1 or x + w > self.header.width or y + h > self.header.height:
            size = f"{self.header.width}x{self.header.height}"
            raise PixzipError(f"region {x},{y},{w},{h} is not inside the image of {size} pixels")
        self.damaged: list[Window] = []
        self.blocks: dict[int, bytes] = {}
        for i, window in enumerate(self.windows):
            if window.overlap(self.region):
                try:
                    self.blocks[i] = container.block(file, self.header, i)
                except BitstreamError:
                    if not salvage:
                        raise
                    self.damaged.append(window)
        if not self.blocks:
            raise BitstreamError("no tile of the file is whole: nothing can be recovered")
        self.wanted = list(self.blocks)
        self._samples: Samples | None = None

    def store(self, i: int, samples: Samples) -> None:
        """Check a tile's samples and keep the part of them that is wanted."""
        check_samples(self.header, i, samples)
        if self._samples is None:
            shape = self.region.height, self.region.width, self.header.layout.channels
            self._samples = np.zeros(shape, blocks.dtype(self.header.depth))
        part = self.windows[i].overlap(self.region)
        assert part is not None
        source = part._replace(x=part.x - self.windows[i].x, y=part.y - self.windows[i].y)
        target = part._replace(x=part.x - self.region.x, y=part.y - self.region.y)
        self._samples[target.slices] = samples[source.slices]

    def result(self) -> Decoded:
        if self._samples is None:
            raise BitstreamError("no tile of the file decodes: nothing can be recovered")
        picture = framed(self.header, partial(Picture, self._samples))
        return Decoded(picture, tuple(sorted(self.damaged, key=lambda w: (w.y, w.x))))


_Job = tuple[_Opening, int]


def _decode_tiles(batch: Sequence[_Job], models: dict[bytes, Weights], device: str, report: Progress) -> None:
    decodings = [decoding(opening.header, opening.blocks[i], opening.windows[i]) for opening, i in batch]
    solved = batching.drive(decodings, lambda asked: executor.decode(asked, models, device, report))
    for (opening, i), samples in zip(batch, solved, strict=True):
        opening.store(i, samples)


def _salvage(batch: Sequence[_Job], models: dict[bytes, Weights], device: str, report: Progress) -> None:
    """Decode what can be decoded, and note the rest."""
    try:
        _decode_tiles(batch, models, device, report)
    except BitstreamError:
        if len(batch) == 1:
            ((opening, i),) = batch
            opening.damaged.append(opening.windows[i])
            return
        middle = len(batch) // 2  # halve it until the damaged tiles are alone
        _salvage(batch[:middle], models, device, report)
        _salvage(batch[middle:], models, device, report)


def decoding(header: Header, block: bytes, window: Window) -> Decoding:
    """The samples of a tile, from its block: a generator that yields what models must decode, and is sent the results.

    Returns:
        (H, W, C) samples, by StopIteration.
    Raises:
        BitstreamError: the block is damaged.
    """
    if header.version == 1:
        block = blocks.model(0, block)
    shape = window.height, window.width, header.layout.channels
    requests = blocks.decode(block, shape, header.depth, webp_png.DECODERS)
    answer: Samples | None = None
    while True:
        try:
            asked = requests.send(answer)  # type: ignore[arg-type]
        except StopIteration as stop:
            samples: Samples = stop.value
            return samples
        if asked.model >= len(header.models):
            raise BitstreamError(f"block asks for model {asked.model} of {len(header.models)}")
        payload = Payload(header.models[asked.model], asked.payload, asked.shape, asked.precision, asked.coder)
        payload.check()
        answer = yield payload
