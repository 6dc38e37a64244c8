"""GIF files of several frames: each is made a GIF of its own, which Pillow reads, and put together again."""

import struct
from collections.abc import Callable

import numpy as np
from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import Loaded, check_size
from pixzip.image.formats.gif_blocks import (
    APPLICATION,
    COMMENT,
    CONTROL,
    ICC,
    LOOPS,
    XMP,
    XMP_TAIL,
    blocks,
    embedded,
    head_bytes,
)
from pixzip.image.formats.metadata import from_chunks, to_chunks
from pixzip.image.formats.pillow import save
from pixzip.image.pages import Kind, LoadedPages, Page, Pages
from pixzip.image.picture import Chunk, Layout, Picture

_SCREEN, _PLACE = struct.Struct("<6sHHBBB"), struct.Struct("<BHHHHB")
_ENDLESS, _INTERLACED, _PALETTE = 0, 0x40, 0x80
Read = Callable[[bytes, int | None], Loaded]


def read(data: bytes, max_pixels: int | None, load: Read) -> LoadedPages | None:
    """The frames of a file; None if it has one image.

    Args:
        load: reads a GIF file of one image.
    Raises:
        UnsupportedImageError: too large, or damaged.
        Exception: any error of Pillow on a damaged file.
    """
    found = [*blocks(data)]
    if sum(block.kind == 0x2C for block in found) < 2:
        return None
    _, width, height, flags, background, _ = _SCREEN.unpack_from(data)
    check_size(width, height, max_pixels)
    pages, dropped, left, control, loops = [], list[str](), max_pixels, b"", 1
    for block in found:
        if block.label == CONTROL and block.parts and len(block.parts[0]) == 4:
            control = block.parts[0]
        elif block.label == APPLICATION and block.parts and block.parts[0] in LOOPS and len(block.parts) > 1:
            loops = _loops(block.parts[1])
        elif block.kind == 0x2C:
            _, x, y, w, h, own = _PLACE.unpack_from(data, block.start)
            screen = _SCREEN.pack(b"GIF89a", w, h, flags, background, 0) + data[_SCREEN.size : head_bytes(data)]
            extension = b"\x21\xf9\x04" + bytes([control[0] & 1, 0, 0, control[3], 0]) if control else b""
            image = _PLACE.pack(0x2C, 0, 0, w, h, own) + data[block.start + _PLACE.size : block.end]
            picture, lost = load(screen + extension + image + b";", left)
            if picture.layout is not Layout.PALETTE:  # Pillow reads palettes that are grey as grey
                picture = _with_palette(picture)
            dropped += lost
            left = None if left is None else left - picture.pixels
            duration = (int.from_bytes(control[1:3], "little"), 100) if control else None
            pages.append(Page(picture, duration, x, y, control[0] >> 2 & 7 if control else 0))
            if control and control[0] & 2:
                dropped.append("user input flag")
            control = b""
    metadata, more = to_chunks(embedded(data))
    fields = Kind.GIF, tuple(pages), width, height, loops, bytes([background, 0, 0, 0]), tuple(metadata)
    return LoadedPages(Pages(*fields), sorted({*dropped, *more}))


def _loops(body: bytes) -> int:
    """How often an animation is shown in all: GIF counts repetitions."""
    times = int.from_bytes(body[1:3], "little") if body[:1] == b"\1" else 0
    return times + 1 if times else 0


def _with_palette(picture: Picture) -> Picture:
    """A grey picture as indices of a palette of greys."""
    levels = bytes(level for level in range(256) for _ in range(3))
    key = picture.transparency[1:2]
    alphas = b"\xff" * key[0] + b"\0" if key else b""
    return Picture(picture.samples, Layout.PALETTE, 8, levels, alphas, picture.metadata)


def write(pages: Pages) -> bytes:
    """The GIF file of some frames.

    Raises:
        UnsupportedImageError: GIF cannot hold them.
    """
    out = [_SCREEN.pack(b"GIF89a", pages.width, pages.height, 0x70, pages.background[0], 0)]
    if pages.loops != 1:
        times = max(0, pages.loops - 1)
        if times > 0xFFFF:
            raise UnsupportedImageError(f"GIF counts up to 65536 loops, these are {pages.loops}")
        out.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", times) + b"\0")
    out += _extensions(pages.metadata)
    for page in pages.pages:
        out += [_control(page), _image(page)]
    return b"".join([*out, b";"])


def _control(page: Page) -> bytes:
    clear = _clear_colour(page.picture)
    if page.duration is None and clear is None and not page.disposal:
        return b""
    numerator, denominator = page.duration or (0, 1)
    hundredths, rest = divmod(numerator * 100, denominator)
    if rest or hundredths > 0xFFFF:
        raise UnsupportedImageError(f"GIF holds no duration of {numerator}/{denominator} s, only hundredths")
    flags = page.disposal << 2 | (clear is not None)
    return b"\x21\xf9\x04" + struct.pack("<BHBB", flags, hundredths, clear or 0, 0)


def _clear_colour(picture: Picture) -> int | None:
    """The index of the transparent colour; None if there is none.

    Raises:
        UnsupportedImageError: the palette has alphas that GIF does not have.
    """
    alphas = picture.transparency
    if picture.layout is not Layout.PALETTE:
        raise UnsupportedImageError(".gif does not hold such frames, only palettes: .png holds them")
    clear = [i for i, alpha in enumerate(alphas) if alpha != 255]
    if len(clear) > 1 or any(alphas[i] for i in clear):
        raise UnsupportedImageError(".gif holds one transparent colour and no other alphas: .png holds them")
    return clear[0] if clear else None


def _image(page: Page) -> bytes:
    """The image block of a frame."""
    picture = page.picture
    entries = len(picture.palette) // 3
    bits = max(2, int(picture.samples.max()).bit_length(), (entries - 1).bit_length())
    # a picture of as many rows of colours as the palette needs makes Pillow keep all entries in their order
    drawn = Image.fromarray(np.ascontiguousarray(picture.samples[..., 0]))
    drawn.putpalette(picture.palette.ljust(3 << bits, b"\0"))
    data = save(drawn, "GIF", optimize=False, interlace=0)
    (block,) = (b for b in blocks(data) if b.kind == 0x2C)
    _, _, _, w, h, own = _PLACE.unpack_from(data, block.start)
    head, table = head_bytes(data), data[_SCREEN.size : head_bytes(data)]
    body = data[block.start + _PLACE.size : block.end]
    if own & _PALETTE:
        size = 3 << (own & 7) + 1
        table, body = body[:size], body[size:]
    found = len(table) // 3
    if table[: len(picture.palette)] != picture.palette or found & (found - 1) or head < _SCREEN.size:
        raise UnsupportedImageError("image cannot be written as GIF: the palette would have another order")
    place = _PLACE.pack(0x2C, page.x, page.y, w, h, _PALETTE | own & _INTERLACED | found.bit_length() - 2)
    return place + table + body


def _extensions(metadata: tuple[Chunk, ...]) -> list[bytes]:
    """The extensions for XMP, a profile and a comment."""
    icc, _, xmp, _, comment, *_ = from_chunks(metadata, {"xmp", "icc", "comment"})[0]
    out = []
    if xmp:
        out.append(b"\x21\xff\x0b" + XMP + xmp + XMP_TAIL)
    if icc:
        out.append(b"\x21\xff\x0b" + ICC + _sub_blocks(icc))
    if comment:
        out.append(bytes([0x21, COMMENT]) + _sub_blocks(comment))
    return out


def _sub_blocks(data: bytes) -> bytes:
    parts = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
