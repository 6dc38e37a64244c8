"""What the host does for a device: payloads of symbols whose shares the device has found."""

import numpy as np
from numpy.typing import NDArray
from pixcodecs.entropy import EntropyCoder

from pixzip.coders import encode_rans
from pixzip.device.step import EDGE_BITS
from pixzip.exact import kernels_range

_TOTAL = 1 << 20


def payload(edges: NDArray[np.int64], values: NDArray[np.uint8], coder: EntropyCoder) -> bytes:
    """The payload of an image, the same as coding it step by step gives.

    Args:
        edges: (H, W, C, 2), see `step.FromImages`.
        values: (H, W, C) in coding order.
    """
    if coder is EntropyCoder.RANS:
        return encode_rans(_shares(edges))
    words = np.empty(2 * values.size + 2, np.uint32)
    n = kernels_range.encode(np.ascontiguousarray(edges), np.ascontiguousarray(values), words)
    return words[:n].astype("<u4").tobytes()


def _shares(edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """(H, W, C, 2) shares of 2^20, as `rans.intervals_of` gives them."""
    start, stop = edges >> EDGE_BITS, edges & (1 << EDGE_BITS) - 1
    total = stop[..., 0] - start[..., 0]
    left = ((start[..., 1] - start[..., 0]) * _TOTAL) // total
    right = ((stop[..., 1] - start[..., 0]) * _TOTAL) // total
    of_places = left << 20 | right - left
    return np.stack([start[..., 0] << 20 | total, of_places], -1)
