"""Quantised coefficients of blocks whose samples lie between bounds.

Rounding finds them where all samples are known and the steps of quantisation are large.  Where samples are missing or
clipped, projections alternate between what is known and what the coefficients say; where steps are small, single
coefficients change as long as that brings samples nearer to their bounds.
"""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import compiled, inlined
from pixcodecs.jpeg.inverse import inverse

Floats = NDArray[np.float64]

#: (8, 8): the DCT's matrix, frequency by sample, of numbers that every machine computes alike.
COSINES: Floats = np.array(
    [
        [
            round(2**40 * (0.125**0.5 if k == 0 else 0.5) * np.cos((2 * i + 1) * k * np.pi / 16)) / 2**40
            for i in range(8)
        ]
        for k in range(8)
    ]
)
#: (64, 64): what a coefficient of 1 adds, sample by coefficient.
WAVES: Floats = np.einsum("vy,ux->yxvu", COSINES, COSINES).reshape(64, 64)
#: Samples may differ from those of a real inverse DCT by half a level; the decoder's errors come on top.
_HALF = 0.5
_PROJECTIONS = 12
#: Steps of a search, those without gain before it ends, coefficients tried at each, and how long one rests.
_STEPS, _PATIENCE, _TRIED, _TABU = 100, 24, 6, 8
_STIFF = 0.1


@inlined
def forward(values, cosines, half, found):
    """The DCT of (64,) values."""
    for y in range(8):
        for u in range(8):
            total = 0.0
            for x in range(8):
                total += cosines[u, x] * values[8 * y + x]
            half[8 * y + u] = total
    for v in range(8):
        for u in range(8):
            total = 0.0
            for y in range(8):
                total += cosines[v, y] * half[8 * y + u]
            found[8 * v + u] = total


@inlined
def backward(found, cosines, half, values):
    """The inverse of `forward`."""
    for v in range(8):
        for x in range(8):
            total = 0.0
            for u in range(8):
                total += cosines[u, x] * found[8 * v + u]
            half[8 * v + x] = total
    for y in range(8):
        for x in range(8):
            total = 0.0
            for v in range(8):
                total += cosines[v, y] * half[8 * v + x]
            values[8 * y + x] = total


@inlined
def _violation(samples, low, high, gaps):
    """The sum of squares of what samples lack to their bounds, which are `gaps`."""
    total = 0.0
    for i in range(64):
        gap = 0.0
        if samples[i] < low[i] - _HALF:
            gap = low[i] - _HALF - samples[i]
        elif samples[i] > high[i] + _HALF:
            gap = high[i] + _HALF - samples[i]
        gaps[i] = gap
        total += gap * gap
    return total


@inlined
def _wrong(c, quant, low, high, block):
    """How many samples leave their bounds when they are decoded."""
    for k in range(64):
        block[k] = np.int64(c[k]) * quant[k]
    inverse(block)
    found = 0
    for i in range(64):
        value = min(max(block[i], -128), 127)
        found += value < low[i] or value > high[i]
    return found


@inlined
def _descend(c, quant, low, high, samples, gaps, waves, slopes, tabu, best, block):
    """Change single coefficients by a step, the one that helps most or harms least, none twice in a short time.

    The best coefficients on the way are kept in `c`.
    """
    for k in range(64):
        tabu[k], best[k] = -_TABU, c[k]
    fewest = _wrong(c, quant, low, high, block)
    total = _violation(samples, low, high, gaps)
    least, since = total, 0
    for n in range(_STEPS):
        if fewest == 0 or since > _PATIENCE or total == 0:
            break
        for k in range(64):
            slopes[k] = 0.0
        for i in range(64):
            if gaps[i] != 0:
                for k in range(64):
                    slopes[k] += waves[i, k] * gaps[i]
        least_now, at, by = 1e30, -1, 0.0
        for _ in range(_TRIED):
            most, k = 0.0, -1
            for j in range(64):
                hope = 2 * abs(slopes[j]) - quant[j] * _STIFF
                if (k < 0 or hope * quant[j] > most) and slopes[j] != 0 and tabu[j] + _TABU <= n:
                    most, k = hope * quant[j], j
            if k < 0:
                break
            step = np.float64(quant[k]) if slopes[k] > 0 else -np.float64(quant[k])
            slopes[k] = 0.0
            tried = 0.0
            for i in range(64):
                value = samples[i] + step * waves[i, k]
                gap = max(low[i] - _HALF - value, value - high[i] - _HALF, 0.0)
                tried += gap * gap
            if tried < least_now:
                least_now, at, by = tried, k, step
        if at < 0:
            break
        tabu[at] = n
        c[at] += 1 if by > 0 else -1
        for i in range(64):
            samples[i] += by * waves[i, at]
        total = _violation(samples, low, high, gaps)
        since += 1
        if total < least:
            least, since = total, 0
        wrong = _wrong(c, quant, low, high, block)
        if wrong < fewest:
            fewest = wrong
            for k in range(64):
                best[k] = c[k]
    for k in range(64):
        c[k] = best[k]


@compiled
def fit(target, low, high, quant, coefficients, again, cosines, waves, room, block):
    """Fit coefficients to the samples of a channel.

    Args:
        target: (8 rows, 8 columns) float32, samples, or guesses.
        low, high: the same shape: bounds of the samples as they are decoded; below 0 and above 255 there is none.
        quant: (64,) int64.
        coefficients: (rows, columns, 64) int16, written.
        again: keep coefficients that are right already.
        cosines, waves: `COSINES` and `WAVES`.
        room: (10, 64) float64, for this function's use.
        block: (64,) int64, likewise.
    """
    values, half, found, samples = room[0], room[1], room[2], room[3]
    least, most, gaps, c, tabu, best = room[4], room[5], room[6], room[7], room[8], room[9]
    for by in range(coefficients.shape[0]):
        for bx in range(coefficients.shape[1]):
            free = False
            for i in range(64):
                y, x = 8 * by + (i >> 3), 8 * bx + (i & 7)
                values[i] = target[y, x] - 128
                least[i] = low[y, x] - 128 if low[y, x] > 0 else -1e6
                most[i] = high[y, x] - 128 if high[y, x] < 255 else 1e6
                if high[y, x] > low[y, x]:
                    free = True
            if again:
                for k in range(64):
                    c[k] = coefficients[by, bx, k]
                if _wrong(c, quant, least, most, block) == 0:
                    continue
            rest = 0.0
            for _ in range(_PROJECTIONS if free else 1):
                forward(values, cosines, half, found)
                for k in range(64):
                    c[k] = np.floor(found[k] / quant[k] + 0.5)
                    found[k] = c[k] * quant[k]
                backward(found, cosines, half, samples)
                rest = _violation(samples, least, most, gaps)
                if rest == 0:
                    break
                for i in range(64):  # samples with bounds go to them, the others stay where they are
                    if most[i] > least[i]:
                        values[i] = samples[i] + gaps[i]
            if rest > 0:
                _descend(c, quant, least, most, samples, gaps, waves, found, tabu, best, block)
            for k in range(64):
                coefficients[by, bx, k] = min(max(c[k], -2047), 2047)
