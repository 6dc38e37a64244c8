"""Conversion of samples between the image's order of channels and a model's coding order."""

from collections.abc import Sequence

import numpy as np

from pixzip.engine.batch import Samples


def to_coding_order(samples: Samples, order: Sequence[int]) -> Samples:
    """(H, W, C) uint8 or uint16 -> the same with channels in coding order; no copy if the order is the same.

    Args:
        order: the image's channels in coding order, e.g. (1, 0, 2) for G, R, B.
    Raises:
        ValueError: the samples have another shape or type, or `order` is not a permutation of their channels.
    """
    if samples.dtype not in (np.uint8, np.uint16) or samples.ndim != 3:
        raise ValueError(f"samples are {samples.dtype} {samples.shape}, expected uint8 or uint16 (H, W, C)")
    _check(samples, order)
    return _permuted(samples, order)


def from_coding_order(samples: Samples, order: Sequence[int]) -> Samples:
    """The inverse of `to_coding_order`; the result is contiguous, and a copy where the samples are not.

    Raises:
        ValueError: `order` is not a permutation of the samples' channels.
    """
    _check(samples, order)
    return np.ascontiguousarray(_permuted(samples, np.argsort(order).tolist()))


def _check(samples: Samples, order: Sequence[int]) -> None:
    if sorted(order) != list(range(samples.shape[2])):
        raise ValueError(f"order is {tuple(order)}, expected a permutation of {samples.shape[2]} channels")


def _permuted(samples: Samples, order: Sequence[int]) -> Samples:
    own = list(order) == list(range(samples.shape[2]))
    return samples if own else np.ascontiguousarray(samples[..., list(order)])
