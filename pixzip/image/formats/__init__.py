"""Image formats, one file per family.  A new format is a `Format` in its own file, and a line in `FORMATS`."""

from pixzip.image.formats.base import Format
from pixzip.image.formats.bmp import BMP, DIB
from pixzip.image.formats.gif import GIF
from pixzip.image.formats.jpeg import JPEG
from pixzip.image.formats.old import PCX, QOI, SGI, TGA
from pixzip.image.formats.png import PNG
from pixzip.image.formats.pnm import PAM, PBM, PGM, PPM
from pixzip.image.formats.tiff import TIFF
from pixzip.image.formats.webp import WEBP

#: All formats.  A file has the first format that accepts its first bytes and recognises it; messages keep this order.
FORMATS: tuple[Format, ...] = (
    PNG, TIFF, PBM, PGM, PPM, PAM, BMP, DIB, WEBP, JPEG, GIF, TGA, PCX, SGI, QOI,
)  # fmt: skip
