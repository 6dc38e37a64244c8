"""What the host does for a device: payloads of symbols whose shares the device has found."""

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.range import EntropyCoder

from pixzip.engine.backends.numba import range_coder, rans
from pixzip.engine.backends.torch.frequencies import EDGE_BITS
from pixzip.engine.symbols import encode_rans


def payload(
    edges: NDArray[np.int64], values: NDArray[np.uint8], coder: EntropyCoder, lanes: int | None = None
) -> bytes:
    """The payload of an image, the same as coding it step by step gives.

    Args:
        edges: (H, W, C, 2), see `step.FromImages`.
        values: (H, W, C) in coding order.
        lanes: of rANS; None for as many as suit the image.
    """
    if coder is EntropyCoder.RANS:
        shares = np.empty(edges.shape, np.int64)
        rans.shares(np.ascontiguousarray(edges).reshape(-1, 2), shares.reshape(-1, 2))
        return encode_rans(shares, lanes)
    words = np.empty(2 * values.size + 2, np.uint32)
    n = range_coder.encode(np.ascontiguousarray(edges), np.ascontiguousarray(values), words)
    return words[:n].astype("<u4").tobytes()


def nll_bits(edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """(..., 2) edges -> (...) bits: -log2 of the values' shares of 2^20."""
    size = (edges[..., 1] & (1 << EDGE_BITS) - 1) - (edges[..., 1] >> EDGE_BITS)
    bits: NDArray[np.float64] = 20 - np.log2(size)
    return bits
