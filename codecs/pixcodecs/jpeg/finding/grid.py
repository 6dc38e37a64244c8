"""Where the blocks of eight by eight begin, and by what their coefficients were quantised."""

import numpy as np

from pixcodecs.compiled import compiled
from pixcodecs.jpeg.finding.fitting import forward
from pixcodecs.jpeg.inverse import inverse

#: A coefficient of 0 comes back, from rounded samples, within this, and any other one of its step's multiples too.
_NOISE = 0.9
#: A coefficient that is not zero lies further from 0 than this many deviations of the noise.
_CLEAR = 6.5
#: Rounding is no noise where samples hardly change, and adds up to more there: how rarely, and how much.
_RARE, _WIDE = 2.5, 1 / (2 * 0.9 * 0.9)
_OUTLIER = -4.0
#: The logarithm of how much more probable 0 is than a multiple, where the step is 1.
_ZERO = 1.0


@compiled
def count_zeros(plane, windows, zeros, cosines, room):
    """How many coefficients are zero in blocks at each of 64 offsets.

    Args:
        plane: (H, W) float32.
        windows: (N, 2) int64: the first row and column of parts of 24 by 24 samples.
        zeros: (64,) int64, counts are added: at 8 times the row + the column, modulo 8, where blocks begin.
        room: (3, 64) float64.
    """
    for n in range(windows.shape[0]):
        for dy in range(8):
            for dx in range(8):
                y, x = windows[n, 0] + dy, windows[n, 1] + dx
                for part in range(4):
                    top, left = y + 8 * (part >> 1), x + 8 * (part & 1)
                    for i in range(64):
                        room[0, i] = plane[top + (i >> 3), left + (i & 7)]
                    forward(room[0], cosines, room[1], room[2])
                    for k in range(1, 64):
                        zeros[(y & 7) << 3 | x & 7] += abs(room[2, k]) < _NOISE


@compiled
def collect(blocks, noise, values, counts, cosines, room):
    """Coefficients that are clearly not zero.

    Args:
        blocks: (N, 64) float64, samples less 128.
        noise: (64,) float64: deviations of the noise that rounding adds to coefficients.
        values: (64, N) float32, written: the coefficients of each place.
        counts: (64,) int64, at first 0, written: how many.
        room: (2, 64) float64.
    """
    for n in range(blocks.shape[0]):
        forward(blocks[n], cosines, room[0], room[1])
        for k in range(64):
            if abs(room[1, k]) > _CLEAR * noise[k]:
                values[k, counts[k]] = room[1, k]
                counts[k] += 1


@compiled
def likelihoods(values, counts, noise, logarithms, found):
    """The logarithm of the likelihood of each step of quantisation, for each coefficient.

    Args:
        values, counts, noise: see `collect`.
        logarithms: (256,) float64: of 1 to 255, at these numbers.
        found: (64, 256) float64, written.
    """
    for k in range(64):
        scale = 1 / (2 * noise[k] * noise[k])
        for step in range(1, 256):
            total = 0.0
            for i in range(counts[k]):
                value = abs(values[k, i])
                n = np.floor(value / step + 0.5)
                rest = value - n * step
                likely = (logarithms[step] if n > 0 else _ZERO) - min(rest * rest * scale, rest * rest * _WIDE + _RARE)
                total += max(likely, _OUTLIER)
            found[k, step] = total


@compiled
def count_equal(blocks, tables, found, cosines, room, block):
    """How many blocks come back that are quantised by each of several tables.

    Args:
        blocks: (N, 64) float64, samples less 128.
        tables: (M, 64) int64.
        found: (M,) int64, written.
        room: (3, 64) float64.
        block: (64,) int64, for this function's use.
    """
    found[:] = 0
    for n in range(blocks.shape[0]):
        forward(blocks[n], cosines, room[0], room[1])
        for m in range(tables.shape[0]):
            for k in range(64):
                block[k] = np.int64(np.floor(room[1, k] / tables[m, k] + 0.5)) * tables[m, k]
            inverse(block)
            equal = True
            for i in range(64):
                equal = equal and min(max(block[i], -128), 127) == blocks[n, i]
            found[m] += equal
