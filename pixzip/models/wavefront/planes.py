"""Whole planes of an image: shifts by taps, and the MED prediction, for the training view."""

import torch
from torch import Tensor
from torch.nn import functional as F


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
