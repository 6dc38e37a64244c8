"""Batches of family models: a decoder computes frequencies front by front, an encoder for all pixels at once.

Both give the same frequencies in the same order, because they compute in fixed point (`models.family.arithmetic`).
Images of a batch have one size and are coded side by side: the pixels of a step are ordered by row, then by image.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs import forking
from pixcodecs.coders.base import Rows, Symbols
from torch import Tensor

from pixzip.engine.batch import Batch, Indices, Samples, Segment
from pixzip.engine.walk import Walk
from pixzip.models.family.density import Density, Scale
from pixzip.models.family.heads import Below

#: Number of symbols of each of a sub-pixel's two digits, bin and place.
BINS = 16
#: Pixels whose features an encoder computes at once.
_CHUNK_PIXELS = 1 << 14
#: Pixels whose frequencies an encoder computes at once.
_CHUNK_ROWS = 1 << 13


class Step(NamedTuple):
    """The pixels of one front."""

    t: int
    segments: Sequence[Segment]
    address: Indices


class Network(NamedTuple):
    """A fixed-point family model on its device."""

    model: Density
    tables: Mapping[str, Tensor]
    levels: int
    device: torch.device

    def rows(self, below: Below, first: Tensor | None) -> Rows:
        """(M, K) frequencies of the first digit, or of the second given (M,) `first` levels of the bins."""
        if self.levels == 2:
            return _rows(below, 0, 1, 2)
        return _rows(below, 0, BINS, BINS) if first is None else _rows(below, first, 1, BINS)


def _rows(below: Below, first: Tensor | int, width: int, count: int) -> Rows:
    """(M, count) frequencies of `count` intervals of `width` levels, starting at level `first`."""
    edges = torch.arange(count + 1, dtype=torch.float64, device=getattr(first, "device", None)) * width
    points = edges[None] if isinstance(first, int) else first[:, None] + edges
    return below(points).diff(dim=1).to(torch.float32).cpu().numpy()


class FamilyBatch(Batch):
    """A batch of N images of one size; addresses follow raster order, image after image."""

    def __init__(self, network: Network, n: int, height: int, width: int) -> None:
        self.network = network
        self._n, self._height, self._width = n, height, width
        self.channels = network.model.config.channels
        self.digits = 1 if network.levels == 2 else 2
        self.buffer_pixels = n * height * width
        self._segments = [Segment(i, slice(i, None, n)) for i in range(n)]
        scales = network.model.scales()
        sides = [(-(-height // s.stride), -(-width // s.stride)) for s in scales]
        self.steps = sum(w + s.model.slope(w) * (h - 1) for s, (h, w) in zip(scales, sides, strict=True))

    def _address(self, scale: Scale, ys: Indices, xs: Indices) -> Indices:
        """(rows N,) addresses of a scale's pixels in each image."""
        places = ys * scale.stride * self._width + xs * scale.stride
        found: Indices = (places[:, None] + np.arange(self._n) * (self._height * self._width)).ravel()
        return found

    def view(self, buffer: NDArray[Any], image: int) -> NDArray[Any]:
        view: NDArray[Any] = buffer.reshape(self._n, self._height, self._width, *buffer.shape[1:])[image]
        return view

    def symbols(self, values: NDArray[np.int32], digit: int) -> Symbols:
        if self.digits == 1:
            return values
        return values & BINS - 1 if digit else values >> 4

    @abstractmethod
    def __iter__(self) -> Iterator[Step]: ...


class FrontBatch(FamilyBatch):
    """A batch computed front by front, as a decoder must."""

    def __init__(self, network: Network, n: int, height: int, width: int) -> None:
        super().__init__(network, n, height, width)
        self._below: Below
        self._values = torch.zeros(n, self.channels, height, width, dtype=torch.float64, device=network.device)

    def __iter__(self) -> Iterator[Step]:
        given: Tensor | None = None
        before = 0
        for scale in self.network.model.scales():
            s = scale.stride
            part = self._values[..., ::s, ::s].contiguous()
            self._scale, self._fronts = scale, Walk(scale, part, ~scale.coded(*part.shape[2:]), given)
            for t in self._fronts:
                free = self._fronts.free
                address = self._address(scale, self._fronts.ys[free], self._fronts.xs[free])
                yield Step(before + t, self._segments, address)
            before += self._fronts.steps
            self._values[..., ::s, ::s] = part
            given = part

    def begin(self, step: Step) -> None:
        """Do nothing: the layers of the fronts keep their own state."""

    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        if before:
            return self.network.rows(self._below, self._tensor(before[0] * BINS))
        params, known = self._fronts.parameters(channel)
        self._below = self._scale.model.head.below(params, known, self.network.tables)
        return self.network.rows(self._below, None)

    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        values = digits[0] if self.digits == 1 else digits[0] * BINS + digits[1]
        self._fronts.store(channel, self._tensor(values))

    def _tensor(self, values: Symbols) -> Tensor:
        return torch.from_numpy(values).to(self._values)

    def samples(self, image: int) -> Samples:
        return self._values[image].permute(1, 2, 0).to(torch.uint8).contiguous().cpu().numpy()


class WholeBatch(FamilyBatch):
    """A batch computed for all pixels at once, by an encoder, which knows them."""

    def __init__(self, network: Network, images: Sequence[Samples]) -> None:
        """
        Args:
            images: (H, W, C) uint8 of one size, below the model's number of levels.
        """
        super().__init__(network, len(images), *images[0].shape[:2])
        stacked = np.stack(images).transpose(0, 3, 1, 2).astype(np.float64)
        self._values = torch.from_numpy(stacked).to(network.device)

    def __iter__(self) -> Iterator[Step]:
        before = 0
        for scale in self.network.model.scales():
            part = self._values[..., :: scale.stride, :: scale.stride].contiguous()
            h, w = part.shape[2:]
            self._freqs = self._all_freqs(scale, part)
            slope, coded = scale.model.slope(w), scale.coded(h, w).ravel()
            y, x = np.divmod(np.arange(h * w), w)
            t = x + slope * y
            order = np.lexsort((y, t))
            order = order[coded[order]]
            starts = np.flatnonzero(np.diff(t[order], prepend=-1))
            for a, b in zip(starts, np.append(starts, len(order))[1:], strict=True):
                self._here = order[a:b]
                yield Step(
                    before + int(t[order[a]]), self._segments, self._address(scale, y[self._here], x[self._here])
                )
            before += w + slope * (h - 1)

    @torch.no_grad()
    def _all_freqs(self, scale: Scale, values: Tensor) -> Rows:
        """(h w, N, C D, K) frequencies of (N, C, h, w) values, each digit given the true ones before it."""
        h, w = values.shape[2:]
        parts = values.split(max(1, _CHUNK_PIXELS // (h * w)))
        rows = []
        for part in parts:
            with forking.shielded:
                rows.append(self._of_images(scale, part))
        return np.concatenate(rows, 1)

    def _of_images(self, scale: Scale, images: Tensor) -> Rows:
        n, channels, h, w = images.shape
        params = scale.model(images).permute(1, 2, 0, 3, 4).flatten(0, 2)  # h w n, C, P
        values = images.permute(2, 3, 0, 1).flatten(0, 2)  # h w n, C
        found: list[list[Rows]] = []
        for c in range(channels):
            digits: list[list[Rows]] = [[] for _ in range(self.digits)]
            for start in range(0, len(values), _CHUNK_ROWS):
                part = slice(start, start + _CHUNK_ROWS)
                below = scale.model.head.below(params[part, : c + 1], values[part, :c], self.network.tables)
                bins = torch.floor(values[part, c] / BINS) * BINS
                for digit, rows in enumerate(digits):
                    rows.append(self.network.rows(below, bins if digit else None))
            found += digits
        return np.stack([np.concatenate(rows) for rows in found], 1).reshape(h * w, n, len(found), -1)

    def begin(self, step: Step) -> None:
        """Do nothing: everything is computed already."""

    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        rows = self._freqs[self._here, :, channel * self.digits + len(before)]
        return rows.reshape(-1, rows.shape[-1])

    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        """Do nothing: the samples are known."""

    def samples(self, image: int) -> Samples:
        return self._values[image].permute(1, 2, 0).to(torch.uint8).contiguous().cpu().numpy()
