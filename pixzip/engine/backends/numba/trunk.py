"""Compiled CPU kernels of the trunk: `torch.wavefront` for the few hundred pixels of a step.

At that size, time on a CPU depends on the number of tensor operations, not on their size.  Here about four hundred
operations per step become fourteen calls (numba); `trunk` multiplies with BLAS, through SciPy.  All numbers are
integers or integer-valued float32, so the results equal those of the tensor operations bit for bit, and tests
compare the two.  The kernels of the heads are in `heads`.
"""

import numpy as np
from numba import prange
from pixcodecs.compiled import compiled

from pixzip.engine.backends.numba.threads import threaded
from pixzip.models.wavefront.weights import STREAM_FRACTION

_STREAM_FRACTION = STREAM_FRACTION


@compiled
def diagonal(t, height, width, base, pitch, first_row, places, most, back, rise, first, count, image, address, taps):
    """`Schedule.step`, written into (N,) `first` and `count`, (M,) `image` and `address`, (M, T) `taps`.

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
    """See `features`.  `runs` is (R, 2): first tap and length of each run of taps that are adjacent in `pixels`."""
    channels = pixels.shape[1]
    taps = offsets.shape[1]
    flat = pixels.reshape(-1)
    repeated = np.empty(taps * channels, np.int32)  # the prediction for each sample of a run
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
def _high_depth_features(
    pixels, inside, address, image, offsets, units, levels, west, north, north_west, centre, out
):  # fmt: skip
    """`_features` for high depth: a grey level is 2^units[n] samples, and >> levels[n] reduces a sample to 8 bits."""
    channels = pixels.shape[1]
    taps = offsets.shape[1]
    for i in range(address.shape[0]):
        at, off, row = address[i], offsets[image[i]], out[i]
        unit, level = units[image[i]], levels[image[i]]
        half = (1 << unit) >> 1
        for c in range(channels):
            w, n = np.int32(pixels[at + off[west], c]), np.int32(pixels[at + off[north], c])
            gradient = w + n - np.int32(pixels[at + off[north_west], c])
            med = max(min(w, n), min(max(w, n), gradient))
            centre[i, c] = med
            row[taps * channels + c] = max(-127, (med >> level) - 128)
            for k in range(taps):
                difference = (np.int32(pixels[at + off[k], c]) - med + half) >> unit
                row[k * channels + c] = max(-127, min(127, difference)) if inside[at + off[k]] else 0


@compiled
def _any_features(
    pixels, inside, address, image, offsets, runs, units, levels, west, north, north_west, centre, out
):  # fmt: skip
    """`_high_depth_features` if there are units, else `_features`."""
    if units.shape[0]:
        _high_depth_features(
            pixels, inside, address, image, offsets, units, levels, west, north, north_west, centre, out
        )  # fmt: skip
    else:
        _features(pixels, inside, address, image, offsets, runs, west, north, north_west, centre, out)


@compiled
def _activate_row(stream, i, out, o, finer):
    """`Float32.activate` from stream[i] into out[o]."""
    scale, surplus = np.float32(1 << finer), np.float32(((1 << finer) - 1) / 2)
    for j in range(stream.shape[1]):
        value = stream[i, j] * scale - surplus
        value = value if value > np.float32(0) else np.float32(0)
        value = value if value < np.float32(127) else np.float32(127)
        out[o, j] = np.int32(value)


@compiled
def activate_float32(stream, out, finer):
    """`Float32.activate` from (M, C) float32 into (M, C) of any type."""
    for i in range(stream.shape[0]):
        _activate_row(stream, i, out, i, finer)


@compiled
def activate_int32(stream, out, finer):
    """`Int8.activate` from (M, C) int32 into (M, C) of any type."""
    shift = _STREAM_FRACTION - finer
    surplus = (1 << (_STREAM_FRACTION - 1)) - (1 << (shift - 1))
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
def _features_of_part(
    p, parts, pixels, inside, address, image, offsets, runs, units, levels, west, north, north_west, centre, out
):  # fmt: skip
    """Write MED predictions into `centre` (M, C) and the first layer's inputs into `out` (M, (T + 1) C)."""
    m = address.shape[0]
    i, j = m * p // parts, m * (p + 1) // parts
    _any_features(
        pixels, inside, address[i:j], image[i:j], offsets, runs, units, levels, west, north, north_west,
        centre[i:j], out[i:j],
    )  # fmt: skip


@threaded(_features_of_part)
def features(parts, *args):
    for p in prange(parts):
        _features_of_part(np.int64(p), parts, *args)


@compiled
def _gather_part(p, parts, ring, taps, out):
    """Copy rows of the (R, C) int8 ring at (M, T) places into (M, T C) of any type."""
    m = taps.shape[0]
    i, j = m * p // parts, m * (p + 1) // parts
    _gather(ring, taps[i:j], out[i:j])


@threaded(_gather_part)
def gather(parts, *args):
    for p in prange(parts):
        _gather_part(np.int64(p), parts, *args)


@compiled
def _masked_layer(stream, ring, first, taps, weight, seen, product, finer):
    """stream += conv(activate(stream)); earlier steps have put the neighbours' activations into the ring."""
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


@compiled
def _trunk_of_part(
    p, parts, pixels, inside, address, image, offsets, runs, units, levels, west, north, north_west, centre, feats,
    first, taps, rings, activations, seen, product, stream, hidden, finer,
    input_weight, input_bias, block_weight, mix_weight, hidden_weight, hidden_bias,
):  # fmt: skip
    """Compute the heads' hidden layer from pixels, in float32 activation steps.

    A pixel reads only its own features and those of earlier steps, so each part of the M pixels runs through all
    layers independently.  `rings` is (B, R, C) int8, `block_weight` (B, T C, C), `mix_weight` (B, mixing, C, C);
    `activations`, `seen`, `product` and `stream` are (M, ...) scratch; the results are (M, C) `centre` and
    (M, C W) `hidden`.  `units` and `levels` have one entry per image, or none for 8-bit samples.
    """
    m = address.shape[0]
    i, j = m * p // parts, m * (p + 1) // parts
    _any_features(
        pixels, inside, address[i:j], image[i:j], offsets, runs, units, levels, west, north, north_west,
        centre[i:j], feats[i:j],
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


@threaded(_trunk_of_part)
def trunk(parts, *args):
    for p in prange(parts):
        _trunk_of_part(np.int64(p), parts, *args)
