"""Convert ICC profiles, EXIF, XMP and resolutions to PNG chunks and back."""

import math
import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from pixzip.image.picture import Chunk

_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"  # keyword; not compressed; no language; no translated keyword
_EXIF = b"Exif\0\0"
_PER_METRE = 1
#: Largest size of a profile after decompression.
MAX_PROFILE_BYTES = 1 << 24


class Embedded(NamedTuple):
    """Metadata that formats other than PNG can hold; absent fields are empty.  `resolution` is the body of pHYs."""

    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    resolution: bytes = b""


def to_chunks(embedded: Embedded) -> tuple[list[Chunk], list[str]]:
    """The chunks, in an order that PNG allows, and the names of fields that do not fit into a chunk."""
    chunks, dropped = [], []
    if embedded.icc:
        chunks.append(Chunk(b"iCCP", b"icc\0\0" + zlib.compress(embedded.icc, 9)))
    if embedded.resolution:
        chunks.append(Chunk(b"pHYs", embedded.resolution))
    if embedded.exif.removeprefix(_EXIF):
        chunks.append(Chunk(b"eXIf", embedded.exif.removeprefix(_EXIF)))
    if embedded.xmp:
        try:
            embedded.xmp.decode()
            chunks.append(Chunk(b"iTXt", _XMP + embedded.xmp))
        except UnicodeDecodeError:
            dropped.append("xmp")  # iTXt is UTF-8
    return chunks, dropped


def from_chunks(chunks: Iterable[Chunk], kinds: Iterable[str]) -> tuple[Embedded, list[str]]:
    """The inverse of `to_chunks`.

    A field is filled by the first chunk of its kind and no other, so one profile at most is inflated.

    Args:
        kinds: requested fields of `Embedded`.
    Returns:
        The fields, and the types of all chunks that are not in them.
    """
    wanted = set(kinds)
    found: dict[str, bytes] = {}
    others = []
    for chunk in chunks:
        kind = _kind(chunk)
        if kind in wanted and kind not in found:
            found[kind] = _content(kind, chunk.data)
            if found[kind]:
                continue
        others.append(chunk.type.decode("ascii"))
    return Embedded(**found), others


def _kind(chunk: Chunk) -> str:
    """The field of `Embedded` that a chunk fills; "" if there is none."""
    if chunk.type == b"iTXt" and chunk.data.startswith(_XMP):
        return "xmp"
    if chunk.type == b"pHYs":
        return "resolution" if len(chunk.data) == 9 and chunk.data[8] == _PER_METRE else ""
    return {b"iCCP": "icc", b"eXIf": "exif"}.get(chunk.type, "")


def _content(kind: str, data: bytes) -> bytes:
    """The value of a field from the body of its chunk."""
    if kind == "icc":
        return _inflate(data.partition(b"\0")[2][1:])
    return data.removeprefix(_XMP) if kind == "xmp" else data


def _inflate(data: bytes) -> bytes:
    """The content of a zlib stream; empty if damaged or too long."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return content if inflater.eof else b""


def resolution(x: float, y: float) -> bytes:
    """The body of pHYs for x and y pixels per metre; empty for numbers that do not fit."""
    if not (0 < x < 2**31 and 0 < y < 2**31):
        return b""
    return struct.pack(">IIB", round(x), round(y), _PER_METRE)


def aspect(x: int, y: int) -> bytes:
    """The body of pHYs for pixels of aspect x : y and unknown size; empty for square pixels."""
    divisor = math.gcd(x, y) or 1
    x, y = x // divisor, y // divisor
    if x == y or not (0 < x < 2**31 and 0 < y < 2**31):
        return b""
    return struct.pack(">IIB", x, y, 0)
