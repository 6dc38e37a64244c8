"""Animated PNG files: each frame is taken apart into a PNG of its own, and put together again.

[1] Portable Network Graphics (PNG) Specification (Third Edition), W3C, sections 4.9 and 11.3.6
"""

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import BinaryIO

import png
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import Loaded, check_size
from pixzip.image.formats.png_chunks import HEAD, SIGNATURE, before_samples, behind_samples, join
from pixzip.image.pages import Kind, LoadedPages, Page, Pages
from pixzip.image.picture import BEHIND_SAMPLES, NOT_METADATA, Chunk, Picture

#: The fields of fcTL.
CONTROL = struct.Struct(">IIIIIHHBB")
#: Delays are in hundredths where their denominator is 0.
_DENOMINATOR = 100
_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})
Read = Callable[[bytes, int | None], Loaded]


def is_animated(file: BinaryIO) -> bool:
    """Whether a file has the chunk that declares an animation, which comes before the samples."""
    at = len(SIGNATURE)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return False
        if head[4:] == b"acTL":
            return True
        at += 12 + int.from_bytes(head[:4])


def read(data: bytes, max_pixels: int | None, load: Read) -> LoadedPages | None:
    """The frames of a file; None if it has one image.

    Args:
        load: reads a PNG file of one image.
    Raises:
        UnsupportedImageError: too large, or in breach of the standard.
        Exception: any error of pypng or libpng on a damaged file.
    """
    chunks = [Chunk(bytes(kind), bytes(body)) for kind, body in png.Reader(bytes=data).chunks()]
    control = [c.data for c in chunks if c.type == b"acTL"]
    if not control or chunks[0].type != b"IHDR" or len(chunks[0].data) != HEAD.size or len(control[0]) != 8:
        return None
    declared, loops = struct.unpack(">II", control[0])
    parts = _parts(chunks)
    shown = sum(head is not None for head, _ in parts)
    if len(parts) == 1:
        return None
    if shown != declared or any(head is None for head, _ in parts[1:]):
        raise UnsupportedImageError(f"PNG declares {declared} frames and has {shown}")
    width, height, *kind = HEAD.unpack(chunks[0].data)
    check_size(width, height, max_pixels)
    needed = [c for c in chunks if c.type in (b"PLTE", b"tRNS")]
    pages, dropped, left = [], list[str](), max_pixels
    for head, body in parts:
        w, h, x, y, numerator, denominator, disposal, blend = head or (width, height, 0, 0, 0, 0, 0, 0)
        ihdr = HEAD.pack(w, h, *kind)
        alone = join([Chunk(b"IHDR", ihdr), *needed, Chunk(b"IDAT", body), Chunk(b"IEND", b"")])
        picture, lost = load(alone, left)
        dropped += lost
        left = None if left is None else left - picture.pixels
        duration = (numerator, denominator or _DENOMINATOR) if head else None
        pages.append(Page(picture, duration, x, y, disposal, bool(blend), aside=head is None))
    fields = Kind.PNG, tuple(pages), width, height, loops, bytes(4), _metadata(chunks)
    return LoadedPages(Pages(*fields), sorted(set(dropped)))


def _parts(chunks: Sequence[Chunk]) -> list[tuple[tuple[int, ...] | None, bytes]]:
    """The control of each image, if it is a frame, without its sequence number, and its zlib stream."""
    found: list[tuple[tuple[int, ...] | None, list[bytes]]] = []
    control: tuple[int, ...] | None = None
    fresh = True  # the next samples begin an image
    expected = 0
    for chunk in chunks:
        if chunk.type in (b"fcTL", b"fdAT"):
            if len(chunk.data) < 4 or int.from_bytes(chunk.data[:4]) != expected:
                raise UnsupportedImageError(f"PNG has a chunk of an animation out of order, expected number {expected}")
            expected += 1
        if chunk.type == b"fcTL":
            if len(chunk.data) != CONTROL.size:
                raise UnsupportedImageError(f"PNG has {len(chunk.data)} bytes of fcTL, expected {CONTROL.size}")
            _, *control_fields = CONTROL.unpack(chunk.data)
            control, fresh = tuple(control_fields), True
        elif chunk.type in (b"IDAT", b"fdAT"):
            if fresh:
                found.append((control, []))
                control, fresh = None, False
            found[-1][1].append(chunk.data[4:] if chunk.type == b"fdAT" else chunk.data)
    return [(head, b"".join(bodies)) for head, bodies in found]


def _metadata(chunks: Sequence[Chunk]) -> tuple[Chunk, ...]:
    last = max(i for i, c in enumerate(chunks) if c.type in (b"IDAT", b"fdAT"))
    left = NOT_METADATA | {BEHIND_SAMPLES.type}
    before, behind = (
        [c for c in some if c.type[:1].islower() and c.type not in left] for some in (chunks[:last], chunks[last:])
    )
    return (*before, BEHIND_SAMPLES, *behind) if behind else tuple(before)


def write(pages: Pages, idat: Callable[[Picture], list[Chunk]]) -> bytes:
    """The animated PNG file of some frames.

    Args:
        idat: the IDAT chunks of a picture.
    Raises:
        UnsupportedImageError: PNG cannot hold them.
    """
    first, *_ = pages.pages
    frames = [replace(p.picture.frame, width=1, height=1, metadata=()) for p in pages.pages]
    if any(frame != frames[0] for frame in frames):
        raise UnsupportedImageError(
            "an animated PNG has one mode and palette, the frames have several: -o DIR/ takes all"
        )
    if (first.picture.width, first.picture.height, first.x, first.y) != (pages.width, pages.height, 0, 0):
        raise UnsupportedImageError("the first frame of an animated PNG fills its canvas, this one does not")
    whole = replace(first.picture.frame, metadata=pages.metadata)
    head, *before = before_samples(whole)
    shown = sum(not page.aside for page in pages.pages)
    out = [head, Chunk(b"acTL", struct.pack(">II", shown, pages.loops)), *before]
    number = 0
    for i, page in enumerate(pages.pages):
        if not page.aside:
            numerator, denominator = page.duration or (0, 1)
            if max(numerator, denominator) > 0xFFFF:
                raise UnsupportedImageError(f"PNG holds no duration of {numerator}/{denominator} s")
            sides = page.picture.width, page.picture.height, page.x, page.y
            fields = number, *sides, numerator, denominator, page.disposal, page.blend
            out.append(Chunk(b"fcTL", CONTROL.pack(*fields)))
            number += 1
        for chunk in idat(page.picture):
            if i:
                chunk = Chunk(b"fdAT", struct.pack(">I", number) + chunk.data)
                number += 1
            out.append(chunk)
    stream = io.BytesIO()
    png.write_chunks(stream, [*out, *behind_samples(whole), Chunk(b"IEND", b"")])
    return stream.getvalue()
