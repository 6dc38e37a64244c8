"""The masked convolution of the PixelRNN family, on whole images, on fronts and on rows.

Within a pixel, features are in groups, one per channel (the R, G and B thirds of [1]).  Group c sees only
channels before c, so a front is computed group by group while its channels are decoded, and each group's
features are computed once.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 3.4.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pixzip.models.family.arithmetic import FLOAT, Arithmetic
from pixzip.models.family.fronts import Front, Ring
from pixzip.models.family.taps import Taps, row_product, taps_product

#: The groups that a group sees at its own pixel: "A" only earlier ones, "B" also itself, "all" every group.
Centre = Literal["A", "B", "all"] | None


def partition(n: int, groups: int, copies: int = 1) -> list[list[int]]:
    """The indices, among n features, of each group's: `copies` equal parts are each cut into `groups` runs.

    >>> partition(6, 3)
    [[0, 1], [2, 3], [4, 5]]
    >>> partition(8, 2, copies=2)
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    each = n // copies
    ends = [g * each // groups for g in range(groups + 1)]
    return [[k * each + i for k in range(copies) for i in range(ends[g], ends[g + 1])] for g in range(groups)]


class CausalConv(nn.Module):
    """A convolution over listed taps, its centre masked by groups.

    Args:
        taps: offsets to earlier pixels, without the centre.
        centre: groups that a group sees at its own pixel; None for no centre tap.
        groups: number of groups of features; copies (of a gate's or an LSTM's outputs) are grouped alike.
        pixels: whether the input is the image itself, whose groups are its channels.
    """

    arithmetic: Arithmetic = FLOAT

    def __init__(
        self,
        n_in: int,
        n_out: int,
        taps: Taps = (),
        centre: Centre = None,
        groups: int = 1,
        *,
        copies: int = 1,
        pixels: bool = False,
        bias: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.taps, self.centre, self.groups, self.pixels = taps, centre, groups, pixels
        self.all_taps: Taps = (*taps, (0, 0)) if centre else taps
        self.inputs, self.outputs = partition(n_in, groups), partition(n_out, groups, copies)
        fan_in = len(self.all_taps) * n_in
        self.weight = nn.Parameter(torch.randn(len(self.all_taps), n_in, n_out) * (gain / math.sqrt(fan_in)))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None
        mask = None
        if centre == "A" or (centre == "B" and groups > 1):
            earlier, own = _group_of(self.inputs), _group_of(self.outputs)
            seen = earlier[:, None] < own if centre == "A" else earlier[:, None] <= own
            mask = seen.to(self.weight.dtype)
        self.register_buffer("mask", mask, persistent=False)

    def start(self, bias: Tensor) -> None:
        """Set the initial biases."""
        assert self.bias is not None
        with torch.no_grad():
            self.bias.copy_(bias)

    def masked(self) -> Tensor:
        """(T, C, D) masked weight."""
        mask: Tensor | None = self.mask  # type: ignore[assignment]
        if mask is None:
            return self.weight
        return torch.cat([self.weight[:-1], self.weight[-1:] * mask])

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H, W, D)."""
        out = taps_product(self.arithmetic.clamped(x), self.masked(), self.all_taps, self.bias)
        return self.arithmetic.rounded(out)

    def step(self, front: Front, x: Tensor | None = None) -> Tensor:
        """One group of a front.

        Args:
            x: (M, group's C) features of the group; None for pixels.
        Returns:
            (M, group's D).
        """
        n_in = self.weight.shape[1]
        state = front.state(self, lambda front: _ConvState(Ring(front, n_in, self.taps) if self.taps else None))
        g = front.group
        if g == 0:
            early, _ = self._split()
            known = 0.0 if state.ring is None else state.ring.gather() @ early
            state.known = known if self.bias is None else known + self.bias
            state.now = front.zeros(front.m, n_in)
            if self.pixels and state.ring is not None:
                front.watch(state.now, state.ring)
        if x is not None:
            state.now[:, self._slice(g)] = self.arithmetic.clamped(x)
            if g == self.groups - 1 and state.ring is not None:
                state.ring.write(state.now)
        out = state.known
        if self.groups > 1 and isinstance(out, Tensor):
            out = out[..., self._chosen(g)]
        if self.centre:
            out = state.now @ self._split()[1][g] + out
        assert isinstance(out, Tensor)
        return self.arithmetic.rounded(out)

    def row(self, front: Front, x: Tensor | None = None) -> Tensor:
        """A row of a front in raster order, (N, W, C) -> (N, W, D); None reads pixels of earlier rows."""
        y, above = int(front.ys[0]), max((-dy for dy, _ in self.all_taps), default=0)
        if self.pixels:
            assert front.pixels is not None
            rows = list(front.pixels[:, max(0, y - above) : y + 1].unbind(1))
        else:
            assert x is not None
            rows = front.state((self, "rows"), lambda front: [])
            rows.append(self.arithmetic.clamped(x))
            del rows[: -above - 1]
        return self.arithmetic.rounded(row_product(rows, self.masked(), self.all_taps, self.bias))

    def _slice(self, group: int) -> slice:
        features = self.inputs[group]
        return slice(features[0], features[-1] + 1) if features else slice(0, 0)

    def _chosen(self, group: int) -> Any:
        """The indices of a group's outputs, as a slice if they are one run."""
        chosen = self.outputs[group]
        if chosen and chosen[-1] - chosen[0] + 1 == len(chosen):
            return slice(chosen[0], chosen[-1] + 1)
        return chosen

    def _split(self) -> tuple[Tensor, list[Tensor]]:
        """(T C, D) weight of the earlier pixels, and each group's (C, group's D) weight of the centre."""
        key = (self.weight._version, self.weight.dtype, self.weight.device)
        if self._cache is None or self._cache[0] != key:
            w = self.masked().detach()
            n = len(self.taps)
            early = w[:n].reshape(-1, w.shape[2])
            centre = [w[-1][:, chosen].contiguous() for chosen in self.outputs] if self.centre else []
            self._cache = key, (early, centre)
        return self._cache[1]

    _cache: tuple[Any, tuple[Tensor, list[Tensor]]] | None = None


def _group_of(features: list[list[int]]) -> Tensor:
    """(N,) the group of each feature."""
    out = [0] * sum(map(len, features))
    for group, members in enumerate(features):
        for feature in members:
            out[feature] = group
    return torch.tensor(out)


class _ConvState:
    """State of a convolution on a front."""

    def __init__(self, ring: Ring | None) -> None:
        self.ring = ring
        self.known: Tensor | float = 0.0
        self.now = torch.zeros(0)
