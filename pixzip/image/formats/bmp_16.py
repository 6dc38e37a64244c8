"""Rows of BMP files with 16 bits a pixel: 5 or 6 bits a colour, which a picture has scaled to 8.

The numbers of bits are in PNG's sBIT chunk, and the scaling is the one that PNG recommends [1], so
both give the bits again.

[1] Portable Network Graphics (PNG) Specification (Third Edition), W3C, section 12.4
"""

import struct
from typing import NamedTuple

import numpy as np
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import check_size
from pixzip.image.picture import Chunk, Layout, Picture, Samples

_RGB, _BITFIELDS, _ALPHA_BITFIELDS = 0, 3, 6
_MASKS_AT = 40
_MASKS_555, _MASKS_565 = (0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)
#: Bits of R, G, B that are written as such, and their masks.
WRITTEN: dict[tuple[int, ...], tuple[int, ...]] = {(5, 5, 5): _MASKS_555, (5, 6, 5): _MASKS_565}


class Rows(NamedTuple):
    """What a header says of its rows.

    Attributes:
        height: negative if the first row is the upper one.
        masks: bits of R, G, B, and alpha, if there are any.
    """

    width: int
    height: int
    masks: tuple[int, ...]

    @classmethod
    def of(cls, data: bytes, at: int) -> "Rows | None":
        """The rows of the header at an offset; None if they are not of 16 bits."""
        size, width, height, _, bits, packing = struct.unpack_from("<IiiHHI", data, at)
        if size < _MASKS_AT or bits != 16 or packing not in (_RGB, _BITFIELDS, _ALPHA_BITFIELDS):
            return None
        alpha = size >= _MASKS_AT + 16 or packing == _ALPHA_BITFIELDS
        masks = struct.unpack_from(f"<{3 + alpha}I", data, at + _MASKS_AT) if packing else _MASKS_555
        return cls(width, height, masks if masks[-1] or not alpha else masks[:3])


def _bits(mask: int) -> tuple[int, int]:
    """The lowest bit of a mask and the number of its bits.

    Raises:
        UnsupportedImageError: there are none, too many, or gaps between them.
    """
    low = (mask & -mask).bit_length() - 1
    n = mask.bit_count()
    if not 1 <= n <= 8 or mask >> low != (1 << n) - 1 or mask >> 16:
        raise UnsupportedImageError(f"BMP of 16 bits has the mask {mask:#x}, expected 1 to 8 bits beside each other")
    return low, n


def read(data: bytes, rows_at: int, rows: Rows, max_pixels: int | None) -> tuple[Picture, list[str]]:
    """The picture in a file, and names of what it does not hold.

    Raises:
        UnsupportedImageError: too large, cut off, or masks that are not of colours.
    """
    width, height = rows.width, abs(rows.height)
    check_size(width, height, max_pixels)
    stride = -(-width // 2) * 2
    if len(data) < rows_at + 2 * stride * height:
        raise UnsupportedImageError("image cannot be decoded: BMP has not enough rows")
    words = np.frombuffer(data, "<u2", stride * height, rows_at).reshape(height, stride)[:, :width]
    words = words if rows.height < 0 else words[::-1]
    fields = [_bits(mask) for mask in rows.masks]
    planes = [_scaled((words >> low & (1 << n) - 1).astype(np.uint16), n) for low, n in fields]
    samples = np.ascontiguousarray(np.stack(planes, 2))
    sbit = Chunk(b"sBIT", bytes(n for _, n in fields))
    unused = 0xFFFF & ~int(np.bitwise_or.reduce(rows.masks))
    layout = Layout.RGB if len(fields) == 3 else Layout.RGBA
    return Picture(samples, layout, 8, metadata=(sbit,)), ["unused bits"] if (words & unused).any() else []


def _scaled(x: Samples, bits: int) -> Samples:
    """Samples of some bits as samples of 8."""
    most = (1 << bits) - 1
    return ((x.astype(np.uint32) * 255 * 2 + most) // (2 * most)).astype(np.uint8)


def write(picture: Picture) -> bytes | None:
    """The file of a picture whose colours have 5 or 6 bits; None for others."""
    bits = next((tuple(chunk.data) for chunk in picture.metadata if chunk.type == b"sBIT"), ())
    masks = WRITTEN.get(bits) if picture.layout is Layout.RGB and picture.depth == 8 else None
    if masks is None:
        return None
    stride = -(-picture.width // 2) * 2
    words = np.zeros((picture.height, stride), "<u2")
    for plane, (n, mask) in enumerate(zip(bits, masks, strict=True)):
        most = (1 << n) - 1
        x = ((picture.samples[..., plane].astype(np.uint32) * most * 2 + 255) // 510).astype(np.uint16)
        if not np.array_equal(_scaled(x, n), picture.samples[..., plane]):
            return None
        words[:, : picture.width] |= x << ((mask & -mask).bit_length() - 1)
    fields = struct.pack("<3I", *masks) if masks == _MASKS_565 else b""
    rows = words[::-1].tobytes()
    start = 14 + 40 + len(fields)
    packing = _BITFIELDS if fields else _RGB
    sizes = 40, picture.width, picture.height, 1, 16, packing, len(rows), 0, 0, 0, 0
    file_head = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    return file_head + struct.pack("<IiiHHIIiiII", *sizes) + fields + rows
