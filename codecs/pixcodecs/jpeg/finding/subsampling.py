"""How chroma was subsampled and upsampled, and its samples."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.jpeg.finding.chroma import unfold
from pixcodecs.jpeg.finding.settling import settle
from pixcodecs.jpeg.layout import SAMPLINGS
from pixcodecs.jpeg.picture import upsampled

Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]

#: Side of the region that tells; its border, where chroma beyond counts, is left out.
_SIDE, _BORDER = 64, 3
#: Share of its pixels that are known, better at least, so that nothing that was painted over is in it.
_KNOWN = 0.97
#: Share of the pixels that come back with the right hypothesis, nearly always and at least.
_SHARE, _LESS_SHARE = 0.97, 0.91
#: Steps of the iteration from nothing, and from samples that are nearly right.
_STEPS, _FEW_STEPS = 18, 6


class Hypothesis(NamedTuple):
    """An index in `SAMPLINGS`, and whether chroma is repeated."""

    sampling: int = 0
    plain: bool = False


#: The most economical first.
_HYPOTHESES = [Hypothesis(sampling, plain) for sampling in (2, 1, 3) for plain in (False, True)]


def candidates(chroma: list[Plane], known: Mask, top: int, left: int) -> list[Hypothesis]:
    """Hypotheses to try in turn: the most economical that explains chroma, none, and those that explain most of it.

    Args:
        chroma: (H, W) Cb and Cr at each pixel.
        top, left: see `Layout`, modulo 8.
    """
    region = _lively(chroma, known)
    possible = []
    for hypothesis in _HYPOTHESES:
        share = _explained(hypothesis, chroma, known, region, top, left)
        if share >= _SHARE:
            return [hypothesis, Hypothesis()]
        if share >= _LESS_SHARE:
            possible.append(hypothesis)
    return [Hypothesis(), *possible]


def _lively(chroma: list[Plane], known: Mask) -> tuple[slice, slice]:
    """The part of the picture where known chroma varies most."""
    height, width = known.shape
    best, found = -1.0, (slice(0, height), slice(0, width))
    for y in range(0, max(1, height - _SIDE // 2), _SIDE // 2):
        for x in range(0, max(1, width - _SIDE // 2), _SIDE // 2):
            part = slice(y, min(y + _SIDE, height)), slice(x, min(x + _SIDE, width))
            mask = known[part][:, 1:] == 1
            varied = sum(float((np.abs(np.diff(plane[part], axis=1)) * mask).sum()) for plane in chroma)
            if mask.size and mask.mean() < _KNOWN:
                varied *= 1e-6
            if varied > best:
                best, found = varied, part
    return found


def _explained(
    hypothesis: Hypothesis, chroma: list[Plane], known: Mask, region: tuple[slice, slice], top: int, left: int
) -> float:
    vertical, horizontal = SAMPLINGS[hypothesis.sampling]
    y, x = region[0].start, region[1].start
    y, x = y + -(y + top) % vertical, x + -(x + left) % horizontal
    good = total = 0
    for plane in chroma:
        h = (region[0].stop - y) // vertical * vertical
        w = (region[1].stop - x) // horizontal * horizontal
        if min(h, w) < 4 * _BORDER:
            return 0
        part = np.ascontiguousarray(plane[y : y + h, x : x + w])
        mask = np.ascontiguousarray(known[y : y + h, x : x + w] == 1).astype(np.uint8)
        rows, columns = h // vertical, w // horizontal
        samples, _ = settled(part, mask, hypothesis, rows, columns)
        again = np.empty(part.shape, np.uint8)
        geometry = np.array([0, 0, vertical, horizontal, not hypothesis.plain, rows, columns], np.int64)
        upsampled(samples.astype(np.uint8), geometry, again)
        close = again == part
        inner = slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER)
        good += int((close & (mask > 0))[inner].sum())
        total += int(mask[inner].sum())
    return good / max(total, 1)


def _means(full: Plane, vertical: int, horizontal: int) -> Plane:
    rows = full if vertical == 1 else (full[::2] + full[1::2]) / np.float32(2)
    return np.ascontiguousarray(rows if horizontal == 1 else (rows[:, ::2] + rows[:, 1::2]) / np.float32(2))


def settled(
    full: Plane, known: Mask, hypothesis: Hypothesis, rows: int, columns: int, start: Plane | None = None
) -> tuple[Plane, Mask]:
    """Chroma's samples, and which of them are sure.

    Args:
        full, known: (H, W) chroma at each pixel, and 1 where it is known, in whole blocks.
        rows, columns: samples that upsampling uses.
        start: samples to begin with.
    Returns:
        (rows of blocks, columns) float32 and uint8.
    """
    vertical, horizontal = SAMPLINGS[hypothesis.sampling]
    if (vertical, horizontal) == (1, 1):
        return full, known
    samples = _means(full, vertical, horizontal) if start is None else start.copy()
    fancy = not hypothesis.plain
    unfold(full, known, samples, vertical, horizontal, fancy, rows, columns, _STEPS if start is None else _FEW_STEPS)
    whole = np.clip(np.floor(samples + 0.5), 0, 255).astype(np.int16)
    sure, rests = np.zeros(whole.shape, np.uint8), np.empty(full.shape, np.int32)
    settle(full, known, whole, vertical, horizontal, fancy, rows, columns, rests, sure)
    whole[rows:] = whole[rows - 1]
    whole[:, columns:] = whole[:, columns - 1 : columns]
    return whole.astype(np.float32), sure
