"""The LSTM cell of both PixelRNN layers [1], equation 3, with groups of features.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 3.1.
"""

import math

import torch
from torch import Tensor, nn

from pixzip.models.family.arithmetic import FLOAT, Arithmetic


class Cell(nn.Module):
    """State-to-state weights and the gates output, forget, input and content, in this order.

    Args:
        hidden: h.
        neighbours: number of hidden states that a cell reads.
        directions: number of cells computed side by side, each with its own weights.
    """

    arithmetic: Arithmetic = FLOAT

    def __init__(self, hidden: int, neighbours: int, directions: int = 1) -> None:
        super().__init__()
        fan_in = neighbours * hidden
        self.weight = nn.Parameter(torch.randn(directions, fan_in, 4 * hidden) / math.sqrt(fan_in))

    def state_to_state(self, states: Tensor, direction: int | None = 0) -> Tensor:
        """(..., T h) hidden states of the neighbours -> (..., 4 h); (D, M, T h) -> (D, M, 4 h) without a direction."""
        weight = self.weight if direction is None else self.weight[direction]
        return self.arithmetic.rounded(states @ weight)

    def update(self, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """(..., 4 k) sums before the gates and (..., k) cell states -> new hidden and cell states, (..., k) each."""
        k = cell.shape[-1]
        a = self.arithmetic
        opened = a.sigmoid(gates[..., : 3 * k])
        output, forget, enter = opened[..., :k], opened[..., k : 2 * k], opened[..., 2 * k :]
        cell = a.rounded(forget * cell + enter * a.tanh(gates[..., 3 * k :]))
        return a.rounded(output * a.tanh(cell)), cell
