"""Further read-only formats that Pillow reads without loss."""

import struct
from typing import BinaryIO

from pixzip.image.formats.account import Account
from pixzip.image.formats.metadata import METRES_PER_INCH, Embedded, resolution
from pixzip.image.formats.pillow import PillowFormat

_TGA_HEAD, _TGA_FOOT = struct.Struct("<BBBHHBHHHHBB"), b"TRUEVISION-XFILE.\0"
_TGA_FOOT_BYTES = 8 + len(_TGA_FOOT)
_TGA_RUNS = 8
_QOI_HEAD_BYTES, _QOI_END = 14, b"\0\0\0\0\0\0\0\1"
_PCX_HEAD_BYTES, _PCX_COLOURS_BYTES, _PCX_PALETTE = 128, 769, 12
_SGI_HEAD_BYTES, _SGI_NAME = 512, slice(24, 104)


class Tga(PillowFormat):
    """TGA; a text in the place of its identification is kept as a comment."""

    def account(self, file: BinaryIO) -> Account:
        data = file.read()
        identity, _, kind, _, colours, bits, _, _, width, height, depth, _ = _TGA_HEAD.unpack_from(data)
        start = _TGA_HEAD.size + identity + colours * (-(-bits // 8))
        found, pixel_bytes = Account.of((0, start)), -(-depth // 8)
        if kind & _TGA_RUNS:
            found.take(start, _tga_runs(data, start, width * height, pixel_bytes) - start)
        else:  # rows of bits are packed
            found.take(start, height * -(-width * depth // 8))
        if data.endswith(_TGA_FOOT):
            foot = len(data) - _TGA_FOOT_BYTES
            found.take(foot, _TGA_FOOT_BYTES)
            extension, developer = struct.unpack_from("<II", data, foot)
            if extension:
                found.leave(extension, foot - extension, "extension area")
            if developer:
                found.leave(developer, foot - developer, "developer area")
        return found

    def details(self, data: bytes) -> tuple[Embedded, list[str]]:
        return Embedded(comment=data[_TGA_HEAD.size : _TGA_HEAD.size + data[0]].rstrip(b"\0")), []


def _tga_runs(data: bytes, at: int, pixels: int, pixel_bytes: int) -> int:
    """The end of packed pixels that start at an offset."""
    while pixels > 0 and at < len(data):
        head = data[at]
        count = (head & 127) + 1
        at += 1 + (pixel_bytes if head & 128 else count * pixel_bytes)
        pixels -= count
    return at


class Pcx(PillowFormat):
    """PCX, whose resolution is in dots per inch."""

    def account(self, file: BinaryIO) -> Account:
        data = file.read()
        _, top, _, bottom = struct.unpack_from("<4H", data, 4)
        planes, line = struct.unpack_from("<BH", data, 65)
        at, pending = _PCX_HEAD_BYTES, (bottom - top + 1) * planes * line
        while pending > 0 and at < len(data):
            run = data[at] >= 0xC0
            pending -= data[at] & 63 if run else 1
            at += 1 + run
        found = Account.of((0, min(at, len(data))))
        palette = len(data) - _PCX_COLOURS_BYTES
        if palette >= at and data[palette] == _PCX_PALETTE:
            found.take(palette, _PCX_COLOURS_BYTES)
        return found

    def details(self, data: bytes) -> tuple[Embedded, list[str]]:
        x, y = struct.unpack_from("<2H", data, 12)
        return Embedded(resolution=resolution(x / METRES_PER_INCH, y / METRES_PER_INCH)), []


class Sgi(PillowFormat):
    """SGI; its image name is kept as a comment."""

    def account(self, file: BinaryIO) -> Account:
        data = file.read()
        packed, sample_bytes, _, width, height, channels = struct.unpack_from(">BBHHHH", data, 2)
        rows = height * channels
        found = Account.of((0, _SGI_HEAD_BYTES))
        if not packed:
            found.take(_SGI_HEAD_BYTES, rows * width * sample_bytes)
            return found
        found.take(_SGI_HEAD_BYTES, 8 * rows)
        table = struct.unpack_from(f">{2 * rows}I", data, _SGI_HEAD_BYTES)
        for start, size in zip(table[:rows], table[rows:], strict=True):
            found.take(start, size)
        return found

    def details(self, data: bytes) -> tuple[Embedded, list[str]]:
        return Embedded(comment=data[_SGI_NAME].partition(b"\0")[0]), []


class Qoi(PillowFormat):
    """QOI, which ends with bytes that no pixels have."""

    def account(self, file: BinaryIO) -> Account:
        data = file.read()
        end = data.find(_QOI_END, _QOI_HEAD_BYTES)
        return Account.of((0, len(data) if end < 0 else end + len(_QOI_END)))


#: TGA has no signature, so any file may be one until Pillow parses its header.
TGA = Tga("TGA", {".tga"}, b"")
PCX = Pcx("PCX", {".pcx"}, *(b"\x0a" + bytes([version]) for version in (0, 2, 3, 5)))
SGI = Sgi("SGI", {".sgi"}, b"\x01\xda")
QOI = Qoi("QOI", {".qoi"}, b"qoif")
