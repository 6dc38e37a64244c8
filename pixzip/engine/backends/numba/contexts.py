"""The contexts of a sample in the full stage, and hashes; see `models.wavefront.mixing`."""

import numpy as np
from pixcodecs.compiled import bit_length, inlined

from pixzip.engine.backends.numba.colours import half_octave
from pixzip.models.wavefront import mixing as X
from pixzip.models.wavefront import tables as T

_SCALE_ZERO, _LAST_SCALE = T.SCALE_ZERO, T.N_SCALES - 1
_KINDS, _LINE_BITS, _LINE = X.KINDS, X.LINE_BITS, X.LINE
_K1, _K2, _K3 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0xBF58476D1CE4E5B9)
_HALF_WORD = np.uint64(29)


@inlined
def mingled(a, b):
    """A hash of 64 bits of two numbers."""
    h = (np.uint64(a) * _K1) ^ (np.uint64(b) * _K2)
    return (h ^ (h >> _HALF_WORD)) * _K3


@inlined
def first_bits(h, bits):
    """The first bits of a hash."""
    return np.int64(h >> np.uint64(64 - bits))


@inlined
def _level(residual):
    """A residual in nine levels."""
    size = abs(residual)
    level = np.int64(size >= 8) + np.int64(size >= 24) + np.int64(size >= 64) + np.int64(size >= 160)
    return 4 + (level if residual >= 0 else -level)


@inlined
def _line(x, i, k, channel, a, b):
    """Choose the line of counts of a pixel's context."""
    x.contexts[i, k] = ((k << _LINE_BITS) + first_bits(mingled(mingled(k * 4 + channel, a), b), _LINE_BITS)) * _LINE


@inlined
def look_around(channel, i, at, pitch, heads, x, pixels):
    """Choose the contexts of a sample, the class of its error, and the scale that fits it."""
    r, channels = x.residuals, x.residuals.shape[1]
    west, north = np.int64(r[at - 1, channel]), np.int64(r[at - pitch, channel])
    north_west, north_east = np.int64(r[at - pitch - 1, channel]), np.int64(r[at - pitch + 1, channel])
    error = 2 * abs(west) + 2 * abs(north) + abs(north_west) + abs(north_east)
    error = (error + abs(np.int64(r[at - 2, channel])) + abs(np.int64(r[at - 2 * pitch, channel]))) >> 3
    last, before = np.int64(0), np.int64(0)
    if channel > 0:
        last = np.int64(r[at, channel - 1])
        error = (11 * error + 5 * abs(last)) >> 4
    if channel > 1:
        before = np.int64(r[at, channel - 2])
    middle = x.middle[i]
    value = max(np.int64(0), min(np.int64(255), (middle + 8) >> 4))
    part = ((middle - 16 * value + 8) >> 1) & 7
    kind = max(np.int64(0), min(np.int64(_KINDS - 1), half_octave(error + 1) - 1))
    one = np.int64(pixels[at, 0]) if channel > 0 else np.int64(pixels[at - 1, max(0, channels - 2)])
    two = np.int64(pixels[at, 1]) if channel > 1 else np.int64(pixels[at - 1, channels - 1])
    _line(x, i, 0, channel, x.kind[i], part)
    _line(x, i, 1, channel, kind, part)
    _line(x, i, 2, channel, _level(west) * 9 + _level(north), _level(north_east))
    _line(x, i, 3, channel, _level(last) * 9 + _level(before), x.kind[i])
    _line(x, i, 4, channel, value, part)
    _line(x, i, 5, channel, value, one * 256 + two)
    near = max(np.int64(-128), min(np.int64(127), last >> 2)), max(np.int64(-128), min(np.int64(127), before >> 2))
    _line(x, i, 6, channel, near[0] + 128, near[1] + 128)
    scale = ((11 * error) >> 4) + 2
    bits = bit_length(scale) - 1
    number = min(np.int64(_LAST_SCALE), _SCALE_ZERO + 8 * (bits - 4) + (((scale << 3) >> bits) & 7))
    x.error_kind[i], x.slope[i] = kind, heads.reciprocal[number]
