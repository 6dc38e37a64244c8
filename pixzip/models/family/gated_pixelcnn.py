"""Gated PixelCNN [1]: two stacks, which leave no blind spot, and gates like an LSTM's.

The vertical stack sees all rows above without a mask.  The horizontal stack sees the row so far and, layer by
layer, the vertical stack.  Every convolution gives 2p features, which ``tanh(a) * sigmoid(b)`` reduces to p.
Only the horizontal stack has residual connections, from its second layer on.

Colours are masked R -> G -> B in the horizontal stack; the vertical stack sees only earlier rows and needs no
mask.  Unlike [1], the model is not conditioned on labels.

[1] van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016 (arXiv 1606.05328), section 2.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from pixzip.models.family.arithmetic import FLOAT, Arithmetic
from pixzip.models.family.density import FEATURES, FIRST_SIDES, HIDDEN, LAYERS, SIDES, Density, DensityConfig
from pixzip.models.family.fronts import Rows, Runner, Whole
from pixzip.models.family.layers import CausalConv
from pixzip.models.family.taps import window
from pixzip.models.sizes import size


@dataclass(frozen=True)
class GatedPixelCNNConfig(DensityConfig):
    """Sizes; the defaults are those of [1] for ImageNet, the only ones stated there.

    Attributes:
        hidden: p.
        layers: number of layers of each stack, including the first.
        kernel, first: side of the convolutions, and of the first layer's.
        features: features of the two final 1x1 convolutions, as in the earlier PixelCNN; not stated in [1].
    """

    hidden: int = size(384, HIDDEN)
    layers: int = size(20, LAYERS)
    kernel: int = size(5, SIDES)
    first: int = size(7, FIRST_SIDES)
    features: int = size(1024, FEATURES)


class Layer(nn.Module):
    """One layer of both stacks."""

    arithmetic: Arithmetic = FLOAT

    def __init__(self, config: GatedPixelCNNConfig, first: bool) -> None:
        super().__init__()
        g, p = config.channels, config.hidden
        r = (config.first if first else config.kernel) // 2
        n_in, columns = g if first else p, range(-r, r + 1)
        # the first layer reads rows above; later ones read features that depend on rows above only
        self.vertical = CausalConv(n_in, 2 * p, window(range(-r, 0 if first else 1), columns), None, pixels=first)
        left = window((0,), range(-r, 0))
        self.horizontal = CausalConv(n_in, 2 * p, left, "A" if first else "B", g, copies=2, pixels=first)
        self.down = CausalConv(2 * p, 2 * p, (), "all", bias=False)
        self.out = CausalConv(p, p, (), "B", g)
        self.residual = not first

    def gate(self, x: Tensor) -> Tensor:
        """(..., 2 k) -> (..., k)."""
        a, b = x.chunk(2, -1)
        return self.arithmetic.rounded(self.arithmetic.tanh(a) * self.arithmetic.sigmoid(b))


class GatedPixelCNN(Density):
    """See the module's docstring."""

    wire_name = "gated-pixelcnn-1"
    config_class = GatedPixelCNNConfig
    functions = ("tanh", "sigmoid")
    config: GatedPixelCNNConfig

    def __init__(self, config: GatedPixelCNNConfig) -> None:
        super().__init__(config)
        g = config.channels
        self.layers = nn.ModuleList(Layer(config, first=i == 0) for i in range(config.layers))
        self.hidden = CausalConv(config.hidden, config.features, (), "B", g, gain=2**0.5)
        self.last = CausalConv(config.features, g * self.head.n_params, (), "B", g, gain=0.1)
        self.last.start(self.head.initial(g))

    def network(self, pixels: Tensor | None, run: Runner) -> Tensor:
        def vertical(run: Runner) -> list[Tensor]:
            x, downs = pixels, []
            for layer in self._layers:
                x = run(layer.vertical, x)
                downs.append(run(layer.down, x))
                x = layer.gate(x)
            return downs

        assert not isinstance(run, Rows)
        x = pixels
        for layer, down in zip(self._layers, run.rows(self, vertical), strict=True):
            if not isinstance(run, Whole):
                down = down[:, run.xs[0], layer.horizontal.outputs[run.group]]
            out = run(layer.out, layer.gate(run(layer.horizontal, x) + down))
            x = out + x if layer.residual and x is not None else out
        assert x is not None
        return run(self.hidden, x.relu()).relu()

    @property
    def _layers(self) -> list[Layer]:
        return list(self.layers)  # type: ignore[arg-type]
