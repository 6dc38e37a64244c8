"""Compiled CPU kernels: what `wavefront` and `frequencies` do, for the few hundred pixels of a step.

At that size a CPU's time goes into the number of tensor operations, not into their size.  Here some four
hundred operations a step become nine calls (numba).  Everything is an integer, or a float32 that holds one,
so the results are those of the tensor operations, bit for bit; tests hold them against each other.
"""

import numpy as np
from numba import njit

from pixzip.exact import tables as T

_LOWEST = -16 * T.MEAN_MARGIN
_HIGHEST = 16 * (255 + T.MEAN_MARGIN)
_WEIGHT_TOTAL, _FACTOR_LIMIT = T.WEIGHT_TOTAL, T.FACTOR_LIMIT
_SCALE_ZERO, _N_SCALES = T.SCALE_ZERO, T.N_SCALES
_LIMIT, _RECIPROCAL_BITS = T.LOGISTIC_LIMIT, T.RECIPROCAL_BITS

compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def features(pixels, inside, address, image, offsets, west, north, north_west, centre, out):  # type: ignore[no-untyped-def]
    """MED predictions into `centre` (M, C) and the first layer's inputs into `out` (M, (T + 1) C)."""
    channels = pixels.shape[1]
    taps = offsets.shape[1]
    for i in range(address.shape[0]):
        at, off = address[i], offsets[image[i]]
        for c in range(channels):
            w, n = np.int32(pixels[at + off[west], c]), np.int32(pixels[at + off[north], c])
            gradient = w + n - np.int32(pixels[at + off[north_west], c])
            med = max(min(w, n), min(max(w, n), gradient))
            centre[i, c] = med
            out[i, taps * channels + c] = max(-127, med - 128)
            for k in range(taps):
                where = at + off[k]
                difference = max(-127, min(127, np.int32(pixels[where, c]) - med))
                out[i, k * channels + c] = difference if inside[where] else 0


@compiled
def activate_float32(stream, out):  # type: ignore[no-untyped-def]
    """floor(clamp(stream, 0, 127)) of (M, C) float32 into (M, C) float32."""
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            value = stream[i, j]
            value = value if value > np.float32(0) else np.float32(0)
            value = value if value < np.float32(127) else np.float32(127)
            out[i, j] = np.floor(value)


@compiled
def activate_int8(stream, out):  # type: ignore[no-untyped-def]
    """clamp(stream >> 10, 0, 127) of (M, C) int32 into (M, C) int8."""
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            out[i, j] = max(0, min(127, stream[i, j] >> 10))


@compiled
def gather(ring, taps, out):  # type: ignore[no-untyped-def]
    """Rows of the ring, (R, C), at (M, T) places into (M, T C)."""
    width = ring.shape[1]
    for i in range(taps.shape[0]):
        for k in range(taps.shape[1]):
            row = taps[i, k]
            for j in range(width):
                out[i, k * width + j] = ring[row, j]


@compiled
def mixtures(out, centre, known, channel, exp2, weights, means, scales):  # type: ignore[no-untyped-def]
    """Parameters of M mixtures from (M, 3 K + i) outputs: see `Frequencies.mixture`; all (M, K) int32."""
    k = weights.shape[1]
    for i in range(out.shape[0]):
        largest = out[i, 0]
        for j in range(1, k):
            largest = max(largest, out[i, j])
        total = np.int32(0)
        for j in range(k):
            weights[i, j] = exp2[min(255, np.int32(largest - out[i, j]))]
            total += weights[i, j]
        rest = np.int32(_WEIGHT_TOTAL)
        for j in range(k):
            weights[i, j] = weights[i, j] * _WEIGHT_TOTAL // total
            rest -= weights[i, j]
        weights[i, 0] += rest
        middle = np.int32(0)
        for j in range(channel):
            factor = max(-_FACTOR_LIMIT, min(_FACTOR_LIMIT, np.int32(out[i, 3 * k + j])))
            middle += factor * np.int32(known[i, j])
        if channel:
            middle = (middle + 2) >> 2
        middle += 16 * np.int32(centre[i, channel])
        for j in range(k):
            means[i, j] = max(_LOWEST, min(_HIGHEST, middle + np.int32(out[i, k + j])))
            scales[i, j] = max(0, min(_N_SCALES - 1, np.int32(out[i, 2 * k + j]) + _SCALE_ZERO))


@compiled
def _cumulative(weights, means, scales, i, value, stride, logistic, reciprocal, row):  # type: ignore[no-untyped-def]
    """row[1..15] = frequency below value + stride, value + 2 stride, ...; (17,) int32."""
    for e in range(1, 16):
        row[e] = 0
    for j in range(weights.shape[1]):
        weight, slope = weights[i, j], reciprocal[scales[i, j]]
        start = 16 * value - 8 - means[i, j]
        for e in range(1, 16):
            z = ((start + 16 * stride * e) * slope) >> _RECIPROCAL_BITS
            z = max(-_LIMIT, min(_LIMIT, z))
            row[e] += weight * logistic[z + _LIMIT]
    for e in range(1, 16):
        row[e] = (row[e] >> 4) + value + stride * e


@compiled
def bin_rows(weights, means, scales, logistic, reciprocal, rows, freqs):  # type: ignore[no-untyped-def]
    """(M, 17) int32 cumulative and (M, 16) float32 frequencies of the bins."""
    for i in range(weights.shape[0]):
        row = rows[i]
        _cumulative(weights, means, scales, i, np.int32(0), np.int32(16), logistic, reciprocal, row)
        row[0], row[16] = 0, 1 << 20
        for e in range(16):
            freqs[i, e] = row[e + 1] - row[e]


@compiled
def place_rows(weights, means, scales, logistic, reciprocal, rows, bins, row, freqs):  # type: ignore[no-untyped-def]
    """(M, 16) float32 frequencies of the values of each pixel's bin; `row` is (17,) int32 scratch."""
    for i in range(weights.shape[0]):
        b = bins[i]
        _cumulative(weights, means, scales, i, np.int32(16 * b), np.int32(1), logistic, reciprocal, row)
        row[0], row[16] = rows[i, b], rows[i, b + 1]
        for e in range(16):
            freqs[i, e] = row[e + 1] - row[e]


@compiled
def store(bins, places, channel, address, centre, known, pixels):  # type: ignore[no-untyped-def]
    """Write a channel's values into the padded buffer and their residuals into `known`."""
    for i in range(bins.shape[0]):
        value = bins[i] * 16 + places[i]
        pixels[address[i], channel] = value
        known[i, channel] = max(-127, min(127, value - np.int32(centre[i, channel])))
