"""Row LSTM [1]: all pixels of a row are computed at once from the hidden states of the row above.

Input-to-state is a masked k x 1 convolution along the row, state-to-state an unmasked k x 1 convolution of the
hidden row above.  A layer sees a triangle of the past, which widens by k // 2 per row.

The first hidden and cell states are zero; [1] does not specify them.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 3.1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pixzip.models.family.density import SIDES
from pixzip.models.family.fronts import Front, Ring
from pixzip.models.family.layers import CausalConv
from pixzip.models.family.lstm import Cell
from pixzip.models.family.pixelrnn import PixelRNN, PixelRNNConfig
from pixzip.models.family.taps import window
from pixzip.models.sizes import size


@dataclass(frozen=True)
class RowLSTMConfig(PixelRNNConfig):
    """The published setting for CIFAR-10: 12 layers of h = 128, kernels of 3."""

    kernel: int = size(3, SIDES)


class Layer(nn.Module):
    """2h features -> LSTM of h -> 1x1 to 2h."""

    def __init__(self, config: RowLSTMConfig) -> None:
        super().__init__()
        g, h, r = config.channels, config.hidden, config.kernel // 2
        self.h = h
        self.row_above = window((-1,), range(-r, r + 1))
        self.enter = CausalConv(2 * h, 4 * h, window((0,), range(-r, 0)), "B", g, copies=4)
        self.cell = Cell(h, config.kernel)
        self.up = CausalConv(h, 2 * h, (), "B", g)
        self.condition = CausalConv(config.condition, 4 * h, (), "all") if config.condition else None

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        gates = self.enter(x)
        if self.condition is not None and condition is not None:
            gates = gates + self.condition(condition)
        n, _, width, _ = x.shape
        r = len(self.row_above) // 2
        hidden = cell = x.new_zeros(n, width, self.h)
        rows: list[Tensor] = []
        for row in gates.unbind(1):  # not by index: its gradient would be as large as the map for every row
            if rows:
                padded = F.pad(hidden, (0, 0, r, r))
                near = torch.cat([padded[:, i : i + width] for i in range(2 * r + 1)], -1)
                row = row + self.cell.state_to_state(near)
            hidden, cell = self.cell.update(row, cell)
            rows.append(hidden)
        out: Tensor = self.up(torch.stack(rows, 1))
        return out

    def step(self, front: Front, x: Tensor, condition: Tensor | None = None) -> Tensor:
        state = front.state(self, lambda front: _State(front, self))
        if front.group == 0:
            state.above = self.cell.state_to_state(state.hidden.gather())
            if self.condition is not None and condition is not None:
                state.above = state.above + front.known(self.condition, condition)
            state.cell_above = state.cell.gather()
            state.new_hidden, state.new_cell = front.zeros(front.m, self.h), front.zeros(front.m, self.h)
        mine = self.up.inputs[front.group]
        gates = front(self.enter, x) + state.above[:, self.enter.outputs[front.group]]
        hidden, cell = self.cell.update(gates, state.cell_above[:, mine])
        state.new_hidden[:, mine], state.new_cell[:, mine] = hidden, cell
        if front.group == front.groups - 1:
            state.hidden.write(state.new_hidden)
            state.cell.write(state.new_cell)
        return front(self.up, hidden)


class _State:
    """State of a layer on a front."""

    def __init__(self, front: Front, layer: Layer) -> None:
        self.hidden = Ring(front, layer.h, layer.row_above)
        self.cell = Ring(front, layer.h, ((-1, 0),))
        self.above = self.cell_above = self.new_hidden = self.new_cell = torch.zeros(0)


class RowLSTM(PixelRNN):
    """See the module's docstring."""

    wire_name = "row-lstm-1"
    config_class = RowLSTMConfig
    functions = ("tanh", "sigmoid")
    config: RowLSTMConfig

    def layer(self, config: PixelRNNConfig) -> nn.Module:
        assert isinstance(config, RowLSTMConfig)
        return Layer(config)

    def slope(self, width: int) -> int:
        return min(width, max(self.config.first, self.config.kernel) // 2 + 1)
