"""Convert ICC profiles, EXIF, XMP and resolutions to PNG chunks and back."""

import math
import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from pixzip.image.picture import Chunk

_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"  # keyword; not compressed; no language; no translated keyword
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_COMMENT = b"Comment\0"
#: A private chunk for the maximum of a Netpbm file: 16 bits, big-endian.
MAXVAL = b"pxMv"
_EXIF = b"Exif\0\0"
_PER_METRE = 1
METRES_PER_INCH = 0.0254
#: Largest size of a profile or text after decompression.
MAX_PROFILE_BYTES = 1 << 24


class Embedded(NamedTuple):
    """Metadata that formats other than PNG can hold; absent fields are empty.

    Attributes:
        resolution: the body of pHYs.
        maxval: largest value of a sample, 16 bits, big-endian; absent where it is that of the depth.
        aspect: the body of a pHYs without a unit, where `from_chunks` tells it from a resolution.
        comment: a text without an encoding of its own, as files of PNM, GIF and JPEG have it.
    """

    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    resolution: bytes = b""
    comment: bytes = b""
    aspect: bytes = b""
    maxval: bytes = b""


def to_chunks(embedded: Embedded) -> tuple[list[Chunk], list[str]]:
    """The chunks, in an order that PNG allows, and the names of fields that do not fit into a chunk."""
    chunks, dropped = [], []
    if embedded.icc:
        chunks.append(Chunk(b"iCCP", b"icc\0\0" + zlib.compress(embedded.icc, 9)))
    if density := embedded.resolution or embedded.aspect:
        chunks.append(Chunk(b"pHYs", density))
    if embedded.exif.removeprefix(_EXIF):
        chunks.append(Chunk(b"eXIf", embedded.exif.removeprefix(_EXIF)))
    if embedded.xmp:
        if _is_utf_8(embedded.xmp):
            chunks.append(Chunk(b"iTXt", _XMP + embedded.xmp))
        else:
            dropped.append("xmp")  # iTXt is UTF-8
    if embedded.maxval:
        chunks.append(Chunk(MAXVAL, embedded.maxval))
    if b"\0" in embedded.comment:
        dropped.append("comment")  # texts have no NUL
    elif embedded.comment:
        chunks.append(_comment(embedded.comment))
    return chunks, dropped


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _comment(text: bytes) -> Chunk:
    """The chunk of a comment: iTXt for UTF-8 beyond ASCII; else tEXt, which readers take for Latin-1."""
    if not text.isascii() and _is_utf_8(text):
        return Chunk(b"iTXt", _COMMENT + b"\0\0\0\0" + text)
    return Chunk(b"tEXt", _COMMENT + text)


def from_chunks(chunks: Iterable[Chunk], kinds: Iterable[str]) -> tuple[Embedded, list[str]]:
    """The inverse of `to_chunks`, whatever compression and language the chunks have.

    A field is filled by the first chunk of its kind and no other, so at most one of a kind is inflated.

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
            found[kind] = _content(kind, chunk)
            if found[kind]:
                continue
        others.append(chunk.type.decode("ascii"))
    return Embedded(**found), others


def _kind(chunk: Chunk) -> str:
    """The field of `Embedded` that a chunk fills; "" if there is none."""
    if chunk.type == b"iTXt" and chunk.data.startswith(_XMP_KEYWORD):
        return "xmp"
    if chunk.type in (b"iTXt", b"tEXt", b"zTXt") and chunk.data.startswith(_COMMENT):
        return "comment"
    if chunk.type == b"pHYs":
        return {_PER_METRE: "resolution", 0: "aspect"}.get(chunk.data[8], "") if len(chunk.data) == 9 else ""
    if chunk.type == MAXVAL:
        return "maxval" if len(chunk.data) == 2 else ""
    return {b"iCCP": "icc", b"eXIf": "exif"}.get(chunk.type, "")


def _content(kind: str, chunk: Chunk) -> bytes:
    """The value of a field from its chunk; empty if damaged."""
    if kind == "icc":
        return _inflate(chunk.data.partition(b"\0")[2][1:])
    return text_of(chunk) if kind in ("xmp", "comment") else chunk.data


def text_of(chunk: Chunk) -> bytes:
    """The text of tEXt, zTXt or iTXt, inflated if it is compressed; empty if damaged."""
    rest = chunk.data.partition(b"\0")[2]
    if chunk.type == b"tEXt":
        return rest
    if chunk.type == b"zTXt":
        return _inflate(rest[1:]) if rest[:1] == b"\0" else b""
    compressed, method = rest[:1], rest[1:2]
    parts = rest[2:].split(b"\0", 2)  # language, keyword in that language, text
    if len(parts) < 3 or compressed not in (b"\0", b"\1"):
        return b""
    if compressed == b"\0":
        return parts[2]
    return _inflate(parts[2]) if method == b"\0" else b""


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
