"""Convert pictures to the colours that a viewer shows."""

import numpy as np
from numpy.typing import NDArray

from pixzip.image.picture import Layout, Picture, Samples


def colours(picture: Picture) -> Samples:
    """(H, W, C) samples of the picture's depth, 8 bits for palettes; a transparent colour becomes alpha."""
    x = picture.samples
    alphas = np.frombuffer(picture.transparency, np.uint8)
    if picture.layout is Layout.PALETTE:  # an index beyond the end is black
        table = np.zeros((256, 4), np.uint8)
        entries = np.frombuffer(picture.palette, np.uint8).reshape(-1, 3)
        table[: len(entries), :3] = entries
        table[:, 3] = 255
        table[: len(alphas), 3] = alphas
        found: Samples = table[x[..., 0]]
        return found if alphas.size else np.ascontiguousarray(found[..., :3])
    if not picture.transparency:
        return x
    shown = (x != np.frombuffer(picture.transparency, ">u2")).any(2, keepdims=True)
    opaque = 2**picture.depth - 1
    return np.concatenate([x, (shown * opaque).astype(x.dtype)], 2)


def in_8_bits(picture: Picture) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) RGB or RGBA: `colours` scaled to 8 bits."""
    x, depth = colours(picture), 8 if picture.layout is Layout.PALETTE else picture.depth
    scaled: NDArray[np.uint8] = (x.astype(np.uint32) * 255 // (2**depth - 1)).astype(np.uint8)
    if x.shape[2] > 2:
        return scaled
    return np.concatenate([np.repeat(scaled[..., :1], 3, 2), scaled[..., 1:]], 2)
