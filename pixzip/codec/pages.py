"""Files of several pages or frames: each is coded like a picture of its own, all of them together."""

from collections.abc import Iterator
from dataclasses import replace

from pixcodecs.container import pages as container
from pixcodecs.container.image import Buffer
from pixcodecs.container.limits import LIFT, MAX_PIXELS, MAX_SAMPLE_BYTES, SAMPLE_BYTES_A_BYTE
from pixcodecs.container.pages import Member, PagesHeader
from pixcodecs.container.signature import VERSION
from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.forking import cached_property
from pixcodecs.primitives import crc32

from pixzip.codec import costs, encoder
from pixzip.codec.beside import AnyFolder
from pixzip.codec.carried import Carrying, embedded_once
from pixzip.codec.decoder import decompress, tile_ns
from pixzip.codec.finding import find_models
from pixzip.codec.opening import Opening
from pixzip.codec.options import DEFAULTS, Options
from pixzip.engine.base import Progress
from pixzip.image.pages import Page, Pages
from pixzip.image.picture import Chunk, Frame
from pixzip.originals import Family, Record, record_of

#: Nanoseconds of processor time of each page besides what its models take.
_PAGE_NS = 1_000_000


class PagesOpening:
    """One open file of pages, all of whose headers are parsed.

    Attributes:
        header: parsed header.
        openings: the files of the members.
        carrying: the models that come with the file, for all members.
    """

    def __init__(self, file: Buffer, max_pixels: int | None = MAX_PIXELS, folder: AnyFolder | None = None) -> None:
        """
        Args:
            max_pixels: refuse more pixels in total, and samples out of proportion to the file; None lifts the limits.
            folder: see `Opening`.
        Raises:
            BitstreamError: the file is damaged, truncated, foreign or too large.
        """
        self.header: PagesHeader = container.read_header(file)
        self.file_bytes = len(file)
        self.openings: list[Opening] = []
        pixels, sample_bytes = 0, 0
        most = MAX_SAMPLE_BYTES + SAMPLE_BYTES_A_BYTE * self.file_bytes
        for i in range(len(self.header.members)):
            opening = Opening(container.member(file, self.header, i), max_pixels)
            if opening.header.version != VERSION:
                raise BitstreamError(f"member {i} has format version {opening.header.version}, expected {VERSION}")
            pixels += opening.pixels
            sample_bytes += opening.header.subpixels * (1 if opening.header.depth <= 8 else 2)
            if max_pixels is not None and pixels > max_pixels:
                raise BitstreamError(f"pages have more pixels than the limit of {max_pixels}: {LIFT}")
            if max_pixels is not None and sample_bytes > most:
                raise BitstreamError(f"pages have more bytes of samples than the limit of {most}: {LIFT}")
            self.openings.append(opening)
        self.carrying = Carrying.shared([opening.carrying for opening in self.openings], self.file_bytes, folder)
        for opening in self.openings:
            opening.carrying = self.carrying

    @property
    def pixels(self) -> int:
        return sum(opening.pixels for opening in self.openings)

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """The pictures without their samples.

        Raises:
            BitstreamError: a member contradicts itself.
        """
        return tuple(opening.frame for opening in self.openings)

    @cached_property
    def metadata(self) -> tuple[Chunk, ...]:
        """The chunks that belong to all members.

        Raises:
            BitstreamError: they are no ancillary chunks.
        """
        chunks = tuple(Chunk(body[:4], body[4:]) for body in self.header.metadata)
        try:
            replace(self.frames[0], metadata=chunks)
        except ValueError as e:
            raise BitstreamError(f"file contradicts itself: {e}") from None
        return chunks

    @cached_property
    def original(self) -> Record | None:
        """How the original is rebuilt, or why it is not, as the first member says; None if it does not say.

        Raises:
            BitstreamError: the record is damaged.
        """
        record = record_of(self.openings[0].header.extras)
        return record if record and record.family in (Family.PAGES, Family.NONE) else None


def compress_pages(pages: Pages, options: Options = DEFAULTS, progress: Progress | None = None) -> bytes:
    """One `.pxz` file of all pages.

    Args:
        progress: called with (pixels done, total pixels).
    Raises:
        UnsupportedImageError: sides, numbers or metadata do not fit the format.
        ModelMismatchError: see `compress`.
        PixzipError: verification failed.
    """
    files = embedded_once(encoder.compress([page.picture for page in pages.pages], options, progress))
    members = tuple(
        Member(p.duration, p.x, p.y, p.disposal, p.blend, p.thumbnail, p.aside, len(file), crc32(file))
        for p, file in zip(pages.pages, files, strict=True)
    )
    metadata = tuple(chunk.type + chunk.data for chunk in pages.metadata)
    fields = pages.kind, pages.width, pages.height, pages.loops, pages.background, metadata, members
    data = container.pack_header(PagesHeader(*fields)) + b"".join(files)
    if options.verify:
        opening = PagesOpening(data, None)
        if opening.metadata != pages.metadata or [o.file for o in opening.openings] != files:
            raise PixzipError("verification failed: the file holds other pages; nothing was written")
    return data


def decompress_pages(
    file: Buffer | PagesOpening, options: Options = DEFAULTS, progress: Progress | None = None
) -> Pages:  # fmt: skip
    """The pages of a file: the inverse of `compress_pages`.

    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: a file's model is missing, or does not run exactly here.
    """
    opening = file if isinstance(file, PagesOpening) else PagesOpening(file, options.max_pixels)
    header, metadata = opening.header, opening.metadata
    check_pages_costs(opening, options)
    pictures = decompress(opening.openings, options, progress)
    found = tuple(
        Page(picture, m.duration, m.x, m.y, m.disposal, m.blend, m.thumbnail, m.aside)
        for picture, m in zip(pictures, header.members, strict=True)
    )
    return Pages(header.kind, found, header.width, header.height, header.loops, header.background, metadata)


def decompress_page(opening: PagesOpening, i: int, options: Options = DEFAULTS) -> Page:
    """One page of a file.

    Raises:
        BitstreamError, ModelMismatchError: see `decompress_pages`.
    """
    (picture,) = decompress([opening.openings[i]], options)
    m = opening.header.members[i]
    return Page(picture, m.duration, m.x, m.y, m.disposal, m.blend, m.thumbnail, m.aside)


def check_pages_costs(opening: PagesOpening, options: Options, passes: int = 1) -> None:
    """
    Args:
        passes: number of times that models will code each page.
    Raises:
        BitstreamError: decoding would take longer than a file of this size may by default.
    """
    for member in opening.openings:
        member.check_blocks()
    if options.max_pixels is None:
        return
    budget = costs.Budget(opening.file_bytes)
    for nanoseconds in _spending(opening, options):
        budget.spend(passes * nanoseconds)


def decoding_ns(opening: PagesOpening, options: Options) -> int:
    """Nanoseconds to decode all pages, estimated.

    Raises:
        BitstreamError, ModelMismatchError: see `decompress_pages`.
    """
    return sum(_spending(opening, options))


def _spending(opening: PagesOpening, options: Options) -> Iterator[int]:
    models = find_models(opening.openings, options)
    yield opening.carrying.cost_ns
    for member in opening.openings:
        yield _PAGE_NS
        for i in range(len(member.header.tiles)) if member.header.models else ():
            yield tile_ns(member, i, models)
