"""What the stages of a file save: the bytes that its models would take alone, measured on its decoded samples."""

from typing import NamedTuple

from pixcodecs.container import signature
from pixcodecs.container import stack as container
from pixcodecs.container.image import Buffer

from pixzip.codec import costs
from pixzip.codec.beside import AnyFolder
from pixzip.codec.bits_map import Seen, watched
from pixzip.codec.decoder import check_costs, check_samples, tile_decoding
from pixzip.codec.finding import find_models, model_of_stack
from pixzip.codec.opening import Opening
from pixzip.codec.options import DEFAULTS, Options
from pixzip.codec.pages import PagesOpening, check_pages_costs
from pixzip.codec.progress import Share
from pixzip.codec.stack import decompress_stack
from pixzip.engine import batching, executor
from pixzip.engine.base import Progress
from pixzip.engine.executor import Ask
from pixzip.engine.stages.base import IDENTITY


class Savings(NamedTuple):
    """
    Attributes:
        with_stages: bytes of the payloads that have a stage.
        without: bytes that these samples would take by the same models without a stage, up to a few for each payload.
    """

    with_stages: int
    without: int

    @property
    def saved(self) -> int:
        """Bytes; less than 0 if the stages cost some."""
        return self.without - self.with_stages

    @property
    def share(self) -> float:
        """Share of `without`; 0 without a stage."""
        return self.saved / self.without if self.without else 0.0


def savings(
    data: Buffer, options: Options = DEFAULTS, progress: Progress | None = None, folder: AnyFolder | None = None
) -> Savings:  # fmt: skip
    """Decode a file, and measure the samples of payloads that have a stage, which takes up to twice as long.

    Args:
        progress: called with (pixels done, total pixels); each pixel counts twice.
        folder: see `Opening`.
    Raises:
        BitstreamError, ModelMismatchError: see `decompress`, `decompress_pages` and `decompress_stack`.
    """
    if container.is_stack(data):
        return _of_stack(data, options, progress)
    if signature.is_kept(data):  # no model coded it
        return Savings(0, 0)
    if signature.is_pages(data):
        pages = PagesOpening(data, options.max_pixels, folder)
        check_pages_costs(pages, options, passes=2)
        share = Share(progress, 2 * pages.pixels)
        found = [_of_image(page, options, share.part(2 * page.pixels)) for page in pages.openings]
        return Savings(sum(page.with_stages for page in found), sum(page.without for page in found))
    return _of_image(Opening(data, options.max_pixels, folder=folder), options, progress)


def _of_image(opening: Opening, options: Options, progress: Progress | None) -> Savings:
    opening.check_blocks()
    header, where = opening.header, options.executor
    models = find_models([opening], options)
    check_costs(opening, models, options, passes=2)
    share, held, bits = Share(progress, 2 * opening.pixels), 0, 0.0
    for batch in executor.batches(range(len(header.tiles)), lambda i: opening.tile(i).pixels, where):
        pixels, seen = sum(opening.tile(i).pixels for i in batch), Seen()
        tiles = [watched(tile_decoding(header, opening.block(i), opening.tile(i), models), seen) for i in batch]
        report = share.part(pixels)
        solved = batching.drive(tiles, lambda asked, report=report: where.decode(asked, report))  # type: ignore[misc]
        for i, samples in zip(batch, solved, strict=True):
            check_samples(header, i, samples)
        staged = [(p, samples) for p, samples in seen if p.stage != IDENTITY]
        held += sum(len(p.payload) for p, _ in staged)
        asks = [Ask(samples, p.model, p.precision, p.coder) for p, samples in staged]
        report = share.part(pixels)
        bits += sum(float(of.sum()) for of in where.nll_maps(asks, report))
        report(1, 1)
    return Savings(held, round(bits / 8))


def _of_stack(data: Buffer, options: Options, progress: Progress | None) -> Savings:
    header = container.read_header(data, options.max_pixels)
    (model, model_ns), share = model_of_stack(header, len(data), options), Share(progress, 2 * header.pixels)
    if options.max_pixels is not None:
        costs.check_stack(header, model, len(data), 2, model_ns)
    images = decompress_stack(data, options, share.part(header.pixels)).images
    if not header.stage:
        return Savings(0, 0)
    maps = options.executor.nll_maps([Ask(image, model) for image in images], share.part(header.pixels))
    return Savings(header.payload_bytes, round(sum(float(of.sum()) for of in maps) / 8))
