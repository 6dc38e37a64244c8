"""The common base of the PixelRNN family: an image in, a distribution for every sub-pixel out.

A model is written once, as `network`, over a runner.  `Whole` computes all pixels of a batch at once (training,
encoding), `Front` a few pixels at a time (decoding, sampling, completing).  Tests compare the two.

Channels are coded in the order of the image, R, G, B [1].

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pixzip.models.family.arithmetic import FLOAT, Arithmetic
from pixzip.models.family.fronts import Front, Runner, Whole
from pixzip.models.family.heads import Head, LogisticMixture, Softmax, softmax_of_product
from pixzip.models.family.layers import CausalConv
from pixzip.models.sizes import Sizes, size

#: Kinds of heads.
HEADS = ("softmax", "mixture")
#: Values of sizes that several models have; a convolution has an odd side.
HIDDEN, LAYERS, FEATURES, SIDES = range(1, 1025), range(1, 65), range(1, 4097), range(1, 16, 2)
#: Sides of a first convolution, which does not see its centre, and so with side 1 would see no pixel.
FIRST_SIDES = SIDES[1:]


@dataclass(frozen=True)
class DensityConfig(Sizes):
    """Options of every model of the family."""

    channels: int = size(3, (1, 3))
    #: Number of values of a sub-pixel: 256, or 2 for binarised images.
    levels: int = size(256, (2, 256))
    head: Literal["softmax", "mixture"] = size("softmax", HEADS)
    #: Number of components of a mixture; a softmax ignores it.
    n_mix: int = size(10, range(4097))

    def check_together(self) -> None:
        if self.head == "mixture" and not (self.levels == 256 and 1 <= self.n_mix <= 32):
            raise ValueError(
                f"a mixture of {self.n_mix} logistics over {self.levels} levels, expected 1 to 32 over 256 levels"
            )


class Scale(NamedTuple):
    """One part of a model, which codes the pixels of a subsampled image.

    Attributes:
        model: density that codes the pixels.
        stride: the image has every `stride`-th pixel of the whole one, in both directions.
        known: every `known`-th pixel of it is known from the previous scale; 0 for none.
    """

    model: "Density"
    stride: int = 1
    known: int = 0

    def coded(self, h: int, w: int) -> NDArray[np.bool_]:
        """(h, w) bool: whether this scale codes a pixel of its image."""
        mask = np.ones((h, w), np.bool_)
        if self.known:
            mask[:: self.known, :: self.known] = False
        return mask


@runtime_checkable
class Foldable(Protocol):
    """A layer whose weight is computed from other parameters."""

    def fold(self) -> None:
        """Set the weight to the value given by the parameters."""
        ...


class Density(nn.Module, ABC):
    """An autoregressive density over images.

    Attributes:
        groups: groups of features: one per channel, or 1 if a whole pixel is computed at once.
        arithmetic: floats, or fixed point for the network of a `FixedWeights`.
    """

    #: Name of the architecture in weights files, permanent.
    wire_name: ClassVar[str]
    config_class: ClassVar[type[DensityConfig]]
    arithmetic: Arithmetic = FLOAT
    #: Functions that the network looks up in fixed point, in addition to the head's.
    functions: tuple[str, ...] = ()
    #: 1x1 convolution from features to parameters.
    last: CausalConv

    def __init__(self, config: DensityConfig, groups: int = 0) -> None:
        """
        Args:
            groups: groups of features; 0 for one per channel.
        """
        super().__init__()
        groups = groups or config.channels
        if config.channels not in (1, 3):
            raise ValueError(f"config has {config.channels} channels, expected 1 or 3")
        self.config, self.groups = config, groups
        coupled = groups < config.channels
        self.head: Head
        if config.head == "mixture":
            self.head = LogisticMixture(config.levels, config.channels, config.n_mix, coupled)
        else:
            self.head = Softmax(config.levels, config.channels, coupled)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the look-up tables of the network and the head."""
        return (*self.functions, *self.head.tables)

    @abstractmethod
    def network(self, pixels: Tensor | None, run: Runner) -> Tensor:
        """Compute the features from which `last` computes parameters.

        Args:
            pixels: (N, H, W, C) scaled, or None on a front, whose layers receive pixels one by one.
        Returns:
            (N, H, W, F), or (M, group's F) on a front.
        """

    def slope(self, width: int) -> int:
        """The smallest slope s so that ``t = x + s y`` is lower for all that a pixel sees; `width` for raster order."""
        return width

    def scaled(self, values: Tensor) -> Tensor:
        """Values in [0, levels) -> multiples of 1 / levels in (-1, 1)."""
        return (2 * values - (self.config.levels - 1)) / self.config.levels

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) values in [0, levels), of the parameters' dtype -> (N, H, W, C, P) parameters."""
        out: Tensor = self.last(self._features(images))
        return out.reshape(*out.shape[:3], self.config.channels, -1)

    def _features(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(self.scaled(images).permute(0, 2, 3, 1).contiguous(), Whole())
        return features

    def nll(self, images: Tensor, coded: NDArray[np.bool_] | None = None) -> Tensor:
        """Negative log likelihood of images in nats.

        Args:
            images: (N, C, H, W), see `forward`.
            coded: (H, W) bool, pixels that count; None for all.
        Returns:
            (N,).
        """
        log_prob = self.head.log_prob(self(images), images.permute(0, 2, 3, 1))
        return -(log_prob.flatten(1) if coded is None else log_prob[:, coded]).sum(1)

    def mean_nats(self, images: Tensor, coded: NDArray[np.bool_] | None = None) -> Tensor:
        """Mean nats per counted sub-pixel, for training: faster than `nll`, with the same arguments."""
        if isinstance(self.head, Softmax) and not self.head.coupled:
            features, values = self._features(images), images.permute(0, 2, 3, 1).long()
            if coded is not None:
                features, values = features[:, coded], values[:, coded]
            assert self.last.bias is not None
            rows = features.reshape(-1, features.shape[-1])
            nats = softmax_of_product(rows, self.last.masked()[0], self.last.bias, values.reshape(len(rows), -1))
            return nats / images.shape[1]
        counted = images[0, 0].numel() if coded is None else int(coded.sum())
        return self.nll(images, coded).mean() / (counted * images.shape[1])

    def scales(self) -> list[Scale]:
        """The scales that code an image, in order; together they code all pixels."""
        return [Scale(self)]

    def front(self, n: int, h: int, w: int, given: Tensor | None = None) -> Front:
        """The front of N images of h x w.

        Args:
            given: (N, C, h', w') values of the previous scale, for a model conditioned on them.
        """
        front = Front(n, h, w, self.slope(w), self.groups, next(self.parameters()))
        if front.slope == w:
            front.pixels = front.zeros(n, h, w, self.config.channels)
        return front

    @torch.no_grad()
    def step(self, front: Front, channel: int, params: Tensor | None) -> Tensor:
        """Parameters of the front's pixels for all channels up to `channel`.

        Args:
            params: result for the previous channel.
        Returns:
            (M, channel + 1 or more, P).
        """
        front.group = channel
        if self.groups == 1 and channel:
            assert params is not None
            return params
        out = front(self.last, self.network(None, front))
        if self.groups == 1:
            return out.view(len(out), self.config.channels, -1)
        return out[:, None] if params is None else torch.cat([params, out[:, None]], 1)

    def store(self, front: Front, channel: int, values: Tensor) -> None:
        """Store the (M,) values of a channel in the front."""
        front.store(channel, self.scaled(values))

    def fold(self) -> None:
        """Replace parameters for training only, e.g. a weight's norm, by the resulting weights."""
        for module in self.modules():
            if not isinstance(module, Density) and isinstance(module, Foldable):
                module.fold()

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())


def each_module(model: nn.Module, arithmetic: Arithmetic) -> None:
    """Set the arithmetic of every layer."""
    for module in model.modules():
        if hasattr(module, "arithmetic"):
            module.arithmetic = arithmetic  # type: ignore[assignment]


__all__ = ["Density", "DensityConfig", "Runner", "Scale", "each_module"]
