"""Heat maps: bits per pixel beside a thumbnail of the image."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixzip.image.colours import in_8_bits
from pixzip.image.picture import Picture

#: Longer side on the page, in pixels.
SIDE = 640
COLOUR_MAP = "inferno"
#: Percentile of pixels at which the scale ends.
_TOP_PERCENTILE = 99.5


class Heat(NamedTuple):
    """A small image and its bits.

    Attributes:
        thumbnail: data URI.
        bits: (h, w) float32 bits per pixel, each the mean over the pixels that it represents.
        mean: bits per pixel of the whole image.
    """

    name: str
    thumbnail: str
    bits: NDArray[np.float32]
    mean: float


def heat(name: str, picture: Picture, bits: NDArray[np.float32]) -> Heat:
    """
    Args:
        bits: (H, W) bits per pixel.
    """
    size = _size(picture.width, picture.height)
    image = Image.fromarray(in_8_bits(picture))
    small = Image.fromarray(np.asarray(bits, np.float32)).resize(size, Image.Resampling.BOX)
    thumbnail = _uri(image.resize(size, Image.Resampling.LANCZOS), "WEBP", quality=80)
    return Heat(name, thumbnail, np.asarray(small, np.float32), float(bits.mean()))


def _size(width: int, height: int) -> tuple[int, int]:
    """The size of a thumbnail: sides are 1 to SIDE."""
    scale = min(1.0, SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def scale_top(heats: Sequence[Heat]) -> int:
    """Bits per pixel at the end of the scale, which all maps share: a multiple of four, for whole quarters."""
    top = float(np.percentile(np.concatenate([h.bits.ravel() for h in heats]), _TOP_PERCENTILE))
    return 4 * max(1, math.ceil(top / 4))


def map_uri(bits: NDArray[np.float32], top: int) -> str:
    """A coloured PNG of (h, w) bits per pixel, as a data URI."""
    levels = np.clip(np.rint(bits / top * 255), 0, 255).astype(np.uint8)
    image = Image.fromarray(levels)
    image.putpalette(_palette().tobytes())
    return _uri(image, "PNG", optimize=True)


def gradient() -> str:
    """The colour scale from left to right, as a CSS gradient."""
    stops = _palette()[:: 255 // 15]
    return f"linear-gradient(to right, {', '.join('#' + bytes(stop).hex() for stop in stops)})"


def _palette() -> NDArray[np.uint8]:
    """(256, 3) colours of the scale."""
    return (mpl.colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3]).astype(np.uint8)


def _uri(image: Image.Image, form: str, **options: Any) -> str:
    out = io.BytesIO()
    image.save(out, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"
