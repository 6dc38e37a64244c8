"""Multi-Scale PixelRNN [1]: a small image first, then a large one conditioned on it.

An unconditional PixelRNN models every `stride`-th pixel in both directions.  An upsampling network turns them
into a map of the whole image's size, and a second PixelRNN models the other pixels: a 1x1 convolution of the
map is added to the input of each of its layers.  The pixels of the small image belong to the large one and
are not coded again.

[1] specifies only that the upsampling network has deconvolutions.  Here it is a 3x3 convolution, a deconvolution
whose kernel is as large as its stride, and another 3x3 convolution, with ReLUs between.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 3.6.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from pixzip.models.family.density import FEATURES, FIRST_SIDES, HIDDEN, LAYERS, SIDES, Density, DensityConfig, Scale
from pixzip.models.family.diagonal_bilstm import DiagonalBiLSTM, DiagonalBiLSTMConfig
from pixzip.models.family.fronts import Front, Rows, Runner, Whole
from pixzip.models.family.layers import CausalConv
from pixzip.models.family.pixelcnn import PixelCNN, PixelCNNConfig
from pixzip.models.family.pixelrnn import PixelRNN
from pixzip.models.family.row_lstm import RowLSTM, RowLSTMConfig
from pixzip.models.family.taps import window
from pixzip.models.sizes import size

CORES = ("row-lstm", "diagonal-bilstm", "pixelcnn")


@dataclass(frozen=True)
class MultiScaleConfig(DensityConfig):
    """Sizes of both models.  [1] states no sizes except 64 x 64 samples of Row LSTMs.

    Attributes:
        core: kind of both models.
        stride: distance of the small image's pixels in the whole image.
        hidden, layers, features, residual, first, kernel: see the core's config.
        condition: number of features of the upsampling network's map.
    """

    core: Literal["row-lstm", "diagonal-bilstm", "pixelcnn"] = size("row-lstm", CORES)
    stride: int = size(2, range(2, 9))
    hidden: int = size(128, HIDDEN)
    layers: int = size(12, LAYERS)
    features: int = size(1024, FEATURES)
    residual: bool = size(True, (False, True))
    first: int = size(7, FIRST_SIDES)
    kernel: int = size(3, SIDES)
    condition: int = size(64, range(1, 1025))

    def model(self, condition: int) -> PixelRNN:
        """A core model of these sizes."""
        shared = {
            name: getattr(self, name)
            for name in ("channels", "levels", "head", "n_mix", "hidden", "layers", "features", "residual", "first")
        }
        match self.core:
            case "row-lstm":
                return RowLSTM(RowLSTMConfig(**shared, condition=condition, kernel=self.kernel))
            case "diagonal-bilstm":
                return DiagonalBiLSTM(DiagonalBiLSTMConfig(**shared, condition=condition))
            case "pixelcnn":
                return PixelCNN(PixelCNNConfig(**shared, condition=condition))


class Upsampling(nn.Module):
    """(N, h, w, C) pixels -> (N, stride h, stride w, c) map."""

    def __init__(self, channels: int, c: int, stride: int) -> None:
        super().__init__()
        around = window(range(-1, 2), range(-1, 2))
        self.stride = stride
        self.enter = CausalConv(channels, c, around, gain=2**0.5)
        self.deconvolution = CausalConv(c, stride * stride * c, (), "all", gain=2**0.5)
        self.out = CausalConv(c, c, around, gain=2**0.5)

    def forward(self, small: Tensor) -> Tensor:
        n, h, w, _ = small.shape
        s = self.stride
        x = self.deconvolution(self.enter(small).relu())  # N h w (s s c)
        x = x.view(n, h, w, s, s, -1).permute(0, 1, 3, 2, 4, 5).reshape(n, h * s, w * s, -1)
        out: Tensor = self.out(x.relu()).relu()
        return out


class Conditional(Density):
    """The model of the whole image, given the small one."""

    wire_name = ""
    config_class = MultiScaleConfig

    def __init__(self, config: MultiScaleConfig) -> None:
        super().__init__(config)
        self.stride = config.stride
        self.upsampling = Upsampling(config.channels, config.condition, config.stride)
        self.core = config.model(config.condition)

    @property
    def last(self) -> CausalConv:  # type: ignore[override]
        """The core's last layer; a property, because a layer here would give its parameters two names."""
        return self.core.last

    def slope(self, width: int) -> int:
        return self.core.slope(width)

    def network(self, pixels: Tensor | None, run: Runner) -> Tensor:
        assert not isinstance(run, Rows)
        if isinstance(run, Whole):
            assert pixels is not None
            h, w = pixels.shape[1:3]
            condition = self.upsampling(pixels[:, :: self.stride, :: self.stride])[:, :h, :w]
        else:
            condition = run.state(self, self._map)
        return self.core.network(pixels, run, condition)

    def front(self, n: int, h: int, w: int, given: Tensor | None = None) -> Front:
        assert given is not None
        front = super().front(n, h, w)
        front.given = self.scaled(given).permute(0, 2, 3, 1)
        return front

    def _map(self, front: Front) -> Tensor:
        out: Tensor = self.upsampling(front.given)[:, : front.h, : front.w]
        return out


class MultiScale(Density):
    """See the module's docstring."""

    wire_name = "multi-scale-1"
    config_class = MultiScaleConfig
    config: MultiScaleConfig

    def __init__(self, config: MultiScaleConfig) -> None:
        super().__init__(config)
        self.small = config.model(0)
        self.functions = self.small.functions
        self.large = Conditional(config)

    def scales(self) -> list[Scale]:
        s = self.config.stride
        return [Scale(self.small, stride=s), Scale(self.large, known=s)]

    def network(self, pixels: Tensor | None, run: Runner) -> Tensor:
        raise TypeError("a multi-scale model runs scale by scale")

    def nll(self, images: Tensor, coded: NDArray[np.bool_] | None = None) -> Tensor:
        parts = self._parts(images)
        return parts[0][0].model.nll(parts[0][1]) + parts[1][0].model.nll(images, parts[1][2])

    def mean_nats(self, images: Tensor, coded: NDArray[np.bool_] | None = None) -> Tensor:
        total: Tensor | float = 0.0
        for scale, part, mask in self._parts(images):
            if not mask.any():  # an image of one pixel has only the small scale
                continue
            total = total + scale.model.mean_nats(part, mask) * (len(part) * int(mask.sum()) * part.shape[1])
        assert isinstance(total, Tensor)
        return total / images.numel()

    def _parts(self, images: Tensor) -> list[tuple[Scale, Tensor, NDArray[np.bool_]]]:
        out = []
        for scale in self.scales():
            part = images[..., :: scale.stride, :: scale.stride]
            out.append((scale, part, scale.coded(*part.shape[2:])))
        return out
