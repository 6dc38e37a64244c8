"""Animated WebP files: each frame is taken apart into a WebP of its own, and put together again.

[1] WebP Container Specification, Google, https://developers.google.com/speed/webp/docs/riff_container
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import Loaded, check_size
from pixzip.image.formats.exif import with_resolution, with_texts
from pixzip.image.formats.metadata import Embedded, from_chunks, to_chunks
from pixzip.image.pages import Kind, LoadedPages, Page, Pages
from pixzip.image.picture import Layout, Picture

_HEAD_BYTES, _FRAME_BYTES, _EXTENDED_BYTES = 12, 16, 10
_NO_BLEND, _DISPOSE = 2, 1
_ICC, _ALPHA, _EXIF, _XMP, _ANIMATED = 0x20, 0x10, 0x08, 0x04, 0x02
METADATA = frozenset({"icc", "exif", "xmp", "resolution", "aspect"})
Read = Callable[[bytes, int | None], Loaded]
Write = Callable[[Picture], bytes]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the body of all whole chunks."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            return
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _file(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _extended(flags: int, width: int, height: int) -> bytes:
    body = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _chunk(b"VP8X", body)


def read(data: bytes, max_pixels: int | None, load: Read) -> LoadedPages | None:
    """The frames of a file; None if it is no animation of several frames.

    Args:
        load: reads a WebP file of one image.
    Raises:
        UnsupportedImageError: too large, or damaged.
        Exception: any error of Pillow on a damaged file.
    """
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        return None  # cut off, which `load` says
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        return None  # cut off, which `load` says
    chunks = [*_chunks(data[_HEAD_BYTES:])]
    frames = [body for kind, body in chunks if kind == b"ANMF" and len(body) > _FRAME_BYTES]
    fields = dict(reversed(chunks))
    head, animation = fields.get(b"VP8X", b""), fields.get(b"ANIM", b"")
    if len(frames) < 2 or len(head) != _EXTENDED_BYTES or len(animation) != 6:
        return None
    width, height = (1 + int.from_bytes(head[at : at + 3], "little") for at in (4, 7))
    check_size(width, height, max_pixels)
    pages, dropped, left = [], list[str](), max_pixels
    for body in frames:
        x, y, w, h, milliseconds = (int.from_bytes(body[at : at + 3], "little") for at in range(0, 15, 3))
        inner = [(kind, part) for kind, part in _chunks(body[_FRAME_BYTES:])]
        dropped += [f"chunk {kind.decode('latin-1')!r}" for kind, _ in inner if kind not in (b"ALPH", b"VP8 ", b"VP8L")]
        parts = [_chunk(kind, part) for kind, part in inner if kind in (b"ALPH", b"VP8 ", b"VP8L")]
        has_alpha = any(kind == b"ALPH" for kind, _ in inner)
        alone = _file(*([_extended(_ALPHA, w + 1, h + 1)] if has_alpha else []), *parts)
        picture, lost = load(alone, left)
        if (picture.width, picture.height) != (w + 1, h + 1):
            raise UnsupportedImageError(f"WebP has a frame of {picture.width}x{picture.height} in {w + 1}x{h + 1}")
        dropped += lost
        left = None if left is None else left - picture.pixels
        flags = body[15]
        blend = not flags & _NO_BLEND
        pages.append(Page(picture, (milliseconds, 1000), 2 * x, 2 * y, flags & _DISPOSE, blend))
    icc, exif, xmp = (fields.get(kind, b"") for kind in (b"ICCP", b"EXIF", b"XMP "))
    metadata, more = to_chunks(Embedded(icc, exif, xmp))
    loops, background = int.from_bytes(animation[4:], "little"), animation[:4]
    found = Pages(Kind.WEBP, tuple(pages), width, height, loops, background, tuple(metadata))
    return LoadedPages(found, sorted({*dropped, *more}))


def write(pages: Pages, write_one: Write) -> bytes:
    """The animated WebP file of some frames, without loss.

    Raises:
        UnsupportedImageError: WebP cannot hold them.
    """
    embedded, _ = from_chunks(pages.metadata, METADATA)
    exif = with_resolution(with_texts(embedded.exif, pages.metadata), embedded.resolution or embedded.aspect)
    frames, alpha = [], False
    for page in pages.pages:
        picture = replace(page.picture, metadata=())
        alpha |= picture.layout is Layout.RGBA
        if picture.layout is Layout.RGBA and (picture.samples[..., 3] == 255).all():
            picture = Picture(np.ascontiguousarray(picture.samples[..., :3]), Layout.RGB, picture.depth)
        numerator, denominator = page.duration or (0, 1)
        milliseconds, rest = divmod(numerator * 1000, denominator)
        if rest or milliseconds >= 1 << 24:
            raise UnsupportedImageError(f"WebP holds no duration of {numerator}/{denominator} s, only milliseconds")
        if page.x % 2 or page.y % 2:
            raise UnsupportedImageError(f"WebP holds frames at even places, not at {page.x},{page.y}: .png holds them")
        numbers = page.x // 2, page.y // 2, picture.width - 1, picture.height - 1, milliseconds
        head = b"".join(number.to_bytes(3, "little") for number in numbers)
        flags = (page.disposal & _DISPOSE) | (0 if page.blend else _NO_BLEND)
        inner = [_chunk(*c) for c in _chunks(write_one(picture)[_HEAD_BYTES:]) if c[0] == b"VP8L"]
        frames.append(_chunk(b"ANMF", head + bytes([flags]) + b"".join(inner)))
    if pages.loops > 0xFFFF:
        raise UnsupportedImageError(f"WebP counts up to 65535 loops, these are {pages.loops}")
    flags = _ANIMATED | _ALPHA * alpha | _ICC * bool(embedded.icc) | _EXIF * bool(exif) | _XMP * bool(embedded.xmp)
    animation = _chunk(b"ANIM", pages.background.ljust(4, b"\0") + pages.loops.to_bytes(2, "little"))
    icc = [_chunk(b"ICCP", embedded.icc)] if embedded.icc else []
    behind = [_chunk(kind, body) for kind, body in ((b"EXIF", exif), (b"XMP ", embedded.xmp)) if body]
    return _file(_extended(flags, pages.width, pages.height), *icc, animation, *frames, *behind)
