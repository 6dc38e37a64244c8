"""Compiled CPU kernels: what `wavefront` and `frequencies` do, for the few hundred pixels of a step.

At that size a CPU's time goes into the number of tensor operations, not into their size.  Here some four
hundred operations a step become fourteen calls (numba); `trunk` multiplies by BLAS, through SciPy.
Everything is an integer, or a float32 that holds one,
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


@compiled
def diagonal(t, height, width, base, pitch, first_row, places, most, back, rise, first, count, image, address, taps):
    """What `Schedule.step` computes, into (N,) `first` and `count`, (M,) `image` and `address`, (M, T) `taps`.

    Returns M.
    """
    for n in range(height.shape[0]):
        first[n] = max(0, (t - width[n] + 2) // 2)
        count[n] = max(0, min(height[n] - 1, t // 2) - first[n] + 1)
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
    return m


@compiled
def _features(pixels, inside, address, image, offsets, runs, west, north, north_west, centre, out):
    """`runs` is (R, 2): the taps of a row of the mask, as first tap and number, lie side by side in `pixels`."""
    channels = pixels.shape[1]
    taps = offsets.shape[1]
    flat = pixels.reshape(-1)
    repeated = np.empty(taps * channels, np.int32)  # the prediction beside each of a run's samples
    for i in range(address.shape[0]):
        at, off, row = address[i], offsets[image[i]], out[i]
        for c in range(channels):
            w, n = np.int32(pixels[at + off[west], c]), np.int32(pixels[at + off[north], c])
            gradient = w + n - np.int32(pixels[at + off[north_west], c])
            med = max(min(w, n), min(max(w, n), gradient))
            centre[i, c] = med
            row[taps * channels + c] = max(-127, med - 128)
            for k in range(taps):
                repeated[k * channels + c] = med
        for r in range(runs.shape[0]):
            first, length = runs[r, 0], runs[r, 1]
            start, target = at + off[first], first * channels
            if inside[start] and inside[start + length - 1]:
                source = flat[start * channels : (start + length) * channels]
                for j in range(length * channels):
                    row[target + j] = max(np.int32(-127), min(np.int32(127), np.int32(source[j]) - repeated[j]))
                continue
            for k in range(length):
                for c in range(channels):
                    difference = np.int32(pixels[start + k, c]) - repeated[c]
                    difference = max(np.int32(-127), min(np.int32(127), difference))
                    row[target + k * channels + c] = difference if inside[start + k] else np.int32(0)


@compiled
def _activate_row(stream, i, out, o, finer):
    """`Float32.activate` of stream[i] into out[o]."""
    scale, surplus = np.float32(1 << finer), np.float32(((1 << finer) - 1) / 2)
    for j in range(stream.shape[1]):
        value = stream[i, j] * scale - surplus
        value = value if value > np.float32(0) else np.float32(0)
        value = value if value < np.float32(127) else np.float32(127)
        out[o, j] = np.int32(value)


@compiled
def activate_float32(stream, out, finer):
    """`Float32.activate` of (M, C) float32 into (M, C) of any type."""
    for i in range(stream.shape[0]):
        _activate_row(stream, i, out, i, finer)


@compiled
def activate_int32(stream, out, finer):
    """`Int8.activate` of (M, C) int32 into (M, C) of any type."""
    shift = _FRACTION - finer
    surplus = (1 << (_FRACTION - 1)) - (1 << (shift - 1))
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            out[i, j] = max(0, min(127, (stream[i, j] - surplus) >> shift))


@compiled
def _gather(ring, taps, out):
    width = ring.shape[1]
    for i in range(taps.shape[0]):
        for k in range(taps.shape[1]):
            source, target = ring[taps[i, k]], out[i, k * width : (k + 1) * width]
            for j in range(width):
                target[j] = source[j]


@compiled
def _outputs(hidden, known, channel, known_weight, out_weight, out_bias, step, activations, outputs):
    """One channel's head: (M, 3 K + i) `outputs`, floats that hold integers.

    `hidden` is the (M, C W) stream in activation steps, `known` (M, C) int32.  The matrices are (i, W) and
    (W, 3 K + i); outputs are floored after a product with `step`.
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
def _mixtures(outputs, known, centre, channel, exp2, weights, means, scales):
    """`Frequencies.mixture`: (M, 3 K + i) `outputs` to (M, K) int32 `weights`, `means`, `scales`."""
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
        for j in range(k):
            means[i, j] = max(_LOWEST, min(_HIGHEST, middle + np.int32(out[k + j])))
            scales[i, j] = max(0, min(_N_SCALES - 1, np.int32(out[2 * k + j]) + _SCALE_ZERO))


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
            row[e] += weight * np.int32(logistic[min(2 * _LIMIT, max(0, (z >> _RECIPROCAL_BITS) + _LIMIT))])
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
def features(parts, pixels, inside, address, image, offsets, runs, west, north, north_west, centre, out):
    """MED predictions into `centre` (M, C) and the first layer's inputs into `out` (M, (T + 1) C)."""
    m = address.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        _features(
            pixels, inside, address[i:j], image[i:j], offsets, runs, west, north, north_west, centre[i:j], out[i:j]
        )  # fmt: skip


@threaded
def gather(parts, ring, taps, out):
    """Rows of the ring, (R, C) int8, at (M, T) places into (M, T C) of any type."""
    m = taps.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        _gather(ring, taps[i:j], out[i:j])


@compiled
def _masked_layer(stream, ring, first, taps, weight, seen, product, finer):
    """stream += conv(activate(stream)), whose neighbours were put into the ring by earlier steps."""
    width = stream.shape[1]
    for i in range(stream.shape[0]):
        _activate_row(stream, i, ring, first + i, finer)
        for k in range(taps.shape[1]):
            source, at = taps[i, k], k * width
            for j in range(width):
                seen[i, at + j] = ring[source, j]
    np.dot(seen, weight, product)
    for i in range(stream.shape[0]):
        for j in range(width):
            stream[i, j] += product[i, j]


@compiled
def _centre_layer(stream, weight, activations, product):
    """stream += activate(stream) @ weight."""
    for i in range(stream.shape[0]):
        _activate_row(stream, i, activations, i, 0)
    np.dot(activations, weight, product)
    for i in range(stream.shape[0]):
        for j in range(stream.shape[1]):
            stream[i, j] += product[i, j]


@compiled
def _linear(a, weight, bias, out):
    """bias + a @ weight."""
    np.dot(a, weight, out)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] += bias[j]


@threaded
def trunk(
    parts, pixels, inside, address, image, offsets, runs, west, north, north_west, centre, feats,
    first, taps, rings, activations, seen, product, stream, hidden, finer,
    input_weight, input_bias, block_weight, mix_weight, hidden_weight, hidden_bias,
):  # fmt: skip
    """From pixels to the heads' hidden layer, all in float32 activation steps.

    A pixel reads features of earlier steps and its own, so each part of the M pixels runs through all layers by
    itself.  `rings` is (B, R, C) int8, `block_weight` (B, T C, C), `mix_weight` (B, mixing, C, C); `activations`,
    `seen`, `product` and `stream` are (M, ...) scratch; the results are (M, C) `centre` and (M, C W) `hidden`.
    """
    m = address.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        _features(
            pixels, inside, address[i:j], image[i:j], offsets, runs, west, north, north_west, centre[i:j], feats[i:j]
        )  # fmt: skip
        s = stream[i:j]
        _linear(feats[i:j], input_weight, input_bias, s)
        for b in range(rings.shape[0]):
            reads = 0 if b else finer
            _masked_layer(s, rings[b], first + i, taps[i:j], block_weight[b], seen[i:j], product[i:j], reads)
            for k in range(mix_weight.shape[1]):
                _centre_layer(s, mix_weight[b, k], activations[i:j], product[i:j])
        for row in range(i, j):
            _activate_row(stream, row, activations, row, 0)
        _linear(activations[i:j], hidden_weight, hidden_bias, hidden[i:j])


@threaded
def bins(
    parts, hidden, known, centre, channel, known_weight, out_weight, out_bias, step, activations, outputs,
    exp2, weights, means, scales, logistic, reciprocal, reach, rows, freqs,
):  # fmt: skip
    """One channel's head, its mixtures, and the (M, 16) float32 frequencies of the bins."""
    m = freqs.shape[0]
    for p in prange(parts):
        i, j = m * p // parts, m * (p + 1) // parts
        w, mu, s, out = weights[i:j], means[i:j], scales[i:j], outputs[i:j]
        _outputs(hidden[i:j], known[i:j], channel, known_weight, out_weight, out_bias, step, activations[i:j], out)
        _mixtures(out, known[i:j], centre[i:j], channel, exp2, w, mu, s)
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
