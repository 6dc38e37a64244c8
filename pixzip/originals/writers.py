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


#: (quality, method) of lossless WebP by their wire ids: the defaults of Pillow and cwebp, and the levels of cwebp -z.
WEBP: Mapping[int, tuple[int, int]] = {
    8: (80, 4), 9: (75, 4), 10: (100, 4), 11: (100, 6), 12: (90, 4), 13: (50, 4), 16: (80, 6), 17: (75, 6),
    18: (75, 5), 19: (80, 5), 20: (90, 5), 21: (100, 5), 22: (30, 3), 23: (25, 2), 24: (20, 1), 25: (0, 0),
    26: (80, 2), 27: (80, 1), 28: (80, 0), 29: (75, 2), 30: (75, 1), 31: (75, 0),
}  # fmt: skip
#: The same for frames of animations, whose transparent pixels may have lost their colours; the likeliest first.
WEBP_FRAMES: Mapping[int, tuple[int, int]] = {
    32: (80, 0), 35: (80, 4), 34: (75, 4), 36: (100, 4), 38: (75, 0), 33: (100, 0), 37: (100, 6),
}  # fmt: skip
#: Method -> usual and worst cost of its settings; the same of the highest quality, which tries more.
_WEBP_COSTS = {0: (5, 120), 1: (8, 120), 2: (10, 120), 3: (12, 120), 4: (14, 120), 5: (26, 200), 6: (26, 200)}
_BEST, _BEST_COSTS = 100, {4: (36, 120), 5: (60, 300), 6: (390, 1500)}


def _webp(quality: int, method: int, *, exact: bool = True) -> Writer:
    options: dict[str, Any] = {"lossless": True, "quality": quality, "method": method, "exact": exact}
    costs = _BEST_COSTS.get(method, _WEBP_COSTS[method]) if quality == _BEST else _WEBP_COSTS[method]
    return Writer(partial(_pillow, form="WEBP", **options), *costs)


#: All writers by their wire ids.
WRITERS: Mapping[int, Writer] = {
    1: Writer(partial(_pillow, form="GIF", optimize=False, interlace=0)),
    2: Writer(partial(_pillow, form="GIF", optimize=False, interlace=1)),
    3: Writer(_giflib),
    4: Writer(_qoi),
    5: Writer(partial(_pillow, form="TGA", compression="tga_rle", orientation=-1)),
    6: Writer(partial(_pillow, form="TGA", compression="tga_rle", orientation=1)),
    7: Writer(partial(_pillow, form="PCX")),
    14: Writer(partial(_pillow, form="GIF", optimize=True, interlace=0)),
    15: Writer(partial(_pillow, form="GIF", optimize=True, interlace=1)),
    **{number: _webp(*setting) for number, setting in WEBP.items()},
    **{number: _webp(*setting, exact=False) for number, setting in WEBP_FRAMES.items()},
}
