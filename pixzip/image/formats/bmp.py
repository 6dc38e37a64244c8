"""BMP files, read and written by Pillow."""

from PIL import Image

from pixzip.image.formats.pillow import PillowFormat, save
from pixzip.image.picture import MAX_PALETTE_DEPTH, Layout, Picture


class Bmp(PillowFormat):
    """BMP holds black and white, 8-bit grey and RGB, and palettes, which are written with 8 bits."""

    depths = {Layout.GREY: (1, 8), Layout.RGB: (8,), Layout.PALETTE: range(1, MAX_PALETTE_DEPTH + 1)}  # noqa: RUF012

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
