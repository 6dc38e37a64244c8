"""Frames of animated GIF and WebP files: the segment of a frame is its stream, as a library writes it."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader

from pixzip.image.formats import gif_blocks
from pixzip.image.pages import Pages
from pixzip.image.picture import Frame, Picture
from pixzip.originals.pages.cuts import Cut, Found, Layout, Place
from pixzip.originals.record import Reason
from pixzip.originals.source import Output
from pixzip.originals.writers import WRITERS

#: Wire id of an imitation by a writer.
_WRITER = 2
#: Writers of GIF by interlacing, and of WebP.
_GIF, _WEBP = {False: (1, 3), True: (2,)}, (32, 35, 34, 36, 38, 33, 37)
_HEAD_BYTES, _FRAME_BYTES, _DESCRIPTOR_BYTES, _INTERLACED = 12, 16, 10, 0x40
#: Least work to find out writers that did not write a file, in units of zlib's level 6 for a byte, and most work that a
#: reader may have.
_LEAST_WORK, _MOST_WORK = 1 << 23, 10**8
Span = tuple[int, int]


@dataclass(frozen=True)
class Written:
    """The stream of a frame in the file that a writer makes of it."""

    writer: int

    @property
    def is_exact(self) -> bool:
        return False

    def pack(self) -> bytes:
        return bytes([_WRITER, self.writer])

    def check(self, frame: Frame, most_bytes: int) -> None:
        """Nothing takes memory out of proportion."""

    def count(self, frame: Frame) -> int:
        return 1

    def segments(self, picture: Picture) -> Callable[[int, Output], bytes]:
        writer, spans = WRITERS[self.writer], _webp_spans if self.writer in _WEBP else _gif_spans

        def made(_: int, out: Output) -> bytes:
            out.expect(writer.worst_cost * picture.pixels)
            file = writer.write(picture.samples, picture.frame)
            (found,) = spans(file)
            return file[slice(*found)] if found else b""

        return made


def read_gif(reader: Reader, frame: Frame) -> Written:
    """See `Kind`."""
    return _read(reader, (*_GIF[False], *_GIF[True]))


def read_webp(reader: Reader, frame: Frame) -> Written:
    """See `Kind`."""
    return _read(reader, _WEBP)


def _read(reader: Reader, known: Sequence[int]) -> Written:
    kind, number = reader.byte("imitation of a frame"), reader.byte("writer of a frame")
    if kind != _WRITER or number not in known:
        raise BitstreamError(f"imitation {kind}, {number} of a frame is unknown to this version")
    return Written(number)


def predict(pages: Pages, flags: int, cuts: Sequence[Cut | None], layout: Layout) -> Iterator[bytes]:
    """See `Kind`."""
    yield from ()


def _gif_spans(file: bytes) -> list[Span | None]:
    """Start and end of the codes of each image of a GIF file, from the size of the first codes on."""
    found: list[Span | None] = []
    for block in gif_blocks.blocks(file):
        if block.kind == 0x2C:
            flags = file[block.start + _DESCRIPTOR_BYTES - 1]
            found.append((block.start + _DESCRIPTOR_BYTES + gif_blocks.table_bytes(flags), block.end))
    return found


def _webp_spans(file: bytes) -> list[Span | None]:
    """Start and end of the body of the VP8L chunk of each frame of a WebP file, or of its image; None for others."""
    found: list[Span | None] = []
    for kind, start, size in _chunks(file, _HEAD_BYTES, len(file)):
        if kind == b"ANMF" and size > _FRAME_BYTES:
            inner = _chunks(file, start + _FRAME_BYTES, start + size)
            found.append(next(((at, at + n) for k, at, n in inner if k == b"VP8L"), None))
        elif kind == b"VP8L":
            found.append((start, start + size))
    return found


def _chunks(file: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, and offset and length of the body, of each chunk."""
    while at + 8 <= end:
        size = int.from_bytes(file[at + 4 : at + 8], "little")
        yield file[at : at + 4], at + 8, size
        at += 8 + size + size % 2


def find_gif(file: bytes, pages: Pages, thoroughness: int) -> Found:
    """See `Kind`."""
    blocks = [block for block in gif_blocks.blocks(file) if block.kind == 0x2C]
    likely = [_GIF[bool(file[block.start + _DESCRIPTOR_BYTES - 1] & _INTERLACED)] for block in blocks]
    return _found(file, pages, thoroughness, _gif_spans(file), likely)


def find_webp(file: bytes, pages: Pages, thoroughness: int) -> Found:
    """See `Kind`."""
    return _found(file, pages, thoroughness, _webp_spans(file), [_WEBP] * len(pages.pages))


def _found(
    file: bytes, pages: Pages, thoroughness: int, spans: Sequence[Span | None], likely: Sequence[Sequence[int]]
) -> Found:  # fmt: skip
    cuts: list[Cut | None] = []
    places, known, why = list[Place](), list[int](), Reason.FORM
    samples = sum(page.picture.samples.size for page in pages.pages)
    left, most = max(_LEAST_WORK, 2 * thoroughness * samples), _MOST_WORK
    for i, (page, span, writers) in enumerate(zip(pages.pages, spans, likely, strict=True)):
        cuts.append(None)
        if span is None:
            continue
        expected = file[slice(*span)]
        for writer in sorted(writers, key=lambda w: known.index(w) if w in known else len(known)):
            cost, worst = (each * page.picture.pixels for each in (WRITERS[writer].cost, WRITERS[writer].worst_cost))
            if cost > min(left, most) or worst > _MOST_WORK:
                why = Reason.LARGE
                continue
            out = Output(io.BytesIO(), len(expected), None)
            if Written(writer).segments(page.picture)(0, out) == expected:
                known = [writer, *(w for w in known if w != writer)]
                cuts[-1] = Written(writer)
                places.append(Place(i, 0, span[0], len(expected)))
                most -= cost
                break
            left -= cost
    return Found(0, cuts, places, why)
