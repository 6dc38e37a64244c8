"""WebP files, read and written by Pillow."""

import os
from typing import BinaryIO

from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.metadata import from_chunks
from pixzip.image.formats.pillow import PillowFormat, save
from pixzip.image.picture import Frame, Layout, Picture

#: Most pixels of a side that libwebp writes.
WEBP_MAX_SIDE = 16383


class Webp(PillowFormat):
    """WebP holds 8-bit RGB, and alpha unless it is fully opaque.  It is written without loss."""

    depths = {Layout.RGB: (8,), Layout.RGBA: (8,)}  # noqa: RUF012
    metadata = frozenset({"icc", "exif", "xmp"})
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

    def lossy_kind(self, file: BinaryIO) -> str:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head[:4] == b"VP8 ":
                return "a lossy WebP"
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, os.SEEK_CUR)
        return ""

    def too_large(self, frame: Frame) -> str:
        if max(frame.width, frame.height) <= WEBP_MAX_SIDE:
            return ""
        return f"it is {frame.width}x{frame.height} pixels, sides are at most {WEBP_MAX_SIDE}: .png holds it"

    def write(self, picture: Picture) -> bytes:
        """A lossless WebP file, including the colours of transparent pixels."""
        if picture.layout is Layout.RGBA and (picture.samples[..., 3] == 255).all():
            raise UnsupportedImageError(".webp does not hold alpha that is opaque throughout, .png does")
        embedded, _ = from_chunks(picture.metadata, self.metadata)
        kept = {"icc_profile": embedded.icc, "exif": embedded.exif, "xmp": embedded.xmp}
        return save(Image.fromarray(picture.samples), "WEBP", lossless=True, quality=100, exact=True, **kept)


WEBP = Webp("WEBP", {".webp"})
