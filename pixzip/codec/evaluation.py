"""Compare file sizes with the model's own bits."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pixcodecs.container import image as container
from pixcodecs.container.image import Layout
from pixcodecs.errors import UnsupportedImageError

from pixzip.codec.efforts import Tile
from pixzip.codec.encoder import Image, as_picture, compress, largest_tile
from pixzip.codec.lattice_search import trials
from pixzip.codec.options import DEFAULTS, Options
from pixzip.codec.progress import Share
from pixzip.codec.search import photographic
from pixzip.codec.tiles import Window, tile_sides
from pixzip.engine.base import EIGHT_BITS, Progress
from pixzip.engine.executor import Ask


@dataclass(frozen=True)
class Evaluation:
    """Comparison of an image's file with the model's own bits."""

    width: int
    height: int
    channels: int
    model_id: str
    model_bits: float
    file_bits: int

    @property
    def subpixels(self) -> int:
        return self.width * self.height * self.channels

    def as_dict(self) -> dict[str, Any]:
        """Fields plus `ratio` (file / model), `bits_per_dim` (of the model) and `bpsp` (of the file with header)."""
        return asdict(self) | {
            "ratio": self.file_bits / self.model_bits,
            "bits_per_dim": self.model_bits / self.subpixels,
            "bpsp": self.file_bits / self.subpixels,
        }


def evaluate(
    images: Sequence[Image],
    options: Options = DEFAULTS,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """`Evaluation.as_dict` of each image: the bits of model and stage for its tiles, and the bits of a real file.

    Args:
        images: 8-bit grey or RGB.
        progress: called with (pixels done, total pixels); each pixel counts twice.
    Raises:
        UnsupportedImageError: an image has another layout or depth.
    """
    pictures = [as_picture(image) for image in images]
    for picture in pictures:
        if picture.depth != 8 or picture.layout not in (Layout.GREY, Layout.RGB):
            raise UnsupportedImageError(
                f"image is {picture.layout.name} of {picture.depth} bits, a model's own bits are of 8-bit grey or RGB"
            )
    share = Share(progress, 2 * sum(p.pixels for p in pictures))
    alone = replace(options, models_only=True, drawings_for=None, alternatives=())
    files = compress(pictures, alone, share.part(sum(p.pixels for p in pictures)))
    results = []
    for picture, file in zip(pictures, files, strict=True):
        model = options.model_for(picture.samples.shape[2])
        sides = tile_sides(picture.width, picture.height, largest_tile([model]), options.tile)
        windows = container.windows(picture.width, picture.height, *sides)
        tiles = [picture.samples[Window(*w).slices] for w in windows]
        kinds = [Tile(tile[..., 0].size, 8, photographic(tile), options.coder) for tile in tiles]
        asks = [
            [
                Ask(tile, model, own, stage=stage)
                for stage, own in trials(tile, options.effort.stages(model, kind), EIGHT_BITS)
            ]
            for tile, kind in zip(tiles, kinds, strict=True)
        ]
        maps = iter(options.executor.nll_maps([ask for of in asks for ask in of], share.part(picture.pixels)))
        bits = sum(min(float(next(maps).sum()) for _ in of) for of in asks)
        found = Evaluation(
            picture.width, picture.height, picture.samples.shape[2], model.model_id.hex(), bits, 8 * len(file)
        )
        results.append(found.as_dict())
    return results
