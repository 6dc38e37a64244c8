"""Frames of animated GIF and WebP files: the segment of a frame is its stream, by an LZW encoder or by libwebp."""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import Reader

from pixzip.image.formats import gif_blocks
from pixzip.image.pages import Pages
from pixzip.image.picture import Frame, Picture
from pixzip.originals import gif
from pixzip.originals.gif import GifData
from pixzip.originals.pages.cuts import Cut, Found, Layout, Place, check_samples
from pixzip.originals.record import Reason
from pixzip.originals.source import Output
from pixzip.originals.writers import WEBP_FRAMES, WRITERS

#: Wire ids of imitations.
_WRITER, _GIF = 2, 5
_IMAGE = 0x2C
_HEAD_BYTES, _FRAME_BYTES = 12, 16
#: Least work to find out writers that did not write a file, in units of zlib's level 6 for a byte, and most work that a
#: reader may have.
_LEAST_WORK, _MOST_WORK = 1 << 23, 10**8
Span = tuple[int, int]


@dataclass(frozen=True)
class Codes:
    """The image data of a frame of a GIF file."""

    how: GifData

    @property
    def is_exact(self) -> bool:
        return True

    def pack(self) -> bytes:
        return bytes([_GIF]) + self.how.pack()

    def check(self, frame: Frame, most_bytes: int) -> None:
        check_samples(frame)
        self.how.check(frame)

    def count(self, frame: Frame) -> int:
        return 1

    def segments(self, picture: Picture) -> Callable[[int, Output], Iterator[bytes]]:
        def made(_: int, out: Output) -> Iterator[bytes]:
            out.clock.expect(self.how.work(picture.frame))
            yield self.how.make(picture.samples, picture.frame)[len(gif_blocks.XMP_TAIL) :]

        return made


@dataclass(frozen=True)
class Written:
    """The bitstream of a frame of a WebP file, as in the file that a writer makes of the frame."""

    writer: int

    @property
    def is_exact(self) -> bool:
        return False

    def pack(self) -> bytes:
        return bytes([_WRITER, self.writer])

    def check(self, frame: Frame, most_bytes: int) -> None:
        check_samples(frame)

    def count(self, frame: Frame) -> int:
        return 1

    def segments(self, picture: Picture) -> Callable[[int, Output], Iterator[bytes]]:
        writer = WRITERS[self.writer]

        def made(_: int, out: Output) -> Iterator[bytes]:
            out.clock.expect(writer.worst_cost * picture.pixels)
            file = writer.write(picture.samples, picture.frame)
            (found,) = _spans(file)
            yield file[slice(*found)] if found else b""

        return made


def read_gif(reader: Reader, frame: Frame) -> Codes:
    """See `Kind`."""
    kind = reader.byte("imitation of a frame")
    if kind != _GIF:
        raise BitstreamError(f"imitation {kind} of a frame is unknown to this version")
    return Codes(gif.read(reader))


def read_webp(reader: Reader, frame: Frame) -> Written:
    """See `Kind`."""
    kind, number = reader.byte("imitation of a frame"), reader.byte("writer of a frame")
    if kind != _WRITER or number not in WEBP_FRAMES:
        raise BitstreamError(f"imitation {kind}, {number} of a frame is unknown to this version")
    return Written(number)


def predict(pages: Pages, flags: int, cuts: Sequence[Cut | None], layout: Layout) -> Iterator[bytes]:
    """See `Kind`."""
    yield from ()


def find_gif(file: bytes, pages: Pages, thoroughness: int) -> Found:
    """See `Kind`."""
    cuts, places = list[Cut | None](), list[Place]()
    found = (block for block in gif_blocks.blocks(file) if block.kind == _IMAGE)
    for i, (block, page) in enumerate(zip(found, pages.pages, strict=True)):
        cuts.append(None)
        how = gif.of_block(file, block)
        start = gif_blocks.data_start(file, block)
        expected = file[start : block.end]
        if how is None:
            continue
        with contextlib.suppress(PixzipError):  # the frame has no such symbols
            cut = Codes(how)
            cut.check(page.picture.frame, 0)
            if _made(cut, page.picture, expected) == expected:
                cuts[-1] = cut
                places.append(Place(i, 0, start, len(expected)))
    return Found(0, cuts, places)


def _made(cut: Cut, picture: Picture, expected: bytes) -> bytes:
    """The only segment of a frame."""
    return b"".join(cut.segments(picture)(0, Output(io.BytesIO(), len(expected), None)))


def _spans(file: bytes) -> list[Span | None]:
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


def find_webp(file: bytes, pages: Pages, thoroughness: int) -> Found:
    """See `Kind`."""
    cuts, places, why = list[Cut | None](), list[Place](), Reason.FORM
    samples = sum(page.picture.samples.size for page in pages.pages)
    left, most = max(_LEAST_WORK, 2 * thoroughness * samples), _MOST_WORK
    likely = [*WEBP_FRAMES]
    for i, (page, span) in enumerate(zip(pages.pages, _spans(file), strict=True)):
        cuts.append(None)
        if span is None:
            continue
        expected = file[slice(*span)]
        for writer in [*likely]:
            cost, worst = (each * page.picture.pixels for each in (WRITERS[writer].cost, WRITERS[writer].worst_cost))
            if cost > min(left, most) or worst > _MOST_WORK:
                why = Reason.LARGE
                continue
            if _made(Written(writer), page.picture, expected) == expected:
                likely.remove(writer)
                likely.insert(0, writer)
                cuts[-1] = Written(writer)
                places.append(Place(i, 0, span[0], len(expected)))
                most -= cost
                break
            left -= cost
    return Found(0, cuts, places, why)
