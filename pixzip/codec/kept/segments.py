"""The parts of a JPEG file [1], as far as they decide what is coded how: its images, and the metadata in each.

[1] ITU-T T.81, Digital compression and coding of continuous-tone still images, appendix B
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_START, _END = 0xD8, 0xD9
_SCAN = 0xDA
#: Segments of metadata: APP1 to APP13 and APP15.  libjxl codes EXIF, XMP and profiles apart, and refuses those that are
#: not as it expects.  APP0 and APP14 tell what the colours are, and stay.
_METADATA = frozenset(range(0xE1, 0xF0)) - {0xEE}
#: Frame headers, except the codes between them of tables: 0xC4, 0xC8, 0xCC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: The end of entropy-coded data: a marker that is no restart marker, no byte 0xFF of the data, and no fill byte.
_NEXT = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class JpegImage(NamedTuple):
    """One image in a file.

    Attributes:
        start, end: its place in the file.
        metadata: (start, end) of its segments of metadata, by increasing place.
        width, height: size in pixels, as its frame header has it; 0 if there is none, or if its scan says the height.
    """

    start: int
    end: int
    metadata: tuple[tuple[int, int], ...]
    width: int
    height: int


def images(data: bytes, most: int) -> list[JpegImage]:
    """The images of a JPEG file, such as one of several pictures, by increasing place; at most `most`.

    What is between and behind them, and what no image can be found in, belongs to none.
    """
    found: list[JpegImage] = []
    at = 0
    while len(found) < most and at >= 0:
        image = _image(data, at)
        if image:
            found.append(image)
        at = data.find(b"\xff\xd8\xff", image.end if image else at + 1)
    return found


def size(data: bytes) -> tuple[int, int]:
    """(width, height) of the first image, 0 where it is not known; also of a file that is cut off behind it."""
    for code, start, end in _segments(data, 0):
        if code in _FRAMES:
            return _size(data, start, end)
    return 0, 0


def _image(data: bytes, start: int) -> JpegImage | None:
    """The image that starts here; None if it does not reach its end."""
    metadata: list[tuple[int, int]] = []
    width = height = 0
    for code, first, end in _segments(data, start):
        if code == _END:
            return JpegImage(start, end, tuple(metadata), width, height)
        if code in _METADATA:
            metadata.append((first, end))
        elif code in _FRAMES and not width:
            width, height = _size(data, first, end)
    return None


def _size(data: bytes, start: int, end: int) -> tuple[int, int]:
    if end - start < 9:
        return 0, 0
    return int.from_bytes(data[start + 7 : start + 9]), int.from_bytes(data[start + 5 : start + 7])


def _segments(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield (code of its marker, start, end) of each segment, from the one behind the marker of the start."""
    at = start + 2
    while at + 1 < len(data) and data[at] == 0xFF:
        code = data[at + 1]
        if code == _END:
            yield code, at, at + 2
            return
        if code in (0x00, 0x01, _START) or 0xD0 <= code <= 0xD7 or code == 0xFF:
            return  # libjxl takes no such marker here
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end < at + 4 or end > len(data):
            return
        yield code, at, end
        if code == _SCAN:
            marker = _NEXT.search(data, end)
            if marker is None:
                return
            end = marker.start()
        at = end
