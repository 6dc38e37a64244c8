"""JPEG files of every mode that keeping a file must not mind, made anew from a small scene."""

import io
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from tests.helpers.support import scene

HEIGHT, WIDTH = 203, 261
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # turned by 90 degrees
XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>" + b" " * 200


@cache
def image(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(scene(3, HEIGHT, WIDTH, 1)).convert(mode)


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG that Pillow writes."""
    image(mode).save(out := io.BytesIO(), "JPEG", **{"quality": 90, **options})
    return out.getvalue()


def small() -> bytes:
    """A JPEG of few pixels, for models to code, with metadata."""
    image().crop((100, 80, 124, 96)).save(out := io.BytesIO(), "JPEG", exif=EXIF, icc_profile=profile())
    return out.getvalue()


def segment(code: int, body: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(body) + 2) + body


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments behind its start."""
    return data[:2] + b"".join(segments) + data[2:]


def marked(code: int) -> bytes:
    """A JPEG whose frame is said to be of another kind."""
    data = jpeg()
    at = data.index(b"\xff\xc0")
    return data[: at + 1] + bytes([code]) + data[at + 2 :]


def many() -> bytes:
    """A file of two images, as cameras write, with an index that says where the second one is."""
    out = io.BytesIO()
    image().save(out, "MPO", save_all=True, append_images=[image().rotate(180)])
    return out.getvalue()


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def progressive(side: int, levels: int = 0) -> bytes:
    """A grey square of one colour, in as many scans as there are coefficients, each refined `levels` times.

    Args:
        side: pixels, such that the last run of a scan has 16384 to 32767 blocks of 8 x 8.
    """
    blocks = ((side + 7) // 8) ** 2
    out = b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64)
    out += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    out += segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0") + segment(
        0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0"
    )
    out += segment(0xDA, b"\1\1\0\0\0\0") + _bits("0" * blocks)
    lengths = [min(32767, left) for left in range(blocks, 0, -32767)]
    assert lengths[-1] >= 1 << 14
    runs = _bits("".join("0" + format(length - (1 << 14), "014b") for length in lengths))
    for k in range(1, 64):
        for low in range(levels, -1, -1):
            high = 0 if low == levels else low + 1
            out += segment(0xDA, b"\1\1\0" + bytes([k, k, high << 4 | low])) + runs
    return out + b"\xff\xd9"


def _bits(text: str) -> bytes:
    size = -(-len(text) // 8)
    return int(text.ljust(8 * size, "1"), 2).to_bytes(size).replace(b"\xff", b"\xff\0")


#: Name -> function that makes the file; of those in `RECOMPRESSED`, JPEG XL makes less.
FILES: dict[str, Callable[[], bytes]] = {
    "4:2:0": jpeg,
    "4:2:2": lambda: jpeg(subsampling=1),
    "4:4:4": lambda: jpeg(subsampling=0, quality=95),
    "grey": lambda: jpeg("L"),
    "RGB": lambda: jpeg(keep_rgb=True),
    "progressive": lambda: jpeg(progressive=True),
    "own tables": lambda: jpeg(optimize=True, qtables=[list(range(1, 65))] * 2),
    "restart markers": lambda: jpeg(restart_marker_blocks=2),
    "EXIF, XMP, profile, comment": lambda: with_segments(
        jpeg(icc_profile=profile(), exif=EXIF, comment=b"c" * 90),
        segment(0xE1, XMP),
        segment(0xED, b"Photoshop 3.0\0"),
    ),
    "a damaged profile": lambda: jpeg(icc_profile=bytes(range(256)) * 3),
    "damaged EXIF": lambda: with_segments(jpeg(), segment(0xE1, b"Exif\0\0II*\0" + b"\xff" * 40)),
    "bytes behind the end": lambda: jpeg() + np.random.default_rng(0).bytes(300),
    "two images": many,
    "two images, the second cut off": lambda: jpeg() + jpeg("L")[:-200],
    "CMYK": lambda: jpeg("CMYK"),
    "12 bits": lambda: imagecodecs.jpeg_encode(np.asarray(image()).astype(np.uint16) << 4, bitspersample=12),
    "without loss": lambda: imagecodecs.jpeg_encode(np.asarray(image()), lossless=True, predictor=1),
    "arithmetic coding": lambda: marked(0xC9),
    "hierarchical": lambda: marked(0xC5),
    "cut off": lambda: jpeg()[:-300],
    "cut off in a segment": lambda: jpeg()[:30],
    "damaged": lambda: jpeg()[:900] + b"\xff\xc0\0\1" + jpeg()[900:],
    "fill bytes before a marker": lambda: with_segments(jpeg(), b"\xff\xff"),
    "many scans": lambda: progressive(1100),
    "one pixel": lambda: imagecodecs.jpeg_encode(np.zeros((1, 1), np.uint8)),
    "the start of a JPEG": lambda: b"\xff\xd8\xff",
    "start and end": lambda: b"\xff\xd8\xff\xd9",
    "noise": lambda: b"\xff\xd8\xff" + np.random.default_rng(1).bytes(2000),
}
RECOMPRESSED = list(FILES)[: list(FILES).index("CMYK")]
