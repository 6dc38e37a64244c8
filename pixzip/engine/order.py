"""Samples <-> planes in a model's coding order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.unsignedinteger[Any]]


def to_planes(samples: NDArray[np.unsignedinteger[Any]], order: Sequence[int]) -> Planes:
    """(H, W, C) uint8 or uint16 -> (C, H, W) of the same kind, contiguous, channels in coding order.

    Args:
        order: the image's channels in coding order, such as (1, 0, 2) for G, R, B.
    Raises:
        ValueError: the samples are of another kind, or `order` is not a permutation of their channels.
    """
    if samples.dtype not in (np.uint8, np.uint16) or samples.ndim != 3:
        raise ValueError(f"samples are {samples.dtype} {samples.shape}, expected uint8 or uint16 (H, W, C)")
    if sorted(order) != list(range(samples.shape[2])):
        raise ValueError(f"order is {tuple(order)}, expected a permutation of {samples.shape[2]} channels")
    return np.ascontiguousarray(samples.transpose(2, 0, 1)[list(order)])  # CHW


def from_planes(planes: Planes, order: Sequence[int]) -> Planes:
    """The inverse of `to_planes`, contiguous.

    Raises:
        ValueError: `order` is not a permutation of the planes.
    """
    if sorted(order) != list(range(len(planes))):
        raise ValueError(f"order is {tuple(order)}, expected a permutation of {len(planes)} channels")
    return np.ascontiguousarray(planes[np.argsort(order)].transpose(1, 2, 0))  # HWC
