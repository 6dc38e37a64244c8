"""The container of pages: several images, each a complete file of version 2: `docs/format.md`, section 16.

It holds what belongs together and does not fit one image: the pages of a TIFF file, the frames of an animation.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

from pixcodecs.container.image import MAX_EXTRAS, MAX_EXTRAS_BYTES
from pixcodecs.container.limits import MAX_SIDE, PAGES_VERSION
from pixcodecs.container.signature import SIGNATURE, Buffer, is_pages
from pixcodecs.errors import BitstreamError, UnsupportedImageError
from pixcodecs.forking import cached_property
from pixcodecs.primitives import Reader, crc32, deflate, inflate, varint

#: Most members of a file.
MAX_MEMBERS = 1 << 16
_MAX_NUMBER = (1 << 32) - 1
_METADATA, _RESERVED = 0x20, 0xD8
_DISPOSAL, _BLEND, _THUMBNAIL, _ASIDE, _OFFSET, _DURATION = 0x07, 0x08, 0x10, 0x20, 0x40, 0x80


class Kind(IntEnum):
    """Wire ids of the kinds of files that pages come from."""

    TIFF = 0
    PNG = 1
    GIF = 2
    WEBP = 3

    @property
    def animated(self) -> bool:
        return self is not Kind.TIFF


class Member(NamedTuple):
    """One page or frame.

    Attributes:
        duration: numerator and denominator of seconds; None if there is none.
        x, y: place on the canvas.
        disposal: what happens to the frame before the next one, a number of its format.
        blend: whether the frame is laid over the canvas by its alpha, or replaces it.
        thumbnail: whether the page shows the last page before it that is none.
        aside: whether the image is for viewers without animations, and no frame.
        size_bytes, crc: of its file.
    """

    duration: tuple[int, int] | None = None
    x: int = 0
    y: int = 0
    disposal: int = 0
    blend: bool = False
    thumbnail: bool = False
    aside: bool = False
    size_bytes: int = 0
    crc: int = 0


@dataclass(frozen=True)
class PagesHeader:
    """The content of a header.

    Attributes:
        width, height: canvas of an animation; 0 for pages.
        loops: how often an animation is shown; 0 without end.
        background: four bytes that say how the canvas begins, as the format has them.
        metadata: types and bodies of chunks for all members.
        size_bytes: size of the header, at which the first member starts.
    """

    kind: Kind
    width: int
    height: int
    loops: int
    background: bytes
    metadata: tuple[bytes, ...]
    members: tuple[Member, ...]
    size_bytes: int = 0

    @cached_property
    def starts(self) -> list[int]:
        """The start of each member, and the end of the last one."""
        return list(accumulate((m.size_bytes for m in self.members), initial=self.size_bytes))

    @property
    def file_bytes(self) -> int:
        """The length of the whole file."""
        return self.starts[-1]


def pack_header(header: PagesHeader) -> bytes:
    """The bytes of a header, including the checksum.

    Raises:
        UnsupportedImageError: there are too many members, or too much metadata.
        ValueError: a field does not fit the format.
    """
    if not 1 <= len(header.members) <= MAX_MEMBERS:
        raise UnsupportedImageError(f"file has {len(header.members)} pages, expected 1 to {MAX_MEMBERS}")
    out = bytearray(SIGNATURE + bytes([PAGES_VERSION, header.kind | (_METADATA if header.metadata else 0)]))
    out += varint(len(header.members))
    if header.kind.animated:
        if not (1 <= header.width <= MAX_SIDE and 1 <= header.height <= MAX_SIDE) or len(header.background) != 4:
            raise ValueError(f"canvas is {header.width}x{header.height}, background {header.background!r}")
        out += varint(header.width) + varint(header.height) + varint(header.loops) + header.background
    if header.metadata:
        out += _packed_metadata(header.metadata)
    for i, member in enumerate(header.members):
        if problem := _problem(header.kind, member, i):
            raise ValueError(problem)
        out += _packed_member(member)
    return bytes(out) + struct.pack("<I", crc32(bytes(out)))


def _packed_metadata(metadata: tuple[bytes, ...]) -> bytes:
    parts = [varint(len(chunk)) + chunk for chunk in metadata]
    plain = b"".join(parts)
    if len(parts) > MAX_EXTRAS or len(plain) > MAX_EXTRAS_BYTES:
        found, most = f"{len(parts)} pieces of {len(plain)} bytes", f"{MAX_EXTRAS} of {MAX_EXTRAS_BYTES}"
        raise UnsupportedImageError(f"image has metadata in {found}, a file holds at most {most}: --strip drops it")
    packed = deflate(*parts)
    shorter = len(packed) < len(plain)
    body = packed if shorter else plain
    return varint(len(body) << 1 | shorter) + body


def _packed_member(member: Member) -> bytes:
    placed, timed = bool(member.x or member.y), member.duration is not None
    flags = member.disposal | member.blend * _BLEND | member.thumbnail * _THUMBNAIL | member.aside * _ASIDE
    out = bytes([flags | placed * _OFFSET | timed * _DURATION])
    if member.duration:
        out += varint(member.duration[0]) + varint(member.duration[1])
    if placed:
        out += varint(member.x) + varint(member.y)
    return out + varint(member.size_bytes) + struct.pack("<I", member.crc)


def _problem(kind: Kind, member: Member, position: int) -> str:
    """Why a member does not fit its place; "" if it does."""
    numerator, denominator = member.duration or (0, 1)
    if max(numerator, denominator) > _MAX_NUMBER or not denominator:
        return f"member {position} lasts {numerator}/{denominator} s"
    if max(member.x, member.y) > MAX_SIDE:
        return f"member {position} is at {member.x},{member.y}"
    timed = member.duration is not None or member.x or member.y or member.disposal or member.blend or member.aside
    if timed and not kind.animated:
        return f"member {position} of a TIFF file is a frame of an animation"
    if member.thumbnail and (kind.animated or not position):
        return f"member {position} is a thumbnail of nothing"
    if member.aside and (kind is not Kind.PNG or position):
        return f"member {position} is no frame, which only the first image of an animated PNG can be"
    return ""


def read_header(data: Buffer) -> PagesHeader:
    """Parse and verify a header, and the length of the file.

    Raises:
        BitstreamError: the header is damaged, truncated, foreign or hostile.
    """
    if not is_pages(data):
        raise BitstreamError(f"not a file of pages: starts with {bytes(data[:4]).hex() or 'nothing'}")
    reader = Reader(data, len(SIGNATURE) + 1)
    flags = reader.byte("kind")
    if flags & _RESERVED or flags & 7 not in Kind.__members__.values():
        raise BitstreamError(f"kind and flags {flags:#x} of pages are unknown to this version")
    kind, count = Kind(flags & 7), reader.varint("number of members")
    if not 1 <= count <= MAX_MEMBERS:
        raise BitstreamError(f"header declares {count} members, expected 1 to {MAX_MEMBERS}")
    width = height = loops = 0
    background = b""
    if kind.animated:
        width, height, loops = reader.varint("width"), reader.varint("height"), reader.varint("loops")
        background = reader.take(4, "background")
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE) or loops > _MAX_NUMBER:
            raise BitstreamError(f"header declares {loops} loops of {width}x{height}, sides must be 1 to {MAX_SIDE}")
    packed_length = reader.varint("metadata's length") if flags & _METADATA else 0
    packed = reader.take(packed_length >> 1, "metadata")
    members = tuple(_read_member(reader, kind, i) for i in range(count))
    expected = crc32(reader.data[: reader.at])
    if struct.unpack("<I", reader.take(4, "checksum"))[0] != expected:
        raise BitstreamError("header damaged: its checksum does not match")
    plain = inflate(packed, MAX_EXTRAS_BYTES, "metadata") if packed_length & 1 else packed
    if flags & _METADATA and not plain:
        raise BitstreamError("header declares metadata and has none")
    fields = kind, width, height, loops, background, _parsed_metadata(plain), members
    header = PagesHeader(*fields, reader.at)
    if len(data) != header.file_bytes:
        how = "truncated" if len(data) < header.file_bytes else "too long"
        raise BitstreamError(f"file is {how}: it has {len(data)} bytes, expected {header.file_bytes}")
    return header


def _read_member(reader: Reader, kind: Kind, position: int) -> Member:
    flags = reader.byte("flags of a member")
    duration = (reader.varint("duration"), reader.varint("duration")) if flags & _DURATION else None
    x, y = (reader.varint("offset"), reader.varint("offset")) if flags & _OFFSET else (0, 0)
    if flags & _OFFSET and not (x or y):
        raise BitstreamError(f"member {position} has an offset of 0,0, which is left out")
    size, (crc,) = reader.varint("length of a member"), struct.unpack("<I", reader.take(4, "checksum of a member"))
    blend, thumbnail, aside = (bool(flags & mark) for mark in (_BLEND, _THUMBNAIL, _ASIDE))
    member = Member(duration, x, y, flags & _DISPOSAL, blend, thumbnail, aside, size, crc)
    if problem := _problem(kind, member, position):
        raise BitstreamError(f"header contradicts itself: {problem}")
    return member


def _parsed_metadata(data: bytes) -> tuple[bytes, ...]:
    reader, found = Reader(data), list[bytes]()
    while reader.at < len(data):
        if len(found) == MAX_EXTRAS:
            raise BitstreamError(f"file has more than {MAX_EXTRAS} pieces of metadata")
        found.append(reader.take(reader.varint("length of a piece of metadata"), "metadata"))
    return tuple(found)


def member(data: Buffer, header: PagesHeader, i: int) -> bytes:
    """The file of a member.

    Raises:
        BitstreamError: its checksum does not match.
    """
    starts = header.starts[i : i + 2]
    found = data[starts[0] : starts[1]]
    if crc32(found) != header.members[i].crc:
        raise BitstreamError(f"member {i} damaged: its checksum does not match")
    return found
