"""The container of a file that is kept as it is, such as a JPEG.  `docs/format.md`, section 15, specifies it.

It holds no image but the bytes of another file, in the form that a method gave them; the header says how many they are
and has their digest.  As in `image`, memory is never allocated from a declared size alone.
"""

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum

from pixcodecs.container.limits import KEPT_BYTES_A_BYTE, KEPT_VERSION, LIFT, MAX_KEPT_BYTES
from pixcodecs.container.signature import SIGNATURE, Buffer
from pixcodecs.container.signature import is_kept as is_kept
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, crc32, varint

_WHOLE_DIGEST, _RESERVED = 0x80, 0x40
_DIGEST_BYTES, _CRC_BYTES = 32, 4


class Method(IntEnum):
    """Wire ids of the forms of a kept file's bytes; 3 is reserved for Brunsli."""

    STORED = 0
    DEFLATE = 1
    JPEG_XL = 2


class Content(IntEnum):
    """Wire ids of the kinds of kept files."""

    JPEG = 1

    @property
    def start(self) -> bytes:
        """The first bytes of all such files."""
        return {Content.JPEG: b"\xff\xd8\xff"}[self]


@dataclass(frozen=True)
class KeptHeader:
    """The content of a header.

    Attributes:
        length: bytes of the kept file.
        digest: SHA-256 of the kept file, 32 bytes, or its CRC-32, 4 bytes.
        size_bytes: size of the header, at which the body starts.
    """

    method: Method
    content: Content
    length: int
    digest: bytes
    body_crc: int
    size_bytes: int = 0

    @property
    def digest_name(self) -> str:
        return "sha256" if len(self.digest) == _DIGEST_BYTES else "crc32"

    def check(self, original: bytes) -> None:
        """
        Raises:
            BitstreamError: these are not the bytes that were kept.
        """
        if len(original) != self.length:
            raise BitstreamError(f"kept file has {len(original)} bytes, expected {self.length}: it is damaged")
        whole = len(self.digest) == _DIGEST_BYTES
        if (_sha256(original) if whole else _crc(original)) != self.digest:
            raise BitstreamError("kept file does not match its digest: it is damaged")
        if not original.startswith(self.content.start):
            raise BitstreamError(f"file contradicts itself: the kept file is no {self.content.name}")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _crc(data: bytes) -> bytes:
    return struct.pack("<I", crc32(data))


def pack(method: Method, content: Content, original: bytes, body: bytes) -> bytes:
    """The file that keeps `original` as `body`; with SHA-256 where that does not make it larger than the original.

    Raises:
        ValueError: the original is not of this kind.
    """
    if not original.startswith(content.start):
        raise ValueError(f"file starts with {original[:3].hex()}, expected {content.start.hex()} of {content.name}")
    short = _packed(method, content, original, body, _crc(original))
    whole = len(short) + _DIGEST_BYTES - _CRC_BYTES <= len(original)
    return _packed(method | _WHOLE_DIGEST, content, original, body, _sha256(original)) if whole else short


def _packed(method: int, content: int, original: bytes, body: bytes, digest: bytes) -> bytes:
    head = SIGNATURE + bytes([KEPT_VERSION, method, content]) + varint(len(original)) + digest + _crc(body)
    return head + _crc(head) + body


def read_header(data: Buffer, *, limited: bool = True) -> KeptHeader:
    """Parse and verify a header.

    Args:
        data: a whole file.
        limited: refuse files that declare more bytes than they should take.
    Raises:
        BitstreamError: the header is damaged, truncated, foreign or hostile.
    """
    if not is_kept(data):
        raise BitstreamError(f"keeps no other file: starts with {bytes(data[:4]).hex() or 'nothing'}")
    reader = Reader(data, len(SIGNATURE) + 1)
    method, content = reader.byte("method"), reader.byte("kind of content")
    length = reader.varint("length of the kept file")
    digest = reader.take(_DIGEST_BYTES if method & _WHOLE_DIGEST else _CRC_BYTES, "digest")
    (body_crc,) = struct.unpack("<I", reader.take(_CRC_BYTES, "checksum of the body"))
    expected = _crc(data[: reader.at])
    if reader.take(_CRC_BYTES, "checksum") != expected:
        raise BitstreamError("header damaged: its checksum does not match")
    if method & _RESERVED or method & 0x3F not in Method.__members__.values():
        raise BitstreamError(f"file is kept by method {method & 0x7F}, which is unknown to this version")
    if content not in Content.__members__.values():
        raise BitstreamError(f"file keeps content of kind {content}, which is unknown to this version")
    if not length:
        raise BitstreamError("header declares a kept file of 0 bytes")
    most = MAX_KEPT_BYTES + KEPT_BYTES_A_BYTE * len(data)
    if limited and length > most:
        raise BitstreamError(f"kept file has {length} bytes in {len(data)}, more than the limit of {most}: {LIFT}")
    return KeptHeader(Method(method & 0x3F), Content(content), length, digest, body_crc, reader.at)


def body(data: Buffer, header: KeptHeader) -> bytes:
    """The form in which the file is kept.

    Raises:
        BitstreamError: it is truncated or damaged.
    """
    found = data[header.size_bytes :]
    if crc32(found) != header.body_crc:
        raise BitstreamError("kept file damaged: the checksum of its body does not match")
    return found
