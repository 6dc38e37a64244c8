"""The first row and the first column of coefficients, which continuity across the borders predicts [1].

[1] Lepton, see `coefficients`; `docs/format.md`, section 17.5.
"""

import numpy as np

from pixcodecs.compiled import inlined
from pixcodecs.jpeg.numbers import code_sign, code_size, code_tree, keep, level, neighbours, put, sign

_COUNT, _SIZE, _SIGN = 6, 10, 12
_TWO, _TWO_COUNT = 1280, 1488


@inlined
def _border(ratios, near, here, at, step, quant):
    """Four times the coefficient that continuity across a border predicts.

    Args:
        ratios: a cosine at the border by that of frequency 0, of 2^13.
        near, here: coefficients of the block beyond the border and of this one.
        at, step: place of the predicted coefficient, and of the next one of a higher frequency across the border.
    """
    total = np.int64(0)
    for j in range(8):
        value = np.int64(near[at + j * step]) * (1 - 2 * (j & 1))
        if j:
            value -= here[at + j * step]
        total += value * ratios[j] * quant[at + j * step]
    return (total + (quant[at] << 10)) // (quant[at] << 11)


@inlined
def code_edge(d, r, side, n, before, n_above, n_left, quant, ratios):
    """Code the seven coefficients of the first row (side 0) or column (side 1); return how many are not zero.

    Args:
        n: inner coefficients that are not zero.
        before: how many of the first row are not zero, for the column; else 0.
        n_above, n_left: how many the neighbours have on this side; 0 where there are none.
    """
    along, across = (1, 8) if side == 0 else (8, 1)
    rest = np.int64(0)
    if d.control[0]:
        for i in range(1, 8):
            rest += r.here[i * along] != 0
    e = _COUNT + 2 * side + r.chroma
    put(d, 0, e, n, 0, 0)
    put(d, 1, e, level(n), n_above, n_left)
    put(d, 2, e, before, level(n), 0)
    put(d, 3, e, before, n_above, n_left)
    put(d, 4, e, level(r.n_other), n_above + n_left, 0)
    put(d, 5, e, 0, 0, 0)
    put(d, 6, e, n_above, 0, 0)
    put(d, 7, e, n_left, 0, 0)
    count = code_tree(d, e, _TWO_COUNT + e, 3, rest)
    rest, last = count, np.int64(0)
    for i in range(1, 8):
        k = i * along
        if rest == 0:
            keep(d, r.here, k, 0)
            continue
        guess, near = np.int64(0), np.int64(0)
        if side == 0 and r.has_above:
            guess = _border(ratios, r.above, r.here, k, across, quant)
        if side == 1 and r.has_left:
            guess = _border(ratios, r.left, r.here, k, across, quant)
        for j in range(1, 4):
            near += abs(np.int64(r.here[k + j * across]))
        a, b = abs(np.int64(r.above[k])) * r.has_above, abs(np.int64(r.left[k])) * r.has_left
        same = np.int64(r.other[k]) * r.is_red
        lg, lw = level(abs(guess)), level(neighbours(r, k) >> 2)
        e = _SIZE + r.chroma
        put(d, 0, e, k, lg, rest)
        put(d, 1, e, k, min(a, 63), min(b, 63))
        put(d, 2, e, k, rest, n)
        put(d, 3, e, k, lg, level(last))
        put(d, 4, e, k, lw, lg)
        put(d, 5, e, k, level(abs(same)), level(r.n_other))
        put(d, 6, e, min(abs(guess), 63), rest, i)
        put(d, 7, e, k, level(near), lg)
        two = _TWO + 4 * (lg + 16 * side)
        size = code_size(d, 4 * k + 256 * r.chroma, two, np.int64(rest == 8 - i), abs(np.int64(r.here[k])))
        last = size
        if size == 0:
            keep(d, r.here, k, 0)
            continue
        e, toward = _SIGN + r.chroma, sign(guess)
        signs = 3 * sign(a * r.above[k]) + sign(b * r.left[k])
        put(d, 0, e, k, toward, lg)
        put(d, 1, e, toward, min(abs(guess), 63), min(size, 63))
        put(d, 2, e, k, signs, toward)
        put(d, 3, e, k, sign(same), toward)
        put(d, 4, e, lg, sign(same), toward)
        put(d, 5, e, level(size), lg, toward)
        put(d, 6, e, 0, 0, 0)
        put(d, 7, e, 0, 0, 0)
        keep(d, r.here, k, -size if code_sign(d, e, r.here[k]) else size)
        rest -= 1
    return count
