"""Damaged and forged `.pxz` files of every kind, for `tests/helpers/fuzzing.py`.

Checksums stop nearly all accidents, so most mutations repair them: the header's checksum, to reach the parser, and
a block's, to reach every kind of block.  The samples' checksum is never repaired, because it must catch wrong
pixels.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind
from pixcodecs.primitives import varint

from pixzip.codec import webp_png
from pixzip.codec.stack import Stack
from pixzip.image.pages import Pages
from pixzip.image.picture import Picture
from tests.helpers import (
    golden,
    golden_jpeg,
    golden_originals,
    kept_mutations,
    model_mutations,
    pages_mutations,
    stack_mutations,
)
from tests.helpers.damage import ENDS, damage
from tests.helpers.forging import Fields
from tests.helpers.model_mutations import ModelFile

_MODELS = [Kind.MODEL, Kind.RANS_MODEL, Kind.DEEP_MODEL, Kind.DEEP_RANS_MODEL]
#: Sides whose product is near the limit of pixels, or far above it.
SIDES = [(65535, 1365), (1365, 65535), (65535, 1), (1, 65535), (9459, 9459), (16383, 5461), (65535, 65535), (3000, 3)]


class Seed(NamedTuple):
    """A good file and its content: a picture, a stack, the file that it keeps, or the digest of its model."""

    name: str
    data: bytes
    picture: Picture | Stack | Pages | bytes | ModelFile


class Mutation(NamedTuple):
    """A file and the kind of its mutation."""

    seed: Seed
    how: str
    data: bytes
    header_forged: bool = False


def seeds(decompress: Callable[[bytes], Picture | Stack | Pages | bytes | ModelFile]) -> list[Seed]:
    """The good golden files."""
    files = {p.stem: p.read_bytes() for p in sorted(golden.FOLDER.glob("*.pxz")) if not p.stem.startswith("bad-")}
    return [Seed(name, data, decompress(data)) for name, data in files.items()]


def accident(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Damage bytes anywhere; no checksum is repaired."""
    how, data = damage(rng, seed.data, other.data)
    return Mutation(seed, f"accident: {how}", data)


def block(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Damage bytes of a block, and repair its checksum."""
    fields, donor = Fields.of(seed.data), Fields.of(other.data)
    i = rng.randrange(len(fields.blocks))
    how, fields.blocks[i] = damage(rng, fields.blocks[i], rng.choice(donor.blocks))
    return Mutation(seed, f"block: {how}", fields.write())


def header(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Damage bytes of the header, and repair its checksum at the expected place."""
    size, crc_bytes = container.read_header(seed.data).size_bytes, 2 if seed.data[3] == 1 else 4
    how, head = damage(rng, seed.data[4 : size - crc_bytes], other.data[4:60])
    head = seed.data[:4] + head
    crc = struct.pack("<I", container.crc32(head))[:crc_bytes]
    return Mutation(seed, f"header: {how}", head + crc + seed.data[size:], header_forged=True)


def fields(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Set numbers of the header to the ends of their ranges, or to another file's."""
    f, donor = Fields.of(seed.data), Fields.of(other.data)
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
        f.extras = damage(
            rng, f.extras or b"\x03\x06gAMAxy\x01\x03abc\x02\x02ab" + golden_originals.SAMPLE, other.data
        )[1]
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


#: Types of PNG chunks that readers parse, and others.
CHUNKS = [
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"pHYs",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"eXIf",
    b"tIME",
    b"sPLT",
    b"bKGD",
    b"zz\x1bz",
]
#: Bodies at whose ends parsers fail: empty, cut, too long, compressed, damaged, with texts in other forms.
BODIES = [
    b"", b"\0", b"ab", b"a\0\0x", b"a\0\5x", b"\xff" * 9, bytes(8) + b"\1", bytes(32), b"\xff" * 32,
    b"icc\0\0" + zlib.compress(bytes(1 << 20)), b"a\0\0" + zlib.compress(b"\x1b]0;a\x07\xe2\x80\xae")[:-2],
    b"XML:com.adobe.xmp\0\1\0\0\0x", b"II*\0" + b"\xff" * 4, b"MM\0*\0\0\0\x08" + b"\xff" * 40,
]  # fmt: skip


def chunks(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Replace the metadata by well-formed chunks with hostile types and bodies, few or very many."""
    f = Fields.of(seed.data)
    if f.version == 1:
        return block(rng, seed, other)
    extras = bytearray()
    for _ in range(rng.choice((1, 1, 2, 3, 200))):
        body = rng.choice((*BODIES, rng.randbytes(rng.randrange(40))))
        extras += b"\x03" + varint(4 + len(body)) + rng.choice(CHUNKS) + body
    f.extras, f.flags = bytes(extras), f.flags | 0x20
    return Mutation(seed, "chunks", f.write(), header_forged=True)


def forged(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Replace a block by a random tree of kinds, for a picture of its size or of a huge one."""
    f = Fields.of(seed.data)
    if f.version == 1:
        return block(rng, seed, other)
    if huge := rng.random() < 0.005:
        f.width, f.height = rng.choice(SIDES)
        f.flags, f.tiles = f.flags & ~0x40, f.tiles[:1]
        f.blocks = f.blocks[:1]
    h = container.read_header(seed.data)
    i = rng.randrange(len(f.blocks))
    w, high = (f.width, f.height) if huge else h.windows[i][2:]
    f.blocks[i] = _tree(rng, (high, w, h.layout.channels), h.depth, [b for b in Fields.of(other.data).blocks if b])
    return Mutation(seed, "forged: huge" if huge else "forged", f.write(), header_forged=huge)


def _tree(rng: Random, shape: tuple[int, int, int], depth: int, donors: Sequence[bytes], nesting: int = 0) -> bytes:
    """A block that is mostly valid."""
    h, w, c = shape
    less = rng.randint(1, 16) if rng.random() < 0.1 else rng.randint(1, max(1, depth - 1))

    def inner(channels: int, bits: int) -> bytes:
        return _tree(rng, (h, w, channels), bits, donors, nesting + 1)

    def model(kind: Kind) -> bytes:
        payload = rng.randbytes(4 * rng.randrange(h * w * c % 99 + 1))
        if kind in (Kind.RANS_MODEL, Kind.DEEP_RANS_MODEL):
            payload = _lanes(rng) + payload
        deep = kind in (Kind.DEEP_MODEL, Kind.DEEP_RANS_MODEL)
        unit = [rng.randrange(max(2, depth - 6))] if deep else []
        return bytes([kind, rng.choice((0, 0, 1, 2)), *unit]) + payload

    kind = rng.choice(list(Kind)) if nesting < rng.choice((1, 2, 9)) else Kind(rng.randrange(3))
    size = -(-h * w * c * depth // 8)
    match kind:
        case Kind.RAW if size < 1 << 16:
            return bytes([kind]) + rng.randbytes(size)
        case Kind.RAW | Kind.CONSTANT:
            return bytes([Kind.CONSTANT]) + rng.randbytes(-(-c * depth // 8))
        case Kind.MODEL | Kind.RANS_MODEL | Kind.DEEP_MODEL | Kind.DEEP_RANS_MODEL:
            return model(kind)
        case Kind.ADAPTED:
            stage = rng.choice((*blocks.STAGES, *blocks.STAGES, 0, 255))
            lattice = rng.choice((0, 0, *blocks.LATTICES, 3)) if stage < 16 else 0
            return blocks.adapted(stage, rng.choice((model(rng.choice(_MODELS)), inner(c, depth))), lattice)
        case Kind.WEBP | Kind.WEBP_BODY | Kind.PNG:
            if h * w > 1 << 16 or rng.random() < 0.3:
                return bytes([kind]) + rng.choice(donors)[1:]
            samples = np.frombuffer(rng.randbytes(h * w * c), np.uint8).reshape(shape) >> max(0, 8 - depth)
            if kind is not Kind.PNG:
                stream = webp_png.webp(samples, webp_png.WebpEffort.LEAST)
                return bytes([kind]) + (stream if kind is Kind.WEBP else stream[5:])
            return bytes([kind]) + webp_png.png(samples.astype(blocks.dtype(depth)))
        case Kind.JPEG:
            return bytes([kind]) + golden_jpeg.random_body(rng, shape)
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


def _lanes(rng: Random) -> bytes:
    """The states at the beginning of an rANS payload, nearly all of which are valid."""
    log2 = rng.choice((0, 0, 1, 2, 8, 9))
    first = rng.choice((rng.randrange(1 << 31, 1 << 63), 1 << 31, (1 << 63) - 1, (1 << 31) - 1, 1 << 63))
    rest = [rng.choice((1 << 31, rng.randrange(1 << 31, 1 << 63))) for _ in range((1 << log2) - 1)]
    return bytes([log2]) + struct.pack(f"<{1 << log2}Q", first, *rest)


def carried(rng: Random, seed: Seed, other: Seed) -> Mutation:
    """Add models that come with the file: good, damaged, hostile, or elsewhere."""
    f = Fields.of(seed.data)
    if f.version == 1:
        return block(rng, seed, other)
    f.extras, f.models, how = model_mutations.forge(rng, f.extras, f.models, damage)
    f.flags = f.flags & ~0x18 | len(f.models) << 3 | 0x20
    return Mutation(seed, f"carried: {how}", f.write(), header_forged=True)


#: Relative frequency of each mutation.
KINDS = {accident: 3, block: 4, header: 3, fields: 3, forged: 3, chunks: 2, carried: 2}


def mutate(rng: Random, among: Sequence[Seed]) -> Mutation:
    """One mutation of one of the seeds."""
    (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
    seed = rng.choice(among)
    other = rng.choice([s for s in among if type(s.picture) is type(seed.picture)])
    if isinstance(seed.picture, ModelFile) and kind is not accident:
        return Mutation(seed, *model_mutations.forge_file(rng, seed.data, damage), header_forged=True)
    if isinstance(seed.picture, bytes) and kind is not accident:
        return Mutation(seed, *kept_mutations.forge(rng, seed.data, other.data, damage), header_forged=True)
    if isinstance(seed.picture, Stack) and kind is not accident:
        return Mutation(seed, *stack_mutations.forge(rng, seed.data, other.data, damage), header_forged=True)
    if isinstance(seed.picture, Pages) and kind is not accident:
        return Mutation(seed, *pages_mutations.forge(rng, seed.data, other.data, damage), header_forged=True)
    return kind(rng, seed, other)
