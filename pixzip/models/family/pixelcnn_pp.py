"""PixelCNN++ [1]: whole pixels at once, in two streams without a blind spot, at three resolutions with short-cuts.

The stream u sees the rows above.  The stream ul also sees the row so far; it receives the rows above from u, block
by block.  Each stream goes down to a quarter of the resolution and up again, and every block on the way up also
reads the output of a block on the way down.  A block is a gated residual network of two convolutions after
concatenated ELUs.  The head models the dependence between a pixel's channels: a mixture of logistics over whole
pixels.

u depends on earlier rows only, so a front computes u row by row, and ul pixel by pixel.  Each is computed once; at
a coarse resolution, when the first pixel of a cell is reached.

Unlike [1], weights are neither normalised nor initialised from data, and the trainer sets the learning rate.

[1] Salimans, Karpathy, Chen, Kingma, PixelCNN++, 2017 (arXiv 1701.05517), section 2 and figure 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import torch
from pixcodecs.forking import cached_property
from torch import Tensor, nn
from torch.nn import functional as F

from pixzip.models.family.arithmetic import FLOAT, Arithmetic
from pixzip.models.family.density import HEADS, HIDDEN, Density, DensityConfig
from pixzip.models.family.fronts import Front, Rows, Runner, Whole
from pixzip.models.family.layers import CausalConv
from pixzip.models.family.strided import Down, Up, coarser
from pixzip.models.family.taps import Taps, row_product, window
from pixzip.models.sizes import Interval, size

#: Taps of each stream's blocks, besides the pixel itself.
U_TAPS: Taps = (*window((-1,), (-1, 0, 1)), (0, -1), (0, 1))
UL_TAPS: Taps = (*window((-1,), (-1, 0)), (0, -1))

#: Most blocks of a stream on its way down.
MOST_BLOCKS = 64


@dataclass(frozen=True)
class PixelCNNppConfig(DensityConfig):
    """Sizes; the defaults are those of [1] for CIFAR-10.

    Attributes:
        hidden: number of features of each stream.
        blocks: number per stream and resolution on the way down; on the way up one more, except at the coarsest.
        scales: number of resolutions; 1 for an ablation, in which 16 blocks are as many as 5 at three resolutions.
        short_cuts: whether there are short-cuts from the way down to the way up.
        dropout: probability inside every block, in training.
    """

    head: Literal["softmax", "mixture"] = size("mixture", HEADS)
    hidden: int = size(160, HIDDEN)
    blocks: int = size(5, range(1, 65))
    scales: int = size(3, range(1, 7))
    short_cuts: bool = size(True, (False, True))
    dropout: float = size(0.5, Interval(0.0, 1.0))

    def check_together(self) -> None:
        super().check_together()
        if self.blocks * self.scales > MOST_BLOCKS:
            raise ValueError(f"{self.blocks} blocks at {self.scales} scales, expected at most {MOST_BLOCKS} in all")


class FirstConv(CausalConv):
    """Reads earlier pixels and a channel that is one inside the image and zero outside."""

    def __init__(self, channels: int, n_out: int, taps: Taps) -> None:
        super().__init__(channels + 1, n_out, taps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 1), value=1.0))

    def step(self, front: Front, x: Tensor | None = None) -> Tensor:
        assert front.pixels is not None
        near = front.zeros(front.n, *self.weight.shape[:2])  # N, T, C + 1
        for i, (dy, dx) in enumerate(self.taps):
            row, column = int(front.ys[0]) + dy, int(front.xs[0]) + dx
            if row >= 0 and 0 <= column < front.w:
                near[:, i, :-1], near[:, i, -1] = front.pixels[:, row, column], 1
        assert self.bias is not None
        return self.arithmetic.rounded(torch.addmm(self.bias, near.flatten(1), self.weight.flatten(0, 1)))

    def row(self, front: Front, x: Tensor | None = None) -> Tensor:
        assert front.pixels is not None
        y = int(front.ys[0])
        rows = F.pad(front.pixels[:, max(0, y - 2) : y + 1], (0, 1), value=1.0).unbind(1)
        return self.arithmetic.rounded(row_product(rows, self.weight, self.taps, self.bias))


class _Features:
    """Features and, computed on demand, their concatenated ELUs for convolutions and 1x1s."""

    def __init__(self, x: Tensor, arithmetic: Arithmetic) -> None:
        self.x, self._arithmetic = x, arithmetic

    @cached_property
    def active(self) -> Tensor:
        return concat_elu(self.x, self._arithmetic)


class _ConcatELU(torch.autograd.Function):
    """`concat_elu` in floats, with one exponential for both halves."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        below = x.abs().neg_().exp_()
        ctx.save_for_backward(x, below)
        out = x.new_empty(*x.shape[:-1], 2, x.shape[-1])
        below = below - 1
        torch.maximum(x, below, out=out[..., 0, :])
        torch.maximum(-x, below, out=out[..., 1, :])
        return out.flatten(-2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        x, below = ctx.saved_tensors
        up, down = grads[0].chunk(2, -1)
        return torch.where(x > 0, up - down * below, up * below - down)


def concat_elu(x: Tensor, arithmetic: Arithmetic) -> Tensor:
    """(..., C) -> (..., 2 C)."""
    if arithmetic is FLOAT:
        out: Tensor = _ConcatELU.apply(x)  # type: ignore[no-untyped-call]
        return out
    return arithmetic.elu(torch.cat([x, -x], -1))


def _dropout(x: Tensor, probability: float) -> Tensor:
    """PyTorch's dropout with the probability in 1/256; masks are drawn eight at a time, in a tenth of the CPU time."""
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(1 << 63), None)
    dropped = min(255, round(256 * probability))
    kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= dropped
    return x * (kept * (256 / (256 - dropped)))


class Block(nn.Module):
    """A gated residual network.

    Args:
        taps: taps of its two convolutions.
        short_cut: whether it reads a block of the way down.
        tells: whether it computes an output for the other stream.
    """

    arithmetic: Arithmetic = FLOAT

    def __init__(self, config: PixelCNNppConfig, taps: Taps, short_cut: bool, tells: bool) -> None:
        super().__init__()
        h = config.hidden
        self.enter = CausalConv(2 * h, h, taps, "all")
        self.short_cut = CausalConv(2 * h, h, (), "all", bias=False) if short_cut else None
        self.leave = CausalConv(2 * h, 2 * h, taps, "all", gain=0.1)
        self.tell = CausalConv(2 * h, h, (), "all", bias=False) if tells else None
        self.dropout = config.dropout

    def update(self, run: Runner, x: _Features, told: Tensor | None, earlier: _Features | None) -> _Features:
        """
        Args:
            told: output of the other stream's block, for a block of ul.
            earlier: features from the short-cut.
        """
        inside = run(self.enter, x.active)
        if told is not None:
            inside = inside + told
        if self.short_cut is not None:
            assert earlier is not None
            inside = inside + run(self.short_cut, earlier.active)
        active = concat_elu(inside, self.arithmetic)
        if self.training and isinstance(run, Whole):
            active = _dropout(active, self.dropout)
        a, b = run(self.leave, active).chunk(2, -1)
        return _Features(x.x + self.arithmetic.rounded(a * self.arithmetic.sigmoid(b)), self.arithmetic)


class Stream(nn.Module):
    """One of the streams, from some resolution down to the coarsest."""

    arithmetic: Arithmetic = FLOAT

    def __init__(self, config: PixelCNNppConfig, taps: Taps, scales: int, tells: bool) -> None:
        super().__init__()
        h = config.hidden
        self.down = nn.ModuleList(Block(config, taps, False, tells) for _ in range(config.blocks))
        ups = config.blocks + (scales > 1)
        self.up = nn.ModuleList(Block(config, taps, config.short_cuts, tells) for _ in range(ups))
        self.coarse: Stream | None = None
        if scales > 1:
            self.leave = Down(h, h, (*taps, (0, 0)))
            self.coarse = Stream(config, taps, scales - 1, tells)
            self.enter = Up(h, h, wide=tells)

    def pass_on(self, run: Runner, x: Tensor, told: list[list[Tensor]]) -> tuple[Tensor, list[list[Tensor]]]:
        """
        Args:
            x: (N, H, W, C) at this resolution, or the runner's part of it.
            told: the other stream's outputs for every block, at this resolution and each coarser one; or nothing.
        Returns:
            Features shaped like `x`, and this stream's outputs in the form of `told`.
        """
        tell: list[Tensor] = []
        further: list[list[Tensor]] = []
        ways: list[_Features] = []
        heard: Iterator[Tensor | None] = iter(_here(run, told[0])) if told else repeat(None)

        def through(block: Block, now: _Features, earlier: _Features | None) -> _Features:
            now = block.update(run, now, next(heard), earlier)
            if block.tell is not None:
                tell.append(run(block.tell, now.active))
            return now

        now = _Features(x, self.arithmetic)
        for block in _blocks(self.down):
            ways.append(now)
            now = through(block, now, None)
        coarse = self.coarse
        if coarse is not None:
            ways.append(now)
            out, further = coarser(run, self.leave, now.x, lambda run, x: coarse.pass_on(run, x, told[1:]))
            now = _Features(run(self.enter, out, x), self.arithmetic)
        for block in _blocks(self.up):
            now = through(block, now, ways.pop())
        return now.x, [tell, *further]


def _here(run: Runner, rows: list[Tensor]) -> list[Tensor]:
    """The parts of whole rows that a runner of pixels reads."""
    return [row[:, run.xs[0]] for row in rows] if isinstance(run, Front) else rows


def _blocks(modules: nn.ModuleList) -> list[Block]:
    return list(modules)  # type: ignore[arg-type]


class PixelCNNpp(Density):
    """See the module's docstring."""

    wire_name = "pixelcnn-pp-1"
    config_class = PixelCNNppConfig
    functions = ("sigmoid", "elu")
    config: PixelCNNppConfig

    def __init__(self, config: PixelCNNppConfig) -> None:
        super().__init__(config, groups=1)
        h, c = config.hidden, config.channels
        self.u_first = FirstConv(c, h, window((-2, -1), (-1, 0, 1)))
        self.ul_first = FirstConv(c, h, (*window((-1,), (-1, 0, 1)), (0, -1)))
        self.u = Stream(config, U_TAPS, config.scales, tells=True)
        self.ul = Stream(config, UL_TAPS, config.scales, tells=False)
        self.last = CausalConv(h, c * self.head.n_params, (), "all", gain=0.1)
        self.last.start(self.head.initial(c))

    def network(self, pixels: Tensor | None, run: Runner) -> Tensor:
        assert not isinstance(run, Rows)
        told = run.rows(self, lambda run: self.u.pass_on(run, run(self.u_first, pixels), [])[1])
        out, _ = self.ul.pass_on(run, run(self.ul_first, pixels), told)
        return self.arithmetic.elu(out)
