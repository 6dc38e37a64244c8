"""Files that say whatever a test wants, under checksums that are right."""

import struct

from pixcodecs.coding import crc32, varint


def file_v1(
    *, version: int = 1, reference: int = 1, layout: int = 0x11, model_id: bytes = b"model-id",
    width: bytes = b"\x05", height: bytes = b"\x07", length: bytes | None = None, pixels_crc: int = 0,
    payload: bytes = b"abcd",
) -> bytes:  # fmt: skip
    """A file of version 1, which the package only reads.

    Args:
        layout: coder << 4 | pixel format.
        width, height, length: as varints; the length is by default that of the payload.
    """
    head = b"\x89PX" + bytes([version, reference, layout]) + model_id + width + height
    head += varint(len(payload)) if length is None else length
    head += struct.pack("<II", pixels_crc, crc32(payload))
    return head + struct.pack("<H", crc32(head) & 0xFFFF) + payload
