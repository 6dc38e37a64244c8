"""Lattices of colours: the few colours that decoders make of luma and chroma.

Pixels that came out of a JPEG or a PhotoYCC decoder, and were not changed since, have a quarter or an eighth of all
colours.  `docs/format.md`, section 12.6, specifies the lattices; colours seen (`colours`) use them.  That of JPEG is
libjpeg's conversion [1].  That of PhotoYCC was fitted to the colours that occur in the Kodak images: 99.97 % of those
without a clipped channel are on it.

[1] A. Lewis, M. Kuhn, Exact JPEG recompression, SPIE Visual Information Processing and Communication, 2010.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

#: Numbers of lattices, permanent (`pixcodecs.container.blocks.LATTICES`).
NONE, JFIF, PHOTO_YCC = 0, 1, 2
#: Words of 64 colours in a bitmap of all.
WORDS = 1 << 18


class Lattice(NamedTuple):
    """A decoder's conversion of colours.

    Attributes:
        name: for people.
        zeros: the two samples of chroma that stand for none.
        convert: (luma, chroma, chroma) integers of 32 bits or more, of chroma less `zeros` -> R, G, B before they are
            clamped.
    """

    name: str
    zeros: tuple[int, int]
    convert: Callable[[Any, Any, Any], tuple[Any, Any, Any]]


def _jfif(luma: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
    red, blue = (91881 * v + 32768) >> 16, (116130 * u + 32768) >> 16
    return luma + red, luma + ((-22554 * u - 46802 * v + 32768) >> 16), luma + blue


def _photo_ycc(luma: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
    light = 13584 * luma
    green = light - 1940 * (22179 * u // 10000) - 5090 * (18215 * v // 10000)
    return (light + 18215 * v) // 10000, green // 10000, (light + 22179 * u) // 10000


#: Lattices by number.
LATTICES = {JFIF: Lattice("JFIF", (128, 128), _jfif), PHOTO_YCC: Lattice("PhotoYCC", (156, 137), _photo_ycc)}


@lru_cache(4)
def bitmap(number: int, order: tuple[int, ...] = (0, 1, 2)) -> NDArray[np.uint64]:
    """(2^18,) uint64: bit 256 (256 a + b) + c is set where the colour (a, b, c) is on the lattice; none is on `NONE`.

    Args:
        order: the image's channels in the order of a, b, c.
    """
    found = np.zeros(WORDS << 6, np.bool_)
    if number:
        lattice, sample = LATTICES[number], np.arange(256, dtype=np.int32)
        for first in sample:
            planes = lattice.convert(sample, first - lattice.zeros[0], sample[:, None] - lattice.zeros[1])
            a, b, c = (np.clip(planes[channel], 0, 255) for channel in order)
            found[a << 16 | b << 8 | c] = True
    words: NDArray[np.uint64] = np.packbits(found, bitorder="little").view("<u8").astype(np.uint64)
    return words


def bitmaps(numbers: Sequence[int], order: tuple[int, ...]) -> tuple[NDArray[np.uint64], Int64]:
    """The (L, 2^18) bitmaps of the lattices of some images, and the (N,) row of each image, or -1 for `NONE`."""
    used = sorted({number for number in numbers if number})
    rows = np.array([used.index(number) if number else -1 for number in numbers], np.int64)
    if len(used) == 1:
        return bitmap(used[0], order)[None], rows
    return np.array([bitmap(number, order) for number in used], np.uint64).reshape(-1, WORDS), rows


def share_on(number: int, colours: Int64) -> float:
    """The share of (N, 3) colours R, G, B that are on a lattice, of those that are neither grey nor clipped.

    It takes some 50 us a colour and no bitmap.  0 where fewer than a quarter of the colours count.
    """
    clipped, grey = ((colours == 0) | (colours == 255)).any(1), (colours == colours[:, :1]).all(1)
    counted = colours[~clipped & ~grey]
    if 4 * len(counted) < len(colours) or not len(colours):
        return 0.0
    lattice, (red, green, blue) = LATTICES[number], counted.T[..., None]
    u, v = np.arange(256) - lattice.zeros[0], np.arange(256) - lattice.zeros[1]
    own, step = lattice.convert(0, u, v), lattice.convert(10000, 0, 0)[0]  # luma adds `step` in 10000
    found = np.zeros(len(counted), np.bool_)
    for nearest in (0, 1):
        luma = (10000 * (red - own[0]) // step) + nearest  # (N, 256) for each v
        near = 10000 * blue - step * luma
        chroma = np.searchsorted(10000 * own[2], near)
        for other in (-1, 0):
            at = np.clip(chroma + other, 0, 255)
            made = lattice.convert(luma, u[at], v)
            same = (made[0] == red) & (made[1] == green) & (made[2] == blue) & (luma >= 0) & (luma < 256)
            found |= same.any(1)
    return float(found.mean())
