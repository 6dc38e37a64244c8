"""Compiled CPU kernels of the heads: from hidden layers to mixtures and frequencies.

Results equal those of `torch.frequencies` and `torch.high_depth` bit for bit; see `trunk`.
"""

import numpy as np
from numba import prange
from pixcodecs.coders.base import TOTAL
from pixcodecs.compiled import compiled

from pixzip.engine.backends.numba.threads import threaded
from pixzip.models.wavefront import tables as T

_MARGIN = 16 * T.MEAN_MARGIN
_WEIGHT_TOTAL, _FACTOR_LIMIT = T.WEIGHT_TOTAL, T.FACTOR_LIMIT
_SCALE_ZERO, _N_SCALES = T.SCALE_ZERO, T.N_SCALES
_LIMIT, _RECIPROCAL_BITS, _CDF_TOTAL = T.LOGISTIC_LIMIT, T.RECIPROCAL_BITS, T.CDF_TOTAL
_TOTAL, _FLOOR, _CDF_FULL = TOTAL, T.FLOOR, T.CDF_FULL
_STRIDE, _STRIDE_BITS, _LAST = T.STRIDE, T.STRIDE_BITS, np.int64(2 * _LIMIT << _RECIPROCAL_BITS)


@compiled
def _outputs(hidden, known, channel, known_weight, out_weight, out_bias, step, activations, outputs):
    """Compute one channel's head into (M, 3 K + i) `outputs`, integer-valued floats.

    `hidden` is the (M, C W) stream in activation steps, `known` is (M, C) int32.  The matrices are (i, W) and
    (W, 3 K + i).  Outputs are multiplied by `step`, then floored.
    """
    width = activations.shape[1]
    for i in range(hidden.shape[0]):
        z, a = hidden[i, channel * width : (channel + 1) * width], activations[i]
        for j in range(width):
            a[j] = z[j]
        for p in range(channel):
            residual, row = np.float32(known[i, p]), known_weight[p]
            for j in range(width):
                a[j] += residual * row[j]
        for j in range(width):
            value = a[j] if a[j] > np.float32(0) else np.float32(0)
            a[j] = np.floor(value if value < np.float32(127) else np.float32(127))
    np.dot(activations, out_weight, outputs)
    for i in range(hidden.shape[0]):
        row = outputs[i]
        for j in range(row.shape[0]):
            row[j] = np.floor((row[j] + out_bias[j]) * step[j])


@compiled
def _mixtures(outputs, known, centre, channel, exp2, units, tops, weights, means, scales):
    """`Frequencies.mixture` and `HighDepthFrequencies.mixture`: outputs -> (M, K) int32 `weights`, `means`, `scales`.

    `units` and `tops` are (M,) int32, 0 and 255 for 8 bits; `known` holds residuals in samples.
    """
    k = weights.shape[1]
    for i in range(outputs.shape[0]):
        out = outputs[i]
        largest = out[0]
        for j in range(1, k):
            largest = max(largest, out[j])
        whole = np.int32(0)
        for j in range(k):
            weights[i, j] = exp2[np.int32(min(np.float32(255), largest - out[j]))]
            whole += weights[i, j]
        rest = np.int32(_WEIGHT_TOTAL)
        for j in range(k):
            weights[i, j] = np.uint32(weights[i, j] * _WEIGHT_TOTAL) // np.uint32(whole)
            rest -= weights[i, j]
        weights[i, 0] += rest
        middle = np.int32(0)
        for j in range(channel):
            middle += max(-_FACTOR_LIMIT, min(_FACTOR_LIMIT, np.int32(out[3 * k + j]))) * known[i, j]
        if channel:
            middle = (middle + 2) >> 2
        middle += 16 * centre[i, channel]
        lowest = -_MARGIN << units[i]
        highest = 16 * tops[i] - lowest
        for j in range(k):
            means[i, j] = max(lowest, min(highest, middle + (np.int32(out[k + j]) << units[i])))
            scales[i, j] = max(0, min(_N_SCALES - 1, np.int32(out[2 * k + j]) + _SCALE_ZERO))


@compiled
def _cumulative(weights, means, scales, i, value, log2_stride, logistic, reciprocal, reach, row):
    """Set row[e] to the frequency below value + e 2^log2_stride, 1 <= e <= 15; `row` is (17,) int32.

    A component is evaluated only within `reach` of its mean, where its CDF is neither 0 nor saturated.
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
            row[e] += weight * np.int32(logistic[min(2 * _LIMIT, max(0, (z >> _RECIPROCAL_BITS) + _LIMIT))])
            z += rise
        for e in range(last + 1, 16):
            row[e] += weight * _CDF_TOTAL
    for e in range(1, 16):
        row[e] = (row[e] >> 4) + value + (e << log2_stride)


@compiled
def _bin_rows(weights, means, scales, logistic, reciprocal, reach, rows, freqs):
    """Compute (M, 17) int32 cumulative and (M, 16) float32 frequencies of the bins."""
    for i in range(weights.shape[0]):
        row = rows[i]
        _cumulative(weights, means, scales, i, np.int32(0), np.int32(4), logistic, reciprocal, reach, row)
        row[16] = _TOTAL
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
def _high_depth_cumulative(weights, means, scales, i, unit, sample, logistic, reciprocal):
    """The share of CDF_FULL below a sample."""
    below = np.int64(0)
    for j in range(weights.shape[1]):
        z = np.int64(16 * sample - 8 - means[i, j]) * np.int64(reciprocal[scales[i, j]])
        at = max(np.int64(0), min(_LAST, (z >> unit) + (_LIMIT << _RECIPROCAL_BITS)))
        entry, between = at >> _STRIDE_BITS << _STRIDE_BITS - _RECIPROCAL_BITS, at & ((1 << _STRIDE_BITS) - 1)
        left = np.int64(logistic[entry])
        step = np.int64(logistic[min(2 * _LIMIT, entry + _STRIDE)]) - left
        risen = between * step >> _STRIDE_BITS - _RECIPROCAL_BITS
        below += np.int64(weights[i, j]) * ((left << _RECIPROCAL_BITS) + risen)
    return below


@compiled
def _digit_rows(weights, means, scales, units, tops, prefix, shift, logistic, reciprocal, freqs):
    """`HighDepthFrequencies.rows`; a unit of the digit is 2^shift samples."""
    spare = np.int64(_TOTAL - 16 * _FLOOR)
    c = np.empty(17, np.int64)
    for i in range(weights.shape[0]):
        first = np.int64(prefix[i]) << (shift + 4)
        for e in range(17):
            sample = first + (np.int64(e) << shift)
            if sample <= 0:
                c[e] = 0
            elif sample > tops[i]:
                c[e] = _CDF_FULL
            else:
                c[e] = _high_depth_cumulative(weights, means, scales, i, units[i], sample, logistic, reciprocal)
        span, last = c[16] - c[0], np.int64(0)
        for e in range(16):
            share = (c[e + 1] - c[0]) * spare // span if span > 0 else (e + 1) * (spare // 16)
            freqs[i, e] = share - last + _FLOOR
            last = share


@compiled
def high_depth_store(values, channel, address, centre, units, known, fine, pixels):
    """Write a channel's samples into the padded buffer, and their residuals in grey levels and in samples."""
    for i in range(values.shape[0]):
        pixels[address[i], channel] = values[i]
        residual, most = values[i] - centre[i, channel], 127 << units[i]
        fine[i, channel] = max(-most, min(most, residual))
        known[i, channel] = max(-127, min(127, (residual + ((1 << units[i]) >> 1)) >> units[i]))


@compiled
def store(bins, places, channel, address, centre, known, pixels):
    """Write a channel's values into the padded buffer, and their residuals into `known`."""
    for i in range(bins.shape[0]):
        value = bins[i] * 16 + places[i]
        pixels[address[i], channel] = value
        known[i, channel] = max(-127, min(127, value - centre[i, channel]))


@compiled
def _bins_of_part(
    p, parts, hidden, known, centre, channel, known_weight, out_weight, out_bias, step, activations, outputs,
    exp2, units, tops, weights, means, scales, logistic, reciprocal, reach, rows, freqs,
):  # fmt: skip
    """Compute one channel's head, its mixtures, and the (M, 16) float32 frequencies of the bins."""
    m = freqs.shape[0]
    i, j = m * p // parts, m * (p + 1) // parts
    w, mu, s, out = weights[i:j], means[i:j], scales[i:j], outputs[i:j]
    _outputs(hidden[i:j], known[i:j], channel, known_weight, out_weight, out_bias, step, activations[i:j], out)
    _mixtures(out, known[i:j], centre[i:j], channel, exp2, units[i:j], tops[i:j], w, mu, s)
    _bin_rows(w, mu, s, logistic, reciprocal, reach, rows[i:j], freqs[i:j])


@threaded(_bins_of_part)
def bins(parts, *args):
    for p in prange(parts):
        _bins_of_part(np.int64(p), parts, *args)


@compiled
def _places_of_part(p, parts, weights, means, scales, logistic, reciprocal, reach, rows, chosen, freqs):
    """Compute (M, 16) float32 frequencies of the values in each pixel's bin."""
    m = freqs.shape[0]
    i, j = m * p // parts, m * (p + 1) // parts
    _place_rows(weights[i:j], means[i:j], scales[i:j], logistic, reciprocal, reach, rows[i:j], chosen[i:j], freqs[i:j])


@threaded(_places_of_part)
def places(parts, *args):
    for p in prange(parts):
        _places_of_part(np.int64(p), parts, *args)


@compiled
def _mixtures_of_part(
    p, parts, hidden, known, fine, centre, channel, known_weight, out_weight, out_bias, step, activations, outputs,
    exp2, units, tops, weights, means, scales,
):  # fmt: skip
    """Compute one channel's head and its mixtures for more than 8 bits; `fine` holds residuals in samples."""
    m = centre.shape[0]
    i, j = m * p // parts, m * (p + 1) // parts
    out = outputs[i:j]
    _outputs(hidden[i:j], known[i:j], channel, known_weight, out_weight, out_bias, step, activations[i:j], out)
    _mixtures(
        out, fine[i:j], centre[i:j], channel, exp2, units[i:j], tops[i:j], weights[i:j], means[i:j], scales[i:j]
    )  # fmt: skip


@threaded(_mixtures_of_part)
def mixtures(parts, *args):
    for p in prange(parts):
        _mixtures_of_part(np.int64(p), parts, *args)


@compiled
def _digits_of_part(p, parts, weights, means, scales, units, tops, prefix, shift, logistic, reciprocal, freqs):
    """Compute (M, 16) float32 frequencies of the next digit of samples of more than 8 bits."""
    m = freqs.shape[0]
    i, j = m * p // parts, m * (p + 1) // parts
    _digit_rows(
        weights[i:j], means[i:j], scales[i:j], units[i:j], tops[i:j], prefix[i:j], shift, logistic, reciprocal,
        freqs[i:j],
    )  # fmt: skip


@threaded(_digits_of_part)
def digits(parts, *args):
    for p in prange(parts):
        _digits_of_part(np.int64(p), parts, *args)
