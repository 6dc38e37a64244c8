"""The full stage in the compiled loop: samples as binary decisions of mixed experts; see `models.wavefront.mixing`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import TOTAL
from pixcodecs.coders.bits_numba import put_bit, take_bit
from pixcodecs.compiled import bit_length, compiled, inlined

from pixzip.engine.backends.numba.colours import half_octave
from pixzip.engine.backends.numba.contexts import look_around
from pixzip.engine.backends.numba.counts import both_of, count, counted_of, pairs, prefetch, sure_of
from pixzip.engine.backends.numba.digits import raw_below
from pixzip.engine.backends.numba.loop import DECODE, MEASURE
from pixzip.engine.backends.numba.mixture import below_inner
from pixzip.models.wavefront import mixing as X
from pixzip.models.wavefront import tables as T

_TOTAL, _LIMIT, _RECIPROCAL_BITS = TOTAL, T.LOGISTIC_LIMIT, T.RECIPROCAL_BITS
_NODES, _UP, _DOWN, _WITHIN, _SINGLE = X.NODES, X.UP, X.DOWN, X.WITHIN, X.SINGLE_STEPS
_CONTEXTS, _EXPERTS, _INPUTS, _KINDS = X.CONTEXTS, X.EXPERTS, X.INPUTS, X.KINDS
_LINE_BITS, _LINE = X.LINE_BITS, X.LINE
_RATE, _MOST_WEIGHT, _CONSTANT, _STRETCH = X.RATE, X.MOST_WEIGHT, X.CONSTANT, X.STRETCH_LIMIT
_DECODE, _MEASURE = DECODE, MEASURE
#: Most decisions of a sample.
MOST_DECISIONS = 20

Int64 = NDArray[np.int64]


class Mixer(NamedTuple):
    """State of the mixing of one image of at most M pixels a step.

    Attributes:
        squash, stretch: see `mixing.Tables`.
        pairs: see `counts.pairs`.
        weights, news: (2 S, INPUTS) int64 weights and sums of their gradients in this step; S sets of weights by
            deviation, then S by error, each by channel, node and class.
        touched, sets: (2 S,) which sets have news, and their numbers.
        slots: (K,) uint32 counts, see `counts`.
        records: (R,) int64 what this step adds to the counts: 2 slot + bit.
        used: (2,) int64 numbers of entries of `sets` and `records`.
        inputs: (INPUTS,) int64 scratch.
        contexts: (M, CONTEXTS) int64 first slots of the lines of a channel's samples.
        raw: (M, K) int32 means before least squares.
        middle, kind: (M,) int64 mean of a shifted mixture in 1/16, and class of its deviation.
        error_kind, slope: (M,) int64 class of the error, and reciprocal of the scale that fits it.
        nll: (M,) int64 what a pixel takes so far, in 1/64 bit.
        residuals: (P, C) int32 16 times samples, minus these means; 0 outside the image.
    """

    squash: NDArray[np.int32]
    stretch: NDArray[np.int16]
    pairs: NDArray[np.int32]
    weights: Int64
    news: Int64
    touched: NDArray[np.uint8]
    sets: Int64
    slots: NDArray[np.uint32]
    records: Int64
    used: Int64
    inputs: Int64
    contexts: Int64
    raw: NDArray[np.int32]
    middle: Int64
    kind: Int64
    error_kind: Int64
    slope: Int64
    nll: Int64
    residuals: NDArray[np.int32]


def mixer(tables: X.Tables, weights: NDArray[np.int16], most: int, n_mix: int, buffer_pixels: int) -> Mixer:
    """The state before the first step.

    Args:
        weights: (2 C, NODES, KINDS, INPUTS) of 2^-10.
        most: number of pixels in the largest step.
    """
    channels = len(weights) // 2
    sets = weights.astype(np.int64).reshape(-1, _INPUTS) << X.WEIGHT_SHIFT
    return Mixer(
        tables.squash, tables.stretch, pairs(tables),
        weights=sets, news=np.zeros_like(sets), touched=np.zeros(len(sets), np.uint8),
        sets=np.zeros(len(sets), np.int64), slots=np.zeros((_CONTEXTS << _LINE_BITS) * _LINE, np.uint32),
        records=np.zeros(most * channels * MOST_DECISIONS * _CONTEXTS, np.int64), used=np.zeros(2, np.int64),
        inputs=np.zeros(_INPUTS, np.int64), contexts=np.zeros((most, _CONTEXTS), np.int64),
        raw=np.zeros((most, n_mix), np.int32), middle=np.zeros(most, np.int64), kind=np.zeros(most, np.int64),
        error_kind=np.zeros(most, np.int64), slope=np.zeros(most, np.int64),
        nll=np.zeros(most, np.int64), residuals=np.zeros((buffer_pixels, channels), np.int32),
    )  # fmt: skip


@inlined
def about_log(number):
    """About 64 log2 of a number of at least 1: straight lines between powers of two."""
    bits = bit_length(number) - 1
    return 64 * bits + ((number << 6) >> bits) - 64


@inlined
def code(mode, bit, p, at, s, work):
    """Code a decision that has the probability p of 2^16 of being 1; return it, or a number below zero."""
    if mode == _MEASURE:
        work.bits[at] += np.float64(16) - np.log2(np.float64(p if bit else 65536 - p))
        return bit
    if mode == _DECODE:
        return take_bit(s.states[0], p, s.words, s.first[0], s.end[0])
    put_bit(s.states[0], bit, p, s.words, s.first[0])
    return bit


@compiled
def keep(first, stop, m, x):
    """Keep the means of mixtures before they are moved."""
    for i in range(first, stop):
        for k in range(m.weights.shape[1]):
            x.raw[i, k] = m.means[i, k]


@compiled
def centre(channel, first, stop, pitch, heads, p, m, e, x, pixels, skipped):
    """Compute the means of moved mixtures, and what the decisions of samples depend on, but for (M,) `skipped` pixels.

    `skipped` may be shorter: pixels beyond it are not skipped.
    """
    for i in range(first, stop):
        total = np.int64(0)
        for k in range(m.weights.shape[1]):
            total += np.int64(m.weights[i, k]) * np.int64(m.means[i, k])
        x.middle[i] = (total + 512) >> 10
        deviation = np.int64(e.deviations[i, channel] * np.float32(16))
        x.kind[i] = max(0, min(_KINDS - 1, half_octave(deviation + 1) - 3))
        if i >= skipped.shape[0] or not skipped[i]:
            look_around(channel, i, p.address[i], pitch, heads, x, pixels)


@inlined
def _logistic_below(heads, middle, slope, value):
    """The frequency below a value of 1 to 255 in one logistic."""
    z = ((16 * value - 8 - middle) * slope) >> _RECIPROCAL_BITS
    z = max(np.int64(0), min(np.int64(2 * _LIMIT), z + _LIMIT))
    return np.int64(heads.logistic[z]) * 64 + value


@inlined
def _share(x, above, between, below):
    """The stretched share of the frequencies from `between` to `above` in those from `below` to `above`."""
    p = np.int64(np.float64((above - between) << 16) / np.float64(above - below))  # exact below 2^37
    return np.int64(x.stretch[max(np.int64(16), min(np.int64(65520), p))])


@inlined
def _mix(x, chosen):
    """The stretched probability of a set of weights."""
    total = np.int64(0)
    for k in range(_INPUTS):
        total += x.weights[chosen, k] * x.inputs[k]
    return max(np.int64(-_STRETCH), min(np.int64(_STRETCH), total >> 16))


@inlined
def _teach(x, chosen, mixed, bit):
    """Add a decision to the gradient of a set of weights."""
    error = (bit << 16) - np.int64(x.squash[mixed + _STRETCH])
    if not x.touched[chosen]:
        x.touched[chosen] = 1
        x.sets[x.used[0]] = chosen
        x.used[0] += 1
    for k in range(_INPUTS):
        x.news[chosen, k] += x.inputs[k] * error


@inlined
def fetch(at, i, x):
    """Ask for the counts of a sample, which begin at an address."""
    for k in range(_CONTEXTS):
        prefetch(at + 4 * x.contexts[i, k])
        prefetch(at + 4 * x.contexts[i, k] + 64)


@inlined
def code_sample(mode, channel, value, i, at, heads, m, x, s, work):
    """Code a sample; return it, or a number below zero."""
    kind, slope, middle = x.error_kind[i], x.slope[i], x.middle[i]
    first = max(np.int64(1), min(np.int64(255), (middle + 8) >> 4))
    low, high = np.int64(0), np.int64(256)
    low0, low1, low2 = np.int64(0), np.int64(0), np.int64(0)
    high0, high1, high2 = np.int64(_TOTAL), np.int64(_TOTAL), np.int64(_TOTAL)
    node, step, taken, direction = np.int64(0), np.int64(1), np.int64(0), np.int64(0)
    sets = x.residuals.shape[1] * _NODES * _KINDS
    x.inputs[3] = _CONSTANT
    while high - low > 1:
        if node == 0:
            between = first
        elif direction > 0:
            between = min(high - 1, low + step)
        elif direction < 0:
            between = max(low + 1, high - step)
        else:
            between = (low + high) >> 1
            node = _WITHIN + bit_length(high - low - 1)
        mid0 = raw_below(heads, m, i, False, between)
        mid1 = np.int64(below_inner(heads, m, x.raw, i, between))
        mid2 = _logistic_below(heads, middle, slope, between)
        x.inputs[0] = _share(x, high0, mid0, low0)
        x.inputs[1] = _share(x, high1, mid1, low1)
        x.inputs[2] = _share(x, high2, mid2, low2)
        for k in range(_CONTEXTS):
            both = both_of(x.pairs, x.slots[x.contexts[i, k] + node])
            x.inputs[_EXPERTS + 2 * k], x.inputs[_EXPERTS + 2 * k + 1] = counted_of(both), sure_of(both)
        place = (channel * _NODES + node) * _KINDS
        by_deviation, by_error = place + x.kind[i], sets + place + kind
        one, two = _mix(x, by_deviation), _mix(x, by_error)
        p = np.int64(x.squash[((one + two) >> 1) + _STRETCH])
        bit = code(mode, np.int64(value >= between), p, at, s, work)
        if bit < 0:
            return bit
        x.nll[i] += 1024 - about_log(p if bit else 65536 - p)
        _teach(x, by_deviation, one, bit)
        _teach(x, by_error, two, bit)
        for k in range(_CONTEXTS):
            x.records[x.used[1]] = 2 * (x.contexts[i, k] + node) + bit
            x.used[1] += 1
        if bit:
            low, low0, low1, low2 = between, mid0, mid1, mid2
        else:
            high, high0, high1, high2 = between, mid0, mid1, mid2
        if node == 0:
            direction = np.int64(1) if bit else np.int64(-1)
            node = np.int64(_UP) if bit else np.int64(_DOWN)
        elif bit == (direction < 0):
            direction = np.int64(0)  # the value is between two steps
        elif direction:
            node, taken = node + 1, taken + 1
            if taken >= _SINGLE:
                step *= 2
    return low


@compiled
def learn_decisions(x):
    """Learn from the decisions of a step."""
    count(x.slots, x.records, x.used[1])
    for j in range(x.used[0]):
        chosen = x.sets[j]
        x.touched[chosen] = 0
        for k in range(_INPUTS):
            weight = x.weights[chosen, k] + (x.news[chosen, k] >> _RATE)
            x.weights[chosen, k] = max(-_MOST_WEIGHT, min(_MOST_WEIGHT, weight))
            x.news[chosen, k] = 0
    x.used[0], x.used[1] = 0, 0
