"""Sizes of a wavefront PixelCNN, and its wire names."""

from dataclasses import asdict, dataclass

from pixzip.models.wavefront.taps import CENTRE, MASK_B

#: Wire names, permanent; the first has no 1x1 layers.
ARCHITECTURES = ("wavefront-pixelcnn-1", "wavefront-pixelcnn-2")


@dataclass(frozen=True)
class Config:
    """Sizes of a wavefront PixelCNN; the defaults are those of `base`."""

    channels: int = 3
    width: int = 64
    blocks: int = 8
    head_width: int = 32
    n_mix: int = 4
    #: Number of 1x1 layers after each masked convolution.
    mixing: int = 0
    #: Extra fractional bits of the input of the trunk's first layer, to resolve single grey levels.
    finer: int = 0

    @property
    def architecture(self) -> str:
        """The wire name; the first is kept for models without 1x1 layers, for decoders that know only this one."""
        return ARCHITECTURES[bool(self.mixing or self.finer)]

    @property
    def sizes(self) -> dict[str, int]:
        """The architecture's fields, as stored and hashed in weights files."""
        return {name: size for name, size in asdict(self).items() if size or name not in ("mixing", "finer")}

    @property
    def layers(self) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
        """Name and taps of every layer of the trunk, in order; the first reads `finer` activations."""
        mixing = [[(f"mix.{i}.{j}", CENTRE) for j in range(self.mixing)] for i in range(self.blocks)]
        return [layer for i in range(self.blocks) for layer in [(f"block.{i}", MASK_B), *mixing[i]]]
