"""Pictures and a codec that the tests of `pixzip bench` share."""

import io

import numpy as np

from pixzip.image.picture import Layout, Picture, Samples
from pixzip.report.codecs import MeasuredCodec
from tests.helpers.support import scene

LAYOUTS = [Layout.GREY, Layout.GREY_ALPHA, Layout.RGB, Layout.RGBA]
RGB = Picture(scene(3, 32, 40, 1).copy(), Layout.RGB, 8)


def of_layout(layout: Layout, depth: int) -> Picture:
    """A smooth picture whose alpha, if any, hides colours that must still be restored."""
    samples = scene(layout.channels, 32, 40, 7).astype(np.uint16) << depth - 8
    if layout in (Layout.GREY_ALPHA, Layout.RGBA):
        samples[:9, :, -1] = 0
    return Picture(np.ascontiguousarray(samples, np.uint8 if depth == 8 else np.uint16), layout, depth)


def lossy(codec_id: str = "lossy") -> MeasuredCodec:
    """A codec that changes one sample of the last row."""

    def decode(data: bytes) -> Samples:
        samples: Samples = np.load(io.BytesIO(data))
        samples[-1, 0, 0] ^= 1
        return samples

    def encode(given: Picture) -> bytes:
        out = io.BytesIO()
        np.save(out, given.samples)
        return out.getvalue()

    return MeasuredCodec(codec_id, "Lossy", "", encode, decode)
