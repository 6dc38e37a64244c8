"""Encoders of deflate (RFC 1951) that can be told to write a stream again: zlib, those that other packages offer, and
`pixcodecs.deflate`.

Deflate leaves the choice of matches and blocks to the encoder, so a stream comes back only from the same algorithm
with the same parameters.  That of zlib has not changed in decades; others may give other bytes in another version,
which the digest of the original tells.
"""

import zlib
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple, Protocol

import imagecodecs
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint
from zlib_ng import zlib_ng

#: Levels of `Kind.ZLIB_FAR`.
FAR_LEVELS = range(4, 10)
#: Most bytes of a block without compression.
_STORED_BYTES = 65535
_PIECE_BYTES = 1 << 16


class Kind(IntEnum):
    """Wire ids of encoders."""

    STORED = 0
    ZLIB = 1
    ZLIB_NG = 2
    LIBDEFLATE = 3
    ZOPFLI = 4
    ZLIB_FAR = 5


NAMES = {
    Kind.STORED: "no compression",
    Kind.ZLIB: f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
    Kind.ZLIB_NG: "zlib-ng",
    Kind.LIBDEFLATE: "libdeflate",
    Kind.ZOPFLI: "zopfli",
    Kind.ZLIB_FAR: "zlib as pngcrush builds it",
}


#: Kinds with zlib's parameters.
_LIKE_ZLIB = (Kind.ZLIB, Kind.ZLIB_NG, Kind.ZLIB_FAR)


class Spec(NamedTuple):
    """An encoder and its parameters.

    Attributes:
        level: of zlib and zlib-ng 0 to 9, of `Kind.ZLIB_FAR` 4 to 9, of libdeflate 0 to 12.
        strategy, memory, window: of zlib and zlib-ng: 0 to 4; 1 to 9; 9 to 15; the strategy of `Kind.ZLIB_FAR` is 0.
        block: bytes of a block without compression, for `Kind.STORED`.
    """

    kind: Kind
    level: int = 0
    strategy: int = 0
    memory: int = 0
    window: int = 0
    block: int = 0

    def pack(self) -> bytes:
        """The wire form."""
        if self.kind is Kind.STORED:
            return bytes([self.kind]) + varint(self.block)
        if self.kind in _LIKE_ZLIB:
            return bytes([self.kind, self.level | self.strategy << 4, self.window | self.memory << 4])
        return bytes([self.kind, self.level])

    @property
    def wants_all(self) -> bool:
        """Whether the encoder writes nothing before it has all data."""
        return self.kind in (Kind.LIBDEFLATE, Kind.ZOPFLI)

    @property
    def cost(self) -> float:
        """Time a byte, in units of zlib's level 6, roughly."""
        if self.kind is Kind.ZOPFLI:
            return 150
        if self.kind is Kind.LIBDEFLATE:
            return 8 if self.level > 9 else 1
        return (2 if self.level > 7 else 1) * (2 if self.kind is Kind.ZLIB_FAR else 1)

    @property
    def worst_cost(self) -> float:
        """The same of the data that take longest, of an encoder that is not interrupted."""
        return 2000 if self.kind is Kind.ZOPFLI else self.cost


def read(reader: Reader) -> Spec:
    """The inverse of `Spec.pack`.

    Raises:
        BitstreamError: the encoder or a parameter is unknown.
    """
    number = reader.byte("encoder of a deflate stream")
    if number not in Kind.__members__.values():
        raise BitstreamError(f"deflate encoder {number} is unknown to this version")
    kind = Kind(number)
    if kind is Kind.STORED:
        spec = Spec(kind, block=reader.varint("bytes of a stored block"))
        good = 1 <= spec.block <= _STORED_BYTES
    elif kind in _LIKE_ZLIB:
        first, second = reader.byte("level of deflate"), reader.byte("window of deflate")
        spec = Spec(kind, first & 15, first >> 4, second >> 4, second & 15)
        good = spec.level <= 9 and spec.strategy <= 4 and 1 <= spec.memory <= 9 and 9 <= spec.window <= 15
        good = good and (kind is not Kind.ZLIB_FAR or (spec.level in FAR_LEVELS and spec.strategy == 0))
    else:
        spec = Spec(kind, reader.byte("level of deflate"))
        good = spec.level <= (12 if kind is Kind.LIBDEFLATE else 0)
    if not good:
        raise BitstreamError(f"parameters of {NAMES[kind]} are out of their ranges")
    return spec


class Encoder(Protocol):
    """Writes one raw deflate stream."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def encoder(spec: Spec) -> Encoder:
    """A new encoder of a stream."""
    match spec.kind:
        case Kind.STORED:
            return _Stored(spec.block)
        case Kind.ZLIB:
            return zlib.compressobj(spec.level, zlib.DEFLATED, -spec.window, spec.memory, spec.strategy)
        case Kind.ZLIB_NG:
            ng: Encoder = zlib_ng.compressobj(spec.level, zlib_ng.DEFLATED, -spec.window, spec.memory, spec.strategy)
            return ng
        case Kind.ZLIB_FAR:
            from pixcodecs.deflate.encoder import Encoder as Far  # compiled, which commands such as info do without

            return Far(spec.level, spec.window, spec.memory)
        case Kind.LIBDEFLATE:
            return _Whole(lambda data: bytes(imagecodecs.deflate_encode(data, spec.level, raw=True)))
        case Kind.ZOPFLI:
            return _Whole(lambda data: bytes(imagecodecs.zopfli_encode(data))[2:-4])


def encoded(coder: Encoder, data: bytes, check: Callable[[], object]) -> Iterator[bytes]:
    """Yield the pieces of a stream, without its end.

    Args:
        check: called after each piece; raises an error if the time is spent, because some data take zlib long.
    """
    for at in range(0, len(data), _PIECE_BYTES):
        yield coder.compress(data[at : at + _PIECE_BYTES])
        check()


class _Whole:
    """An encoder that wants all data at once."""

    def __init__(self, encode: Callable[[bytes], bytes]) -> None:
        self._encode, self._data = encode, bytearray()

    def compress(self, data: bytes, /) -> bytes:
        self._data += data
        return b""

    def flush(self) -> bytes:
        return self._encode(bytes(self._data))


class _Stored:
    """Blocks without compression, all of one size but the last."""

    def __init__(self, size: int) -> None:
        self._size, self._data = size, bytearray()

    def compress(self, data: bytes, /) -> bytes:
        self._data += data
        out = bytearray()
        while len(self._data) > self._size:
            out += _stored(self._data[: self._size], last=False)
            del self._data[: self._size]
        return bytes(out)

    def flush(self) -> bytes:
        return _stored(self._data, last=True)


def _stored(data: bytes | bytearray, *, last: bool) -> bytes:
    size = len(data)
    return bytes([last]) + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + data
