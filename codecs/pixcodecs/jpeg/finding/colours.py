"""Luma and chroma of pixels, by inverting libjpeg's integer conversion, which is one to one where nothing is clipped.

Of all colours only one in four is the image of some (Y, Cb, Cr) [1], so pixels that all are have been through it.

[1] A. Lewis, M. Kuhn, Exact JPEG recompression, SPIE Visual Information Processing and Communication, 2010.
"""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import compiled
from pixcodecs.jpeg.picture import blue_of, green_of, red_of

_HALF = 512


def _inverse(of: NDArray[np.int64]) -> NDArray[np.int16]:
    """Chroma for what it adds to luma, at that + 512; -1 where it adds no such thing."""
    found = np.full(2 * _HALF, -1, np.int16)
    found[of + _HALF] = np.arange(256)
    return found


#: Cr for R - Y, and Cb for B - Y, see `_inverse`.
CR_OF = _inverse(np.array([(91881 * (i - 128) + 32768) >> 16 for i in range(256)]))
CB_OF = _inverse(np.array([(116130 * (i - 128) + 32768) >> 16 for i in range(256)]))


@compiled
def invert(pixels, cr_of, cb_of, planes, known):
    """Luma and chroma of pixels.

    Args:
        pixels: (H, W, 3) uint8.
        cr_of, cb_of: `CR_OF` and `CB_OF`.
        planes: (3, H, W) float32: Y, Cb, Cr, which are written; a guess where they are not known.
        known: (H, W) uint8, written: 1 where they are known; 2 where a channel may be clipped; 0 where no decoder
            makes this colour.
    """
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            r, g, b = np.int64(pixels[y, x, 0]), np.int64(pixels[y, x, 1]), np.int64(pixels[y, x, 2])
            luma = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
            planes[0, y, x] = luma
            planes[1, y, x] = 128 + (-11059 * r - 21709 * g + 32768 * b) / 65536
            planes[2, y, x] = 128 + (32768 * r - 27439 * g - 5329 * b) / 65536
            known[y, x] = 2
            if min(r, g, b) == 0 or max(r, g, b) == 255:
                continue
            known[y, x] = 0
            for value in range(luma - 2, luma + 3):
                if r - value < -512 or r - value > 511 or b - value < -512 or b - value > 511:
                    continue
                cr, cb = np.int64(cr_of[r - value + 512]), np.int64(cb_of[b - value + 512])
                if cr >= 0 and cb >= 0 and 0 <= value <= 255 and value + green_of(cb, cr) == g:
                    known[y, x] = 1
                    planes[0, y, x], planes[1, y, x], planes[2, y, x] = value, cb, cr


@compiled
def bound_luma(pixels, known, planes, cb, cr, low, high):
    """Bounds of luma where channels are clipped, from chroma; a pixel's own luma is at least -1e6.

    Args:
        pixels, known, planes: see `invert`.
        cb, cr: (H, W) uint8, chroma as it is decoded now.
        low, high: (H, W) float32, written.
    """
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            if known[y, x] == 1:
                low[y, x] = high[y, x] = planes[0, y, x]
                continue
            least, most = np.int64(-1000000), np.int64(1000000)
            if known[y, x] == 2:
                for i in range(3):
                    u, v = np.int64(cb[y, x]), np.int64(cr[y, x])
                    added = red_of(v) if i == 0 else green_of(u, v) if i == 1 else blue_of(u)
                    value = np.int64(pixels[y, x, i])
                    if value > 0:
                        least = max(least, value - added)
                    if value < 255:
                        most = min(most, value - added)
                if least > most:  # chroma is not right yet
                    least, most = most, least
            low[y, x], high[y, x] = min(max(least, -1000000), 255), max(min(most, 1000000), 0)


@compiled
def bound_chroma(pixels, known, planes, luma, which, low, high):
    """Bounds of Cb (1) or Cr (2) where channels are clipped, from luma as it is decoded now; see `bound_luma`."""
    channel = 2 if which == 1 else 0
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            if known[y, x] == 1:
                low[y, x] = high[y, x] = planes[which, y, x]
                continue
            least, most = np.int64(-1000000), np.int64(1000000)
            if known[y, x] == 2:
                value = np.int64(pixels[y, x, channel]) - np.int64(luma[y, x])
                factor = 116130 if which == 1 else 91881
                # chroma - 128 = value * 65536 / factor, to the nearest
                found = 128 + (2 * value * 65536 + factor) // (2 * factor)
                if pixels[y, x, channel] > 0:
                    least = found
                if pixels[y, x, channel] < 255:
                    most = found
            low[y, x], high[y, x] = min(least, 255), max(most, 0)
