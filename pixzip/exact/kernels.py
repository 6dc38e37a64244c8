"""Compiled CPU kernels: what `wavefront` and `frequencies` do, for the few hundred pixels of a step.

At that size a CPU's time goes into the number of tensor operations, not into their size.  Here some four
hundred operations a step become nine calls (numba).  Everything is an integer, or a float32 that holds one,
so the results are those of the tensor operations, bit for bit; tests hold them against each other.
"""

from importlib import import_module

import numpy as np
from numba import njit, prange

from pixzip.exact import tables as T
from pixzip.exact.weights import FRACTION

_LOWEST = -16 * T.MEAN_MARGIN
_HIGHEST = 16 * (255 + T.MEAN_MARGIN)
_FRACTION = FRACTION
_WEIGHT_TOTAL, _FACTOR_LIMIT = T.WEIGHT_TOTAL, T.FACTOR_LIMIT
_SCALE_ZERO, _N_SCALES = T.SCALE_ZERO, T.N_SCALES
_LIMIT, _RECIPROCAL_BITS, _CDF_TOTAL = T.LOGISTIC_LIMIT, T.RECIPROCAL_BITS, T.CDF_TOTAL


def _threads_are_cheap() -> bool:
    """Whether numba will run threads by OpenMP or TBB; its own pool takes longer to wake than a kernel to run."""
    for pool in ("omppool", "tbbpool"):
        try:
            import_module(f"numba.np.ufunc.{pool}")
        except ImportError:
            continue
        return True
    return False


THREADS = _threads_are_cheap()

compiled = njit(cache=True, nogil=True, error_model="numpy")
#: For `prange`; a kernel wakes the threads in microseconds.
threaded = njit(cache=True, nogil=True, error_model="numpy", parallel=THREADS)
#: Sums of floats in any order and with fused products: only where every partial sum is an exact integer.
any_order = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})


@compiled
def diagonal(t, first, count, base, pitch, first_row, places, most, back, rise, image, address, taps):
    """What `Schedule.step` computes, into (M,) `image`, (M,) `address` and (M, T) `taps`."""
    ring, rows = places.shape
    zero_row = ring * most
    slot = t % ring
    for row in range(rows):
        places[slot, row] = zero_row
    m = 0
    for n in range(count.shape[0]):
        for y in range(first[n], first[n] + count[n]):
            image[m] = n
            address[m] = base[n] + y * (pitch[n] - 2) + t
            places[slot, first_row[n] + y] = slot * most + m
            m += 1
    m = 0
    for n in range(count.shape[0]):
        for row in range(first_row[n] + first[n], first_row[n] + first[n] + count[n]):
            for k in range(back.shape[0]):
                taps[m, k] = places[(t - back[k]) % ring, row + rise[k]]
            m += 1


@compiled
def _features(pixels, inside, address, image, offsets, west, north, north_west, centre, out):
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
            if inside[where]:
                for c in range(channels):
                    difference = np.int32(pixels[where, c]) - np.int32(centre[i, c])
                    out[i, k * channels + c] = max(-127, min(127, difference))
            else:
                for c in range(channels):
                    out[i, k * channels + c] = 0


@compiled
def activate_float32(stream, out):
    """floor(clamp(stream, 0, 127)) of (M, C) float32 into (M, C) of any type."""
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            value = stream[i, j]
            value = value if value > np.float32(0) else np.float32(0)
            value = value if value < np.float32(127) else np.float32(127)
            out[i, j] = np.int32(value)


@compiled
def activate_int32(stream, out):
    """clamp(stream >> FRACTION, 0, 127) of (M, C) int32 into (M, C) of any type."""
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            out[i, j] = max(0, min(127, stream[i, j] >> _FRACTION))


@compiled
def _gather(ring, taps, out):
    width = ring.shape[1]
    for i in range(taps.shape[0]):
        for k in range(taps.shape[1]):
            source, target = ring[taps[i, k]], out[i, k * width : (k + 1) * width]
            for j in range(width):
                target[j] = source[j]


@any_order
def _mixtures(hidden, known, centre, channel, known_weight, out_weight, out_bias, step, exp2, weights, means, scales):
    """One channel's head and `Frequencies.mixture`.

    `hidden` is the (M, C W) float32 stream in activation steps, `known` and `centre` (M, C) int32.  The float32
    matrices are (i, W) and, transposed, (3 K + i, W); outputs are floored to integers after a product with
    `step`.  The results are (M, K) int32 `weights`, `means`, `scales`.
    """
    k = weights.shape[1]
    outputs, width = out_weight.shape
    a, out = np.empty(width, np.float32), np.empty(outputs, np.int32)
    for i in range(hidden.shape[0]):
        z = hidden[i, channel * width : (channel + 1) * width]
        for j in range(width):
            value = z[j]
            for p in range(channel):
                value += np.float32(known[i, p]) * known_weight[p, j]
            value = value if value > np.float32(0) else np.float32(0)
            a[j] = np.floor(value if value < np.float32(127) else np.float32(127))
        for o in range(outputs):
            total = np.float32(0)
            for j in range(width):
                total += a[j] * out_weight[o, j]
            out[o] = np.int32(np.floor((total + out_bias[o]) * step[o]))
        largest = out[0]
        for j in range(1, k):
            largest = max(largest, out[j])
        whole = np.int32(0)
        for j in range(k):
            weights[i, j] = exp2[min(255, largest - out[j])]
            whole += weights[i, j]
        rest = np.int32(_WEIGHT_TOTAL)
        for j in range(k):
            weights[i, j] = np.uint32(weights[i, j] * _WEIGHT_TOTAL) // np.uint32(whole)
            rest -= weights[i, j]
        weights[i, 0] += rest
        middle = np.int32(0)
        for j in range(channel):
            middle += max(-_FACTOR_LIMIT, min(_FACTOR_LIMIT, out[3 * k + j])) * known[i, j]
        if channel:
            middle = (middle + 2) >> 2
        middle += 16 * centre[i, channel]
        for j in range(k):
            means[i, j] = max(_LOWEST, min(_HIGHEST, middle + out[k + j]))
            scales[i, j] = max(0, min(_N_SCALES - 1, out[2 * k + j] + _SCALE_ZERO))


@compiled
def _cumulative(weights, means, scales, i, value, log2_stride, logistic, reciprocal, reach, row):
    """row[e] = frequency below value + e 2^log2_stride, 1 <= e <= 15; (17,) int32.

    A component is evaluated only where it is neither 0 nor saturated: within `reach` of its mean.
    """
    shift = 4 + log2_stride
    for e in range(17):
        row[e] = 0
    for j in range(weights.shape[1]):
        weight, slope, far = weights[i, j], reciprocal[scales[i, j]], reach[scales[i, j]]
        start = 16 * value - 8 - means[i, j]
        first = max(1, min(16, ((-far - start) >> shift) + 1))
        last = max(first - 1, min(15, (far - start) >> shift))
        z = (start + (first << shift)) * slope
        rise = slope << shift
        for e in range(first, last + 1):
            row[e] += weight * logistic[min(2 * _LIMIT, max(0, (z >> _RECIPROCAL_BITS) + _LIMIT))]
            z += rise
        for e in range(last + 1, 16):
            row[e] += weight * _CDF_TOTAL
    for e in range(1, 16):
        row[e] = (row[e] >> 4) + value + (e << log2_stride)


@compiled
def _bin_rows(weights, means, scales, logistic, reciprocal, reach, rows, freqs):
    """(M, 17) int32 cumulative and (M, 16) float32 frequencies of the bins."""
    for i in range(weights.shape[0]):
        row = rows[i]
        _cumulative(weights, means, scales, i, np.int32(0), np.int32(4), logistic, reciprocal, reach, row)
        row[16] = 1 << 20
        for e in range(16):
            freqs[i, e] = row[e + 1] - row[e]


@compiled
def _place_rows(weights, means, scales, logistic, reciprocal, reach, rows, bins, freqs):
    row = np.empty(17, np.int32)
    for i in range(weights.shape[0]):
        b = bins[i]
        _cumulative(weights, means, scales, i, np.int32(16 * b), np.int32(0), logistic, reciprocal, reach, row)
        row[0], row[16] = rows[i, b], rows[i, b + 1]
        for e in range(16):
            freqs[i, e] = row[e + 1] - row[e]


@compiled
def store(bins, places, channel, address, centre, known, pixels):
    """Write a channel's values into the padded buffer and their residuals into `known`."""
    for i in range(bins.shape[0]):
        value = bins[i] * 16 + places[i]
        pixels[address[i], channel] = value
        known[i, channel] = max(-127, min(127, value - centre[i, channel]))


@threaded
def features(parts, pixels, inside, address, image, offsets, west, north, north_west, centre, out):
    """MED predictions into `centre` (M, C) and the first layer's inputs into `out` (M, (T + 1) C)."""
    m = address.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        _features(pixels, inside, address[i:j], image[i:j], offsets, west, north, north_west, centre[i:j], out[i:j])


@threaded
def gather(parts, ring, taps, out):
    """Rows of the ring, (R, C) int8, at (M, T) places into (M, T C) of any type."""
    m = taps.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        _gather(ring, taps[i:j], out[i:j])


@threaded
def bins(
    parts,
    hidden,
    known,
    centre,
    channel,
    known_weight,
    out_weight,
    out_bias,
    step,
    exp2,
    weights,
    means,
    scales,
    logistic,
    reciprocal,
    reach,
    rows,
    freqs,
):
    """`_mixtures`, then `_bin_rows`."""
    m = freqs.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        w, mu, s = weights[i:j], means[i:j], scales[i:j]
        _mixtures(
            hidden[i:j], known[i:j], centre[i:j], channel, known_weight, out_weight, out_bias, step, exp2, w, mu, s
        )
        _bin_rows(w, mu, s, logistic, reciprocal, reach, rows[i:j], freqs[i:j])


@threaded
def places(parts, weights, means, scales, logistic, reciprocal, reach, rows, chosen, freqs):
    """(M, 16) float32 frequencies of the values of each pixel's bin."""
    m = freqs.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        _place_rows(
            weights[i:j], means[i:j], scales[i:j], logistic, reciprocal, reach, rows[i:j], chosen[i:j], freqs[i:j]
        )
