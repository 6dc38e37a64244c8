"""Pixels that come out wrong: which, and by how much; `docs/format.md`, section 17.6."""

import numpy as np

from pixcodecs.compiled import compiled, inlined
from pixcodecs.jpeg.decisions import bounded, decide
from pixcodecs.jpeg.numbers import code_sign, code_size, level, put

_BLOCK, _PIXEL, _SIZE, _SIGN = 18, 19, 20, 23
_ONE, _ONE_SIZE = 576, 600
_TWO_BLOCK, _TWO_PIXEL, _TWO_SIZE = 1550, 1552, 1568


@inlined
def _is_wrong(differences, y, x):
    """Whether a pixel is corrected; 0 outside."""
    if y < 0 or x < 0 or x >= differences.shape[1]:
        return np.int64(0)
    return np.int64(differences[y, x, 0] != 0 or differences[y, x, 1] != 0 or differences[y, x, 2] != 0)


@inlined
def _limits(decoded, y, x):
    """Two bits for each channel, the first one's highest: whether its sample is 255, and whether it is 0."""
    found = np.int64(0)
    for c in range(decoded.shape[2]):
        value = decoded[y, x, c]
        found = found << 2 | 2 * np.int64(value == 255) + np.int64(value == 0)
    return found


@inlined
def _flag(flags, by, bx):
    if by < 0 or bx < 0 or bx >= flags.shape[1]:
        return np.int64(0)
    return np.int64(flags[by, bx])


@inlined
def _code_block_flag(d, flags, by, bx, limited, wrong):
    """Code whether a block has a wrong pixel."""
    around = _flag(flags, by - 1, bx) + 2 * _flag(flags, by, bx - 1)
    around += 4 * _flag(flags, by - 1, bx - 1) + 8 * _flag(flags, by - 1, bx + 1)
    edge = np.int64(by == 0) + 2 * np.int64(by == flags.shape[0] - 1)
    edge += 4 * np.int64(bx == 0) + 8 * np.int64(bx == flags.shape[1] - 1)
    put(d, 0, _BLOCK, around, 0, 0)
    put(d, 1, _BLOCK, level(limited), 0, 0)
    put(d, 2, _BLOCK, edge, around, 0)
    put(d, 3, _BLOCK, min(limited, 7), around, 0)
    put(d, 4, _BLOCK, edge, 0, 0)
    for i in range(5, 8):
        put(d, i, _BLOCK, 0, 0, 0)
    return decide(d, 0, _ONE, _TWO_BLOCK, wrong)


@inlined
def _code_difference(d, i, decoded, differences, y, x, k, before, limit, edge):
    """Code by how much channel k, the i-th one, is wrong; return it."""
    value = np.int64(decoded[y, x, k])
    west = np.int64(differences[y, x - 1, k]) if x else np.int64(0)
    north = np.int64(differences[y - 1, x, k]) if y else np.int64(0)
    v, w, first = bounded(west, -7, 7) + 7, bounded(north, -7, 7) + 7, bounded(before, -15, 15) + 15
    bound, e = 2 * np.int64(value == 255) + np.int64(value == 0), _SIZE + i
    put(d, 0, e, v, w, 0)
    put(d, 1, e, first, bound, 0)
    put(d, 2, e, first, v, 0)
    put(d, 3, e, limit, 0, 0)
    put(d, 4, e, edge, first, 0)
    put(d, 5, e, first, 0, 0)
    put(d, 6, e, v, 0, 0)
    put(d, 7, e, w, 0, 0)
    difference = np.int64(differences[y, x, k])
    size = code_size(d, _ONE_SIZE + 4 * i, _TWO_SIZE + 16 * i + 4 * bound, 0, abs(difference))
    if size == 0:
        return np.int64(0)
    e = _SIGN + i
    put(d, 0, e, v, w, 0)
    put(d, 1, e, first, bound, 0)
    put(d, 2, e, first, v, 0)
    put(d, 3, e, limit, 0, 0)
    put(d, 4, e, edge, first, 0)
    put(d, 5, e, first, min(size, 15), 0)
    put(d, 6, e, v, min(size, 15), 0)
    put(d, 7, e, bound, min(size, 15), 0)
    return -size if code_sign(d, e, difference) else size


@compiled
def code_corrections(d, decoded, differences, flags, top, left):
    """Code what pixels differ by, block of luma by block of luma; return the number of those that do.

    Args:
        decoded: (H, W, C) uint8, what the coefficients decode to.
        differences: (H, W, 3) int16: the true samples less the decoded ones; read or written. Channels from C on are 0.
        flags: (rows, columns) uint8, for this function's use: zeros.
        top, left: see `Layout`.
    """
    height, width, channels = decoded.shape
    count = np.int64(0)
    for by in range(flags.shape[0]):
        y0, y1 = max(8 * by - top, 0), min(8 * by + 8 - top, height)
        for bx in range(flags.shape[1]):
            if d.control[2]:
                return count
            x0, x1 = max(8 * bx - left, 0), min(8 * bx + 8 - left, width)
            wrong, limited = np.int64(0), np.int64(0)
            for y in range(y0, y1):
                for x in range(x0, x1):
                    limited += _limits(decoded, y, x) != 0
                    if d.control[0]:
                        wrong |= _is_wrong(differences, y, x)
            flags[by, bx] = _code_block_flag(d, flags, by, bx, limited, wrong)
            if not flags[by, bx]:
                continue
            seen = np.int64(0)
            for y in range(y0, y1):
                for x in range(x0, x1):
                    around = _is_wrong(differences, y, x - 1) + 2 * _is_wrong(differences, y - 1, x)
                    around += 4 * _is_wrong(differences, y - 1, x - 1)
                    if y == y0 or x + 1 < x1:  # else it comes later
                        around += 8 * _is_wrong(differences, y - 1, x + 1)
                    further = _is_wrong(differences, y, x - 2) + 2 * _is_wrong(differences, y - 2, x)
                    limit, many = _limits(decoded, y, x), min(seen, np.int64(15))
                    edge = np.int64(x == 0) + 2 * np.int64(y == 0)
                    edge += 4 * np.int64(x == width - 1) + 8 * np.int64(y == height - 1)
                    put(d, 0, _PIXEL, around, limit, 0)
                    put(d, 1, _PIXEL, around, further, 0)
                    put(d, 2, _PIXEL, many, y - y0, x - x0)
                    put(d, 3, _PIXEL, many, limit, 0)
                    put(d, 4, _PIXEL, edge, around, 0)
                    put(d, 5, _PIXEL, level(limited), around, 0)
                    put(d, 6, _PIXEL, many, around, 0)
                    put(d, 7, _PIXEL, limit, 0, 0)
                    bit = decide(d, 0, _ONE + 1, _TWO_PIXEL + min(seen, np.int64(7)), _is_wrong(differences, y, x))
                    if not bit:
                        continue
                    seen, count, before = seen + 1, count + 1, np.int64(0)
                    for i in range(channels):
                        k = (i + 1) % 3 if channels == 3 else 0  # G, B, R
                        before = _code_difference(d, i, decoded, differences, y, x, k, before, limit, edge)
                        if not 0 <= np.int64(decoded[y, x, k]) + before <= 255:
                            d.control[2] = 1
                            return count
                        differences[y, x, k] = before
    return count
