"""Pixel formats <-> 8-bit planes in a model's coding order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import PixelFormat

Pixels = NDArray[np.uint8]
Planes = NDArray[np.uint8]


def pixel_format(pixels: Pixels) -> PixelFormat:
    """The wire format of an array.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
    Raises:
        ValueError: any other shape or dtype.
    """
    if pixels.dtype != np.uint8:
        raise ValueError(f"pixels are {pixels.dtype}, expected uint8")
    if pixels.ndim == 2:
        return PixelFormat.GREY8
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        return PixelFormat.RGB8
    raise ValueError(f"pixels have shape {pixels.shape}, expected (H, W) or (H, W, 3)")


def to_planes(pixels: Pixels, order: Sequence[int]) -> Planes:
    """(H, W) or (H, W, 3) uint8 -> (C, H, W) uint8, contiguous, channels in coding order.

    Args:
        order: the image's channels in coding order, such as (1, 0, 2) for G, R, B.
    Raises:
        ValueError: the array is no pixel format, or `order` is not a permutation of its channels.
    """
    channels = pixel_format(pixels).channels
    if sorted(order) != list(range(channels)):
        raise ValueError(f"order is {tuple(order)}, expected a permutation of {channels} channels")
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # CHW
    return np.ascontiguousarray(planes[list(order)])


def from_planes(planes: Planes, order: Sequence[int]) -> Pixels:
    """The inverse of `to_planes`: one plane gives (H, W), three give (H, W, 3), contiguous.

    Raises:
        ValueError: `order` is not a permutation of the planes.
    """
    if sorted(order) != list(range(len(planes))):
        raise ValueError(f"order is {tuple(order)}, expected a permutation of {len(planes)} channels")
    if len(planes) == 1:
        return np.ascontiguousarray(planes[0])
    return np.ascontiguousarray(planes[np.argsort(order)].transpose(1, 2, 0))  # HWC
