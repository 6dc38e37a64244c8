"""Decoders of the kinds of block that neither models nor `pixcodecs.container.blocks` decode."""

from pixcodecs.container.blocks import ForeignDecoder, Kind

from pixzip.codec import webp_png
from pixzip.image.picture import Samples


def _from_jpeg(body: bytes, shape: tuple[int, int, int], depth: int) -> Samples:
    """See `pixcodecs.jpeg.block.decode`, whose kernels are loaded when they are needed."""
    from pixcodecs.jpeg.block import decode

    return decode(body, shape, depth)


DECODERS: dict[Kind, ForeignDecoder] = {
    Kind.WEBP: webp_png.from_webp,
    Kind.WEBP_BODY: webp_png.from_webp_body,
    Kind.PNG: webp_png.from_png,
    Kind.JPEG: _from_jpeg,
}
