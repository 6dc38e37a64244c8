"""The causal neighbourhood of a pixel: taps of the masked convolutions, and the MED prediction.

A tap is an offset ``(dy, dx)`` to an earlier pixel.  Pixel ``(y, x)`` is coded at wavefront step
``t = x + 2 y`` (the skewed map of PixelRNN's Diagonal LSTM [1] with a slope of two), so a tap is legal
when ``dx + 2 dy < 0``: then every pixel of a step depends only on earlier steps.  The centre ``(0, 0)`` is
legal for features (mask B) and illegal for pixels (mask A).

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

SLOPE = 2

#: Taps of the first layer, which reads pixels: four to the left, then neighbours in up to six rows above.
MASK_A: tuple[tuple[int, int], ...] = (
    *((0, dx) for dx in range(-4, 0)),
    *((-1, dx) for dx in range(-4, 2)),
    *((-2, dx) for dx in range(-4, 4)),
    *((-3, dx) for dx in range(-2, 4)),
)

#: Positions in `MASK_A` of the neighbours for the MED prediction.
WEST, NORTH, NORTH_WEST = (MASK_A.index(tap) for tap in ((0, -1), (-1, 0), (-1, -1)))

#: Taps of deeper layers, which read features: the centre and its four causal neighbours.
MASK_B: tuple[tuple[int, int], ...] = ((0, 0), (0, -1), (-1, -1), (-1, 0), (-1, 1))

#: Taps of a 1x1 layer, which reads features of its own pixel only.
CENTRE: tuple[tuple[int, int], ...] = ((0, 0),)


def shifted(planes: Tensor, dy: int, dx: int) -> Tensor:
    """``out[..., y, x] = planes[..., y + dy, x + dx]``, zero outside; (..., H, W)."""
    h, w = planes.shape[-2:]
    top, left, right = -dy, max(-dx, 0), max(dx, 0)
    padded = F.pad(planes, (left, right, top, 0))
    return padded[..., :h, left + dx : left + dx + w]


def validity(h: int, w: int, taps: tuple[tuple[int, int], ...], device: torch.device | str = "cpu") -> Tensor:
    """(T, H, W) bool: whether tap t of pixel (y, x) lies inside an H x W image."""
    y = torch.arange(h, device=device)[:, None]
    x = torch.arange(w, device=device)[None, :]
    return torch.stack([(y + dy >= 0) & (x + dx >= 0) & (x + dx < w) for dy, dx in taps])


def med(planes: Tensor) -> Tensor:
    """The MED (LOCO-I) prediction of every pixel from its left, upper and upper left neighbours [2].

    Neighbours outside are zero: the first row is predicted from the left, the first column from above.

    Args:
        planes: (N, C, H, W), any dtype that holds 0..255 and their differences.
    Returns:
        (N, C, H, W), same dtype, in 0..255.

    [2] Weinberger, Seroussi, Sapiro, The LOCO-I Lossless Image Compression Algorithm, 2000.
    """
    west, north, north_west = shifted(planes, 0, -1), shifted(planes, -1, 0), shifted(planes, -1, -1)
    return (west + north - north_west).clamp(torch.minimum(west, north), torch.maximum(west, north))
