"""BMP files, read and written by Pillow."""

from PIL import Image

from pixzip.image.formats.pillow import PillowFormat, save
from pixzip.image.picture import MAX_PALETTE_DEPTH, Frame, Layout, Picture

#: Most bytes of rows: sizes have 32 bits, and the heads and the palette come before the rows.
_MAX_ROWS_BYTES = 2**32 - 1 - (14 + 40 + 256 * 4)


class Bmp(PillowFormat):
    """BMP holds black and white, 8-bit grey and RGB, and palettes, which are written with 8 bits."""

    depths = {Layout.GREY: (1, 8), Layout.RGB: (8,), Layout.PALETTE: range(1, MAX_PALETTE_DEPTH + 1)}  # noqa: RUF012

    def too_large(self, frame: Frame) -> str:
        bits = frame.layout.channels * (1 if frame.depth == 1 and frame.layout is Layout.GREY else 8)
        rows_bytes = -(-frame.width * bits // 32) * 4 * frame.height  # rows of whole 32-bit words
        if rows_bytes <= _MAX_ROWS_BYTES:
            return ""
        return f"its rows take {rows_bytes} bytes, at most {_MAX_ROWS_BYTES} fit: .png holds it"

    def write(self, picture: Picture) -> bytes:
        image = Image.fromarray(picture.samples[..., 0] if picture.layout.channels == 1 else picture.samples)
        if picture.depth == 1 and picture.layout is Layout.GREY:
            image = image.point([0] + 255 * [255], "1")
        if picture.layout is Layout.PALETTE:
            image.putpalette(picture.palette)
        return save(image, self.name)


BMP = Bmp("BMP", {".bmp"}, b"BM")
#: A BMP file without its file header; it starts with the size of the next header.
DIB = PillowFormat("DIB", {".dib"}, *(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124)))
