"""Diagonal BiLSTM [1]: two LSTMs scan the image along its diagonals, so that a pixel depends on the whole past.

The state at a pixel is computed from its neighbour above and its neighbour in the row: the left one for one LSTM,
the right one for the other.  A diagonal of the map, skewed by one pixel per row, is computed at once.  The right
LSTM's output is moved down by a row, where its whole input is past, and added to the left LSTM's.  Only the last
pixel of the row above is seen from nearby alone: mask A hides a pixel from its own features, and none follow it.

Here the map is not skewed: the pixels of a diagonal are gathered by index, so none outside the image is computed.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 3.2.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixzip.models.family.fronts import Front, Ring
from pixzip.models.family.layers import CausalConv, partition
from pixzip.models.family.lstm import Cell
from pixzip.models.family.pixelrnn import PixelRNN, PixelRNNConfig


@dataclass(frozen=True)
class DiagonalBiLSTMConfig(PixelRNNConfig):
    """The published setting for CIFAR-10: 12 layers of h = 128."""


@lru_cache(maxsize=8)
def _diagonals(h: int, w: int) -> tuple[list[tuple[int, int]], Tensor, Tensor, Tensor]:
    """Rows [first, last) of every diagonal, and (H W,) indices of its pixels: from left, from right, and inverse."""
    rows = [(max(0, t - w + 1), min(h, t + 1)) for t in range(h + w - 1)]
    left = torch.tensor([y * w + t - y for t, (a, b) in enumerate(rows) for y in range(a, b)])
    right = torch.tensor([y * w + w - 1 - (t - y) for t, (a, b) in enumerate(rows) for y in range(a, b)])
    return rows, left, right, torch.argsort(left)


class Layer(nn.Module):
    """2h features -> two LSTMs of h -> 1x1 to 2h."""

    def __init__(self, config: PixelRNNConfig) -> None:
        super().__init__()
        g, h = config.channels, config.hidden
        self.h = h
        self.enter = CausalConv(2 * h, 8 * h, (), "B", g, copies=8)  # left's gates, right's gates
        self.cell = Cell(h, 2, directions=2)
        self.up = CausalConv(h, 2 * h, (), "B", g)
        self.condition = CausalConv(config.condition, 8 * h, (), "all") if config.condition else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        gates = self.enter(x)
        if self.condition is not None and condition is not None:
            gates = gates + self.condition(condition)
        n, height, width, _ = x.shape
        rows, left, right, back = _diagonals(height, width)
        both = gates.reshape(n, height * width, 2, -1)
        both = torch.stack([both[:, left, 0], both[:, right, 1]]).transpose(1, 2)  # 2, H W, N, 4h
        parts, outs = both.split([b - a for a, b in rows], 1), []
        hidden = cell = x.new_zeros(2, 0, n, self.h)
        first = 0
        for (a, b), part in zip(rows, parts, strict=True):
            none = x.new_zeros(2, 1, n, self.h)
            longer = torch.cat([none, hidden, none], 1)  # rows first - 1 to last
            own, above = longer[:, 1 + a - first : 1 + b - first], longer[:, a - first : b - first]
            cell = torch.cat([cell, none], 1)[:, a - first : b - first]
            near = torch.cat([own, above], -1).reshape(2, -1, 2 * self.h)
            state = self.cell.state_to_state(near, None).view(2, b - a, n, -1)
            hidden, cell = self.cell.update(part + state, cell)
            outs.append(hidden)
            first = a
        out = torch.cat(outs, 1)[:, back].view(2, height, width, n, self.h)
        moved = F.pad(out[1].flip(1), (0, 0, 0, 0, 0, 0, 1, 0))[:height]
        result: Tensor = self.up((out[0] + moved).permute(2, 0, 1, 3).contiguous())
        return result

    def step(self, front: Front, x: Tensor, condition: Tensor | None = None) -> Tensor:
        state = front.state(self, lambda front: _State(front, self))
        column = int(front.xs[0])
        if front.group == 0:
            if column == 0:
                self._scan_from_the_right(front, state)
            state.near = self.cell.state_to_state(state.hidden.gather(), 0)
            state.cell_left = state.cell.gather()
            state.new_hidden, state.new_cell = front.zeros(front.m, self.h), front.zeros(front.m, self.h)
            state.new_gates = front.zeros(front.m, 8 * self.h)
            state.biases = front.zeros(1, 8 * self.h)
            if self.condition is not None and condition is not None:
                state.biases = front.known(self.condition, condition)
        mine, outputs = self.up.inputs[front.group], self.enter.outputs[front.group]
        gates = front(self.enter, x) + state.biases[:, outputs]
        state.new_gates[:, outputs] = gates
        half = gates.shape[1] // 2
        inner = gates[:, :half] + state.near[:, self.gates_of[front.group]]
        hidden, cell = self.cell.update(inner, state.cell_left[:, mine])
        state.new_hidden[:, mine], state.new_cell[:, mine] = hidden, cell
        if front.group == front.groups - 1:
            state.hidden.write(state.new_hidden)
            state.cell.write(state.new_cell)
            state.row.append(state.new_gates[:, 4 * self.h :])
        return front(self.up, hidden + state.right[column][:, mine])

    @property
    def gates_of(self) -> list[list[int]]:
        """The indices, among the 4h gates of one direction, of each group's gates."""
        return partition(4 * self.h, self.enter.groups, 4)

    def _scan_from_the_right(self, front: Front, state: "_State") -> None:
        """Run the right LSTM over the completed row; the next row reads its output."""
        above, row = state.right, state.row
        state.row = []
        if not row:  # the first row has no row above
            state.right = [front.zeros(front.n, self.h)] * front.w
            return
        hidden = cell = front.zeros(front.n, self.h)
        out = []
        for gates, over in zip(reversed(row), reversed(above), strict=True):
            near = torch.cat([hidden, over], -1)
            hidden, cell = self.cell.update(gates + self.cell.state_to_state(near, 1), cell)
            out.append(hidden)
        state.right = out[::-1]


class _State:
    """State of a layer on a front in raster order.

    Attributes:
        row: list of the right LSTM's (N, 4h) input-to-state sums, for the pixels of the row so far.
        right: list of its (N, h) hidden states in the row above, for every column.
    """

    def __init__(self, front: Front, layer: Layer) -> None:
        self.hidden = Ring(front, layer.h, ((0, -1), (-1, 0)))
        self.cell = Ring(front, layer.h, ((0, -1),))
        self.row: list[Tensor] = []
        self.right: list[Tensor] = []
        self.near = self.cell_left = self.new_hidden = self.new_cell = self.new_gates = self.biases = torch.zeros(0)


class DiagonalBiLSTM(PixelRNN):
    """See the module's docstring."""

    wire_name = "diagonal-bilstm-1"
    config_class = DiagonalBiLSTMConfig
    functions = ("tanh", "sigmoid")

    def layer(self, config: PixelRNNConfig) -> nn.Module:
        return Layer(config)

    def slope(self, width: int) -> int:
        return width
