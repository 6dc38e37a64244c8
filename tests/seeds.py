"""Good files with blocks of every kind, which `tests/mutations.py` damages."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from pixcodecs import blocks, container
from pixcodecs.blocks import Kind
from pixcodecs.container import Layout, Tile

from pixzip import codec, decoder, foreign
from pixzip.picture import Picture
from tests import golden


class Seed(NamedTuple):
    """A good file and what it holds."""

    name: str
    data: bytes
    picture: Picture


def good_files(decompress: Callable[[bytes], Picture]) -> list[Seed]:
    """The good golden files, and files made of the blocks that these do not have."""
    files = {p.stem: p.read_bytes() for p in sorted(golden.FOLDER.glob("*.pxz")) if not p.stem.startswith("bad-")}
    return [Seed(name, data, decompress(data)) for name, data in (files | _more()).items()]


def _more() -> dict[str, bytes]:
    weights = {channels: golden.weights(channels) for channels in (1, 3)}

    def by_model(samples: blocks.Samples) -> bytes:
        (file,) = codec.compress([codec.as_picture(samples)], weights.__getitem__, models_only=True)
        return container.block(file, container.read_header(file), 0)

    def webp(samples: blocks.Samples) -> bytes:
        return blocks.foreign(Kind.WEBP, foreign.webp(samples) or b"")

    def file(layout: Layout, depth: int, samples: blocks.Samples, made: list[bytes], side: int = 0) -> bytes:
        height, width, _ = samples.shape
        sides = (side, side) if side else (width, height)
        cut = [samples[y : y + h, x : x + w] for x, y, w, h in container.windows(width, height, *sides)]
        table = [Tile(len(b), container.crc32(b), decoder.samples_crc(s)) for b, s in zip(made, cut, strict=True)]
        ids = (weights[1].model_id, weights[3].model_id)
        return container.pack_header(
            container.Header(width, height, layout, depth, ids, (), *sides, tuple(table))
        ) + b"".join(made)

    grey, rgb, rgba = (golden.image((4, 5, c)) for c in (1, 3, 4))
    grey_model, rgb_model = by_model(grey), blocks.model(1, by_model(rgb)[2:])
    deep = grey.astype(np.uint16) << 4 | grey >> 4
    gaps = (rgb // 40 * 40).astype(np.uint8)
    used = blocks.used_levels(gaps, 8)
    ranked, rank_depth = blocks.ranks(gaps, used)
    wide = golden.image((20, 36, 3))
    tiles = [wide[y : y + h, x : x + w] for x, y, w, h in container.windows(36, 20, 16, 16)]
    flat = np.broadcast_to(tiles[5][:1, :1], tiles[5].shape)
    wide[16:, 32:] = flat
    by_kind = [blocks.raw(tiles[0], 8), webp(tiles[1]), blocks.model(1, by_model(tiles[2])[2:])]
    by_kind += [blocks.foreign(Kind.PNG, foreign.png(t)) for t in tiles[3:5]] + [blocks.constant(flat, 8)]
    return {
        "alpha-of-model": file(
            Layout.RGBA, 8, rgba, [blocks.alpha(blocks.model(1, by_model(rgba[..., :3])[2:]), webp(rgba[..., 3:]))]
        ),
        "alpha-of-constants": file(
            Layout.GREY_ALPHA, 16, np.full((3, 4, 2), 9, np.uint16),
            [blocks.alpha(blocks.constant(np.full((1, 1, 1), 9, np.uint16), 16), b"\x01\x00\x09")],
        ),
        "high-low": file(
            Layout.GREY, 12, deep,
            [blocks.high_low(4, grey_model, blocks.raw(grey >> 4, 4))],
        ),
        "high-low-of-constants": file(
            Layout.RGB, 16, np.full((3, 4, 3), 0x0102, np.uint16), [blocks.high_low(8, b"\x01" * 4, b"\x01\2\2\2")]
        ),
        "narrow": file(Layout.RGB, 16, rgb.astype(np.uint16), [blocks.narrow(8, rgb_model)]),
        "levels": file(
            Layout.RGB, 8, gaps, [blocks.levels(used, rank_depth, blocks.raw(ranked, rank_depth))]
        ),
        "levels-of-model": file(
            Layout.RGB, 8, gaps, [blocks.levels(used, 8, blocks.model(1, by_model(ranked)[2:]))]
        ),
        "png": file(Layout.GREY, 16, deep, [blocks.foreign(Kind.PNG, foreign.png(deep))]),
        "nested": file(
            Layout.GREY_ALPHA, 16, np.concatenate([deep, deep], -1),
            [blocks.alpha(
                blocks.narrow(12, blocks.high_low(4, webp(grey), blocks.raw(grey >> 4, 4))),
                blocks.narrow(12, blocks.raw(deep, 12)),
            )],
        ),
        "tiles-of-every-kind": file(Layout.RGB, 8, wide, by_kind, 16),
    }  # fmt: skip
