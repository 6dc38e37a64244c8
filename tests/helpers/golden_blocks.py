"""Golden files of every kind of block, made by hand, because an encoder rarely chooses some of them."""

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
from pixcodecs.coders import rans
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind, Precision, Samples
from pixcodecs.container.image import Layout, Tile
from pixcodecs.primitives import crc32

from pixzip import codec
from pixzip.codec import decoder, webp_png
from pixzip.engine.device import engine as engine_of
from pixzip.engine.executor import Ask, Local
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.base import Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.image.picture import Picture
from pixzip.models.wavefront.lattices import JFIF, PHOTO_YCC
from tests.helpers import golden, golden_jpeg
from tests.helpers.lattices import on_lattice
from tests.helpers.support import shares


class Made(NamedTuple):
    """A picture, and functions that make its file's blocks; only bytes of WebP and PNG may differ between versions."""

    layout: Layout
    depth: int
    samples: Samples
    blocks: Callable[[], list[bytes]]
    #: Side of a tile; 0 for one tile.
    side: int = 0

    @property
    def picture(self) -> Picture:
        return Picture(self.samples, self.layout, self.depth)

    def file(self) -> bytes:
        """The header and the blocks."""
        height, width, _ = self.samples.shape
        sides = (self.side, self.side) if self.side else (width, height)
        cut = [self.samples[y : y + h, x : x + w] for x, y, w, h in container.windows(width, height, *sides)]
        made = self.blocks()
        table = tuple(Tile(len(b), crc32(b), decoder.samples_crc(s)) for b, s in zip(made, cut, strict=True))
        ids = tuple(golden.weights(channels).model_id for channels in (1, 3))
        header = container.Header(width, height, self.layout, self.depth, ids, (), *sides, table)
        return container.pack_header(header) + b"".join(made)


def _model(samples: Samples) -> bytes:
    (file,) = codec.compress([codec.as_picture(samples)], codec.Options(golden.weights, models_only=True))
    payload = container.block(file, container.read_header(file), 0)[2:]
    return blocks.model(0 if samples.shape[2] == 1 else 1, payload)


def _high_depth_model(samples: Samples, depth: int, unit: int) -> bytes:
    """A block of more than 8 bits with the given unit."""
    channels, precision = samples.shape[2], Precision(depth, unit)
    (payload,) = Local().encode([Ask(samples, golden.weights(channels), precision)])
    return blocks.model(0 if channels == 1 else 1, payload, precision=precision)


def _rans_model(samples: Samples, depth: int = 8, unit: int = 0, lanes: int = 0) -> bytes:
    """A block by rANS with the given number of lanes; 0 for the default."""
    model, precision = golden.weights(samples.shape[2]), Precision(depth, unit)
    (payload,) = Local().encode([Ask(samples, model, precision, RANS)])
    if lanes:
        engine = cast(WavefrontEngine, engine_of(model, "cpu"))
        payload = rans.encode(shares(engine, to_coding_order(samples, model.order)), lanes)
    return blocks.model(0 if samples.shape[2] == 1 else 1, payload, RANS, precision)


def _adapted(
    samples: Samples, depth: int = 8, unit: int = 0, coder: EntropyCoder = RANGE, stage: Identity = LIGHT,
    lattice: int = 0,
) -> bytes:  # fmt: skip
    """A block of a model that a stage adapts."""
    model, precision = golden.weights(samples.shape[2]), Precision(depth, unit, lattice)
    (payload,) = Local().encode([Ask(samples, model, precision, coder, stage)])
    inner = blocks.model(0 if samples.shape[2] == 1 else 1, payload, coder, precision)
    return blocks.adapted(stage.number, inner, lattice)


def _webp(samples: Samples) -> bytes:
    return blocks.foreign(Kind.WEBP, webp_png.webp(samples))


def _png(samples: Samples) -> bytes:
    return blocks.foreign(Kind.PNG, webp_png.png(samples))


def _all() -> dict[str, Made]:
    grey, rgb, rgba = (golden.image((4, 5, c)) for c in (1, 3, 4))
    deep = grey.astype(np.uint16) << 4 | grey >> 4
    word16 = rgb.astype(np.uint16) * 257 ^ 0x5A
    gaps = (rgb // 40 * 40).astype(np.uint8)
    used = blocks.used_levels(gaps, 8)
    ranked, rank_depth = blocks.ranks(gaps, used)
    wide = golden.image((20, 36, 3))
    tiles = [wide[y : y + h, x : x + w] for x, y, w, h in container.windows(36, 20, 16, 16)]
    wide[16:, 32:] = wide[16, 32]  # the last tile
    larger, larger_grey = golden.image((18, 20, 3)), golden.image((18, 20, 1))
    seen = golden.image((64, 68, 3)) // 24 * 24  # large enough, and of few enough colours, for colours seen
    jfif, photo_ycc = (on_lattice(number, 64, 68, 1, 0.1) for number in (JFIF, PHOTO_YCC))
    deeper = larger.astype(np.uint16) << 4 | larger >> 4
    nine, word = np.full((3, 4, 2), 9, np.uint16), np.full((3, 4, 3), 0x0102, np.uint16)
    return {
        "v2-alpha-of-model": Made(
            Layout.RGBA, 8, rgba, lambda: [blocks.alpha(_model(rgba[..., :3]), _webp(rgba[..., 3:]))]
        ),
        "v2-alpha-of-constants": Made(
            Layout.GREY_ALPHA, 16, nine, lambda: [blocks.alpha(blocks.constant(nine[..., :1], 16), b"\1\0\x09")]
        ),
        "v2-high-low": Made(
            Layout.GREY, 12, deep, lambda: [blocks.high_low(4, _model(grey), blocks.raw(grey >> 4, 4))]
        ),
        "v2-high-low-of-constants": Made(
            Layout.RGB, 16, word, lambda: [blocks.high_low(8, b"\1\1\1\1", b"\1\2\2\2")]
        ),
        "v2-narrow": Made(Layout.RGB, 16, rgb.astype(np.uint16), lambda: [blocks.narrow(8, _model(rgb))]),
        "v2-levels": Made(
            Layout.RGB, 8, gaps, lambda: [blocks.levels(used, rank_depth, blocks.raw(ranked, rank_depth))]
        ),
        "v2-levels-of-model": Made(Layout.RGB, 8, gaps, lambda: [blocks.levels(used, 8, _model(ranked))]),
        "v2-png": Made(Layout.GREY, 16, deep, lambda: [_png(deep)]),
        "v2-deep-12": Made(Layout.GREY, 12, deep, lambda: [_high_depth_model(deep, 12, 3)]),
        "v2-deep-16": Made(Layout.RGB, 16, word16, lambda: [_high_depth_model(word16, 16, 6)]),
        "v2-deep-narrow": Made(
            Layout.RGB, 16, word16 >> 6, lambda: [blocks.narrow(10, _high_depth_model(word16 >> 6, 10, 0))]
        ),
        "v2-rans": Made(Layout.RGB, 8, larger, lambda: [_rans_model(larger)]),
        "v2-rans-grey": Made(Layout.GREY, 8, larger_grey, lambda: [_rans_model(larger_grey)]),
        "v2-rans-lanes": Made(Layout.RGB, 8, larger, lambda: [_rans_model(larger, lanes=4)]),
        "v2-rans-spare-lanes": Made(Layout.GREY, 8, larger_grey, lambda: [_rans_model(larger_grey, lanes=16)]),
        "v2-rans-deep-12": Made(Layout.GREY, 12, deep, lambda: [_rans_model(deep, 12, 3)]),
        "v2-rans-deep-16": Made(Layout.RGB, 16, word16, lambda: [_rans_model(word16, 16, 6)]),
        "v2-rans-and-range": Made(
            Layout.RGBA, 8, rgba, lambda: [blocks.alpha(_rans_model(rgba[..., :3]), _model(rgba[..., 3:]))]
        ),
        "v2-light": Made(Layout.RGB, 8, seen, lambda: [_adapted(seen)]),
        "v2-light-grey": Made(Layout.GREY, 8, larger_grey, lambda: [_adapted(larger_grey)]),
        "v2-light-rans": Made(Layout.RGB, 8, larger, lambda: [_adapted(larger, coder=RANS)]),
        "v2-light-deep-12": Made(Layout.RGB, 12, deeper, lambda: [_adapted(deeper, 12, 3)]),
        "v2-light-deep-16-rans": Made(Layout.RGB, 16, word16, lambda: [_adapted(word16, 16, 6, RANS)]),
        "v2-light-and-none": Made(
            Layout.RGBA, 8, rgba, lambda: [blocks.alpha(_adapted(rgba[..., :3]), _model(rgba[..., 3:]))]
        ),
        "v2-light-jfif": Made(Layout.RGB, 8, jfif, lambda: [_adapted(jfif, lattice=JFIF)]),
        "v2-light-photo-ycc-rans": Made(
            Layout.RGB, 8, photo_ycc, lambda: [_adapted(photo_ycc, coder=RANS, lattice=PHOTO_YCC)]
        ),
        "v2-full-photo-ycc": Made(
            Layout.RGB, 8, photo_ycc, lambda: [_adapted(photo_ycc, stage=FULL, lattice=PHOTO_YCC)]
        ),
        "v2-full": Made(Layout.RGB, 8, seen, lambda: [_adapted(seen, stage=FULL)]),
        "v2-full-grey": Made(Layout.GREY, 8, larger_grey, lambda: [_adapted(larger_grey, stage=FULL)]),
        "v2-webp-body": Made(
            Layout.RGBA, 8, rgba, lambda: [blocks.foreign(Kind.WEBP_BODY, (webp_png.webp(rgba))[5:])]
        ),
        "v2-webp-body-grey": Made(
            Layout.GREY, 4, grey >> 4, lambda: [blocks.foreign(Kind.WEBP_BODY, (webp_png.webp(grey >> 4))[5:])]
        ),
        **{
            name: Made(Layout.RGB if part.shape[2] == 3 else Layout.GREY, 8, part, lambda block=block: [block])
            for name, (part, block) in golden_jpeg.good().items()
        },
        "v2-nested": Made(
            Layout.GREY_ALPHA, 16, np.concatenate([deep, deep], -1),
            lambda: [blocks.alpha(
                blocks.narrow(12, blocks.high_low(4, _webp(grey), blocks.raw(grey >> 4, 4))),
                blocks.narrow(12, blocks.raw(deep, 12)),
            )],
        ),
        "v2-tiles-of-every-kind": Made(
            Layout.RGB, 8, wide,
            lambda: [
                blocks.raw(tiles[0], 8), _webp(tiles[1]), _model(tiles[2]), _png(tiles[3]), _png(tiles[4]),
                blocks.constant(tiles[5], 8),
            ],
            16,
        ),
    }  # fmt: skip


#: Name of a golden file -> its content.
BLOCKS = _all()
