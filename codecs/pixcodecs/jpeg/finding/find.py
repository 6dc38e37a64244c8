"""The JPEG inside pixels: layout and coefficients, or None."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.jpeg import block
from pixcodecs.jpeg.block import Planes
from pixcodecs.jpeg.finding import subsampling
from pixcodecs.jpeg.finding.chroma import upsample
from pixcodecs.jpeg.finding.colours import CB_OF, CR_OF, bound_chroma, bound_luma, invert
from pixcodecs.jpeg.finding.fitting import COSINES, WAVES, fit
from pixcodecs.jpeg.finding.place import origin, zeros_by_offset
from pixcodecs.jpeg.finding.steps import find_tables
from pixcodecs.jpeg.finding.subsampling import Hypothesis
from pixcodecs.jpeg.layout import SAMPLINGS, Layout

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]

#: Pixels of the first test, and the share of those that are not clipped that have a decoder's colours, at least.
_SAMPLED, _LEAST_SHARE = 1 << 12, 0.8
_LEAST_SIDE = 16
#: Rounds of chroma and luma, each of which bounds the other where colours are clipped.
_ROUNDS = 3
#: Share of wrong pixels in the last row or column that shows that the picture is a part of a larger one.
_CUT = 0.1
_NOTHING = 1e6


class Found(NamedTuple):
    """A layout and coefficients of each channel; see `block.encode`."""

    layout: Layout
    planes: Planes


def find(samples: Pixels) -> Found | None:
    """
    Args:
        samples: (H, W, C), C = 1 or 3.
    """
    if min(samples.shape[:2]) < _LEAST_SIDE or not on_lattice(samples):
        return None
    if samples.shape[2] == 1:
        full = samples.transpose(2, 0, 1).astype(np.float32)
        known = np.ones(samples.shape[:2], np.uint8)
    else:
        full, known = _inverted(samples)
    place = origin(full[0], known)
    return None if place is None else _Finder(samples, full, known, place).found()


def on_lattice(samples: Pixels) -> bool:
    """The cheap first test: whether the colours are those of a JPEG decoder; true for grey."""
    if samples.shape[2] == 1:
        return True
    pixels = samples.reshape(1, -1, 3)
    _, known = _inverted(pixels[:, :: max(1, pixels.shape[1] // _SAMPLED)])
    return bool((known == 1).sum() >= _LEAST_SHARE * (known < 2).sum())


def _inverted(pixels: Pixels) -> tuple[NDArray[np.float32], Mask]:
    full, known = np.empty((3, *pixels.shape[:2]), np.float32), np.empty(pixels.shape[:2], np.uint8)
    invert(np.ascontiguousarray(pixels), CR_OF, CB_OF, full, known)
    return full, known


class _Finder:
    """What is found out about one picture, step by step."""

    def __init__(self, samples: Pixels, full: NDArray[np.float32], known: Mask, place: tuple[int, int]) -> None:
        """
        Args:
            full, known: see `invert`.
            place: rows and columns before the picture, modulo 8.
        """
        self.samples, self.full, self.known = np.ascontiguousarray(samples), full, known
        self.sure = (known == 1).astype(np.uint8)
        self.height, self.width, self.channels = samples.shape
        self.layout = Layout(0, False, *place, False, False, ())

    def found(self) -> Found | None:
        luma = _edged(self.full[0], self._around(1, 1)), self._filled(self.sure, 0, self._around(1, 1))
        place, tables = self.layout, None
        if self.channels == 1:
            tables = find_tables([luma])
        else:
            for chosen in subsampling.candidates([*self.full[1:]], self.known, place.top, place.left):
                self.layout = place._replace(sampling=chosen.sampling, plain=chosen.plain)
                chroma = self._phased([self._settled(self.full[i], self.sure) for i in (1, 2)])
                both = np.concatenate([c for c, _ in chroma], 1), np.concatenate([s for _, s in chroma], 1)
                tables = find_tables([luma, both])
                if tables is not None:
                    break
        if tables is None:
            return None
        self.layout = self.layout._replace(tables=tuple(tables))
        found, wrong = self._fitted()
        right, bottom = bool(wrong[:, -1].mean() > _CUT), bool(wrong[-1].mean() > _CUT)
        if self.layout.sampling and not self.layout.plain and (right or bottom):
            self.layout = self.layout._replace(beyond_right=right, beyond_bottom=bottom)
            again, still_wrong = self._fitted()
            found = again if still_wrong.sum() < wrong.sum() else found
        return found

    # -- planes in whole blocks

    def _around(self, vertical: int, horizontal: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns of luma to add, so that blocks with these pixels for each sample are whole."""
        top, left = self.layout.top, self.layout.left
        return (top, -(top + self.height) % (8 * vertical)), (left, -(left + self.width) % (8 * horizontal))

    @staticmethod
    def _filled(plane: NDArray[np.generic], value: float, around: tuple[tuple[int, int], tuple[int, int]]) -> Mask:
        return np.ascontiguousarray(np.pad(plane, around, constant_values=value))

    def _settled(self, plane: Plane, known: Mask, start: Plane | None = None) -> tuple[Plane, Mask]:
        """Chroma's samples in whole blocks, from chroma at each pixel, and which of them are sure."""
        around = self._around(*SAMPLINGS[self.layout.sampling])
        geometry = self.layout.geometry(self.height, self.width)
        hypothesis = Hypothesis(self.layout.sampling, self.layout.plain)
        return subsampling.settled(
            _edged(plane, around), self._filled(known, 0, around), hypothesis, int(geometry[5]), int(geometry[6]), start
        )  # fmt: skip

    def _phased(self, chroma: list[tuple[Plane, Mask]]) -> list[tuple[Plane, Mask]]:
        """The same, where chroma's blocks may begin eight rows or columns of luma earlier."""
        vertical, horizontal = SAMPLINGS[self.layout.sampling]
        if vertical == horizontal == 1:
            return chroma
        zeros = zeros_by_offset([c for c, _ in chroma], [np.ones(c.shape, np.uint8) for c, _ in chroma])
        offsets = [
            (dy, dx) for dy in ((0, 4) if vertical == 2 else (0,)) for dx in ((0, 4) if horizontal == 2 else (0,))
        ]
        best = max(offsets, key=lambda at: int(zeros[at]) * 100 + (at == (0, 0)))
        if best == (0, 0):
            return chroma
        self.layout = self.layout._replace(top=self.layout.top + 2 * best[0], left=self.layout.left + 2 * best[1])
        return [self._settled(self.full[i], self.sure) for i in (1, 2)]

    # -- coefficients

    def _fitted(self) -> tuple[Found, NDArray[np.bool_]]:
        """Coefficients, and which pixels they leave wrong."""
        h, w = self.height, self.width
        planes = [np.zeros((*shape, 64), np.int16) for shape in self.layout.blocks(h, w)]
        low, high = np.empty((h, w), np.float32), np.empty((h, w), np.float32)
        luma: Pixels | None = None
        best: tuple[Found, NDArray[np.bool_]] | None = None
        for _ in range(_ROUNDS):
            if self.channels == 3:
                for i in (1, 2):
                    self._fit_chroma(planes, i, luma)
                chroma = [block.chroma_of(self.layout, planes, i, (h, w)) for i in (1, 2)]
                bound_luma(self.samples, self.known, self.full, *chroma, low, high)
            else:
                low[:] = high[:] = self.full[0]
            self._fit(planes, 0, self.full[0], low, high, luma is not None)
            luma = np.ascontiguousarray(
                block.samples_of(self.layout, planes, 0)[self.layout.top :, self.layout.left :][:h, :w]
            )
            wrong = (block.decoded(self.layout, planes, self.samples.shape) != self.samples).any(2)
            if best is None or wrong.sum() < best[1].sum():
                best = Found(self.layout, [plane.copy() for plane in planes]), wrong
            if not wrong.any() or (self.known == 1).all():
                break
        assert best is not None
        return best

    def _fit(self, planes: Planes, i: int, target: Plane, low: Plane, high: Plane, again: bool) -> None:
        """Fit a channel that has a sample for each pixel."""
        around = self._around(1, 1)
        goal = _edged(np.clip(target, np.maximum(low, 0), np.minimum(high, 255)), around)
        least, most = self._filled(low, -_NOTHING, around), self._filled(high, _NOTHING, around)
        _fit_plane(goal, least, most, self.layout, planes, i, again)

    def _fit_chroma(self, planes: Planes, i: int, luma: Pixels | None) -> None:
        target, low, high = self.full[i], np.empty_like(self.full[i]), np.empty_like(self.full[i])
        if luma is not None:
            bound_chroma(self.samples, self.known, self.full, luma, i, low, high)
        else:
            low[:], high[:] = np.where(self.sure, target, -_NOTHING), np.where(self.sure, target, _NOTHING)
        if self.layout.sampling == 0:
            self._fit(planes, i, target, low, high, luma is not None)
            return
        start, known = None, self.sure
        if luma is not None:
            now, start = self._upsampled(planes, i), block.samples_of(self.layout, planes, i).astype(np.float32)
            target, known = np.clip(now, low, high), (self.known != 0).astype(np.uint8)
        samples, sure = self._settled(target, known, start)
        least, most = np.where(sure, samples, -_NOTHING), np.where(sure, samples, _NOTHING)
        _fit_plane(samples, least, most, self.layout, planes, i, luma is not None)

    def _upsampled(self, planes: Planes, i: int) -> Plane:
        """Chroma at each pixel, as decoded, before rounding."""
        vertical, horizontal = SAMPLINGS[self.layout.sampling]
        geometry = self.layout.geometry(self.height, self.width)
        out = np.empty((self.layout.top + self.height, self.layout.left + self.width), np.float32)
        samples = block.samples_of(self.layout, planes, i).astype(np.float32)
        line = np.empty(max(samples.shape[1], out.shape[1]), np.float32)
        upsample(
            samples, vertical, horizontal, not self.layout.plain, int(geometry[5]), int(geometry[6]), line, out
        )  # fmt: skip
        return out[self.layout.top :, self.layout.left :]


def _edged(plane: NDArray[np.generic], around: tuple[tuple[int, int], tuple[int, int]]) -> Plane:
    """A plane with its edges repeated around it."""
    return np.ascontiguousarray(np.pad(plane, around, "edge").astype(np.float32))


def _fit_plane(
    goal: Plane, least: NDArray[np.generic], most: NDArray[np.generic], layout: Layout, planes: Planes, i: int,
    again: bool,
) -> None:  # fmt: skip
    """See `fit`."""
    low, high = (np.ascontiguousarray(plane.astype(np.float32)) for plane in (least, most))
    room, block_room, quant = np.empty((10, 64)), np.empty(64, np.int64), layout.tables[min(i, 1)]
    fit(goal, low, high, quant, planes[i], again, COSINES, WAVES, room, block_room)
