"""Crops of training pictures: all pictures are in one tensor on the device, and batches are made by tensor operations.

The host draws a few numbers per crop, and the device gathers and sums: there is no loader and no loop over crops,
and only those numbers are copied.  Crop i of a batch depends only on the generator and on i, so processes that each
make a part of a batch make the same crops as a single process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.train.data import Picture


@dataclass(frozen=True)
class Augmentation:
    """Options of data augmentation."""

    crop: int = 64
    #: Share of crops whose colour differences are halved in resolution and interpolated, as in decoded JPEGs.
    soft_chroma: float = 0.15
    #: Share of crops whose channels are permuted, and half of these inverted: for drawings, which are few.
    recolour: float = 0.0


#: Random numbers per crop: picture, y, x; whether the chroma is soft, its phase in y and x, its filter; whether it is
#: recoloured, its sign, three that are ranked to permute channels; flips in y and x, transposition.
_DRAWS = 15
#: Share of soft chroma with linear interpolation; the rest takes the nearest sample.
_LINEAR = 0.7
#: Luma weights of R, G, B.
_LUMA = (0.299, 0.587, 0.114)


class Crops:
    """An endless source of augmented crops.

    Images are drawn in proportion to their area, but none more often than one of 256 x 256, so that a few large
    screenshots do not outweigh many photographs.
    """

    def __init__(
        self,
        pictures: Iterable[Picture],
        order: tuple[int, ...],
        augmentation: Augmentation,
        device: torch.device | str = "cpu",
    ) -> None:
        """
        Args:
            pictures: images to copy to the device; they are not kept.
            order: channels in coding order.
        Raises:
            ValueError: no image is as large as a crop.
        """
        given, side = list(pictures), augmentation.crop
        large = [p for p in given if min(p.shape[:2]) >= side]
        if not large:
            raise ValueError(f"none of {len(given)} images is {side} x {side} or larger")
        self._augmentation, self._order, self._device = augmentation, np.array(order), torch.device(device)
        self._sizes = np.array([p.shape[:2] for p in large], np.int64)
        ends = self._sizes.prod(1).cumsum()
        self._starts = ends - self._sizes.prod(1)
        self._pixels = torch.empty(int(ends[-1]), len(order), dtype=torch.uint8, device=self._device)
        for start, end, picture in zip(self._starts, ends, large, strict=True):
            self._pixels[start:end] = torch.from_numpy(np.array(picture).reshape(end - start, -1))
        area = np.minimum(self._sizes.prod(1), 1 << 16)
        self._cumulative = np.cumsum(area / area.sum())
        self._halvings = _halvings(side).to(self._device)

    def draw(self, n: int, rng: np.random.Generator, part: slice = slice(None)) -> Tensor:
        """Crops, flipped and transposed at random, with the configured augmentation.

        Args:
            n: number of crops of the whole batch.
            part: part of the batch to make.
        Returns:
            (M, C, crop, crop) float32 on the device, whole grey levels, channels in coding order.
        """
        wanted, c = self._augmentation, len(self._order)
        place, soft, colours, turns = np.split(rng.random((n, _DRAWS))[part].T, [3, 7, 12])
        x = self._windows(place, turns < 0.5)
        chosen = np.flatnonzero(soft[0] < wanted.soft_chroma)
        if c == 3 and len(chosen):
            kinds = (soft[1:3, chosen] < 0.5) + 2 * (soft[3, chosen] >= _LINEAR)
            at = self._tensor(chosen)
            x[at] = soften_chroma(x[at], *self._halvings[self._tensor(kinds)])
        if not wanted.recolour:
            return x[:, self._order.tolist()]
        recoloured = colours[0] < wanted.recolour
        mixed = np.argsort(colours[2 : 2 + c].T, 1)
        channels = np.where(recoloured[:, None], mixed, np.arange(c))[:, self._order]
        negative = self._tensor(recoloured & (colours[1] < 0.5))[:, None, None, None]
        return torch.where(negative, 255 - x, x).gather(1, self._tensor(channels)[:, :, None, None].expand_as(x))

    def _windows(self, place: NDArray[np.float64], turns: NDArray[np.bool_]) -> Tensor:
        """(3, M) picture, y, x, and (3, M) flips in y and x, transposition -> (M, C, crop, crop) float32."""
        side = self._augmentation.crop
        picture = np.minimum(np.searchsorted(self._cumulative, place[0]), len(self._sizes) - 1)
        y, x = (place[1:] * (self._sizes[picture] - (side - 1)).T).astype(np.int64)
        width, (flip_y, flip_x, transpose) = self._sizes[picture, 1], turns
        first = self._starts[picture] + (y + flip_y * (side - 1)) * width + x + flip_x * (side - 1)
        a, b = np.where(flip_y, -width, width), np.where(flip_x, -1, 1)
        steps = np.stack([first, np.where(transpose, b, a), np.where(transpose, a, b)])
        start, down, right = self._tensor(steps)[:, :, None, None].unbind()
        along = torch.arange(side, device=self._device)
        at = start + down * along[:, None] + right * along
        return self._pixels.index_select(0, at.flatten()).view(*at.shape, -1).permute(0, 3, 1, 2).float()

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self._device)


def _halvings(side: int) -> Tensor:
    """Matrices that halve a line of pixels and interpolate it back: linear at phase 0 and 1, then nearest at both.

    Returns:
        (4, side, side) float64 matrices.
    """
    out = torch.zeros(4, side, side, dtype=torch.float64)
    line = torch.eye(side, dtype=torch.float64)
    for phase in (0, 1):
        count = (side + phase + 1) // 2
        ends = (torch.arange(2 * count) - phase).clamp(0, side - 1)
        half = line[ends].view(count, 2, side).mean(1)
        at = torch.arange(side) + phase
        here, beside = at // 2, (at // 2 + 2 * (at % 2) - 1).clamp(0, count - 1)
        out[phase], out[2 + phase] = 0.75 * half[here] + 0.25 * half[beside], half[here]
    return out


def soften_chroma(crops: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Halve the colour differences to luma in both directions and interpolate them back, as in decoded JPEGs.

    Args:
        crops: (N, 3, side, side) R, G, B.
        rows, columns: (N, side, side) float64 matrices that halve and interpolate in y and in x.
    Returns:
        (N, 3, side, side) whole grey levels, of the dtype of `crops`.
    """
    r, g, b = crops.double().unbind(1)
    luma = _LUMA[0] * r + _LUMA[1] * g + _LUMA[2] * b
    red, blue = (rows @ plane @ columns.mT + luma for plane in (r - luma, b - luma))
    green = (luma - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
    return (torch.stack([red, green, blue], 1) + 0.5).clamp(0, 255).floor().to(crops.dtype)
