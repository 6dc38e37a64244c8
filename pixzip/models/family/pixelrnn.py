"""The frame of PixelCNN, Row LSTM and Diagonal BiLSTM [1], which differ only in the layer.

It is a 7x7 convolution of mask A, a stack of layers over 2h features with residual connections, and two 1x1
convolutions of mask B, each after a ReLU.  Skip connections, an option of [1], add a 1x1 convolution of every
layer's output to the input of the last two convolutions.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), figure 5.
"""

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from pixzip.models.family.density import FEATURES, FIRST_SIDES, HIDDEN, LAYERS, Density, DensityConfig
from pixzip.models.family.fronts import Runner
from pixzip.models.family.layers import CausalConv
from pixzip.models.family.taps import context
from pixzip.models.sizes import size


@dataclass(frozen=True)
class PixelRNNConfig(DensityConfig):
    """Sizes; the defaults are those of [1] for CIFAR-10.

    Attributes:
        hidden: h; the stream between layers has 2h features.
        layers: number of layers of the stack.
        features: features of the two final 1x1 convolutions.
        residual, skip: whether there are residual and skip connections.
        first: side of the first convolution.
        condition: number of features of a map that conditions every layer (Multi-Scale); 0 for none.
    """

    hidden: int = size(128, HIDDEN)
    layers: int = size(12, LAYERS)
    features: int = size(1024, FEATURES)
    residual: bool = size(True, (False, True))
    skip: bool = size(False, (False, True))
    first: int = size(7, FIRST_SIDES)
    condition: int = size(0, range(1025))


class PixelRNN(Density):
    """A density whose layers are made by subclasses."""

    config: PixelRNNConfig

    def __init__(self, config: PixelRNNConfig) -> None:
        super().__init__(config)
        g, wide = config.channels, 2 * config.hidden
        self.first = CausalConv(g, wide, context(config.first), "A", g, pixels=True)
        self.layers = nn.ModuleList(self.layer(config) for _ in range(config.layers))
        skips = config.layers if config.skip else 0
        self.skips = nn.ModuleList(CausalConv(wide, wide, (), "B", g) for _ in range(skips))
        self.hidden = CausalConv(wide, config.features, (), "B", g, gain=2**0.5)
        self.last = CausalConv(config.features, g * self.head.n_params, (), "B", g, gain=0.1)
        self.last.start(self.head.initial(g))

    @abstractmethod
    def layer(self, config: PixelRNNConfig) -> nn.Module:
        """One layer from 2h to 2h features, called with the features and the conditioning map or None."""

    def slope(self, width: int) -> int:
        return min(width, self.config.first // 2 + 1)

    def network(self, pixels: Tensor | None, run: Runner, condition: Tensor | None = None) -> Tensor:
        """See `Density.network`; `condition` is (N, H, W, config.condition) or None."""
        stream = run(self.first, pixels)
        total: Tensor | None = None
        for i, layer in enumerate(self.layers):
            out = run(layer, stream, condition)
            stream = stream + out if self.config.residual else out
            if self.config.skip:
                side = run(self.skips[i], out)
                total = side if total is None else total + side
        if total is not None:
            stream = stream + total
        return run(self.hidden, stream.relu()).relu()
