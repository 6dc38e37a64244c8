"""PixelCNN [1]: a fully convolutional stack of masked convolutions.

A layer is the residual block of [1], figure 5 (left): ReLU and 1x1 from 2h to h, ReLU and 3x3 of mask B, ReLU
and 1x1 back to 2h.  In the row above, a 3x3 mask reaches only one column to the right of the centre, so a stack
has a blind spot: pixels to the upper right that no path reaches.

Colours are masked R -> G -> B inside the feature maps.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 3.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from pixzip.models.family.density import LAYERS
from pixzip.models.family.fronts import Front, Whole
from pixzip.models.family.layers import CausalConv
from pixzip.models.family.pixelrnn import PixelRNN, PixelRNNConfig
from pixzip.models.family.taps import context
from pixzip.models.sizes import size


@dataclass(frozen=True)
class PixelCNNConfig(PixelRNNConfig):
    """The published setting for CIFAR-10: 15 layers of h = 128."""

    layers: int = size(15, LAYERS)


class Block(nn.Module):
    """One residual block, without the residual connection."""

    def __init__(self, config: PixelRNNConfig) -> None:
        super().__init__()
        g, h = config.channels, config.hidden
        self.narrow = CausalConv(2 * h, h, (), "B", g, gain=2**0.5)
        self.middle = CausalConv(h, h, context(3), "B", g, gain=2**0.5)
        self.wide = CausalConv(h, 2 * h, (), "B", g)
        self.condition = CausalConv(config.condition, h, (), "all") if config.condition else None

    def _run(self, run: Whole | Front, x: Tensor, condition: Tensor | None) -> Tensor:
        middle = run(self.middle, run(self.narrow, x.relu()).relu())
        if self.condition is not None and condition is not None:
            biases = run.known(self.condition, condition)
            middle = middle + (biases if isinstance(run, Whole) else biases[:, self.middle.outputs[run.group]])
        return run(self.wide, middle.relu())

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self._run(Whole(), x, condition)

    def step(self, front: Front, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self._run(front, x, condition)


class PixelCNN(PixelRNN):
    """See the module's docstring."""

    wire_name = "pixelcnn-1"
    config_class = PixelCNNConfig

    def layer(self, config: PixelRNNConfig) -> nn.Module:
        return Block(config)
