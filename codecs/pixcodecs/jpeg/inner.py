"""The 49 coefficients of both frequencies; `docs/format.md`, section 17.5."""

import numpy as np

from pixcodecs.compiled import inlined
from pixcodecs.jpeg.numbers import code_sign, code_size, code_tree, keep, level, neighbours, put, sign

_COUNT, _SIZE, _SIGN = 0, 2, 4
_TWO, _TWO_COUNT = 1024, 1472


@inlined
def code_count(d, r, order, n_above, n_left):
    """Code how many of them are not zero.

    Args:
        order: (49,) places.
        n_above, n_left: what the neighbours have; 0 where there are none.
    """
    average = (n_above + n_left + 1) >> 1 if r.has_above & r.has_left else n_above + n_left
    n, same = np.int64(0), np.int64(0)
    for i in range(49):
        if d.control[0]:
            n += r.here[order[i]] != 0
        if r.is_red:
            same += r.other[order[i]] != 0
    e, l = _COUNT + r.chroma, level(average)  # noqa: E741
    put(d, 0, e, average, 0, 0)
    put(d, 1, e, level(n_above), level(n_left), 0)
    put(d, 2, e, r.n_other, 0, 0)
    put(d, 3, e, l, r.n_other, 0)
    put(d, 4, e, n_above, 0, 0)
    put(d, 5, e, n_left, 0, 0)
    put(d, 6, e, same, l, 0)
    put(d, 7, e, 0, 0, 0)
    return code_tree(d, e, _TWO_COUNT + l, 6, n)


@inlined
def _near(here, k):
    """Magnitudes of coefficients of lower frequencies, weighted."""
    v, u = k >> 3, k & 7
    found = np.int64(0)
    if v > 1:
        found += 2 * abs(np.int64(here[k - 8]))
    if u > 1:
        found += 2 * abs(np.int64(here[k - 1]))
    if v > 1 and u > 1:
        found += abs(np.int64(here[k - 9]))
    if v > 2:
        found += abs(np.int64(here[k - 16]))
    if u > 2:
        found += abs(np.int64(here[k - 2]))
    return found


@inlined
def code_inner(d, r, order, n):
    """Code them.

    Args:
        order: (49,) places.
        n: how many are not zero.
    """
    rest, last, before = n, np.int64(0), np.int64(0)
    for i in range(49):
        k = order[i]
        if rest == 0:
            keep(d, r.here, k, 0)
            continue
        w, near = neighbours(r, k), _near(r.here, k)
        a, b = abs(np.int64(r.above[k])) * r.has_above, abs(np.int64(r.left[k])) * r.has_left
        same = np.int64(r.other[k]) * r.is_red
        lw, ln, share = level(w >> 2), level(near), 16 * rest // (49 - i)
        e = _SIZE + r.chroma
        put(d, 0, e, k, lw, level(rest))
        put(d, 1, e, k, min(a, 63), min(b, 63))
        put(d, 2, e, k, ln, lw)
        put(d, 3, e, k, rest, 0)
        put(d, 4, e, k, level(last + before), level(n - rest))
        put(d, 5, e, k, level(abs(same)), level(r.n_other))
        put(d, 6, e, lw, ln, share)
        put(d, 7, e, k, min(near + (w >> 4), 63), share)
        two = _TWO + 16 * lw + 4 * (min(ln, 7) >> 1)
        size = code_size(d, 4 * k + 256 * r.chroma, two, np.int64(rest == 49 - i), abs(np.int64(r.here[k])))
        before, last = last, size
        if size == 0:
            keep(d, r.here, k, 0)
            continue
        e = _SIGN + r.chroma
        signs = 3 * sign(a * r.above[k]) + sign(b * r.left[k])
        put(d, 0, e, k, signs, 0)
        put(d, 1, e, sign(same), min(size, 63), 0)
        put(d, 2, e, k, sign(same), 0)
        put(d, 3, e, signs, sign(same), 0)
        for j in range(4, 8):
            put(d, j, e, 0, 0, 0)
        keep(d, r.here, k, -size if code_sign(d, e, r.here[k]) else size)
        rest -= 1
