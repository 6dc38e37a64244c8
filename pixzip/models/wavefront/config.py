"""Sizes of a wavefront PixelCNN, and its wire names."""

from dataclasses import asdict, dataclass

from pixzip.models.sizes import Sizes, size
from pixzip.models.wavefront.taps import CENTRE, MASK_B

#: Wire names, permanent; the first has no 1x1 layers.
ARCHITECTURES = ("wavefront-pixelcnn-1", "wavefront-pixelcnn-2")


#: Fields of a config that are absent in weights files where they are zero.
OPTIONAL = frozenset({"mixing", "finer"})


@dataclass(frozen=True)
class Config(Sizes):
    """Sizes of a wavefront PixelCNN; the defaults are those of `base`."""

    channels: int = size(3, (1, 3))
    width: int = size(64, range(1, 4097))
    blocks: int = size(8, range(1, 1025))
    head_width: int = size(32, range(1, 4097))
    n_mix: int = size(4, range(1, 4097))
    #: Number of 1x1 layers after each masked convolution.
    mixing: int = size(0, range(65))
    #: Extra fractional bits of the input of the trunk's first layer, to resolve single grey levels.
    finer: int = size(0, range(5))

    @property
    def architecture(self) -> str:
        """The wire name; the first is kept for models without 1x1 layers, for decoders that know only this one."""
        return ARCHITECTURES[bool(self.mixing or self.finer)]

    @property
    def sizes(self) -> dict[str, int]:
        """The architecture's fields, as stored and hashed in weights files."""
        return {name: value for name, value in asdict(self).items() if value or name not in OPTIONAL}

    @property
    def layers(self) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
        """Name and taps of every layer of the trunk, in order; the first reads `finer` activations."""
        mixing = [[(f"mix.{i}.{j}", CENTRE) for j in range(self.mixing)] for i in range(self.blocks)]
        return [layer for i in range(self.blocks) for layer in [(f"block.{i}", MASK_B), *mixing[i]]]
