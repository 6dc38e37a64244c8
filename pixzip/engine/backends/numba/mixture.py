"""Mixtures of logistics and their cumulative frequencies, one value at a time (compiled).

A coder needs few of the 256 or 2^16 cumulative frequencies of a sub-pixel: an encoder those at the ends of the value's
intervals, a decoder those that a binary search visits.  The results equal `models.wavefront.reference`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import TOTAL
from pixcodecs.compiled import compiled, inlined

from pixzip.engine.backends.numba.trunk import Int32, Matrix, layer
from pixzip.models.wavefront import tables as T
from pixzip.models.wavefront.weights import OUTPUT_SHIFTS, STREAM_FRACTION

_STREAM_FRACTION = STREAM_FRACTION
_LOGITS, _MEANS, _SCALES, _FACTORS = (OUTPUT_SHIFTS[name] for name in ("logits", "means", "scales", "factors"))
_MARGIN, _WEIGHT_TOTAL, _FACTOR_LIMIT = 16 * T.MEAN_MARGIN, T.WEIGHT_TOTAL, T.FACTOR_LIMIT
_SCALE_ZERO, _N_SCALES = T.SCALE_ZERO, T.N_SCALES
_LIMIT, _RECIPROCAL_BITS, _CDF_FULL = T.LOGISTIC_LIMIT, T.RECIPROCAL_BITS, T.CDF_FULL
_STRIDE, _STRIDE_BITS, _LAST = T.STRIDE, T.STRIDE_BITS, np.int64(2 * T.LOGISTIC_LIMIT << T.RECIPROCAL_BITS)
_TOTAL, _FLOOR = TOTAL, T.FLOOR


class Heads(NamedTuple):
    """The heads' matrices and the tables.

    Attributes:
        known: (C, C, H) int32: the factors of known channels' residuals, in units of 2^-STREAM_FRACTION steps.
        out: matrices of the outputs, stacked by channel.
        n_mix: number of components.
        exp2, logistic, reciprocal: tables of the weights file.
    """

    known: Int32
    out: Matrix
    n_mix: int
    exp2: Int32
    logistic: NDArray[np.int16]
    reciprocal: Int32


class Mixtures(NamedTuple):
    """Mixtures of the step's pixels.

    Attributes:
        weights, means, slopes: (M, K) int32; slopes are reciprocal scales.
        units, tops: (M,) int32: a grey level is 2^unit samples wide, and the largest sample; 0 and 255 for 8 bits.
        centre: (M, C) int32 MED predictions.
        known: (M, C) int32 residuals of the channels already coded, in grey levels.
        fine: (M, C) int32 the same in samples.
        inputs: (M, H) int16 scratch.
        outputs: (M, N) int32 scratch.
        colours: the Colours of the images.
    """

    weights: Int32
    means: Int32
    slopes: Int32
    units: Int32
    tops: Int32
    centre: Int32
    known: Int32
    fine: Int32
    inputs: NDArray[np.int16]
    outputs: Int32
    colours: Any


@compiled
def mixtures(channel, heads, hidden, own, m):
    """Compute a channel's mixtures from the (M, C H) trunk's results; `heads` is a Heads, `m` a Mixtures."""
    width, k = m.inputs.shape[1], heads.n_mix
    for i in range(hidden.shape[0]):
        z, a = hidden[i, channel * width : (channel + 1) * width], m.inputs[i]
        for j in range(width):
            value = z[j]
            for p in range(channel):
                value += m.known[i, p] * heads.known[channel, p, j]
            a[j] = max(np.int32(0), min(np.int32(127), value >> _STREAM_FRACTION))
    out = heads.out
    layer(
        m.inputs, own, out.weight[channel], out.shift[channel], out.bias[channel], np.int64(1), m.outputs,
        m.inputs[:0], own, np.int64(0),
    )  # fmt: skip
    for i in range(hidden.shape[0]):
        row = m.outputs[i]
        largest = row[0] >> _LOGITS
        for j in range(1, k):
            largest = max(largest, row[j] >> _LOGITS)
        whole = np.int32(0)
        for j in range(k):
            m.weights[i, j] = heads.exp2[min(np.int32(255), largest - (row[j] >> _LOGITS))]
            whole += m.weights[i, j]
        rest = np.int32(_WEIGHT_TOTAL)
        for j in range(k):
            share = np.int32(np.float64(m.weights[i, j] * _WEIGHT_TOTAL) / np.float64(whole))  # exact below 2^53
            m.weights[i, j] = share
            rest -= share
        m.weights[i, 0] += rest
        middle = np.int32(0)
        for p in range(channel):
            factor = max(-_FACTOR_LIMIT, min(_FACTOR_LIMIT, row[3 * k + p] >> _FACTORS))
            middle += np.int32(factor) * m.fine[i, p]
        if channel:
            middle = (middle + 2) >> 2
        middle += 16 * m.centre[i, channel]
        lowest = -_MARGIN << m.units[i]
        highest = 16 * m.tops[i] - lowest
        for j in range(k):
            m.means[i, j] = max(lowest, min(highest, middle + ((row[k + j] >> _MEANS) << m.units[i])))
            scale = max(0, min(_N_SCALES - 1, (row[2 * k + j] >> _SCALES) + _SCALE_ZERO))
            m.slopes[i, j] = heads.reciprocal[scale]


@inlined
def below_inner(heads, m, means, i, value):
    """The frequency below a value of 1 to 255 if the components had these (M, K) int32 means."""
    at, total = np.int32(16 * value - 8), np.int32(0)
    for j in range(m.weights.shape[1]):
        z = ((at - means[i, j]) * m.slopes[i, j]) >> _RECIPROCAL_BITS
        z = max(np.int32(0), min(np.int32(2 * _LIMIT), np.int32(z + _LIMIT)))
        total += m.weights[i, j] * np.int32(heads.logistic[z])
    return np.int32((total >> 4) + value)


@inlined
def below(heads, m, i, value):
    """The frequency below a value of 8 bits, 0 to 2^20; `value` is in 0..256."""
    if value <= 0:
        return np.int32(0)
    if value >= 256:
        return np.int32(_TOTAL)
    return below_inner(heads, m, m.means, i, value)


@inlined
def share_below(heads, m, i, sample):
    """The share of CDF_FULL below a sample of more than 8 bits."""
    if sample <= 0:
        return np.int64(0)
    if sample > m.tops[i]:
        return np.int64(_CDF_FULL)
    total = np.int64(0)
    for j in range(m.weights.shape[1]):
        z = np.int64(16 * sample - 8 - m.means[i, j]) * np.int64(m.slopes[i, j])
        at = max(np.int64(0), min(_LAST, (z >> m.units[i]) + (_LIMIT << _RECIPROCAL_BITS)))
        entry, between = at >> _STRIDE_BITS << _STRIDE_BITS - _RECIPROCAL_BITS, at & ((1 << _STRIDE_BITS) - 1)
        left = np.int64(heads.logistic[entry])
        step = np.int64(heads.logistic[min(2 * _LIMIT, entry + _STRIDE)]) - left
        risen = between * step >> _STRIDE_BITS - _RECIPROCAL_BITS
        total += np.int64(m.weights[i, j]) * ((left << _RECIPROCAL_BITS) + risen)
    return total


@inlined
def digit_below(first, span, share, digit):
    """The frequency below a digit of a sample of more than 8 bits, 0 to 2^20.

    Args:
        first, span: `share_below` the digit 0, and of all 16 digits.
        share: `share_below` the digit.
    """
    spare = _TOTAL - 16 * _FLOOR
    part = (share - first) * spare // span if span > 0 else digit * (spare // 16)
    return part + digit * _FLOOR
