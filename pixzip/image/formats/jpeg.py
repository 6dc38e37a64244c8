"""JPEG files, whose decoded pixels are read by Pillow."""

from typing import BinaryIO

from pixzip.image.formats.pillow import PillowFormat


class Jpeg(PillowFormat):
    """JPEG is only read, and only for its pixels: `pixzip.codec.kept` keeps the files."""

    def lossy_kind(self, file: BinaryIO) -> str:
        return "a JPEG"


JPEG = Jpeg("JPEG", {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"}, b"\xff\xd8\xff")
