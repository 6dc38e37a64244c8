"""Imitations of compressed files by the libraries that write most of them.

Each has a wire id, and must give the same file from the same picture.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from pixzip.image.picture import Frame, Layout, Samples


class Writer(NamedTuple):
    """
    Attributes:
        write: (samples, frame) -> the file; any error where it cannot.
        cost: time a pixel, in units of zlib's level 6 for a byte, roughly.
        worst_cost: the same of the pictures that take longest.
    """

    write: Callable[[Samples, Frame], bytes]
    cost: int = 4
    worst_cost: int = 4


def _pillow(samples: Samples, frame: Frame, *, form: str, **options: Any) -> bytes:
    x = samples[..., 0] if samples.shape[2] == 1 else samples
    image = Image.fromarray(x)
    if frame.layout is Layout.PALETTE:
        image.putpalette(frame.palette)
    elif frame.layout is Layout.GREY and frame.depth == 1:
        image = image.point([0] + 255 * [255], "1")
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _giflib(samples: Samples, frame: Frame) -> bytes:
    colours = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3).copy() if frame.palette else None
    return bytes(imagecodecs.gif_encode(samples[..., 0], colormap=colours))


def _qoi(samples: Samples, frame: Frame) -> bytes:
    return bytes(imagecodecs.qoi_encode(samples))


#: libwebp's last method that tries few transforms.
_QUICK_METHOD = 4


def _webp(quality: int, method: int, *, exact: bool = True) -> Writer:
    options: dict[str, Any] = {"lossless": True, "quality": quality, "method": method, "exact": exact}
    cost = (
        (5, 120)
        if method == 0
        else (14, 120)
        if not exact and quality < 100 and method < 5
        else (60, 120)
        if method <= _QUICK_METHOD
        else (120, 1500)
    )
    return Writer(partial(_pillow, form="WEBP", **options), *cost)


#: All writers by their wire ids.
WRITERS: Mapping[int, Writer] = {
    1: Writer(partial(_pillow, form="GIF", optimize=False, interlace=0)),
    2: Writer(partial(_pillow, form="GIF", optimize=False, interlace=1)),
    3: Writer(_giflib),
    4: Writer(_qoi),
    5: Writer(partial(_pillow, form="TGA", compression="tga_rle", orientation=-1)),
    6: Writer(partial(_pillow, form="TGA", compression="tga_rle", orientation=1)),
    7: Writer(partial(_pillow, form="PCX")),
    8: _webp(80, 4),
    9: _webp(75, 4),
    10: _webp(100, 4),
    11: _webp(100, 6),
    12: _webp(90, 4),
    13: _webp(50, 4),
    14: Writer(partial(_pillow, form="GIF", optimize=True, interlace=0)),
    15: Writer(partial(_pillow, form="GIF", optimize=True, interlace=1)),
    32: _webp(80, 0, exact=False),
    33: _webp(100, 0, exact=False),
    34: _webp(75, 4, exact=False),
    35: _webp(80, 4, exact=False),
    36: _webp(100, 4, exact=False),
    37: _webp(100, 6, exact=False),
    38: _webp(75, 0, exact=False),
}
