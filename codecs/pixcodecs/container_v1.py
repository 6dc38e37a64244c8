"""Version 1 of the `.pxz` container, which is read for ever: `docs/format.md`, section 9.

Nothing is allocated from a declared size before the header's own checksum, the file's length and the
payload's checksum have been verified.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from pixcodecs.errors import BitstreamError, UnsupportedImageError

SIGNATURE = b"\x89PX"
VERSION = 1
MODEL_ID_BYTES = 8
#: The longest header.
HEADER_BYTES = 40
MAX_SIDE = 65535
#: Pixels a decoder accepts without being told otherwise; twice this is Pillow's own hard limit.
MAX_PIXELS = 89_478_485


class PixelFormat(IntEnum):
    """Wire ids of pixel formats."""

    GREY8 = 0
    RGB8 = 1

    @property
    def channels(self) -> int:
        return {PixelFormat.GREY8: 1, PixelFormat.RGB8: 3}[self]


class ModelReference(IntEnum):
    """Wire ids of the ways a file names its model."""

    ID = 1


class Coder(IntEnum):
    """Wire ids of payload coders."""

    RANGE = 1


_LATER = {2: "a model embedded in the file", 3: "a stack of many images"}


@dataclass(frozen=True)
class Header:
    """What a file says of itself; `payload_bytes` and the checksums are filled in by `pack`."""

    width: int
    height: int
    pixel_format: PixelFormat
    model_id: bytes
    pixels_crc: int
    payload_bytes: int = 0
    payload_crc: int = 0
    version: int = VERSION
    reference: ModelReference = ModelReference.ID
    coder: Coder = Coder.RANGE

    @property
    def subpixels(self) -> int:
        return self.width * self.height * self.pixel_format.channels


def crc32(data: bytes | memoryview) -> int:
    """CRC-32 of ISO 3309, as in PNG and gzip."""
    return zlib.crc32(data)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int, name: str) -> tuple[int, int]:
    value = 0
    for i in range(5):
        if at + i >= len(data):
            raise BitstreamError(f"file ends inside its header, at the {name}")
        byte = data[at + i]
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            if i and not byte:
                raise BitstreamError(f"header damaged: the {name} is not in its shortest form")
            return value, at + i + 1
    raise BitstreamError(f"header damaged: the {name} is longer than five bytes")


def pack(header: Header, payload: bytes) -> bytes:
    """One file: header, checksums, payload.

    Raises:
        ValueError: a field does not fit the format.
    """
    if not (1 <= header.width <= MAX_SIDE and 1 <= header.height <= MAX_SIDE):
        raise ValueError(f"image is {header.width}x{header.height}, sides must be 1 to {MAX_SIDE}")
    if len(header.model_id) != MODEL_ID_BYTES:
        raise ValueError(f"model id has {len(header.model_id)} bytes, expected {MODEL_ID_BYTES}")
    head = (
        SIGNATURE
        + bytes([VERSION, header.reference, header.coder << 4 | header.pixel_format])
        + header.model_id
        + _varint(header.width)
        + _varint(header.height)
        + _varint(len(payload))
        + struct.pack("<II", header.pixels_crc, crc32(payload))
    )
    return head + struct.pack("<H", crc32(head) & 0xFFFF) + payload


def unpack(data: bytes, max_pixels: int | None = MAX_PIXELS) -> tuple[Header, bytes]:
    """Parse and verify a file; the inverse of `pack`.

    Args:
        data: the whole file.
        max_pixels: refuse larger images; None lifts the limit.
    Raises:
        BitstreamError: whatever is wrong with the file.
    """
    header, at = read_header(data)
    pixels = header.width * header.height
    if max_pixels is not None and pixels > max_pixels:
        raise BitstreamError(
            f"image has {pixels} pixels, more than the limit of {max_pixels}: lift it if you trust the file"
        )
    payload = data[at:]
    if len(payload) != header.payload_bytes:
        kind = "truncated" if len(payload) < header.payload_bytes else "too long"
        raise BitstreamError(f"file is {kind}: payload has {len(payload)} bytes, expected {header.payload_bytes}")
    if crc32(payload) != header.payload_crc:
        raise BitstreamError("payload damaged: its checksum does not match")
    return header, payload


def read_header(data: bytes) -> tuple[Header, int]:
    """Parse and verify the header alone; also returns where the payload starts."""
    if data[: len(SIGNATURE)] != SIGNATURE[: len(data)] or not data:
        raise BitstreamError(
            f"not a pixzip file: starts with {data[:4].hex() or 'nothing'}, expected {SIGNATURE.hex()}"
        )
    fixed = len(SIGNATURE) + 3
    if len(data) < fixed + MODEL_ID_BYTES:
        raise BitstreamError(f"file ends inside its header, after {len(data)} bytes")
    version, reference, layout = data[len(SIGNATURE) : fixed]
    if version != VERSION:
        raise BitstreamError(f"file has format version {version}, this program reads version {VERSION}")
    model_id = data[fixed : fixed + MODEL_ID_BYTES]
    width, at = _read_varint(data, fixed + MODEL_ID_BYTES, "width")
    height, at = _read_varint(data, at, "height")
    payload_bytes, at = _read_varint(data, at, "payload length")
    if len(data) < at + 10:
        raise BitstreamError("file ends inside its header, at the checksums")
    pixels_crc, payload_crc, head_crc = struct.unpack_from("<IIH", data, at)
    if crc32(data[: at + 8]) & 0xFFFF != head_crc:
        raise BitstreamError("header damaged: its checksum does not match")
    if reference not in ModelReference.__members__.values():
        raise BitstreamError(f"model reference {reference} ({_LATER.get(reference, 'unknown')}) is not supported here")
    if layout >> 4 not in Coder.__members__.values():
        raise BitstreamError(f"payload coder {layout >> 4} is unknown to this version")
    if layout & 15 not in PixelFormat.__members__.values():
        raise BitstreamError(f"pixel format {layout & 15} is unknown to this version")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise BitstreamError(f"header declares {width}x{height} pixels, sides must be 1 to {MAX_SIDE}")
    header = Header(
        width=width,
        height=height,
        pixel_format=PixelFormat(layout & 15),
        model_id=model_id,
        pixels_crc=pixels_crc,
        payload_bytes=payload_bytes,
        payload_crc=payload_crc,
        version=version,
        reference=ModelReference(reference),
        coder=Coder(layout >> 4),
    )
    return header, at + 10


def check_shape(width: int, height: int) -> None:
    """Refuse what the format cannot hold.

    Raises:
        UnsupportedImageError: a side is zero or above `MAX_SIDE`.
    """
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UnsupportedImageError(f"image is {width}x{height} pixels, sides must be 1 to {MAX_SIDE}")
