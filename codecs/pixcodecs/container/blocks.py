"""Blocks: the coded samples of one tile.  `docs/format.md` specifies every kind.

A block is one byte, its kind, and a body; some kinds split samples into simpler ones and contain blocks.
This module reads every kind and writes the kinds that need only integers; the encoder finds the smallest kind.
Learned models, foreign codecs and JPEG are elsewhere: `decode` yields requests for models, so that many blocks can be
decoded as one batch, and takes decoders of other kinds as an argument.

Samples are (H, W, C) arrays of `depth` bits, uint8 up to a depth of 8 and uint16 above.
"""

from collections.abc import Callable, Generator, Mapping
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE, coder_of_kind
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, deflate, inflate, pack_bits, unpack_bits, varint

Samples = NDArray[np.unsignedinteger[Any]]
Shape = tuple[int, int, int]


class Kind(IntEnum):
    """Wire ids of blocks, including those of entropy coders (`pixcodecs.coders.registry`)."""

    RAW = 0
    CONSTANT = 1
    MODEL = 2
    WEBP = 3
    PNG = 4
    ALPHA = 5
    HIGH_LOW = 6
    NARROW = 7
    LEVELS = 8
    DEEP_MODEL = 9
    WEBP_BODY = 10
    RANS_MODEL = 11
    DEEP_RANS_MODEL = 12
    ADAPTED = 13
    JPEG = 14


def name_of(number: int) -> str:
    """The name of a kind of block, e.g. "WEBP"; "unknown" where this version knows none of this number."""
    if number in Kind.__members__.values():
        return Kind(number).name
    coder = coder_of_kind(number)
    return "unknown" if coder is None else f"{coder.name.upper()}_MODEL"


class Precision(NamedTuple):
    """Samples of `depth` bits for a model whose grey level is 2^unit samples wide.

    With a `lattice`, one of `LATTICES`, most colours are on it, which a stage uses; 0 for none.
    """

    depth: int = 8
    unit: int = 0
    lattice: int = 0

    @property
    def digits(self) -> int:
        """Number of 4-bit symbols of a sample."""
        return -(-self.depth // 4)


class ModelRequest(NamedTuple):
    """A payload for a learned model to decode to (H, W, C) samples."""

    model: int  # position among the header's models
    payload: bytes
    shape: Shape
    precision: Precision = Precision()
    coder: EntropyCoder = RANGE
    stage: int = 0  # number of the stage that adapts the model, one of `STAGES`; 0 for none


#: (body, shape, depth) -> samples
ForeignDecoder = Callable[[bytes, Shape, int], Samples]
Decoding = Generator[ModelRequest, Samples, Samples]

#: Deepest nesting of blocks, more than any encoder needs.
DEEPEST = 6
#: Numbers of the stages that a block can name.
STAGES = frozenset({1, 2})
#: Numbers of the lattices of colours that a block with a stage can name; 0 for none.
LATTICES = frozenset({0, 1, 2})
_LATTICE = 16


def dtype(depth: int) -> type[np.uint8] | type[np.uint16]:
    """The dtype for samples of `depth` bits."""
    return np.uint8 if depth <= 8 else np.uint16


def raw(samples: Samples, depth: int) -> bytes:
    """A block of packed samples."""
    return bytes([Kind.RAW]) + pack_bits(samples, depth)


def constant(samples: Samples, depth: int) -> bytes:
    """A block of one pixel, for samples whose pixels are all equal."""
    return bytes([Kind.CONSTANT]) + pack_bits(samples[0, 0], depth)


def model(
    position: int, payload: bytes, coder: EntropyCoder = RANGE, precision: Precision = Precision()  # noqa: B008
) -> bytes:  # fmt: skip
    """A block coded by a learned model."""
    if precision.depth == 8:
        return bytes([coder.kind, position]) + payload
    return bytes([coder.high_depth_kind, position, precision.unit]) + payload


def adapted(stage: int, inner: bytes, lattice: int = 0) -> bytes:
    """A model's block that a stage adapts to the image.

    Args:
        stage: number of the stage, 1 to 15.
        inner: a block made by `model`.
        lattice: number of a lattice of colours, 0 to 15.
    """
    return bytes([Kind.ADAPTED, stage + _LATTICE * lattice]) + inner


def stage_and_lattice(number: int) -> tuple[int, int]:
    """The numbers of the stage and of the lattice in the byte after `ADAPTED`.

    Raises:
        BitstreamError: one is unknown.
    """
    lattice, stage = divmod(number, _LATTICE)
    if stage not in STAGES or lattice not in LATTICES:
        raise BitstreamError(f"stage {number} is unknown to this version")
    return stage, lattice


def foreign(kind: Kind, body: bytes) -> bytes:
    """A block coded by another codec, or as a JPEG's coefficients."""
    return bytes([kind]) + body


def alpha(colour: bytes, opacity: bytes) -> bytes:
    """A block of the colour channels' block and the alpha channel's block."""
    return bytes([Kind.ALPHA]) + varint(len(colour)) + colour + opacity


def high_low(shift: int, high: bytes, low: bytes) -> bytes:
    """A block of two blocks: samples >> shift, and the bits below."""
    return bytes([Kind.HIGH_LOW, shift]) + varint(len(high)) + high + low


def narrow(depth: int, inner: bytes) -> bytes:
    """A block of the same samples at a smaller depth."""
    return bytes([Kind.NARROW, depth]) + inner


def levels(used: NDArray[np.bool_], depth: int, inner: bytes) -> bytes:
    """A block of ranks among the levels that each channel uses.

    Args:
        used: (C, 2^depth of the samples) bool.
        depth: depth of the ranks.
    """
    table = deflate(np.packbits(used).tobytes())
    return bytes([Kind.LEVELS]) + varint(len(table)) + table + bytes([depth]) + inner


def used_levels(samples: Samples, depth: int) -> NDArray[np.bool_]:
    """(C, 2^depth) bool: whether a level occurs in a channel."""
    used = np.zeros((samples.shape[2], 1 << depth), np.bool_)
    for c in range(samples.shape[2]):
        used[c, samples[..., c].ravel()] = True
    return used


def ranks(samples: Samples, used: NDArray[np.bool_]) -> tuple[Samples, int]:
    """Samples as ranks among the used levels of their channels, and the depth of the ranks."""
    rank = np.cumsum(used, 1) - 1
    depth = max(1, int(rank[:, -1].max()).bit_length())
    out = np.stack([rank[c][samples[..., c]] for c in range(samples.shape[2])], -1)
    return out.astype(dtype(depth)), depth


def decode(
    block: bytes, shape: Shape, depth: int, decoders: Mapping[Kind, ForeignDecoder], nesting: int = 0
) -> Decoding:
    """Decode the samples of a block: a generator that yields requests for models and is sent their results.

    Args:
        decoders: decoders of foreign kinds and of JPEG's.
    Returns:
        (H, W, C) samples of `depth` bits, in StopIteration.
    Raises:
        BitstreamError: the block is damaged.
    """
    reader = Reader(block)
    number = reader.byte("kind of a block")
    coder = coder_of_kind(number)
    if not coder and number not in Kind.__members__.values():
        raise BitstreamError(f"block kind {number} is unknown to this version")
    if nesting + (number == Kind.ADAPTED) > DEEPEST:
        raise BitstreamError("blocks are nested too deep")
    if coder:
        return (yield _request(reader, shape, depth, number, coder))
    if number == Kind.ADAPTED:
        return (yield _adapted(reader, shape, depth))
    kind, (h, w, c) = Kind(number), shape
    match kind:
        case Kind.RAW:
            return unpack_bits(reader.rest(), h * w * c, depth).reshape(shape)
        case Kind.CONSTANT:
            return np.broadcast_to(unpack_bits(reader.rest(), c, depth), shape)
        case Kind.WEBP | Kind.WEBP_BODY | Kind.PNG | Kind.JPEG:
            if kind not in decoders:
                raise BitstreamError(f"block is {kind.name}, which is not supported here")
            return decoders[kind](reader.rest(), shape, depth)
        case Kind.ALPHA:
            if c not in (2, 4):
                raise BitstreamError(f"block splits off alpha, but has {c} channels")
            first = reader.take(reader.varint("length of a block"), "block of colours")
            colour = yield from decode(first, (h, w, c - 1), depth, decoders, nesting + 1)
            opacity = yield from decode(reader.rest(), (h, w, 1), depth, decoders, nesting + 1)
            return _each(lambda a, b: np.concatenate([a, b], -1), colour, opacity)
        case Kind.HIGH_LOW:
            shift = reader.byte("shift")
            if not (depth > 8 and 1 <= shift <= 8 and depth - shift <= 8):
                raise BitstreamError(f"block splits {depth} bits at {shift}")
            first = reader.take(reader.varint("length of a block"), "block of high bits")
            high = yield from decode(first, shape, depth - shift, decoders, nesting + 1)
            low = yield from decode(reader.rest(), shape, shift, decoders, nesting + 1)
            return _each(partial(_join, shift), high, low)
        case Kind.NARROW:
            less = reader.byte("depth")
            if not 1 <= less < depth:
                raise BitstreamError(f"block narrows {depth} bits to {less}")
            inner = yield from decode(reader.rest(), shape, less, decoders, nesting + 1)
            return _each(lambda a: a.astype(dtype(depth), copy=False), inner)
        case Kind.LEVELS:
            size = -(-c * (1 << depth) // 8)
            table = inflate(reader.take(reader.varint("length of a table"), "table of levels"), size, "levels")
            if len(table) != size:
                raise BitstreamError(f"levels take {len(table)} bytes, expected {size}")
            used = np.unpackbits(np.frombuffer(table, np.uint8), count=c << depth).reshape(c, -1)
            less = reader.byte("depth of ranks")
            if not 1 <= less <= depth:
                raise BitstreamError(f"ranks of {depth}-bit levels take {less} bits")
            inner = yield from decode(reader.rest(), shape, less, decoders, nesting + 1)
            return _each(partial(_from_ranks, used, depth), inner)
        case _:
            raise BitstreamError(f"block kind {kind.name} is coded by no entropy coder of this version")


def _adapted(reader: Reader, shape: Shape, depth: int) -> ModelRequest:
    """The request of a model's block that a stage adapts; the reader stands after the kind.

    Raises:
        BitstreamError: the stage is unknown, or the inner block is no model's, or has no colours for a lattice.
    """
    stage, lattice = stage_and_lattice(reader.byte("number of a stage"))
    number = reader.byte("kind of a block")
    coder = coder_of_kind(number)
    if coder is None:
        raise BitstreamError(f"stage {stage} adapts a block of kind {number}, which is no model's")
    request = _request(reader, shape, depth, number, coder)
    if lattice and (shape[2], depth) != (3, 8):
        raise BitstreamError(f"a lattice is of 3 channels of 8 bits, block has {shape[2]} of {depth}")
    return request._replace(stage=stage, precision=request.precision._replace(lattice=lattice))


def _request(reader: Reader, shape: Shape, depth: int, kind: int, coder: EntropyCoder) -> ModelRequest:
    """The request of a model's block; the reader stands after the kind.

    Raises:
        BitstreamError: no model codes such samples.
    """
    channels, high_depth = shape[2], kind == coder.high_depth_kind
    if channels not in (1, 3) or (depth <= 8 if high_depth else depth != 8):
        codes = "9 to 16 bits" if high_depth else "8 bits"
        raise BitstreamError(f"a model codes 1 or 3 channels of {codes}, block has {channels} of {depth}")
    position, unit = reader.byte("position of a model"), reader.byte("unit") if high_depth else 0
    if unit > depth - 8:
        raise BitstreamError(f"block has grey levels of 2^{unit} samples at {depth} bits")
    return ModelRequest(position, reader.rest(), shape, Precision(depth, unit), coder)


def _each(function: Callable[..., Samples], *parts: Samples) -> Samples:
    """`function` of samples, or of one pixel if all are equal, so that a constant image of any size takes no memory."""
    if any(part.strides[:2] != (0, 0) for part in parts):
        return function(*parts)
    pixel = function(*(part[:1, :1] for part in parts))
    return np.broadcast_to(pixel[0, 0], (*parts[0].shape[:2], pixel.shape[2]))


def _join(shift: int, high: Samples, low: Samples) -> Samples:
    out = high.astype(np.uint16)
    out <<= np.uint16(shift)
    out |= low
    return out


def _from_ranks(used: NDArray[np.uint8], depth: int, ranked: Samples) -> Samples:
    out = np.empty(ranked.shape, dtype(depth))
    for i in range(ranked.shape[2]):
        table = np.flatnonzero(used[i]).astype(dtype(depth))
        if not table.size or ranked[..., i].max() >= table.size:
            raise BitstreamError(f"channel {i} uses a rank above its {table.size} levels")
        out[..., i] = table[ranked[..., i]]
    return out
