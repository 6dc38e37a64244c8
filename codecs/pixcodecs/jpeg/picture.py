"""Pixels from the samples of luma and chroma: upsampling and libjpeg's conversion of colours, in integers."""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import compiled, inlined
from pixcodecs.jpeg.upsampling import sample_at


@inlined
def _limited(x):
    return np.uint8(min(max(x, 0), 255))


@inlined
def red_of(cr):
    """What Cr adds to luma for red [1].

    [1] libjpeg, jdcolor.c: R = Y + 1.40200 Cr, G = Y - 0.34414 Cb - 0.71414 Cr, B = Y + 1.77200 Cb.
    """
    return (91881 * (cr - 128) + 32768) >> 16


@inlined
def green_of(cb, cr):
    """What chroma adds to luma for green."""
    return (-22554 * (cb - 128) - 46802 * (cr - 128) + 32768) >> 16


@inlined
def blue_of(cb):
    """What Cb adds to luma for blue."""
    return (116130 * (cb - 128) + 32768) >> 16


@compiled
def limited(samples, plane):
    """Samples less 128 -> samples in their range, (rows, columns) int16 -> uint8."""
    for y in range(samples.shape[0]):
        for x in range(samples.shape[1]):
            plane[y, x] = _limited(np.int64(samples[y, x]) + 128)


@compiled
def upsampled(plane, geometry, out):
    """The samples of a channel of chroma at each pixel, into (H, W) `out`."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = sample_at(
                plane, y + geometry[0], x + geometry[1], geometry[2], geometry[3], geometry[4], geometry[5], geometry[6]
            )


@compiled
def _pixels(luma, blue, red, geometry, out):
    """See `pixels`."""
    oy, ox, vertical, horizontal, fancy, rows, columns = (
        geometry[0], geometry[1], geometry[2], geometry[3], geometry[4], geometry[5], geometry[6],
    )  # fmt: skip
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            value = np.int64(luma[y + oy, x + ox])
            cb = np.int64(sample_at(blue, y + oy, x + ox, vertical, horizontal, fancy, rows, columns))
            cr = np.int64(sample_at(red, y + oy, x + ox, vertical, horizontal, fancy, rows, columns))
            out[y, x, 0] = _limited(value + red_of(cr))
            out[y, x, 1] = _limited(value + green_of(cb, cr))
            out[y, x, 2] = _limited(value + blue_of(cb))


def pixels(planes: list[NDArray[np.uint8]], geometry: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Samples in their range -> pixels.

    Args:
        planes: luma alone, or luma, Cb, Cr, in whole blocks.
        geometry: see `Layout.geometry`.
        out: (H, W, C) pixels, which are written.
    """
    if len(planes) == 1:
        oy, ox = int(geometry[0]), int(geometry[1])
        out[..., 0] = planes[0][oy : oy + out.shape[0], ox : ox + out.shape[1]]
    else:
        _pixels(*planes, geometry, out)
