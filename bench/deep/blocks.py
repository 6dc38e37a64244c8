"""The kinds of blocks of a file, and the same file with high and low bits as separate pictures."""

from collections import Counter

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind, Samples
from pixcodecs.container.image import Tile
from pixcodecs.primitives import Reader

from pixzip import codec
from pixzip.codec import decoder, encoder
from pixzip.codec.options import Options
from pixzip.codec.search import Coded, Coding, Search
from pixzip.image.picture import Picture


def describe_blocks(file: bytes) -> dict[str, int]:
    """Nested kinds of blocks, outermost first -> number of tiles."""
    header = codec.Opening(file, None).header
    return dict(Counter(_chain(container.block(file, header, i)) for i in range(len(header.tiles))))


def _chain(block: bytes) -> str:
    reader = Reader(block)
    kind = Kind(reader.byte("kind of a block"))
    match kind:
        case Kind.DEEP_MODEL | Kind.DEEP_RANS_MODEL:
            reader.byte("position of a model")
            return f"{kind.name}, unit {reader.byte('unit')}"
        case Kind.ADAPTED:
            return f"{kind.name} {reader.byte('number of a stage')} > {_chain(reader.rest())}"
        case Kind.NARROW:
            return f"{kind.name} {reader.byte('depth')} > {_chain(reader.rest())}"
        case Kind.LEVELS:
            reader.take(reader.varint("length of a table"), "table of levels")
            return f"{kind.name} {reader.byte('depth of ranks')} > {_chain(reader.rest())}"
        case Kind.HIGH_LOW | Kind.ALPHA:
            name = f"{kind.name} {reader.byte('shift')}" if kind is Kind.HIGH_LOW else kind.name
            first = reader.take(reader.varint("length of a block"), "first block")
            return f"{name} ({_chain(first)}; {_chain(reader.rest())})"
    return kind.name


class Apart(Search):
    """A search that codes high and low bits as two pictures, after removing absent levels if this is smaller."""

    def _high_depth(self, samples: Samples, depth: int) -> Coding:
        top = int(samples.max()).bit_length()
        used = blocks.used_levels(samples, depth)
        ranked, rank_depth = blocks.ranks(samples, used)
        if top < depth:
            inner = yield from self.encode(samples.astype(blocks.dtype(top)), top)
            candidates = [Coded(blocks.narrow(top, inner.block), inner.models)]
        else:
            candidates = [(yield from self._split(samples, depth))]
        if rank_depth < top:
            inner = yield from self.encode(ranked, rank_depth)
            candidates.append(Coded(blocks.levels(used, rank_depth, inner.block), inner.models))
        return min(candidates, key=lambda c: c.size_bytes)


def apart(picture: Picture, model: str) -> bytes:
    """The file of a picture by `Apart`.

    Args:
        model: name or path of the model.
    """
    options = Options.of(model)
    tiling = encoder.Tiling(picture.frame, encoder.models_for([picture.frame], options), options)
    search = Apart(tiling.search.models, effort=options.effort)
    parts = [np.ascontiguousarray(picture.samples[window.slices]) for window in tiling.windows]
    coded = encoder.code_tiles([(search, part, picture.depth) for part in parts], options.executor, lambda *_: None)
    tiles = [
        Tile(len(c.block), container.crc32(c.block), decoder.samples_crc(part))
        for c, part in zip(coded, parts, strict=True)
    ]
    used = frozenset[int]().union(*(c.models for c in coded))
    return tiling.header(tiles, used) + b"".join(c.block for c in coded)
