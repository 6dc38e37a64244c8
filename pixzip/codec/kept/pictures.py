"""The pictures in kept files: what today's readers make of a JPEG's bytes."""

from dataclasses import replace

import numpy as np
from pixcodecs.container import signature
from pixcodecs.container.image import MAX_PIXELS, Buffer
from pixcodecs.container.limits import LIFT
from pixcodecs.errors import BitstreamError

from pixzip import image
from pixzip.codec.kept import restore, size
from pixzip.codec.opening import Opening
from pixzip.codec.tiles import Window
from pixzip.image.picture import Picture


def load(file: Buffer, max_pixels: int | None = MAX_PIXELS, region: Window | None = None) -> image.Loaded:
    """The picture that a kept JPEG decodes to, and the names of its content that a picture cannot hold.

    Args:
        region: the part of the picture; None for all.
    Raises:
        BitstreamError: see `restore`; the JPEG has more pixels than the limit.
        UnsupportedImageError: the JPEG is none that is read: CMYK, 12 bits a sample, damaged, a side too large.
        PixzipError: the region is not inside the image.
    """
    data = restore(file, max_pixels)
    width, height = size(data)
    if max_pixels is not None and width * height > max_pixels:
        raise BitstreamError(f"image has more pixels than the limit of {max_pixels}: {LIFT}")
    picture, dropped = image.load(data, max_pixels)
    return image.Loaded(picture if region is None else crop(picture, region), dropped)


def of_kept(
    file: Buffer | Opening, max_pixels: int | None = MAX_PIXELS, region: Window | None = None
) -> Picture | None:  # fmt: skip
    """`load` without the names; None for a file that keeps no other file."""
    if isinstance(file, Opening) or not signature.is_kept(file):
        return None
    return load(file, max_pixels, region).picture


def crop(picture: Picture, region: Window) -> Picture:
    """A part of a picture.

    Raises:
        PixzipError: the region is not inside the image.
    """
    region.check_inside(picture.width, picture.height)
    return replace(picture, samples=np.ascontiguousarray(picture.samples[region.slices]))
