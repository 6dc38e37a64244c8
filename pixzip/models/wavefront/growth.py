"""A larger network that computes what a smaller one does, to train further from there (Net2Net [1]).

Channels of the stream, blocks and units of the heads are added.  What the smaller network computes reads none of
them: their weights into it are zero, and they learn from there.  Weights from it into them are random, as in a new
network.

[1] Chen, Goodfellow, Shlens, Net2Net: Accelerating Learning via Knowledge Transfer, 2016 (arXiv 1511.05641).
"""

from itertools import zip_longest

import torch
from torch import Tensor

from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.network import WavefrontPixelCNN

#: Sizes that may grow; all others stay.
GROWING = frozenset({"width", "blocks", "head_width"})

#: Length of each run of inputs or outputs (those of a tap, or of a head), before and after.
Runs = tuple[int, int]
#: Runs that do not grow.
ONE: Runs = (1, 1)


def grows(smaller: Config, larger: Config) -> bool:
    """Whether a network of the one size can become one of the other, or has it already."""
    old, new = smaller.sizes, larger.sizes
    return old.keys() == new.keys() and all(
        old[name] <= new[name] if name in GROWING else old[name] == new[name] for name in old
    )


def grown(smaller: WavefrontPixelCNN, config: Config) -> WavefrontPixelCNN:
    """A network of sizes `config` with the output of `smaller`, but for the order of sums.

    Random weights come from PyTorch's global generator.

    Raises:
        ValueError: `smaller` is no smaller than `config` in some size, or another in one that cannot grow.
    """
    if not grows(smaller.config, config):
        raise ValueError(f"a network of the sizes {smaller.config} cannot grow to {config}")
    old, new = smaller.config, WavefrontPixelCNN(config)
    new.quantise = smaller.quantise
    width, heads = (old.width, config.width), (old.head_width, config.head_width)
    with torch.no_grad():
        _grow(new.input, smaller.input, columns=width)
        _grow(new.input_bias, smaller.input_bias, columns=width)
        for layer, known in zip_longest(new.trunk, smaller.trunk):
            _grow(layer, 0.0 if known is None else known, rows=width, columns=width)
        _grow(new.hidden, smaller.hidden, rows=width, columns=heads)
        _grow(new.hidden_bias, smaller.hidden_bias, columns=heads)
        for weight, known in zip(new.known, smaller.known, strict=True):
            _grow(weight, known, columns=heads)
        for weight, known in zip(new.out, smaller.out, strict=True):
            _grow(weight, known, rows=heads)
        for bias, known in zip(new.out_bias, smaller.out_bias, strict=True):
            bias.copy_(known)
    return new


def _grow(new: Tensor, old: Tensor | float, *, rows: Runs = ONE, columns: Runs = ONE) -> None:
    """Copy a smaller matrix, or bias, into a larger one, whose new inputs get the weight zero to the old outputs.

    Args:
        rows: how the inputs grow.
        columns: how the outputs grow.
    """
    runs = (rows, columns)[-new.ndim :]
    kept = [torch.arange(n) % after < before for n, (before, after) in zip(new.shape, runs, strict=True)]
    new[..., kept[-1]] = 0
    new[torch.meshgrid(*(k.nonzero()[:, 0] for k in kept), indexing="ij")] = torch.as_tensor(old)
