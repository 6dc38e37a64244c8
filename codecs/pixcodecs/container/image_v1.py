"""Version 1 of the `.pxz` header, which is still read but no longer written: `docs/format.md`, section 9."""

import struct
from enum import IntEnum
from typing import NamedTuple

from pixcodecs.container.limits import MAX_SIDE, MODEL_ID_BYTES
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, crc32

VERSION = 1


class PixelFormat(IntEnum):
    """Wire ids of pixel formats."""

    GREY8 = 0
    RGB8 = 1


_MODEL_BY_ID = 1
_RANGE_CODER = 1
_RESERVED = {2: "a model embedded in the file", 3: "a stack of many images"}


class HeaderV1(NamedTuple):
    """The content of a header."""

    width: int
    height: int
    pixel_format: PixelFormat
    model_id: bytes
    payload_bytes: int
    pixels_crc: int
    payload_crc: int


def read_header(reader: Reader) -> HeaderV1:
    """Parse and verify the header after signature and version; the payload is the rest.

    Raises:
        BitstreamError: the header is damaged, truncated or hostile.
    """
    reference, layout = reader.byte("model reference"), reader.byte("layout")
    model_id = reader.take(MODEL_ID_BYTES, "model id")
    width, height = reader.varint("width"), reader.varint("height")
    payload_bytes = reader.varint("payload length")
    pixels_crc, payload_crc = struct.unpack("<II", reader.take(8, "checksums"))
    expected = crc32(reader.data[: reader.at]) & 0xFFFF
    if struct.unpack("<H", reader.take(2, "checksum"))[0] != expected:
        raise BitstreamError("header damaged: its checksum does not match")
    if reference != _MODEL_BY_ID:
        known = _RESERVED.get(reference, "unknown")
        raise BitstreamError(f"model reference {reference} ({known}) is not supported here")
    if layout >> 4 != _RANGE_CODER:
        raise BitstreamError(f"payload coder {layout >> 4} is unknown to this version")
    if layout & 15 not in PixelFormat.__members__.values():
        raise BitstreamError(f"pixel format {layout & 15} is unknown to this version")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise BitstreamError(f"header declares {width}x{height} pixels, sides must be 1 to {MAX_SIDE}")
    return HeaderV1(width, height, PixelFormat(layout & 15), model_id, payload_bytes, pixels_crc, payload_crc)
