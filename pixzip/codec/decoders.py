"""Decoders of the kinds of block that neither models nor `pixcodecs.container.blocks` decode."""

from pixcodecs.container.blocks import ForeignDecoder, Kind
from pixcodecs.jpeg import block as jpeg

from pixzip.codec import webp_png

DECODERS: dict[Kind, ForeignDecoder] = {
    Kind.WEBP: webp_png.from_webp,
    Kind.WEBP_BODY: webp_png.from_webp_body,
    Kind.PNG: webp_png.from_png,
    Kind.JPEG: jpeg.decode,
}
