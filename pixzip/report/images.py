"""Load images as the samples that all codecs get."""

import dataclasses

import numpy as np

from pixzip import codec, image
from pixzip.image.colours import colours
from pixzip.image.picture import Layout, Picture


def load(data: bytes, max_pixels: int | None) -> Picture:
    """The picture in an image file as a viewer shows it, without metadata: grey or RGB, with or without alpha.

    Fewer than 8 bits per sample are scaled to 8; depths of 9 to 16 bits are kept.

    Raises:
        UnsupportedImageError: see `image.load`.
    """
    found = image.load(data, max_pixels).picture
    shown = colours(found)
    depth = 8 if found.layout is Layout.PALETTE else found.depth
    if depth < 8:
        shown = (shown.astype(np.uint16) * 255 // (2**depth - 1)).astype(np.uint8)
    return dataclasses.replace(codec.as_picture(shown), depth=max(8, depth))
