"""The `.pxz` container: `docs/format.md` specifies it byte by byte.

A file is a header, which ends with the table of its tiles, and a block for each tile.  Version 2 is written;
version 1, with one tile and one model, is still read.  A file is any `Buffer`, of which only the needed parts
are read.  Memory is never allocated from a declared size alone.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

from pixcodecs.container import image_v1
from pixcodecs.container.limits import LIFT, MAX_PIXELS, MAX_SIDE, MODEL_ID_BYTES, OTHER_VERSIONS, check_shape
from pixcodecs.container.signature import SIGNATURE, VERSION, Buffer
from pixcodecs.errors import BitstreamError, UnsupportedImageError
from pixcodecs.forking import cached_property
from pixcodecs.primitives import Reader, crc32, deflate, inflate, varint

__all__ = ["MAX_PIXELS", "MAX_SIDE", "MODEL_ID_BYTES", "SIGNATURE", "VERSION", "Buffer", "check_shape", "crc32"]

MAX_DEPTH = 16
#: Shortest side of a tile, except in smaller images; it bounds the table's length.
MIN_TILE = 16
MAX_MODELS = 3
#: Most bytes that a reader inflates of the extras.
MAX_EXTRAS_BYTES = 64 << 20
#: Most extras that a reader takes: each costs far more memory than its two bytes in a file.
MAX_EXTRAS = 1 << 16
#: Unknown extras of these ids change no picture: readers skip them.  Others are refused.
_SKIPPED = range(6, 128)
_DEPTH_FOLLOWS, _TILED, _EXTRAS = 0x80, 0x40, 0x20
_MODEL_BY_ID = 1


class Layout(IntEnum):
    """Wire ids of the layouts of channels."""

    GREY = 0
    RGB = 1
    GREY_ALPHA = 2
    RGBA = 3
    PALETTE = 4

    @property
    def channels(self) -> int:
        return (1, 3, 2, 4, 1)[self]


class Extra(IntEnum):
    """Wire ids of the extras, the content of a file other than samples."""

    PALETTE = 1
    TRANSPARENCY = 2
    CHUNK = 3
    ORIGINAL = 4
    MODEL = 5


class Tile(NamedTuple):
    """One entry of the table."""

    size_bytes: int
    block_crc: int
    samples_crc: int


@dataclass(frozen=True)
class Header:
    """The content of a header.

    Attributes:
        models: ids of models, to which the blocks refer by position.
        extras: (id, body) in order; palette and transparency as in `Picture`, a chunk as its type and body.
        tile_width, tile_height: sides of the tiles; those at the right and lower edges may be smaller.
        tiles: entries of the table, in raster order.
        size_bytes: size of the header, at which the first block starts.
    """

    width: int
    height: int
    layout: Layout
    depth: int
    models: tuple[bytes, ...]
    extras: tuple[tuple[int, bytes], ...]
    tile_width: int
    tile_height: int
    tiles: tuple[Tile, ...] = ()
    version: int = VERSION
    size_bytes: int = 0

    @property
    def subpixels(self) -> int:
        return self.width * self.height * self.layout.channels

    @property
    def file_bytes(self) -> int:
        """The length of the whole file."""
        return self.starts[-1]

    @cached_property
    def starts(self) -> list[int]:
        """The start of each block, and the end of the last one."""
        return list(accumulate((t.size_bytes for t in self.tiles), initial=self.size_bytes))

    @property
    def tile_columns(self) -> int:
        """The number of tiles beside each other."""
        return -(-self.width // self.tile_width)

    @property
    def windows(self) -> list[tuple[int, int, int, int]]:
        """(x, y, width, height) of each tile, in raster order."""
        return list(windows(self.width, self.height, self.tile_width, self.tile_height))


def windows(width: int, height: int, tile_width: int, tile_height: int) -> Iterator[tuple[int, int, int, int]]:
    """(x, y, width, height) of each tile, in raster order."""
    for y in range(0, height, tile_height):
        for x in range(0, width, tile_width):
            yield x, y, min(tile_width, width - x), min(tile_height, height - y)


def pack_header(header: Header) -> bytes:
    """The bytes of a version 2 header, including table and checksum.

    Raises:
        ValueError: a field does not fit the format.
    """
    _check_fields(header)
    tiled = len(header.tiles) > 1
    flags = header.layout | len(header.models) << 3
    flags |= (_DEPTH_FOLLOWS if header.depth != 8 else 0) | (_TILED if tiled else 0) | (_EXTRAS if header.extras else 0)
    out = bytearray(SIGNATURE + bytes([VERSION, flags]))
    out += varint(header.width) + varint(header.height)
    if header.depth != 8:
        out.append(header.depth)
    if tiled:
        out += varint(header.tile_width) + varint(header.tile_height)
    for model in header.models:
        out += bytes([_MODEL_BY_ID]) + model
    if header.extras:
        parts = [_pack_extra(kind, data) for kind, data in header.extras]
        plain, packed = b"".join(parts), deflate(*parts)
        shorter = len(packed) < len(plain)
        body = packed if shorter else plain
        out += varint(len(body) << 1 | shorter) + body
    for tile in header.tiles:
        out += (varint(tile.size_bytes) if tiled else b"") + struct.pack("<II", tile.block_crc, tile.samples_crc)
    return bytes(out) + struct.pack("<I", crc32(bytes(out)))


def check_extras(extras: Iterable[tuple[int, bytes]]) -> None:
    """Refuse extras that readers would refuse.

    Raises:
        UnsupportedImageError: there are too many, or they are too large.
    """
    sizes = [len(_pack_extra(kind, body)) for kind, body in extras]
    if len(sizes) > MAX_EXTRAS or sum(sizes) > MAX_EXTRAS_BYTES:
        found, most = f"{len(sizes)} pieces of {sum(sizes)} bytes", f"{MAX_EXTRAS} of {MAX_EXTRAS_BYTES}"
        raise UnsupportedImageError(f"image has metadata in {found}, a file holds at most {most}: --strip drops it")


def _pack_extra(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + varint(len(body)) + body


def _check_fields(header: Header) -> None:
    if not (1 <= header.width <= MAX_SIDE and 1 <= header.height <= MAX_SIDE):
        raise ValueError(f"image is {header.width}x{header.height}, sides must be 1 to {MAX_SIDE}")
    if not 1 <= header.depth <= MAX_DEPTH:
        raise ValueError(f"depth is {header.depth}, expected 1 to {MAX_DEPTH}")
    if len(header.models) > MAX_MODELS or any(len(m) != MODEL_ID_BYTES for m in header.models):
        raise ValueError(f"models are {header.models}, expected at most {MAX_MODELS} ids of {MODEL_ID_BYTES} bytes")
    count = header.tile_columns * -(-header.height // header.tile_height)
    if len(header.tiles) != count:
        raise ValueError(f"table has {len(header.tiles)} tiles, expected {count}")
    if count > 1 and min(header.tile_width, header.tile_height) < MIN_TILE:
        raise ValueError(f"tiles are {header.tile_width}x{header.tile_height}, sides must be {MIN_TILE} or more")


def read_header(data: Buffer, max_pixels: int | None = MAX_PIXELS) -> Header:
    """Parse and verify a header of any version.

    Args:
        data: a file, or its beginning.
        max_pixels: refuse larger images before reading their table; None lifts the limit.
    Raises:
        BitstreamError: the header is damaged, truncated, foreign or hostile.
    """
    start = data[: len(SIGNATURE) + 1]
    if start[: len(SIGNATURE)] != SIGNATURE[: len(start)] or not start:
        raise BitstreamError(
            f"not a pixzip file: starts with {start[:4].hex() or 'nothing'}, expected {SIGNATURE.hex()}"
        )
    if len(start) <= len(SIGNATURE):
        raise BitstreamError(f"file ends inside its header, after {len(start)} bytes")
    version = start[len(SIGNATURE)]
    reader = Reader(data, len(start))
    if version == image_v1.VERSION:
        return _read_v1(reader, max_pixels)
    if version != VERSION:
        what = OTHER_VERSIONS.get(version, f"this program reads versions 1 to {max(OTHER_VERSIONS)}")
        raise BitstreamError(f"file has format version {version}, {what}")
    return _read_v2(reader, max_pixels)


def _read_v1(reader: Reader, max_pixels: int | None) -> Header:
    old = image_v1.read_header(reader)
    _check_pixels(*(sides := (old.width, old.height)), max_pixels)
    layout = {image_v1.PixelFormat.GREY8: Layout.GREY, image_v1.PixelFormat.RGB8: Layout.RGB}[old.pixel_format]
    tile = Tile(old.payload_bytes, old.payload_crc, old.pixels_crc)
    return Header(*sides, layout, 8, (old.model_id,), (), *sides, (tile,), image_v1.VERSION, reader.at)


def _read_v2(reader: Reader, max_pixels: int | None) -> Header:
    flags = reader.byte("layout")
    width, height = reader.varint("width"), reader.varint("height")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise BitstreamError(f"header declares {width}x{height} pixels, sides must be 1 to {MAX_SIDE}")
    _check_pixels(width, height, max_pixels)
    if flags & 7 not in Layout.__members__.values():
        raise BitstreamError(f"layout {flags & 7} is unknown to this version")
    layout = Layout(flags & 7)
    depth = reader.byte("depth") if flags & _DEPTH_FOLLOWS else 8
    deepest = 8 if layout is Layout.PALETTE else MAX_DEPTH
    if not 1 <= depth <= deepest or (flags & _DEPTH_FOLLOWS and depth == 8):
        raise BitstreamError(f"header declares {depth} bits a sample for {layout.name}")
    tile_width, tile_height = width, height
    if flags & _TILED:
        tile_width, tile_height = reader.varint("tile width"), reader.varint("tile height")
        if min(tile_width, tile_height) < MIN_TILE or (tile_width >= width and tile_height >= height):
            raise BitstreamError(f"header declares tiles of {tile_width}x{tile_height} for {width}x{height} pixels")
    models = tuple(_read_model(reader) for _ in range(flags >> 3 & 3))
    extras_length = reader.varint("extras' length") if flags & _EXTRAS else 0
    packed = reader.take(extras_length >> 1, "extras")
    tiles: list[Tile] = []
    for _ in range(-(-width // tile_width) * -(-height // tile_height)):
        size = reader.varint("length of a tile") if flags & _TILED else 0
        tiles.append(Tile(size, *struct.unpack("<II", reader.take(8, "table of tiles"))))
    expected = crc32(reader.data[: reader.at])
    if struct.unpack("<I", reader.take(4, "checksum"))[0] != expected:
        raise BitstreamError("header damaged: its checksum does not match")
    if not flags & _TILED:
        tiles = [tiles[0]._replace(size_bytes=len(reader.data) - reader.at)]
    extras = _parse_extras(inflate(packed, MAX_EXTRAS_BYTES, "extras") if extras_length & 1 else packed)
    sides = width, height, layout, depth, models, extras, tile_width, tile_height
    return Header(*sides, tuple(tiles), VERSION, reader.at)


def _check_pixels(width: int, height: int, max_pixels: int | None) -> None:
    if max_pixels is not None and width * height > max_pixels:
        raise BitstreamError(f"image has {width * height} pixels, more than the limit of {max_pixels}: {LIFT}")


def _read_model(reader: Reader) -> bytes:
    reference = reader.byte("model reference")
    if reference != _MODEL_BY_ID:
        raise BitstreamError(f"model reference {reference} is unknown to this version")
    return reader.take(MODEL_ID_BYTES, "model id")


def _parse_extras(data: bytes) -> tuple[tuple[Extra, bytes], ...]:
    reader = Reader(data)
    extras: list[tuple[Extra, bytes]] = []
    found = 0
    while reader.at < len(reader.data):
        kind = reader.byte("extras")
        known = kind in Extra.__members__.values()
        if not known and kind not in _SKIPPED:
            raise BitstreamError(f"extra {kind} is unknown to this version")
        if (found := found + 1) > MAX_EXTRAS:
            raise BitstreamError(f"file has more than {MAX_EXTRAS} extras")
        body = reader.take(reader.varint("length of an extra"), "extras")
        if known:
            extras.append((Extra(kind), body))
    return tuple(extras)


def check_length(data: Buffer, header: Header) -> None:
    """
    Raises:
        BitstreamError: the length of the file differs from that in its header.
    """
    if len(data) != header.file_bytes:
        kind = "truncated" if len(data) < header.file_bytes else "too long"
        raise BitstreamError(f"file is {kind}: it has {len(data)} bytes, expected {header.file_bytes}")


def block(data: Buffer, header: Header, tile: int) -> bytes:
    """The block of a tile.

    Raises:
        BitstreamError: the block is truncated, or its checksum does not match.
    """
    found = data[header.starts[tile] : header.starts[tile + 1]]
    where = f" of tile {tile}" if len(header.tiles) > 1 else ""
    if len(found) != header.tiles[tile].size_bytes:
        expected = header.tiles[tile].size_bytes
        raise BitstreamError(f"file is truncated: block{where} has {len(found)} bytes, expected {expected}")
    if crc32(found) != header.tiles[tile].block_crc:
        raise BitstreamError(f"block{where} damaged: its checksum does not match")
    return found
