"""A check of JPEG XL streams before libjxl decodes them: what their headers may ask for, and how many pixels.

libjxl decodes whatever a stream declares, such as frames much larger than the image.  An encoder that recompresses a
JPEG needs little of the format: one frame, as large as the image, of the samples of the JPEG.  Only that is taken, so
that the pixels bound the memory, and with the number of the JPEG's scans the time.

The fields are those of ISO/IEC 18181-1 (codestream) and 18181-2 (boxes).
"""

import struct
from typing import NamedTuple

from pixcodecs.errors import BitstreamError

#: The first two boxes of every file.
_BOXES_BEFORE = bytes.fromhex("0000000c 4a584c20 0d0a870a 00000014 66747970 6a786c20 00000000 6a786c20")
#: Bytes of a codestream in which the fields that are read end.
_HEAD_BYTES = 64
_SIGNATURE = 0x0AFF
_RATIOS = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_NOTES, _CODESTREAM, _PARTIAL_CODESTREAM = b"jbrd", b"jxlc", b"jxlp"
#: Most segments of a JPEG, as libjxl bounds them, the bytes that tell their markers, and markers without 0xC0.
_MOST_MARKERS = 1 << 14
_MARKERS_BYTES = (1 + 6 * _MOST_MARKERS) // 8 + 1
_SCAN, _END = 0x1A, 0x19
_SKIP_SMOOTHING = 0x80
_CUSTOM = 2


class _Bits:
    """Reads fields, lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, bits: int) -> int:
        if bits > self._left:
            raise BitstreamError("JPEG XL stream damaged: it ends in its header")
        found = self._value & (1 << bits) - 1
        self._value >>= bits
        self._left -= bits
        return found

    def u32(self, *choices: tuple[int, int]) -> int:
        """One of four (offset, bits)."""
        offset, bits = choices[self.take(2)]
        return offset + self.take(bits)

    def enum(self) -> int:
        return self.u32((0, 0), (1, 0), (2, 4), (18, 6))

    def expect(self, expected: int, bits: int, name: str) -> None:
        found = self.take(bits)
        if found != expected:
            raise BitstreamError(f"JPEG XL stream has {name} {found}, which a recompressed JPEG has not")

    def align(self) -> None:
        self.expect(0, self._left % 8, "padding")


class Work(NamedTuple):
    """What a stream makes a decoder do: pixels of memory, and scans of all of them."""

    pixels: int
    scans: int


class Parts(NamedTuple):
    """What a file of JPEG XL that reconstructs a JPEG holds besides its boxes.

    Attributes:
        image: the codestream.
        notes: what libjxl notes to reconstruct the JPEG.
    """

    image: bytes
    notes: bytes


def check(parts: Parts) -> Work:
    """The work in a file.

    Raises:
        BitstreamError: it is damaged, or something else than a recompressed JPEG.
    """
    bits = _Bits(parts.image[:_HEAD_BYTES])
    bits.expect(_SIGNATURE, 16, "a signature")
    width, height = _size(bits)
    _check_metadata(bits)
    bits.align()
    _check_frame(bits)
    return Work(width * height, _scans(parts.notes[:_MARKERS_BYTES]))


def join(parts: Parts) -> bytes:
    """The file of JPEG XL with these parts.

    Raises:
        BitstreamError: they are too long for boxes.
    """
    return _BOXES_BEFORE + _box(_NOTES, parts.notes) + _box(_CODESTREAM, parts.image)


def _box(name: bytes, body: bytes) -> bytes:
    if len(body) + 8 >= 1 << 32:
        raise BitstreamError(f"JPEG XL stream has {len(body)} bytes, more than a box holds")
    return struct.pack(">I", 8 + len(body)) + name + body


def split(file: bytes) -> Parts:
    """The inverse of `join`, for any file that libjxl makes.

    Raises:
        BitstreamError: it has other boxes, such as those of metadata.
    """
    if not file.startswith(_BOXES_BEFORE):
        raise BitstreamError("JPEG XL file starts with other boxes")
    at, found = len(_BOXES_BEFORE), Parts(b"", b"")
    while at < len(file):
        size, name = int.from_bytes(file[at : at + 4]), file[at + 4 : at + 8]
        end = at + size if size else len(file)
        if end > len(file) or end < at + 8 or name not in (_CODESTREAM, _PARTIAL_CODESTREAM, _NOTES):
            raise BitstreamError(f"JPEG XL file has a box {name!r} of {size} bytes")
        start = at + (12 if name == _PARTIAL_CODESTREAM else 8)
        field = "notes" if name == _NOTES else "image"
        found = found._replace(**{field: getattr(found, field) + file[start:end]})
        at = end
    return found


def _scans(notes: bytes) -> int:
    """The number of scans in the markers of a JPEG, which come first in the notes."""
    bits, scans = _Bits(notes), 0
    bits.take(1)  # whether it is grey
    for _ in range(_MOST_MARKERS):
        marker = bits.take(6)
        if marker == _END:
            return scans
        scans += marker == _SCAN
    raise BitstreamError(f"JPEG XL stream has more than {_MOST_MARKERS} markers of a JPEG")


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.u32((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = _RATIOS[bits.take(3)]
    return (height * ratio[0] // ratio[1], height) if ratio else (side(), height)


def _check_metadata(bits: _Bits) -> None:
    """The header of the image: 8 bits a sample, one or three channels that no profile describes."""
    bits.expect(0, 1, "default metadata")
    bits.expect(0, 1, "extra fields")
    bits.expect(0, 1, "floating point")
    bits.expect(0, 2, "bits per sample of form")
    bits.take(1)  # whether 16 bits suffice
    bits.expect(0, 2, "extra channels of form")
    bits.expect(0, 1, "XYB colours")
    if not bits.take(1):
        _check_colours(bits)
    bits.expect(0, 2, "extensions of form")
    bits.expect(1, 1, "a default transform")


def _check_colours(bits: _Bits) -> None:
    bits.expect(0, 1, "a profile")
    space = bits.enum()
    if space not in (0, 1):
        raise BitstreamError(f"JPEG XL stream has colour space {space}, expected 0 or 1")
    numbers = [bits.enum() for _ in range(1 + (space == 0))]
    if _CUSTOM in numbers:
        raise BitstreamError("JPEG XL stream has a white point or primaries of its own")
    if bits.take(1):
        bits.take(24)
    else:
        bits.enum()
    bits.enum()


def _check_frame(bits: _Bits) -> None:
    """The header of the frame: a regular one, the only one, as large as the image, without effects."""
    bits.expect(0, 1, "a default frame")
    bits.expect(0, 2, "a frame of type")
    bits.expect(0, 1, "encoding")
    form = bits.take(2)
    flags = (0, 1, 17, 0)[form] + bits.take((0, 4, 8, 0)[form])
    if form == 3 or flags & ~_SKIP_SMOOTHING:
        raise BitstreamError("JPEG XL stream has effects, which a recompressed JPEG has not")
    if bits.take(1):  # YCbCr
        bits.take(6)
    bits.expect(0, 2, "upsampling of form")
    bits.expect(0, 2, "passes of form")
    bits.expect(0, 1, "a frame of its own size")
    bits.expect(0, 2, "blending")
    bits.expect(1, 1, "last frame")
