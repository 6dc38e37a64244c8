"""The receptive field of each model of the PixelRNN family, by sub-pixel, from the definitions of the papers.

A `Map` relates outputs to inputs: a boolean matrix over the sub-pixels of an image in coding order,
``(y * w + x) * g + c``; maps are composed by products.  Features have one group per channel, so they count as
sub-pixels.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), figures 2 and 4.
[2] van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016 (arXiv 1606.05328), figure 2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.bool_]
Offsets = Iterable[tuple[int, int]]


@dataclass(frozen=True)
class Grid:
    """The sub-pixels of an image of h x w pixels and g channels."""

    h: int
    w: int
    g: int

    @property
    def size(self) -> int:
        return self.h * self.w * self.g

    def pixels(self, offsets: Offsets) -> Map:
        """(H W, H W) map in which each pixel reads those at the offsets."""
        out = np.zeros((self.h, self.w, self.h, self.w), np.bool_)
        for dy, dx in offsets:
            for y in range(max(0, -dy), min(self.h, self.h - dy)):
                for x in range(max(0, -dx), min(self.w, self.w - dx)):
                    out[y, x, y + dy, x + dx] = True
        return out.reshape(self.h * self.w, -1)

    def reads(self, offsets: Offsets = (), centre: str | None = None) -> Map:
        """Map in which every channel reads all channels at the offsets, and the unmasked ones at its own pixel.

        Args:
            centre: "A" for earlier channels, "B" for these and itself, "same" for itself, "all" for all.
        """
        g = self.g
        own: dict[str | None, Map] = {
            None: np.zeros((g, g), np.bool_), "A": np.tri(g, g, -1, np.bool_), "B": np.tri(g, g, 0, np.bool_),
            "same": np.eye(g, dtype=np.bool_), "all": np.ones((g, g), np.bool_),
        }  # fmt: skip
        elsewhere = np.kron(self.pixels(offsets), np.ones((g, g), np.bool_))
        here = np.kron(self.pixels([(0, 0)]), own[centre])
        return elsewhere | here


def box(rows: Iterable[int], columns: Iterable[int]) -> list[tuple[int, int]]:
    columns = list(columns)
    return [(dy, dx) for dy in rows for dx in columns]


def before(side: int) -> list[tuple[int, int]]:
    """The offsets of a side x side window that precede its centre in raster order."""
    r = side // 2
    return [(dy, dx) for dy, dx in box(range(-r, r + 1), range(-r, r + 1)) if (dy, dx) < (0, 0)]


def recurrent(state: Map, inputs: Map) -> Map:
    """Map of hidden states that read inputs, directly and through other hidden states."""
    seen = inputs
    while True:
        more = seen | state @ seen
        if np.array_equal(more, seen):
            return seen
        seen = more


def pixelcnn_layer(grid: Grid, condition: Map | None = None) -> tuple[Map, Map | None]:
    """[1], figure 5: 1x1, 3x3 and 1x1, all of mask B; maps from the input and from a conditioning map."""
    b = grid.reads(centre="B")
    return b @ grid.reads(before(3), "B") @ b, None if condition is None else b @ condition


def row_lstm_layer(grid: Grid, condition: Map | None = None, kernel: int = 3) -> tuple[Map, Map | None]:
    """[1], section 3.1: reads a masked row of inputs, and the unmasked row of hidden states above."""
    r = kernel // 2
    state = grid.reads(box([-1], range(-r, r + 1)))
    inputs = grid.reads(box([0], range(-r, 0)), "B")
    b = grid.reads(centre="B")
    return b @ recurrent(state, inputs), None if condition is None else b @ recurrent(state, condition)


def diagonal_layer(grid: Grid, condition: Map | None = None) -> tuple[Map, Map | None]:
    """[1], section 3.2: one LSTM from the left, and one from the right moved down by a row."""
    from_left, from_right = grid.reads([(0, -1), (-1, 0)]), grid.reads([(0, 1), (-1, 0)])
    down = np.kron(grid.pixels([(-1, 0)]), np.eye(grid.g, dtype=np.bool_))
    b = grid.reads(centre="B")

    def both(inputs: Map) -> Map:
        out: Map = b @ (recurrent(from_left, inputs) | down @ recurrent(from_right, inputs))
        return out

    return both(b), None if condition is None else both(condition)


LAYERS = {"pixelcnn": pixelcnn_layer, "row-lstm": row_lstm_layer, "diagonal-bilstm": diagonal_layer}


def pixelrnn(grid: Grid, core: str, config: Any, condition: Map | None = None) -> Map:
    """The frame of [1]: a window of mask A, layers with connections around or past them, 1x1s of mask B."""
    extra = {"kernel": config.kernel} if core == "row-lstm" else {}
    of_input, of_condition = LAYERS[core](grid, condition, **extra)
    stream = grid.reads(before(config.first), "A")
    skipped = np.zeros_like(stream)
    for _ in range(config.layers):
        out = of_input @ stream
        if of_condition is not None:
            out = out | of_condition
        stream = stream | out if config.residual else out
        skipped = skipped | out
    b = grid.reads(centre="B")
    result: Map = b @ (stream | skipped if getattr(config, "skip", False) else stream)
    return result


def gated(grid: Grid, config: Any) -> Map:
    """[2]: a vertical stack reads whole windows above, a horizontal one the row so far and the vertical stack."""
    whole, b = grid.reads(centre="all"), grid.reads(centre="B")
    r, k = config.first // 2, config.kernel // 2
    vertical = grid.reads(box(range(-r, 0), range(-r, r + 1)))
    horizontal: Map = b @ (grid.reads(box([0], range(-r, 0)), "A") | whole @ vertical)
    for _ in range(config.layers - 1):
        vertical = grid.reads(box(range(-k, 1), range(-k, k + 1))) @ vertical
        horizontal = horizontal | b @ (grid.reads(box([0], range(-k, 0)), "B") @ horizontal | whole @ vertical)
    out: Map = b @ horizontal
    return out


def upsampled(grid: Grid, stride: int) -> Map:
    """[1], section 3.6: a map reads every `stride`-th pixel through 3x3, a deconvolution and 3x3."""
    h, w = -(-grid.h // stride), -(-grid.w // stride)
    small, large = Grid(h, w, 1), Grid(h * stride, w * stride, 1)
    around = box(range(-1, 2), range(-1, 2))
    cell = np.zeros((large.size, small.size), np.bool_)
    taken = np.zeros((small.size, grid.h * grid.w), np.bool_)
    for y in range(large.h):
        for x in range(large.w):
            cell[y * large.w + x, (y // stride) * w + x // stride] = True
    for y in range(h):
        for x in range(w):
            taken[y * w + x, y * stride * grid.w + x * stride] = True
    full = large.pixels(around) @ cell @ small.pixels(around) @ taken
    inside = full.reshape(large.h, large.w, -1)[: grid.h, : grid.w].reshape(grid.h * grid.w, -1)
    return np.kron(inside, np.ones((grid.g, grid.g), np.bool_))


def seen_by(grid: Grid, name: str, config: Any, stage: int = 0) -> Map | None:
    """The dependencies of every sub-pixel's parameters; None if the model has its own tests."""
    match name:
        case "gated-pixelcnn-1":
            return gated(grid, config)
        case "multi-scale-1":
            condition = upsampled(grid, config.stride) if stage else None
            return pixelrnn(grid, config.core, config, condition)
        case "pixelcnn-1" | "row-lstm-1" | "diagonal-bilstm-1":
            return pixelrnn(grid, name.removesuffix("-1"), config)
    return None
