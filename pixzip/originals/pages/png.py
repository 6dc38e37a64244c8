"""Frames of animated PNG files: the segment of a frame is its IDAT or fdAT chunks, with lengths and checksums."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import Reader, varint

from pixzip.image.formats.png_chunks import COLOURS, HEAD, SIGNATURE
from pixzip.image.formats.png_frames import CONTROL
from pixzip.image.pages import Pages
from pixzip.image.picture import MARKS, Frame, Picture
from pixzip.originals import png, png_recipe, scanlines
from pixzip.originals.deflate_search import Search
from pixzip.originals.deflaters import Spec
from pixzip.originals.pages.cuts import Cut, Found, Layout, Place, check_samples
from pixzip.originals.png_recipe import Recipe
from pixzip.originals.record import Reason
from pixzip.originals.source import FEW_BYTES, Output, of_picture, samples_bytes

_AROUND_BYTES, _NUMBER_BYTES = 12, 4
#: Bytes of a stream beyond twice its data.
_MORE_BYTES = 1 << 16
#: Searches for an encoder of deflate that may fail.
_FAILURES = 4
#: Most work, in units of zlib's level 6 for a byte, of encoders that are not interrupted.
_MOST_WORK = 10**8


@dataclass(frozen=True)
class Stream:
    """The zlib stream of a frame, in chunks.

    Attributes:
        number: sequence number of the first fdAT chunk; 0 for IDAT chunks.
        recipe: how the samples are coded; without chunks.
    """

    number: int
    recipe: Recipe

    @property
    def is_exact(self) -> bool:
        return False

    def pack(self) -> bytes:
        return varint(self.number) + self.recipe.pack()

    def check(self, frame: Frame, most_bytes: int) -> None:
        check_samples(frame)

    def count(self, frame: Frame) -> int:
        return 1

    def segments(self, picture: Picture) -> Callable[[int, Output], Iterator[bytes]]:
        most = 2 * scanlines.total_bytes(picture.frame, self.recipe.interlaced) + _MORE_BYTES
        most += len(self.recipe.surplus) + len(self.recipe.behind)

        def made(_: int, out: Output) -> Iterator[bytes]:
            data = bytearray()
            for part in png.stream(self.recipe, of_picture(picture), out):
                data += part
                if len(data) > most:
                    raise BitstreamError(f"original has a frame in more than {most} bytes")
                out.check_room(len(data))
            yield from self._chunks(data)

        return made

    def _chunks(self, data: bytes | bytearray) -> Iterator[bytes]:
        at, number = 0, self.number
        for size in self._sizes(len(data)):
            kind = b"fdAT" + struct.pack(">I", number) if self.number else b"IDAT"
            body = kind + data[at : at + size]
            yield struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
            at, number = at + size, (number + 1) % 2**32

    def _sizes(self, left: int) -> Iterator[int]:
        """The sizes of the chunks without their numbers."""
        idat = self.recipe.idat
        if idat == 0:
            yield left
            return
        for size in idat if isinstance(idat, tuple) else ():
            yield size
            left -= size
        if isinstance(idat, int):
            yield from (min(idat, left - at) for at in range(0, left, idat))
        elif left > 0:
            yield left


def read(reader: Reader, frame: Frame) -> Stream:
    """See `Kind`."""
    return Stream(reader.varint("number of a chunk"), png_recipe.read_samples(reader, frame))


def predict(pages: Pages, flags: int, cuts: Sequence[Cut | None], layout: Layout) -> Iterator[bytes]:
    """The chunks around those of the samples; see `Kind`."""
    first = pages.pages[0].picture.frame
    head = HEAD.pack(pages.width, pages.height, first.depth, COLOURS[first.layout], 0, 0, flags & 1)
    shown = sum(not page.aside for page in pages.pages)
    yield SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"acTL", struct.pack(">II", shown, pages.loops))
    for chunk in pages.metadata:
        if chunk not in MARKS:
            yield _chunk(chunk.type, chunk.data)
    yield _chunk(b"PLTE", first.palette) + _chunk(b"tRNS", first.transparency)
    for page, cut in zip(pages.pages, cuts, strict=True):
        if page.aside:
            continue
        number = cut.number - 1 if isinstance(cut, Stream) and cut.number else 0
        frame, (numerator, denominator) = page.picture.frame, page.duration or (0, 1)
        sides = frame.width, frame.height, page.x, page.y, numerator % 2**16, denominator % 2**16
        yield _chunk(b"fcTL", CONTROL.pack(number, *sides, page.disposal, page.blend))
    yield _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


class _Chunk(NamedTuple):
    """A chunk in a file: its offset, and that of its body, and the length of the body."""

    kind: bytes
    start: int
    at: int
    size: int


def find(file: bytes, pages: Pages, thoroughness: int) -> Found:
    """See `Kind`."""
    found, chunks = list[list[_Chunk]](), [*_parse(file)]
    for (kind, _), group in groupby(_numbered(chunks), lambda item: (item[0].kind, item[1])):
        if kind in (b"IDAT", b"fdAT"):
            found.append([chunk for chunk, _ in group])
    interlaced = file[28:29] == b"\1"
    finder = _Finder(file, interlaced, thoroughness)
    if len(found) == len(pages.pages):  # otherwise other chunks are among those of a frame
        for i, (page, own) in enumerate(zip(pages.pages, found, strict=True)):
            finder.frame(i, page.picture, own)
    cuts = finder.cuts or [None for _ in pages.pages]
    return Found(int(interlaced), cuts, finder.places, finder.why)


def _parse(file: bytes) -> Iterator[_Chunk]:
    at = len(SIGNATURE)
    while at + 8 <= len(file):
        size, kind = int.from_bytes(file[at : at + 4]), file[at + 4 : at + 8]
        yield _Chunk(kind, at, at + 8, size)
        at += _AROUND_BYTES + size
        if kind == b"IEND":
            return


def _numbered(chunks: Sequence[_Chunk]) -> Iterator[tuple[_Chunk, int]]:
    """Each chunk with the number of frame controls before it."""
    controls = 0
    for chunk in chunks:
        controls += chunk.kind == b"fcTL"
        yield chunk, controls


class _Finder:
    """Finds the frames that come back, one after another.

    Attributes:
        cuts, places, why: see `Found`.
    """

    def __init__(self, file: bytes, interlaced: bool, thoroughness: int) -> None:
        self._file, self._interlaced, self._thoroughness = file, interlaced, thoroughness
        self.cuts: list[Cut | None] = []
        self.places: list[Place] = []
        self.why = Reason.DEFLATE
        #: Encoders of the frames before, the latest first.
        self._known: list[Spec] = []
        self._failures, self._work = 0, 0.0

    def frame(self, i: int, picture: Picture, chunks: Sequence[_Chunk]) -> None:
        self.cuts.append(None)
        if samples_bytes(picture.frame) > FEW_BYTES:
            self.why = Reason.LARGE
            return
        skipped = _NUMBER_BYTES if chunks[0].kind == b"fdAT" else 0
        number = int.from_bytes(self._file[chunks[0].at : chunks[0].at + 4]) if skipped else 0
        spans = [(chunk.at + skipped, chunk.size - skipped) for chunk in chunks]
        frame, stream = picture.frame, png.Stream(io.BytesIO(self._file), spans)
        rows = [
            (1 + scanlines.row_bytes(frame, p.width), p.height) for p in scanlines.passes(frame, self._interlaced)
        ]  # fmt: skip
        filters, surplus = stream.filters(rows)
        if max(filters) >= scanlines.FILTERS or len(surplus) > png.MOST_SURPLUS:
            return
        beginning, start = stream.beginning, chunks[0].start
        expected = self._file[start : chunks[-1].at + chunks[-1].size + 4]
        sizes = png.sizes_of([size for _, size in spans])

        def made(spec: Spec) -> Stream | None:
            """The cut by an encoder, if it writes the frame."""
            if spec.wants_all:
                self._work += spec.worst_cost * beginning.size_bytes
                if self._work > _MOST_WORK:
                    return None
            recipe = Recipe(self._interlaced, beginning.header, spec, sizes, filters, surplus, stream.behind)
            cut, out = Stream(number, recipe), Output(io.BytesIO(), len(expected), None)
            with contextlib.suppress(PixzipError):  # more bytes than in the file
                return cut if b"".join(cut.segments(picture)(0, out)) == expected else None
            return None

        cut = next(filter(None, map(made, self._known)), None)
        if cut is None and self._failures < _FAILURES:
            cut = next(filter(None, map(made, Search(beginning, self._thoroughness))), None)
            self._failures += cut is None
        if cut:
            spec = cut.recipe.spec
            self._known = [spec, *(other for other in self._known if other != spec)]
            self.cuts[-1] = cut
            self.places.append(Place(i, 0, start, len(expected)))
