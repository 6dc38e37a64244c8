"""Files that readers accept by default: models code fewer of the tiles, if they would take too long to decode.

Few images need it: those of which a model codes many pixels, in hardly any bytes each (`codec.costs`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from pixcodecs.container import image as container
from pixcodecs.container.image import Tile, crc32

from pixzip.codec import carried, costs, decoder
from pixzip.codec.opening import Opening
from pixzip.codec.options import Options
from pixzip.codec.search import Coding, Search
from pixzip.engine import batching
from pixzip.engine.batch import Samples
from pixzip.engine.executor import Ask
from pixzip.engine.stages.base import Stage
from pixzip.models.base import Model


def may_be_heavy(
    width: int, height: int, sides: tuple[int, int], models: Iterable[Model], stage: Stage, file_bytes: int,
    more_ns: int,
) -> bool:  # fmt: skip
    """Whether a file of tiles of these sides may take longer than readers accept; a quick test that most files pass.

    Args:
        more_ns: time for the models that come with the file.
    """
    tiles = -(-width // sides[0]) * -(-height // sides[1])
    tile = max(costs.payload_ns(model, sides[1], sides[0], digits=4, stage=stage, lattice=1) for model in models)
    return more_ns + 2 * tiles * tile > costs.limit_ns(file_bytes)  # 2: colours and alpha


def lightened(data: bytes, models: Sequence[Model], options: Options) -> bytes:
    """The file itself, or one with larger blocks that no model codes, in the tiles that take longest for their bytes.

    Args:
        data: a whole file.
        models: all models that coded it.
    """
    opening, by_id = Opening(data, None), {model.model_id: model for model in models}
    header, known = opening.header, Options(model_by_id=by_id.__getitem__, executor=options.executor, max_pixels=None)
    spent = [decoder.tile_ns(opening, i, by_id) for i in range(len(header.tiles))]
    found = [opening.block(i) for i in range(len(header.tiles))]
    more_ns = carried.written_ns(models, options.reference)
    size, changed = len(data), False
    for i in sorted(range(len(found)), key=lambda i: spent[i] / (len(found[i]) + 1), reverse=True):
        if more_ns + sum(spent) <= costs.limit_ns(size):
            break
        samples = decoder.recover(opening, known, region=opening.tile(i)).picture.samples
        block = _without_models(np.ascontiguousarray(samples), header.depth)
        size += len(block) - len(found[i])
        found[i], spent[i], changed = block, 0, True
    if not changed:
        return data
    tiles = [Tile(len(block), crc32(block), tile.samples_crc) for block, tile in zip(found, header.tiles, strict=True)]
    return container.pack_header(replace(header, tiles=tuple(tiles))) + b"".join(found)


def _without_models(samples: Samples, depth: int) -> bytes:
    def never(asked: list[Ask]) -> list[bytes]:
        raise AssertionError("a search without models asks for none")

    search: Coding = Search({}).encode(samples, depth)
    return batching.drive([search], never)[0].block
