"""BMP files, read and written by Pillow; what surrounds their rows is read here.

[1] Bitmap Storage, Microsoft: BITMAPINFOHEADER, BITMAPV4HEADER, BITMAPV5HEADER
"""

import struct
from collections.abc import Iterable, Set
from dataclasses import replace
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from PIL import Image

from pixzip.image.formats import bmp_16
from pixzip.image.formats.account import Account
from pixzip.image.formats.base import Loaded
from pixzip.image.formats.metadata import Embedded, from_chunks, resolution, to_chunks
from pixzip.image.formats.pillow import PillowFormat, save
from pixzip.image.picture import MAX_PALETTE_DEPTH, Chunk, Frame, Layout, Picture

#: Most bytes of rows: sizes have 32 bits, and the heads and the palette come before the rows.
_MAX_ROWS_BYTES = 2**32 - 1 - (14 + 40 + 256 * 4)
_FILE_HEAD_BYTES, _OLD_HEAD_BYTES, _V4_HEAD_BYTES, _V5_HEAD_BYTES = 14, 12, 108, 124
_RGB, _BITFIELDS, _ALPHA_BITFIELDS = 0, 3, 6
_EMBEDDED, _LINKED, _CALIBRATED = b"DEBM", b"KNIL", bytes(4)
#: Place of the resolution in a file that Pillow writes.
_WRITTEN_RESOLUTION = _FILE_HEAD_BYTES + 24


class _Head(NamedTuple):
    """The fields of a header that starts at offset `at`.

    Attributes:
        colours: number of entries of the palette.
        rows_at: offset of the rows.
        row_bytes: the rows; None where they are packed by runs.
        profile: start and size of a profile within the file.
        space: the header's kind of colours, if it names one.
    """

    at: int
    size: int
    bits: int
    masks: int
    colours: int
    rows_at: int
    row_bytes: int
    per_metre: tuple[int, int]
    profile: tuple[int, int]
    space: bytes

    @classmethod
    def of(cls, data: bytes, at: int) -> Self:
        """
        Args:
            at: offset of the header: behind the file's head, or 0.
        Raises:
            struct.error: it is cut off.
        """
        (size,) = struct.unpack_from("<I", data, at)
        old = size == _OLD_HEAD_BYTES
        if old:
            width, height, _, bits = struct.unpack_from("<HHHH", data, at + 4)
            packing, packed_bytes, x, y, used = 0, 0, 0, 0, 0
        else:
            width, height, _, bits, packing, packed_bytes, x, y, used = struct.unpack_from("<iiHHIIiiI", data, at + 4)
        masks = {_BITFIELDS: 12, _ALPHA_BITFIELDS: 16}.get(packing, 0) if size == 40 else 0
        colours = used or (1 << bits if bits <= 8 else 0)
        behind = at + size + masks + colours * (3 if old else 4)
        rows_at = struct.unpack_from("<I", data, 10)[0] if at else behind
        row_bytes = -(-width * bits // 32) * 4 * abs(height)
        if packing not in (_RGB, _BITFIELDS, _ALPHA_BITFIELDS):
            row_bytes = packed_bytes or len(data) - rows_at
        space, profile = b"", (0, 0)
        if size >= _V4_HEAD_BYTES:
            space = data[at + 56 : at + 60]
        if size >= _V5_HEAD_BYTES:
            start, profile_bytes = struct.unpack_from("<II", data, at + 112)
            profile = at + start, profile_bytes
        return cls(at, size, bits, masks, colours, rows_at, row_bytes, (x, y), profile, space)


class _Bitmap(PillowFormat):
    """BMP and DIB."""

    def __init__(self, name: str, suffixes: Set[str], at: int, *starts: bytes) -> None:
        super().__init__(name, suffixes, *starts)
        self._at = at

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        rows = bmp_16.Rows.of(data, self._at) if data[self._at] != _OLD_HEAD_BYTES else None
        if rows is None:
            return super().read(data, max_pixels)
        picture, dropped = bmp_16.read(data, _Head.of(data, self._at).rows_at, rows, max_pixels)
        details, lost = self.details(data)
        chunks, more = to_chunks(details)
        return Loaded(replace(picture, metadata=(*picture.metadata, *chunks)), sorted({*dropped, *lost, *more}))

    def account(self, file: BinaryIO) -> Account:
        data = file.read()
        head = _Head.of(data, self._at)
        each = 3 if head.size == _OLD_HEAD_BYTES else 4
        found = Account.of((0, head.at + head.size + head.masks), (head.rows_at, head.row_bytes))
        found.take(head.at + head.size + head.masks, min(head.colours, 256) * each if head.bits <= 8 else 0)
        if head.at and any(data[6:10]):
            found.leave(6, 4, "reserved bytes")
        if head.bits > 8 and head.colours:
            found.leave(head.at + head.size + head.masks, head.colours * each, "suggested palette")
        if head.space in (_EMBEDDED, _LINKED):
            found.take(*head.profile)
        return found

    def details(self, data: bytes) -> tuple[Embedded, list[str]]:
        head, dropped, icc = _Head.of(data, self._at), [], b""
        if head.space == _EMBEDDED:
            icc = data[head.profile[0] : sum(head.profile)]
        elif head.space == _LINKED:
            dropped.append("linked profile")
        elif head.space == _CALIBRATED and any(data[head.at + 60 : head.at + _V4_HEAD_BYTES]):
            dropped.append("calibrated colours")
        return Embedded(icc=icc, resolution=resolution(*head.per_metre)), dropped

    def unseen(self, data: bytes, image: Image.Image) -> list[str]:
        head = _Head.of(data, self._at)
        if head.bits != 32 or image.mode != "RGB":
            return []
        raw = np.frombuffer(data, np.uint8)[head.rows_at :][: head.row_bytes]
        return ["fourth channel"] if raw[: len(raw) // 4 * 4].reshape(-1, 4)[:, 3].any() else []


class Bmp(_Bitmap):
    """BMP holds black and white, 8-bit grey and RGB, and palettes, which are written with 8 bits.

    RGB whose sBIT says 5, 5, 5 or 5, 6, 5 is written with 16 bits a pixel.
    """

    depths = {Layout.GREY: (1, 8), Layout.RGB: (8,), Layout.PALETTE: range(1, MAX_PALETTE_DEPTH + 1)}  # noqa: RUF012
    metadata = frozenset({"resolution"})

    def too_large(self, frame: Frame) -> str:
        bits = frame.layout.channels * (1 if frame.depth == 1 and frame.layout is Layout.GREY else 8)
        rows_bytes = -(-frame.width * bits // 32) * 4 * frame.height  # rows of whole 32-bit words
        if rows_bytes <= _MAX_ROWS_BYTES:
            return ""
        return f"its rows take {rows_bytes} bytes, at most {_MAX_ROWS_BYTES} fit: .png holds it"

    def write(self, picture: Picture) -> bytes:
        if packed := bmp_16.write(picture):
            return self._with_density(packed, picture)
        image = Image.fromarray(picture.samples[..., 0] if picture.layout.channels == 1 else picture.samples)
        if picture.depth == 1 and picture.layout is Layout.GREY:
            image = image.point([0] + 255 * [255], "1")
        if picture.layout is Layout.PALETTE:
            image.putpalette(picture.palette)
        return self._with_density(save(image, self.name), picture)

    def lost(self, chunks: Iterable[Chunk]) -> list[str]:
        return super().lost(c for c in chunks if c.type != b"sBIT" or tuple(c.data) not in bmp_16.WRITTEN)

    def _with_density(self, file: bytes, picture: Picture) -> bytes:
        """The file with the resolution of a picture; none, if that has none."""
        out = bytearray(file)
        density = from_chunks(picture.metadata, self.metadata)[0].resolution
        x, y = struct.unpack(">II", density[:8]) if density else (0, 0)
        struct.pack_into("<ii", out, _WRITTEN_RESOLUTION, x, y)
        return bytes(out)


BMP = Bmp("BMP", {".bmp"}, _FILE_HEAD_BYTES, b"BM")
#: A BMP file without its file header; it starts with the size of the next header.
DIB = _Bitmap("DIB", {".dib"}, 0, *(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124)))
