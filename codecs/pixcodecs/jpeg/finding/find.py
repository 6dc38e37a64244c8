"""The JPEG inside pixels: layout and coefficients, or None."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.jpeg import block
from pixcodecs.jpeg.block import Planes
from pixcodecs.jpeg.finding.chroma import unfold, upsample
from pixcodecs.jpeg.finding.colours import CB_OF, CR_OF, bound_chroma, bound_luma, invert
from pixcodecs.jpeg.finding.fitting import COSINES, WAVES, fit
from pixcodecs.jpeg.finding.grid import collect, count_equal, count_zeros, likelihoods
from pixcodecs.jpeg.finding.settling import settle
from pixcodecs.jpeg.layout import SAMPLINGS, Layout
from pixcodecs.jpeg.tables import Table, standard

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]

#: Pixels of the first test, and the share of those that are not clipped that a decoder's colours have.
_SAMPLED, _LEAST_SHARE = 1 << 12, 0.8
#: Side of the windows in which the grid is looked for, and their number.
_WINDOW, _WINDOWS = 24, 64
#: How many more zeros the grid has than the median of offsets.
_LEAST_ZEROS = 1.04
_LOGARITHMS = np.array([0.0, *(round(math.log(q), 6) for q in range(1, 256))])
_VALUES = 512
#: Deviation of the noise that rounding samples adds to their coefficients, with some room.
_NOISE = 0.31
_ROUNDS = 3


_STANDARD = [np.array([standard(q, chroma) for q in range(1, 101)]) for chroma in (False, True)]
#: Share of blocks that the right tables give back by rounding alone, at least: they are fewer where steps are small.
_EQUAL = 0.15


def _busy(plane: Plane, is_known: Mask) -> NDArray[np.float64]:
    """(N, 64) samples less 128 of blocks that are known and vary most."""
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    blocks = plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    whole = is_known.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64).all(1)
    blocks = blocks[whole]
    varied = np.abs(np.diff(blocks, axis=1)).sum((1, 2)) + np.abs(np.diff(blocks, axis=2)).sum((1, 2))
    chosen = np.argsort(-varied, kind="stable")[:512:2]
    return np.ascontiguousarray(blocks[chosen].reshape(-1, 64).astype(np.float64) - 128)


class Found(NamedTuple):
    """A layout and coefficients of each channel; see `block.encode`."""

    layout: Layout
    planes: Planes


def on_lattice(samples: Pixels) -> bool:
    """The cheap first test: whether the colours are those of a JPEG decoder; true for grey."""
    if samples.shape[2] == 1:
        return True
    pixels = samples.reshape(1, -1, 3)
    pixels = np.ascontiguousarray(pixels[:, :: max(1, pixels.shape[1] // _SAMPLED)])
    _, known = _inverted(pixels)
    unclipped = int((known < 2).sum())
    return bool((known == 1).sum() >= _LEAST_SHARE * unclipped)


def _inverted(pixels: Pixels) -> tuple[NDArray[np.float32], Mask]:
    planes, known = np.empty((3, *pixels.shape[:2]), np.float32), np.empty(pixels.shape[:2], np.uint8)
    invert(np.ascontiguousarray(pixels), CR_OF, CB_OF, planes, known)
    return planes, known


def find(samples: Pixels) -> Found | None:
    """
    Args:
        samples: (H, W, C), C = 1 or 3.
    """
    if min(samples.shape[:2]) < 16 or not on_lattice(samples):
        return None
    if samples.shape[2] == 1:
        planes = samples.transpose(2, 0, 1).astype(np.float32)
        known = np.where((samples[..., 0] == 0) | (samples[..., 0] == 255), 2, 1).astype(np.uint8)
    else:
        planes, known = _inverted(samples)
    origin = _grid(planes[0], known)
    if origin is None:
        return None
    return _Finder(samples, planes, known, origin).found()


def _grid(plane: Plane, known: Mask) -> tuple[int, int] | None:
    """(rows, columns) of the first block before the picture, 0 to 7 each."""
    height, width = plane.shape
    if min(height, width) < _WINDOW:
        return 0, 0
    ys = np.unique(np.linspace(0, height - _WINDOW, 24).astype(np.int64))
    xs = np.unique(np.linspace(0, width - _WINDOW, 24).astype(np.int64))
    active = []
    for y in ys:
        for x in xs:
            part = plane[y : y + _WINDOW, x : x + _WINDOW]
            if (known[y : y + _WINDOW, x : x + _WINDOW] == 1).mean() > 0.98:
                active.append((float(np.abs(np.diff(part, axis=1)).mean()), int(y), int(x)))
    if not active:
        return 0, 0
    active.sort(reverse=True)
    windows = np.array([(y, x) for _, y, x in active[:: max(1, len(active) // (2 * _WINDOWS))][:_WINDOWS]], np.int64)
    zeros = np.zeros(64, np.int64)
    count_zeros(plane, windows, zeros, COSINES, np.empty((3, 64)))
    best = int(zeros.argmax())
    if zeros[best] < _LEAST_ZEROS * np.median(zeros) + 16:
        return None
    return -(best >> 3) % 8, -(best & 7) % 8


class _Finder:
    """What is found out about one picture, step by step."""

    def __init__(self, samples: Pixels, planes: NDArray[np.float32], known: Mask, origin: tuple[int, int]) -> None:
        self.samples, self.top, self.left = samples, *origin
        self.height, self.width, self.channels = samples.shape
        self.full = planes
        self.known = known
        self.sampling, self.plain, self.beyond = 0, False, (False, False)

    def found(self) -> Found | None:
        luma = self._padded(self.full[0], 8)
        samples = [(luma, self._padded(self.known, 8, 0))]
        if self.channels == 3:
            self._choose_sampling()
            is_known = (self.known == 1).astype(np.uint8)
            settled = [self._settled(self.full[i], is_known) for i in (1, 2)]
            self._choose_phase([chroma for chroma, _ in settled])
            if self.top >= 8 or self.left >= 8:
                settled = [self._settled(self.full[i], is_known) for i in (1, 2)]
            chroma, sure = [c for c, _ in settled], [s for _, s in settled]
            samples.append((np.concatenate(chroma, 1), np.concatenate(sure, 1)))
        layout = Layout(self.sampling, self.plain, self.top, self.left, *self.beyond, tuple(self._named(samples)))
        return self._fitted(layout)

    # -- samples in blocks

    def _padded(self, plane: NDArray[np.generic], unit: int, mode: int | None = None) -> NDArray[np.generic]:
        """A plane of the picture in whole blocks, edges repeated (None) or filled with a number."""
        bottom, right = -(self.top + self.height) % unit, -(self.left + self.width) % unit
        around = ((self.top, bottom), (self.left, right))
        if mode is None:
            return np.ascontiguousarray(np.pad(plane, around, "edge"))
        return np.ascontiguousarray(np.pad(plane, around, constant_values=mode))

    def _unit(self) -> tuple[int, int]:
        return SAMPLINGS[self.sampling]

    def _settled(self, plane: Plane, is_known: Mask, start: Plane | None = None) -> tuple[Plane, Mask]:
        """Chroma's samples in whole blocks, from chroma at each pixel, and which of them are sure."""
        vertical, horizontal = self._unit()
        bottom = -(self.top + self.height) % (8 * vertical)
        right = -(self.left + self.width) % (8 * horizontal)
        around = ((self.top, bottom), (self.left, right))
        full = np.pad(plane, around, "edge").astype(np.float32)
        counted = np.pad(is_known, around)
        if (vertical, horizontal) == (1, 1):
            return full, counted
        h, w = full.shape[0] // vertical, full.shape[1] // horizontal
        if start is None:
            start = full.reshape(h, vertical, w, horizontal).mean((1, 3), dtype=np.float32)
        samples = np.ascontiguousarray(start).copy()
        geometry = Layout(self.sampling, self.plain, self.top, self.left, *self.beyond, ()).geometry(
            self.height, self.width
        )
        rows, columns = int(geometry[5]), int(geometry[6])
        unfold(full, counted, samples, vertical, horizontal, not self.plain, rows, columns)
        whole = np.clip(np.floor(samples + 0.5), 0, 255).astype(np.int16)
        sure = np.zeros(whole.shape, np.uint8)
        rests = np.empty(full.shape, np.int32)
        settle(full, counted, whole, vertical, horizontal, not self.plain, rows, columns, rests, sure)
        if not self.beyond[1]:
            whole[rows:] = whole[rows - 1]
        if not self.beyond[0]:
            whole[:, columns:] = whole[:, columns - 1 : columns]
        return whole.astype(np.float32), sure

    # -- hypotheses

    def _choose_sampling(self) -> None:
        """The sampling of chroma that explains it: the most economical one."""
        region = self._active_region()
        for sampling in (2, 1, 3):
            for plain in (False, True):
                if self._explains(sampling, plain, region):
                    self.sampling, self.plain = sampling, plain
                    return
        self.sampling, self.plain = 0, False

    def _active_region(self) -> tuple[slice, slice]:
        side, best, found = 128, -1.0, (slice(0, self.height), slice(0, self.width))
        for y in range(0, max(1, self.height - side // 2), side // 2):
            for x in range(0, max(1, self.width - side // 2), side // 2):
                window = slice(y, min(y + side, self.height)), slice(x, min(x + side, self.width))
                mask = self.known[window] == 1
                active = sum(float((np.abs(np.diff(self.full[i][window], axis=1)) * mask[:, 1:]).sum()) for i in (1, 2))
                if active > best:
                    best, found = active, window
        return found

    def _explains(self, sampling: int, plain: bool, region: tuple[slice, slice]) -> bool:
        vertical, horizontal = SAMPLINGS[sampling]
        y, x = region[0].start, region[1].start
        y += -(y + self.top) % vertical
        x += -(x + self.left) % horizontal
        good = total = 0
        for i in (1, 2):
            part = self.full[i][y : region[0].stop, x : region[1].stop]
            mask = (self.known[y : region[0].stop, x : region[1].stop] == 1).astype(np.uint8)
            h, w = part.shape[0] // vertical * vertical, part.shape[1] // horizontal * horizontal
            if h < 8 or w < 8:
                return False
            part, mask = np.ascontiguousarray(part[:h, :w]), np.ascontiguousarray(mask[:h, :w])
            start = part.reshape(h // vertical, vertical, w // horizontal, horizontal).mean((1, 3), dtype=np.float32)
            start = np.ascontiguousarray(start)
            rows, columns = start.shape
            unfold(part, mask, start, vertical, horizontal, not plain, rows, columns)
            again = np.empty(part.shape, np.float32)
            upsample(start, vertical, horizontal, not plain, rows, columns, np.empty(w, np.float32), again)
            inner = (slice(3, -3), slice(3, -3))
            good += int(((np.abs(again - part) < (0.1 if plain else 0.8)) & (mask > 0))[inner].sum())
            total += int(mask[inner].sum())
        return good >= 0.98 * total

    def _choose_phase(self, chroma: list[Plane]) -> None:
        """Whether chroma's blocks begin eight rows or columns of luma earlier."""
        vertical, horizontal = self._unit()
        zeros = np.zeros(64, np.int64)
        for plane in chroma:
            height, width = plane.shape
            if min(height, width) < _WINDOW:
                continue
            ys, xs = (np.unique(np.linspace(0, n - _WINDOW, 16).astype(np.int64)) for n in (height, width))
            active = sorted(
                ((float(np.abs(np.diff(plane[y : y + _WINDOW, x : x + _WINDOW], axis=1)).mean()), y, x)
                 for y in ys for x in xs), reverse=True,
            )  # fmt: skip
            windows = np.array([(y, x) for _, y, x in active[:32]], np.int64)
            count_zeros(plane, windows, zeros, COSINES, np.empty((3, 64)))
        best, most = (0, 0), -1
        for dy in (0, 4) if vertical == 2 else (0,):
            for dx in (0, 4) if horizontal == 2 else (0,):
                if zeros[dy << 3 | dx] > most * 1.01:
                    most, best = int(zeros[dy << 3 | dx]), (dy, dx)
        self.top += 8 * (best[0] > 0)
        self.left += 8 * (best[1] > 0)

    def _table(self, plane: Plane, is_known: Mask) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(64, 256) likelihoods of steps, and how many coefficients say so."""
        values, counts = np.zeros((64, _VALUES), np.float32), np.zeros(64, np.int64)
        noise = np.full(64, _NOISE)
        collect(plane, is_known, noise, values, counts, COSINES, np.empty((3, 64)))
        found = np.zeros((64, 256))
        likelihoods(values, counts, noise, _LOGARITHMS, found)
        found[:, 0] = -np.inf
        return found, counts

    def _named(self, samples: list[tuple[Plane, Mask]]) -> list[Table]:
        """Standard tables of a quality, if they give the samples back, else the likeliest."""
        equal, most = np.zeros(100, np.int64), 0
        for i, (plane, is_known) in enumerate(samples):
            chosen, found = _busy(plane, is_known), np.zeros(100, np.int64)
            count_equal(chosen, _STANDARD[min(i, 1)], found, COSINES, np.empty((3, 64)), np.empty(64, np.int64))
            equal, most = equal + found, most + len(chosen)
        quality = int(np.argmax(equal)) + 1
        if equal[quality - 1] >= _EQUAL * most:
            return [standard(quality, bool(i)) for i in range(len(samples))]
        tables = []
        for plane, is_known in samples:
            likely, counts = self._table(plane, is_known)
            tables.append(np.where(counts > 0, likely.argmax(1), 255).astype(np.int64))
        return tables

    # -- coefficients

    def _fitted(self, layout: Layout) -> Found:
        """Coefficients by rounds of chroma and luma, each of which bounds the other where colours are clipped."""
        h, w = self.height, self.width
        shapes = layout.blocks(h, w)
        planes = [np.zeros((*shape, 64), np.int16) for shape in shapes]
        rounds = _ROUNDS if self.channels == 3 and (self.known != 1).any() else 1
        window = slice(self.top, self.top + h), slice(self.left, self.left + w)
        luma = None
        for _ in range(rounds):
            upsampled = []
            if self.channels == 3:
                for i in (1, 2):
                    self._fit_chroma(layout, planes, i, luma)
                upsampled = self._decoded_chroma(layout, planes)
            low, high = np.empty((h, w), np.float32), np.empty((h, w), np.float32)
            if self.channels == 3:
                bound_luma(self.samples, self.known, self.full, *upsampled, low, high)
            else:
                low[:], high[:] = self.full[0], self.full[0]
            self._fit(layout, planes, 0, self.full[0], low, high)
            if self.channels == 3:
                luma = self._plane_of(layout, planes, 0)[window]
        return Found(layout, planes)

    def _fit(self, layout: Layout, planes: Planes, i: int, target: Plane, low: Plane, high: Plane) -> None:
        rows, columns = planes[i].shape[:2]
        around = (
            (self.top, 8 * rows - self.top - self.height), (self.left, 8 * columns - self.left - self.width),
        )  # fmt: skip
        goal = np.pad(np.clip(target, np.maximum(low, 0), np.minimum(high, 255)), around, "edge").astype(np.float32)
        least = np.pad(low, around, constant_values=-1e6).astype(np.float32)
        most = np.pad(high, around, constant_values=1e6).astype(np.float32)
        fit(
            goal,
            least,
            most,
            layout.tables[min(i, 1)],
            planes[i],
            COSINES,
            WAVES,
            np.empty((10, 64)),
            np.empty(64, np.int64),
        )

    def _fit_chroma(self, layout: Layout, planes: Planes, i: int, luma: Pixels | None) -> None:
        low = np.full((self.height, self.width), -1e6, np.float32)
        high = np.full((self.height, self.width), 1e6, np.float32)
        if luma is not None:
            bound_chroma(self.samples, self.known, self.full, np.ascontiguousarray(luma), i, low, high)
        else:
            sure = self.known == 1
            low[sure] = high[sure] = self.full[i][sure]
        if layout.sampling == 0:
            self._fit(layout, planes, i, self.full[i], low, high)
            return
        start = None
        target, is_known = self.full[i], (self.known == 1).astype(np.uint8)
        if luma is not None:
            now = self._upsampled(layout, planes, i)
            start = self._plane_of(layout, planes, i).astype(np.float32)
            target = np.clip(now, low, high).astype(np.float32)
            is_known = ((self.known == 1) | (target != now) | (self.known == 2)).astype(np.uint8)
        samples, sure = self._settled(target, is_known, start)
        least = np.where(sure > 0, samples, -1e6).astype(np.float32)
        most = np.where(sure > 0, samples, 1e6).astype(np.float32)
        fit(
            samples,
            least,
            most,
            layout.tables[1],
            planes[i],
            COSINES,
            WAVES,
            np.empty((10, 64)),
            np.empty(64, np.int64),
        )

    def _plane_of(self, layout: Layout, planes: Planes, i: int) -> Pixels:
        return block.samples_of(layout, planes, i)

    def _upsampled(self, layout: Layout, planes: Planes, i: int) -> Plane:
        vertical, horizontal = SAMPLINGS[layout.sampling]
        g = layout.geometry(self.height, self.width)
        out = np.empty((self.top + self.height, self.left + self.width), np.float32)
        upsample(
            self._plane_of(layout, planes, i).astype(np.float32), vertical, horizontal, not layout.plain,
            int(g[5]), int(g[6]), np.empty(out.shape[1] + 16, np.float32), out,
        )  # fmt: skip
        return out[self.top :, self.left :]

    def _decoded_chroma(self, layout: Layout, planes: Planes) -> list[Pixels]:
        """Cb and Cr at each pixel, as decoded."""
        shape = self.height, self.width
        return [block.chroma_of(layout, planes, i, shape) for i in (1, 2)]
