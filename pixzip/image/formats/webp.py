"""WebP files, read and written by Pillow."""

import os
from typing import BinaryIO

from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats import webp_frames
from pixzip.image.formats.account import Account
from pixzip.image.formats.exif import with_resolution, with_texts
from pixzip.image.formats.metadata import from_chunks
from pixzip.image.formats.pillow import PillowFormat, save
from pixzip.image.pages import Kind, LoadedPages, Pages
from pixzip.image.picture import Frame, Layout, Picture

_HEAD_BYTES, _FRAME_HEAD_BYTES = 12, 16
#: Flag of an animation in the chunk VP8X.
_ANIMATED = 2
#: Chunks of a still image and of metadata that Pillow reads.
_KNOWN = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP ", b"ANIM", b"ANMF"})
#: Most pixels of a side that libwebp writes.
WEBP_MAX_SIDE = 16383


class Webp(PillowFormat):
    """WebP holds 8-bit RGB, and alpha unless it is fully opaque.  It is written without loss.

    The resolution goes into EXIF.
    """

    depths = {Layout.RGB: (8,), Layout.RGBA: (8,)}  # noqa: RUF012
    sometimes_lossy = True
    pages_kind = Kind.WEBP
    keeps_texts = True
    metadata = frozenset({"icc", "exif", "xmp", "resolution", "aspect"})
    writing_bytes = 40

    def accepts(self, head: bytes) -> bool:
        return head[:4] == b"RIFF" and head[8:12] == b"WEBP"

    def pixels(self, head: bytes) -> int:
        kind, body = head[12:16], head[20:30]
        if kind == b"VP8X" and len(body) == 10:
            return (1 + int.from_bytes(body[4:7], "little")) * (1 + int.from_bytes(body[7:10], "little"))
        if kind == b"VP8L" and len(body) == 10:
            sides = int.from_bytes(body[1:5], "little")
            return (1 + sides % 16384) * (1 + sides // 16384 % 16384)
        if kind == b"VP8 " and len(body) == 10:
            return int.from_bytes(body[6:8], "little") % 16384 * (int.from_bytes(body[8:10], "little") % 16384)
        return -1

    def account(self, file: BinaryIO) -> Account:
        file.seek(4)
        end = _HEAD_BYTES + int.from_bytes(file.read(4), "little") - 4
        found, at = Account.of((0, _HEAD_BYTES)), _HEAD_BYTES
        while at < end:
            file.seek(at)
            head = file.read(8)
            if len(head) < 8:
                break
            size = int.from_bytes(head[4:], "little")
            if head[:4] in _KNOWN:
                found.take(at, 8 + size + size % 2)
            else:
                found.leave(at, 8 + size + size % 2, f"chunk {head[:4].decode('latin-1')!r}")
            at += 8 + size + size % 2
        return found

    def lossy_kind(self, file: BinaryIO) -> str:
        file.seek(_HEAD_BYTES)
        while len(head := file.read(8)) == 8:
            if head[:4] == b"VP8 ":
                return "a lossy WebP"
            size = int.from_bytes(head[4:], "little")
            # a frame of an animation holds chunks behind a head of its own
            file.seek(_FRAME_HEAD_BYTES if head[:4] == b"ANMF" else size + size % 2, os.SEEK_CUR)
        return ""

    def has_pages(self, file: BinaryIO) -> bool:
        head = file.read(_HEAD_BYTES + 9)
        return head[_HEAD_BYTES : _HEAD_BYTES + 4] == b"VP8X" and bool(head[-1] & _ANIMATED)

    def read_pages(self, data: bytes, max_pixels: int | None) -> LoadedPages | None:
        return webp_frames.read(data, max_pixels, self.read)

    def write_pages(self, pages: Pages) -> bytes:
        return webp_frames.write(pages, self.write)

    def too_large(self, frame: Frame) -> str:
        if max(frame.width, frame.height) <= WEBP_MAX_SIDE:
            return ""
        return f"it is {frame.width}x{frame.height} pixels, sides are at most {WEBP_MAX_SIDE}: .png holds it"

    def write(self, picture: Picture) -> bytes:
        """A lossless WebP file, including the colours of transparent pixels."""
        if picture.layout is Layout.RGBA and (picture.samples[..., 3] == 255).all():
            raise UnsupportedImageError(".webp does not hold alpha that is opaque throughout, .png does")
        embedded, _ = from_chunks(picture.metadata, self.metadata)
        exif = with_resolution(with_texts(embedded.exif, picture.metadata), embedded.resolution or embedded.aspect)
        kept = {"icc_profile": embedded.icc, "exif": exif, "xmp": embedded.xmp}
        return save(Image.fromarray(picture.samples), "WEBP", lossless=True, quality=100, exact=True, **kept)


WEBP = Webp("WEBP", {".webp"})
