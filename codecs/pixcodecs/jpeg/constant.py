"""DC, which the samples beside the borders of a block predict; `docs/format.md`, section 17.5."""

import numpy as np

from pixcodecs.compiled import inlined
from pixcodecs.jpeg.numbers import code_sign, code_size, keep, level, put, sign

_SIZE, _SIGN = 14, 16
_TWO = 1408
#: DC and every other coefficient is of at most this magnitude.
MOST = 2047
_MOST = MOST


@inlined
def code_constant(d, r, n_all, samples, y, x, quant, block):
    """Code DC; return whether it is in its range.

    Args:
        n_all: other coefficients that are not zero.
        samples: of the channel, less 128; those of this block, which begins at (y, x), are not known.
        block: (64,) int64: what the other coefficients decode to.
    """
    up, aside, low, high = np.int64(0), np.int64(0), np.int64(1 << 40), np.int64(-(1 << 40))
    for i in range(8):
        if r.has_above:
            e = 3 * np.int64(samples[y - 1, x + i]) - samples[y - 2, x + i] - 3 * block[i] + block[8 + i]
            up, low, high = up + e, min(low, e), max(high, e)
        if r.has_left:
            e = 3 * np.int64(samples[y + i, x - 1]) - samples[y + i, x - 2] - 3 * block[8 * i] + block[8 * i + 1]
            aside, low, high = aside + e, min(low, e), max(high, e)
    both, q = r.has_above & r.has_left, quant[0]
    total = (up + aside) >> both  # twice DC before its quantisation
    guess = min(max((total + q) // (2 * q), -_MOST), _MOST)
    spread = (high - low) * 4 // q if r.has_above | r.has_left else np.int64(0)
    differ = abs(up - aside) * both // q
    toward = sign((up - total) * both // q)
    part = (total + q) % (2 * q) * 4 // (2 * q)
    ls, ld, n = level(spread), level(differ), min(n_all, 63)
    e = _SIZE + r.chroma
    put(d, 0, e, ls, ld, 0)
    put(d, 1, e, ld, n, 0)
    put(d, 2, e, ls, n, 0)
    put(d, 3, e, min(spread, 63), 0, 0)
    put(d, 4, e, min(differ, 63), 0, 0)
    put(d, 5, e, r.n_other, ls, 0)
    put(d, 6, e, part, ls, 0)
    put(d, 7, e, 0, 0, 0)
    error = np.int64(r.here[0]) - guess
    size = code_size(d, 256 * r.chroma, _TWO + 4 * ls, 0, abs(error))
    if size:
        e = _SIGN + r.chroma
        put(d, 0, e, part, ls, 0)
        put(d, 1, e, toward, ld, min(size, 3))
        put(d, 2, e, toward, part, ls)
        for j in range(3, 8):
            put(d, j, e, 0, 0, 0)
        size = -size if code_sign(d, e, error) else size
    if abs(guess + size) > _MOST:
        return False
    keep(d, r.here, 0, guess + size)
    return True
