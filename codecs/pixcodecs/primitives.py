"""Primitives of byte formats: variable-length integers, checksums, deflate, packed bits."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixcodecs.buffer import Buffer
from pixcodecs.errors import BitstreamError

#: Longer data is deflated in one way only: trying the others takes long and saves little.
_MANY_WAYS_BYTES = 1 << 14


class Reader:
    """Reads a buffer from front to back."""

    def __init__(self, data: Buffer, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, n: int, name: str) -> bytes:
        """The next n bytes.

        Raises:
            BitstreamError: fewer bytes are left.
        """
        found = self.data[self.at : self.at + n]
        if len(found) < n:
            raise BitstreamError(f"file ends too early, at the {name}")
        self.at += n
        return found

    def byte(self, name: str) -> int:
        return self.take(1, name)[0]

    def rest(self) -> bytes:
        """All remaining bytes."""
        found = self.data[self.at :]
        self.at = len(self.data)
        return found

    def varint(self, name: str) -> int:
        """An integer with seven bits per byte, lowest first; at most five bytes, in the shortest form."""
        value = 0
        for i in range(5):
            byte = self.byte(name)
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                if i and not byte:
                    raise BitstreamError(f"header damaged: the {name} is not in its shortest form")
                return value
        raise BitstreamError(f"header damaged: the {name} is longer than five bytes")


def crc32(data: bytes | memoryview) -> int:
    """CRC-32 of ISO 3309, as in PNG and gzip."""
    return zlib.crc32(data)


def varint(value: int) -> bytes:
    """The inverse of `Reader.varint`."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def deflate(*parts: bytes, dictionary: bytes = b"") -> bytes:
    """A raw deflate stream (RFC 1951) of all parts: the shortest of several ways to code them.

    The ways are one block per part or not, and zlib's strategies for finding matches.

    Args:
        dictionary: bytes that matches may refer to, as if they came before.
    """

    def stream(pieces: Sequence[bytes], memory: int, strategy: int) -> bytes:
        coder = zlib.compressobj(9, zlib.DEFLATED, -15, memory, strategy, dictionary)
        start = b"".join(coder.compress(piece) + coder.flush(zlib.Z_BLOCK) for piece in pieces[:-1])
        return start + coder.compress(pieces[-1]) + coder.flush()

    joined = [b"".join(parts)]
    if len(joined[0]) > _MANY_WAYS_BYTES:
        return stream(joined, 8, zlib.Z_DEFAULT_STRATEGY)
    strategies = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED)
    ways = [(pieces, m, s) for pieces in (joined, parts) for m in (8, 9) for s in strategies]
    return min((stream(*way) for way in ways), key=len)


def inflate(data: bytes, limit: int, name: str, dictionary: bytes = b"") -> bytes:
    """The inverse of `deflate`.

    Raises:
        BitstreamError: the stream is damaged, has data after its end, or gives more than `limit` bytes.
    """
    coder = zlib.decompressobj(-15, dictionary)
    try:
        out = coder.decompress(data, limit + 1)
    except zlib.error as e:
        raise BitstreamError(f"{name} damaged: {e}") from None
    if len(out) > limit:
        raise BitstreamError(f"{name} inflate to more than {limit} bytes")
    if not coder.eof or coder.unused_data:
        raise BitstreamError(f"{name} damaged: the deflate stream does not end where it should")
    return out


def pack_bits(values: NDArray[np.unsignedinteger[Any]], depth: int) -> bytes:
    """Consecutive samples of `depth` bits, highest bit first; zero bits fill the last byte."""
    if depth == 8:
        return values.astype(np.uint8).tobytes()
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = values.reshape(-1, 1) >> np.arange(depth - 1, -1, -1, dtype=values.dtype) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def unpack_bits(data: bytes, count: int, depth: int) -> NDArray[np.unsignedinteger[Any]]:
    """The inverse of `pack_bits`: (count,) uint8, or uint16 above 8 bits.

    Raises:
        BitstreamError: the length of the data is wrong.
    """
    expected = -(-count * depth // 8)
    if len(data) != expected:
        raise BitstreamError(f"raw samples take {len(data)} bytes, expected {expected}")
    dtype = np.uint8 if depth <= 8 else np.uint16
    if depth == 8:
        return np.frombuffer(data, np.uint8)
    if depth == 16:
        return np.frombuffer(data, ">u2").astype(dtype)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count * depth).reshape(count, depth)
    if int.from_bytes(data[-1:], "big") & (1 << 8 * expected - count * depth) - 1:
        raise BitstreamError("raw samples damaged: bits after the last are not zero")
    weights = (1 << np.arange(depth - 1, -1, -1)).astype(np.uint32)
    return (bits @ weights).astype(dtype)
