"""Files with arbitrary content and correct checksums."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pixcodecs.container import image as container
from pixcodecs.container.image import Layout, Tile
from pixcodecs.primitives import crc32, deflate, varint


def file_v1(
    *, version: int = 1, reference: int = 1, layout: int = 0x11, model_id: bytes = b"model-id",
    width: bytes = b"\x05", height: bytes = b"\x07", length: bytes | None = None, pixels_crc: int = 0,
    payload: bytes = b"abcd",
) -> bytes:  # fmt: skip
    """A file of version 1, which the package reads but does not write.

    Args:
        layout: coder << 4 | pixel format.
        width, height, length: varints; the length is by default that of the payload.
    """
    head = b"\x89PX" + bytes([version, reference, layout]) + model_id + width + height
    head += varint(len(payload)) if length is None else length
    head += struct.pack("<II", pixels_crc, crc32(payload))
    return head + struct.pack("<H", crc32(head) & 0xFFFF) + payload


def file_v3(
    *, flags: int = 0, depth: bytes = b"", stage: bytes = b"", images: int = 2, batch: int = 4,
    runs: Sequence[tuple[int, int, int]] = (),
    reference: int = 1, model_id: bytes = b"model-id", weights: bytes = b"", names: bytes = b"",
    length: int | None = None, samples_crc: int = 0, payload: bytes = b"abcd",
) -> bytes:  # fmt: skip
    """A stack, by default of two images of 4 x 3 grey pixels.

    Args:
        flags: 0x80 adds a depth, 0x40 a stage, 0x20 adds names.
        runs: (images, width, height) of each run.
        weights: packed weights of the model, after their length.
        length: declared length of the payload, by default the true one.
    """
    head = b"\x89PX\x03" + bytes([flags]) + depth + stage + varint(images) + varint(batch)
    head += b"".join(varint(number) for run in runs or [(2, 4, 3)] for number in run)
    head += bytes([reference]) + model_id + (varint(len(weights)) + weights if weights else b"") + names
    head += varint(len(payload) if length is None else length)
    head += struct.pack("<II", crc32(payload), samples_crc)
    return head + struct.pack("<I", crc32(head)) + payload


@dataclass
class Fields:
    """The fields of a file, which are written without any check."""

    version: int
    flags: int
    width: int
    height: int
    depth: int
    tile_width: int
    tile_height: int
    models: list[bytes]
    extras: bytes
    tiles: list[Tile]
    blocks: list[bytes]

    @classmethod
    def of(cls, data: bytes) -> "Fields":
        h = container.read_header(data)
        extras = b"".join(bytes([kind]) + varint(len(body)) + body for kind, body in h.extras)
        parts = [container.block(data, h, i) for i in range(len(h.tiles))]
        flags = data[4] if h.version > 1 else int(h.layout is Layout.RGB)
        sides = h.width, h.height, h.depth, h.tile_width, h.tile_height
        return cls(h.version, flags, *sides, list(h.models), extras, list(h.tiles), parts)

    def write(self) -> bytes:
        """The file, with correct checksums except those of samples."""
        tiles = [
            t._replace(size_bytes=len(b), block_crc=crc32(b)) for t, b in zip(self.tiles, self.blocks, strict=False)
        ]
        tiles += self.tiles[len(tiles) :]
        body = b"".join(self.blocks)
        if self.version == 1:
            return file_v1(
                layout=0x10 | self.flags & 15, model_id=b"".join(self.models), width=varint(self.width),
                height=varint(self.height), pixels_crc=tiles[0].samples_crc, payload=body,
            )  # fmt: skip
        head = b"\x89PX\x02" + bytes([self.flags]) + varint(self.width) + varint(self.height)
        if self.flags & 0x80:
            head += bytes([self.depth & 255])
        if self.flags & 0x40:
            head += varint(self.tile_width) + varint(self.tile_height)
        head += b"".join(b"\x01" + model for model in self.models)
        if self.flags & 0x20:
            packed = deflate(self.extras)
            deflated = len(packed) < len(self.extras)
            head += varint(len(packed if deflated else self.extras) << 1 | deflated)
            head += packed if deflated else self.extras
        for tile in tiles:
            head += varint(tile.size_bytes) if self.flags & 0x40 else b""
            head += struct.pack("<II", tile.block_crc, tile.samples_crc)
        return head + struct.pack("<I", crc32(head)) + body


def file_v4(
    *, method: int = 0, content: int = 1, length: int | bytes = 4, digest: bytes = bytes(4), body: bytes = b"abcd",
) -> bytes:  # fmt: skip
    """A file that keeps another one, with correct checksums of header and body.

    Args:
        length: a number, or the bytes of a varint.
    """
    head = b"\x89PX\x04" + bytes([method, content]) + (varint(length) if isinstance(length, int) else length)
    head += digest + struct.pack("<I", crc32(body))
    return head + struct.pack("<I", crc32(head)) + body
