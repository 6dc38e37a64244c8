"""Quantised DCT coefficients of one channel, coded block by block; `docs/format.md`, section 14.5.

The order within a block and the predictions across its borders are those of Lepton [1]: first the 49 coefficients of
both frequencies, then the first row and the first column, which continuity with the blocks above and to the left
predicts, then DC, which the pixels beside the borders predict.  Unlike [1], contexts are mixed.

[1] D. Horn et al., The design, implementation and deployment of a system to transparently compress hundreds of
    petabytes of image files for a file-storage service, NSDI 2017.
"""

import numpy as np

from pixcodecs.compiled import bit_length, compiled, inlined
from pixcodecs.jpeg.decisions import decide
from pixcodecs.jpeg.inverse import inverse

#: Coefficients have at most this many binary digits.
DIGITS = 11
_DIGITS, _MOST = DIGITS, (1 << DIGITS) - 1
_TWO = 1024


@inlined
def _level(x):
    """Some twice the binary logarithm of a magnitude, 0 for 0, at most 15."""
    if x == 0:
        return np.int64(0)
    b = bit_length(np.int64(x)) - 1
    return min(2 * b + 1 + np.int64(2 * x >= 3 << b), 15)


@inlined
def _sign(x):
    return np.int64(x > 0) + 2 * np.int64(x < 0)


@compiled
def code_tree(d, one, two, digits, value):
    """Code a number of some binary digits, the highest first."""
    node = np.int64(1)
    for i in range(digits - 1, -1, -1):
        node = 2 * node + decide(d, node, one, two, value >> i & 1)
    return node - (1 << digits)


@compiled
def code_magnitude(d, one, two, least, value):
    """Code a magnitude: the number of its binary digits, which is at least `least`, in unary, then the digits."""
    digits = np.int64(least)
    length = bit_length(np.int64(value))
    while digits < _DIGITS + 1 and decide(d, digits, one + min(digits, 2), two + min(digits, 2), length > digits):
        digits += 1
    found = np.int64(digits > 0)
    for i in range(digits - 2, -1, -1):
        node = 16 + digits if i == digits - 2 else 32 + i
        found = 2 * found + decide(d, node, one + 3, two + 3, value >> i & 1)
    return found


@inlined
def _border(ratios, near, here, at, step, quant):
    """Four times the coefficient that continuity across a border predicts.

    Args:
        ratios: a cosine at the border by that of frequency 0, of 2^13.
        near, here: coefficients of the block beyond the border and of this one.
        at, step: place of the predicted coefficient, and of the next one of a higher frequency across the border.
    """
    total = np.int64(0)
    for k in range(8):
        place = at + k * step
        value = np.int64(near[place]) * (1 - 2 * (k & 1))
        if k:
            value -= here[place]
        total += value * ratios[k] * quant[place]
    return (total + (quant[at] << 10)) // (quant[at] << 11)


@inlined
def _code_sign(d, kind, one, value):
    """Code a sign; contexts 0 to 3 are set by the caller, relative to `kind`."""
    return decide(d, 250, one, _TWO + 508, np.int64(value < 0))


@compiled
def code_plane(d, kind, coefficients, beside, luma, counts, samples, quant, order, ratios, block):
    """Code the coefficients of a channel.

    Args:
        kind: 0 for luma, 1 for Cb, 2 for Cr.
        coefficients: (rows, columns, 64) int16, row by row; read or written.
        beside: the coefficients of Cb, for Cr; empty for others.
        luma: `counts` of luma, for chroma; empty for luma.
        counts: (rows, columns, 3) int16: nonzero coefficients of both frequencies, in the first row, the first column.
        samples: (8 rows, 8 columns) int16: what the coefficients decode to, less 128, without a limit.
        quant: (64,) int64.
        order: (49,) int64: places of the coefficients of both frequencies.
        ratios: (8,) int64, see `_border`.
        block: (64,) int64, for this function's use.
    """
    rows, columns = coefficients.shape[0], coefficients.shape[1]
    chroma = np.int64(kind > 0)
    for by in range(rows):
        for bx in range(columns):
            if d.control[2]:
                return
            here = coefficients[by, bx]
            above = coefficients[max(by - 1, 0), bx]
            left = coefficients[by, max(bx - 1, 0)]
            corner = coefficients[max(by - 1, 0), max(bx - 1, 0)]
            has_above, has_left = np.int64(by > 0), np.int64(bx > 0)
            other = beside[by, bx] if kind == 2 else here
            n_other = np.int64(0)
            if chroma:
                ly, lx = by * luma.shape[0] // rows, bx * luma.shape[1] // columns
                n_other = np.int64(luma[ly, lx, 0])
            n_above = np.int64(counts[max(by - 1, 0), bx, 0]) * has_above
            n_left = np.int64(counts[by, max(bx - 1, 0), 0]) * has_left
            average = n_above + n_left if not (has_above and has_left) else (n_above + n_left + 1) >> 1
            # how many coefficients of both frequencies are not zero
            n = np.int64(0)
            if d.control[0]:
                for i in range(49):
                    n += here[order[i]] != 0
            c, base = d.contexts, chroma << 12
            c[0] = base | average
            c[1] = base | 1 << 16 | _level(n_above) << 4 | _level(n_left)
            c[2] = base | 2 << 16 | n_other
            c[3] = base | 3 << 16 | _level(average) << 6 | _level(n_other)
            c[4] = base | 4 << 16 | n_above
            c[5] = base | 5 << 16 | n_left
            c[6] = base | 6 << 16 | (np.int64(counts[by, bx, 0]) if kind == 2 else np.int64(0))
            c[7] = base | 7 << 16
            if kind == 2:
                m = np.int64(0)
                for i in range(49):
                    m += other[order[i]] != 0
                c[6] = base | 6 << 16 | m << 5 | _level(average)
            n = code_tree(d, 600 + chroma, _TWO + 480 + _level(average), 6, n)
            if n > 49:
                d.control[2] = 1
                return
            counts[by, bx, 0] = n
            rest, last, before = n, np.int64(0), np.int64(0)
            for i in range(49):
                k = order[i]
                if rest == 0:
                    if not d.control[0]:
                        here[k] = 0
                    continue
                v, u = k >> 3, k & 7
                a, b = abs(np.int64(above[k])) * has_above, abs(np.int64(left[k])) * has_left
                w = 13 * (a + b) + 6 * abs(np.int64(corner[k])) * (has_above & has_left)
                near = np.int64(0)
                if v > 1:
                    near += 2 * abs(np.int64(here[k - 8]))
                if u > 1:
                    near += 2 * abs(np.int64(here[k - 1]))
                if v > 1 and u > 1:
                    near += abs(np.int64(here[k - 9]))
                if v > 2:
                    near += abs(np.int64(here[k - 16]))
                if u > 2:
                    near += abs(np.int64(here[k - 2]))
                lw, ln, same = _level(w >> 2), _level(near), abs(np.int64(other[k])) if kind == 2 else np.int64(0)
                full = np.int64(rest == 49 - i)
                base = (8 + chroma) << 16 | k << 10
                c[0] = base | lw << 4 | _level(rest)
                c[1] = 1 << 21 | base | min(a, 15) << 4 | min(b, 15)
                c[2] = 2 << 21 | base | ln << 4 | lw
                c[3] = 3 << 21 | base | rest
                c[4] = 4 << 21 | base | _level(last + before) << 6 | _level(n - rest)
                c[5] = 5 << 21 | base | _level(same) << 4 | _level(n_other)
                c[6] = 6 << 21 | (8 + chroma) << 16 | lw << 12 | ln << 8 | min(16 * rest // (49 - i), 15) << 4
                c[7] = 7 << 21 | base | min(near + (w >> 4), 63) << 4 | min(16 * rest // (49 - i), 15)
                one, two = 4 * k + 256 * chroma, _TWO + 4 * (lw * 4 + (min(ln, 7) >> 1)) + 256 * 0
                magnitude = code_magnitude(d, one, two, full, abs(np.int64(here[k])))
                if magnitude:
                    signs = _sign(above[k]) * has_above * 3 + _sign(left[k]) * has_left
                    c[0] = 1 << 26 | k << 8 | signs | chroma << 7
                    c[1] = 2 << 26 | (_sign(other[k]) if kind == 2 else np.int64(0)) << 4 | min(magnitude, 7)
                    c[2], c[3], c[4], c[5], c[6], c[7] = 0, 0, 0, 0, 0, 0
                    c[3] = 3 << 26 | k << 8 | (_sign(other[k]) if kind == 2 else np.int64(0))
                    c[4] = 4 << 26 | signs
                    negative = _code_sign(d, 0, 604, here[k])
                    rest -= 1
                    if not d.control[0]:
                        here[k] = -magnitude if negative else magnitude
                elif not d.control[0]:
                    here[k] = 0
                before, last = last, magnitude
            # the first row, then the first column
            for side in range(2):
                step, across = (1, 8) if side == 0 else (8, 1)
                m = np.int64(0)
                if d.control[0]:
                    for i in range(1, 8):
                        m += here[i * step] != 0
                base = (16 + 2 * side + chroma) << 16
                ea, el = np.int64(counts[max(by - 1, 0), bx, 1 + side]), np.int64(counts[by, max(bx - 1, 0), 1 + side])
                ea, el = ea * has_above, el * has_left
                eb = np.int64(counts[by, bx, 1]) if side else np.int64(0)
                c[0] = base | n
                c[1] = 1 << 21 | base | _level(n) << 8 | ea << 4 | el
                c[2] = 2 << 21 | base | eb << 4 | _level(n)
                c[3] = 3 << 21 | base | eb << 8 | ea << 4 | el
                c[4] = 4 << 21 | base | _level(n_other) << 4 | ea + el
                c[5], c[6], c[7] = 5 << 21 | base, 6 << 21 | base | ea, 7 << 21 | base | el
                m = code_tree(d, 602 + chroma, _TWO + 496 + 2 * side + chroma, 3, m)
                counts[by, bx, 1 + side] = m
                rest, last = m, np.int64(0)
                for i in range(1, 8):
                    k = i * step
                    if rest == 0:
                        if not d.control[0]:
                            here[k] = 0
                        continue
                    a, b = abs(np.int64(above[k])) * has_above, abs(np.int64(left[k])) * has_left
                    w = 13 * (a + b) + 6 * abs(np.int64(corner[k])) * (has_above & has_left)
                    guess = np.int64(0)
                    if side == 0 and has_above:
                        guess = _border(ratios, above, here, k, across, quant)
                    if side == 1 and has_left:
                        guess = _border(ratios, left, here, k, across, quant)
                    lg, lw, same = _level(abs(guess)), _level(w >> 2), np.int64(0)
                    near = np.int64(0)
                    for j in range(1, 4):
                        near += abs(np.int64(here[k + j * across]))
                    if kind == 2:
                        same = abs(np.int64(other[k]))
                    base = (24 + chroma) << 16 | k << 10
                    full = np.int64(rest == 8 - i)
                    c[0] = base | lg << 4 | rest
                    c[1] = 1 << 21 | base | min(a, 15) << 4 | min(b, 15)
                    c[2] = 2 << 21 | base | rest << 6 | n
                    c[3] = 3 << 21 | base | lg << 4 | _level(last)
                    c[4] = 4 << 21 | base | lw << 4 | lg
                    c[5] = 5 << 21 | base | _level(same) << 4 | _level(n_other)
                    c[6] = 6 << 21 | (24 + chroma) << 16 | min(abs(guess), 255) << 6 | rest << 3 | i
                    c[7] = 7 << 21 | base | _level(near) << 4 | lg
                    one, two = 4 * k + 256 * chroma, _TWO + 256 + 4 * (lg + 16 * side)
                    magnitude = code_magnitude(d, one, two, full, abs(np.int64(here[k])))
                    if magnitude:
                        toward = _sign(guess)
                        signs = _sign(above[k]) * has_above * 3 + _sign(left[k]) * has_left
                        sa = _sign(other[k]) if kind == 2 else np.int64(0)
                        c[0] = 5 << 26 | k << 8 | toward << 4 | lg
                        c[1] = 6 << 26 | toward << 16 | min(abs(guess), 255) << 4 | min(magnitude, 15)
                        c[2] = 7 << 26 | k << 8 | signs << 4 | toward
                        c[3] = 8 << 26 | k << 8 | sa << 4 | toward
                        c[4] = 9 << 26 | lg << 8 | sa << 4 | toward
                        c[5] = 10 << 26 | _level(magnitude) << 8 | lg << 4 | toward
                        c[6], c[7] = 0, 0
                        negative = _code_sign(d, 1, 605, here[k])
                        rest -= 1
                        if not d.control[0]:
                            here[k] = -magnitude if negative else magnitude
                    elif not d.control[0]:
                        here[k] = 0
                    last = magnitude
            # DC
            block[0] = 0
            for k in range(1, 64):
                block[k] = here[k] * quant[k]
            inverse(block)
            y, x = 8 * by, 8 * bx
            up, aside, low, high = np.int64(0), np.int64(0), np.int64(1 << 40), np.int64(-(1 << 40))
            for i in range(8):
                if has_above:
                    e = 3 * np.int64(samples[y - 1, x + i]) - samples[y - 2, x + i] - 3 * block[i] + block[8 + i]
                    up, low, high = up + e, min(low, e), max(high, e)
                if has_left:
                    e = (
                        3 * np.int64(samples[y + i, x - 1])
                        - samples[y + i, x - 2]
                        - 3 * block[8 * i]
                        + block[8 * i + 1]
                    )
                    aside, low, high = aside + e, min(low, e), max(high, e)
            # sums of twice the sample that DC adds, of eight: half of a sum is DC before the quantisation
            total = (up + aside) // 2 if has_above and has_left else up + aside
            q = quant[0]
            guess = min(max((total + q) // (2 * q), -_MOST), _MOST)
            spread = (high - low) * 4 // q if has_above or has_left else np.int64(0)
            differ = abs(up - aside) // q if has_above and has_left else np.int64(0)
            toward = _sign((up - total) // q) if has_above and has_left else np.int64(0)
            part = ((total + q) % (2 * q)) * 4 // (2 * q)
            base = (28 + chroma) << 16
            n_all = n + counts[by, bx, 1] + counts[by, bx, 2]
            ls, ld = _level(spread), _level(differ)
            c[0] = base | ls << 4 | ld
            c[1] = 1 << 21 | base | ld << 6 | n_all
            c[2] = 2 << 21 | base | ls << 6 | n_all
            c[3] = 3 << 21 | base | min(spread, 1023)
            c[4] = 4 << 21 | base | min(differ, 1023)
            c[5] = 5 << 21 | base | n_other << 4 | ls
            c[6] = 6 << 21 | base | part << 4 | ls
            c[7] = 7 << 21 | base
            one, two = 0 + 256 * chroma, _TWO + 384 + 4 * ls
            error = np.int64(here[0]) - guess
            magnitude = code_magnitude(d, one, two, 0, abs(error))
            if magnitude:
                c[0] = 11 << 26 | part << 4 | ls
                c[1] = 12 << 26 | toward << 8 | ld << 4 | min(magnitude, 3)
                c[2] = 13 << 26 | toward << 12 | part << 8 | ls << 4
                c[3], c[4], c[5], c[6], c[7] = 0, 0, 0, 0, 0
                negative = _code_sign(d, 2, 606, error)
                magnitude = -magnitude if negative else magnitude
            if not d.control[0]:
                if abs(guess + magnitude) > _MOST:
                    d.control[2] = 1
                    return
                here[0] = guess + magnitude
            for k in range(64):
                block[k] = here[k] * quant[k]
            inverse(block)
            for i in range(64):
                samples[y + (i >> 3), x + (i & 7)] = min(max(block[i], -2048), 2047)
