"""JPEG files, whose decoded pixels are read by Pillow."""

from typing import BinaryIO

from pixzip.image.formats.pillow import PillowFormat


class Jpeg(PillowFormat):
    """JPEG is only read, and only files that are named: losslessly coded pixels are larger than the file."""

    in_folders = False

    def lossy_kind(self, file: BinaryIO) -> str:
        return "a JPEG"


JPEG = Jpeg("JPEG", {".jpg", ".jpeg", ".jpe", ".jfif"}, b"\xff\xd8\xff")
