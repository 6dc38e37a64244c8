"""Damage of every kind to `.pxz` files, by accident and by forgery: what `tests/fuzzing.py` decodes.

Checksums stop nearly all accidents, so most mutations here repair them afterwards: the header's, to reach the
parser behind it, and a block's, to reach every kind of block.  The samples' checksum is never repaired: it is
what must still catch other pixels.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np
from pixcodecs import blocks, container
from pixcodecs.blocks import Kind
from pixcodecs.coding import deflate, varint
from pixcodecs.container import Layout, Tile

from pixzip import codec, decoder, foreign
from pixzip.picture import Picture
from tests import golden

#: Where numbers of the format begin, end and change their length.
ENDS = [0, 1, 2, 15, 16, 17, 127, 128, 255, 256, 1365, 16383, 16384, 65535, 65536, 2**31, 2**32 - 1, 2**35 - 1]
#: Sides whose product is near the limit of pixels, or far beyond it.
SIDES = [(65535, 1365), (1365, 65535), (65535, 1), (1, 65535), (9459, 9459), (16383, 5461), (65535, 65535), (3000, 3)]


class Seed(NamedTuple):
    """A good file and what it holds."""

    name: str
    data: bytes
    picture: Picture


class Mutation(NamedTuple):
    """A file and how it came about."""

    seed: Seed
    how: str
    data: bytes
    header_forged: bool = False


def seeds(decompress: Callable[[bytes], Picture]) -> list[Seed]:
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


def _span(rng: Random, size: int) -> tuple[int, int]:
    """A range of `size` bytes, short more often than long."""
    start = rng.randrange(size + 1)
    return start, min(size, start + int(size ** rng.random()))


def _flip_bits(rng: Random, data: bytearray, _: bytes) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set_bytes(rng: Random, data: bytearray, _: bytes) -> None:
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        data[rng.randrange(len(data))] = rng.randrange(256)


def _insert(rng: Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 1, 2, 4, 30)))


def _delete(rng: Random, data: bytearray, _: bytes) -> None:
    start, end = _span(rng, len(data))
    del data[start:end]


def _duplicate(rng: Random, data: bytearray, _: bytes) -> None:
    start, end = _span(rng, len(data))
    data[end:end] = data[start:end] * rng.choice((1, 1, 3))


def _swap(rng: Random, data: bytearray, _: bytes) -> None:
    a, b, c = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    data[a:c] = data[b:c] + data[a:b]


def _splice(rng: Random, data: bytearray, other: bytes) -> None:
    start, end = _span(rng, len(other))
    a, b = _span(rng, len(data))
    data[a:b] = other[start:end]


def _ends(rng: Random, data: bytearray, _: bytes) -> None:
    at, number = rng.randrange(len(data)), rng.choice(ENDS)
    form = rng.choice((varint(number), struct.pack("<I", number & 0xFFFFFFFF), bytes([number & 255])))
    data[at : at + len(form)] = form


def _cut(rng: Random, data: bytearray, _: bytes) -> None:
    del data[rng.randrange(len(data)) :]


MUTATORS = [_flip_bits, _set_bytes, _insert, _delete, _duplicate, _swap, _splice, _ends, _cut]


def _damage(rng: Random, data: bytes, other: bytes) -> tuple[str, bytes]:
    damaged, names = bytearray(data), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if damaged:
            mutator = rng.choice(MUTATORS)
            mutator(rng, damaged, other)
            names.append(mutator.__name__.strip("_"))
    return "+".join(sorted(set(names))), bytes(damaged)


@dataclass
class _Fields:
    """A file taken apart; written without any check."""

    version: int
    flags: int
    width: int
    height: int
    depth: int
    tile_width: int
    tile_height: int
    models: list[bytes]
    extras: bytes
    tiles: list[Tile]
    blocks: list[bytes]

    @classmethod
    def of(cls, data: bytes) -> "_Fields":
        h = container.read_header(data)
        extras = b"".join(bytes([kind]) + varint(len(body)) + body for kind, body in h.extras)
        parts = [container.block(data, h, i) for i in range(len(h.tiles))]
        flags = data[4] if h.version > 1 else int(h.layout is Layout.RGB)
        sides = h.width, h.height, h.depth, h.tile_width, h.tile_height
        return cls(h.version, flags, *sides, list(h.models), extras, list(h.tiles), parts)

    def write(self) -> bytes:
        """Every checksum but those of samples is right."""
        tiles = [
            t._replace(size_bytes=len(b), block_crc=container.crc32(b))
            for t, b in zip(self.tiles, self.blocks, strict=False)
        ]
        tiles += self.tiles[len(tiles) :]
        body = b"".join(self.blocks)
        if self.version == 1:
            head = b"\x89PX\x01\x01" + bytes([0x10 | self.flags & 15]) + b"".join(self.models)
            head += varint(self.width) + varint(self.height) + varint(len(body))
            head += struct.pack("<II", tiles[0].samples_crc, tiles[0].block_crc)
            return head + struct.pack("<H", container.crc32(head) & 0xFFFF) + body
        head = b"\x89PX\x02" + bytes([self.flags]) + varint(self.width) + varint(self.height)
        if self.flags & 0x80:
            head += bytes([self.depth & 255])
        if self.flags & 0x40:
            head += varint(self.tile_width) + varint(self.tile_height)
        head += b"".join(b"\x01" + model for model in self.models)
        if self.flags & 0x20:
            packed = deflate(self.extras)
            deflated = len(packed) < len(self.extras)
            head += varint(len(packed if deflated else self.extras) << 1 | deflated)
            head += packed if deflated else self.extras
        for tile in tiles:
            head += varint(tile.size_bytes) if self.flags & 0x40 else b""
            head += struct.pack("<II", tile.block_crc, tile.samples_crc)
        return head + struct.pack("<I", container.crc32(head)) + body


def accident(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Bytes anywhere; no checksum is repaired."""
    how, data = _damage(rng, seed.data, other.data)
    return Mutation(seed, f"accident: {how}", data)


def block(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Bytes of a block, its checksum repaired."""
    fields, donor = _Fields.of(seed.data), _Fields.of(other.data)
    i = rng.randrange(len(fields.blocks))
    how, fields.blocks[i] = _damage(rng, fields.blocks[i], rng.choice(donor.blocks))
    return Mutation(seed, f"block: {how}", fields.write())


def header(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Bytes of the header, its checksum repaired where it is expected."""
    size, crc_bytes = container.read_header(seed.data).size_bytes, 2 if seed.data[3] == 1 else 4
    how, head = _damage(rng, seed.data[4 : size - crc_bytes], other.data[4:60])
    head = seed.data[:4] + head
    crc = struct.pack("<I", container.crc32(head))[:crc_bytes]
    return Mutation(seed, f"header: {how}", head + crc + seed.data[size:], header_forged=True)


def fields(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Numbers of the header at the ends of their ranges, or another file's."""
    f, donor = _Fields.of(seed.data), _Fields.of(other.data)
    name = rng.choice(
        ("width", "height", "sides", "flags", "depth", "tile_width", "tile_height", "models", "extras", "tiles",
         "block", "swap blocks")
    )  # fmt: skip
    if name in ("width", "height", "depth", "tile_width", "tile_height"):
        setattr(f, name, rng.choice((rng.choice(ENDS), getattr(donor, name), getattr(f, name) + rng.choice((-1, 1)))))
        f.flags |= 0x80 if name == "depth" else 0x40 if name.startswith("tile") else 0
    elif name == "sides":
        near = [(f.height, f.width), (donor.width, donor.height)]
        f.width, f.height = rng.choice(SIDES if rng.random() < 0.1 else near)
    elif name == "flags":
        f.flags = rng.choice((rng.randrange(256), f.flags ^ 1 << rng.randrange(8)))
    elif name == "models":
        f.models = [rng.choice([*f.models, *donor.models, bytes(8)]) for _ in range(rng.randrange(4))]
        f.flags = f.flags & ~0x18 | len(f.models) << 3
    elif name == "extras":
        f.extras = _damage(rng, f.extras or b"\x03\x06gAMAxy\x01\x03abc\x02\x02ab", other.data)[1]
        f.flags |= 0x20
    elif name == "tiles":
        f.tiles = f.tiles[: rng.randrange(len(f.tiles) + 1)] or f.tiles * rng.choice((2, 9))
    elif name == "block":
        f.blocks[rng.randrange(len(f.blocks))] = rng.choice(donor.blocks)
    else:
        rng.shuffle(f.blocks)
    f.width, f.height = max(0, f.width), max(0, f.height)
    f.tile_width, f.tile_height = max(0, f.tile_width), max(0, f.tile_height)
    return Mutation(seed, f"fields: {name}", f.write(), header_forged=True)


def forged(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """A block of a random tree of kinds in place of a good one, at its picture's size or a huge one."""
    f = _Fields.of(seed.data)
    if f.version == 1:
        return block(rng, seed, other)
    if huge := rng.random() < 0.005:
        f.width, f.height = rng.choice(SIDES)
        f.flags, f.tiles = f.flags & ~0x40, f.tiles[:1]
        f.blocks = f.blocks[:1]
    h = container.read_header(seed.data)
    i = rng.randrange(len(f.blocks))
    w, high = (f.width, f.height) if huge else h.windows[i][2:]
    f.blocks[i] = _tree(rng, (high, w, h.layout.channels), h.depth, [b for b in _Fields.of(other.data).blocks if b])
    return Mutation(seed, "forged: huge" if huge else "forged", f.write(), header_forged=huge)


def _tree(rng: Random, shape: tuple[int, int, int], depth: int, donors: Sequence[bytes], nesting: int = 0) -> bytes:
    """A block that is right in most things."""
    h, w, c = shape
    less = rng.randint(1, 16) if rng.random() < 0.1 else rng.randint(1, max(1, depth - 1))

    def inner(channels: int, bits: int) -> bytes:
        return _tree(rng, (h, w, channels), bits, donors, nesting + 1)

    kind = rng.choice(list(Kind)) if nesting < rng.choice((1, 2, 9)) else Kind(rng.randrange(3))
    size = -(-h * w * c * depth // 8)
    match kind:
        case Kind.RAW if size < 1 << 16:
            return bytes([kind]) + rng.randbytes(size)
        case Kind.RAW | Kind.CONSTANT:
            return bytes([Kind.CONSTANT]) + rng.randbytes(-(-c * depth // 8))
        case Kind.MODEL:
            return bytes([kind, rng.choice((0, 0, 1, 2))]) + rng.randbytes(4 * rng.randrange(h * w * c % 99 + 1))
        case Kind.WEBP | Kind.PNG:
            if h * w > 1 << 16 or rng.random() < 0.3:
                return bytes([kind]) + rng.choice(donors)[1:]
            samples = np.frombuffer(rng.randbytes(h * w * c), np.uint8).reshape(shape) >> max(0, 8 - depth)
            if kind is Kind.WEBP:
                return bytes([kind]) + (foreign.webp(samples, foreign.WebpEffort.LEAST) or b"")
            return bytes([kind]) + foreign.png(samples.astype(blocks.dtype(depth)))
        case Kind.ALPHA:
            return blocks.alpha(inner(max(1, c - 1), depth), inner(1, depth))
        case Kind.HIGH_LOW:
            shift = rng.randint(1, 8)
            return blocks.high_low(shift, inner(c, max(1, depth - shift)), inner(c, shift))
        case Kind.NARROW:
            return blocks.narrow(less, inner(c, less))
        case Kind.LEVELS:
            used = np.frombuffer(rng.randbytes(c << depth), np.uint8).reshape(c, -1) < rng.choice((4, 128, 256))
            return blocks.levels(used, less, inner(c, less))


#: How often each is taken.
KINDS = {accident: 3, block: 4, header: 3, fields: 3, forged: 3}


def mutate(rng: Random, among: Sequence[Seed]) -> Mutation:
    """One mutation of one of the seeds."""
    (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
    return kind(rng, rng.choice(among), rng.choice(among))
