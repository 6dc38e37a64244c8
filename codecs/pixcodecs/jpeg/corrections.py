"""Pixels that come out wrong: which, and by how much; `docs/format.md`, section 14.6."""

import numpy as np

from pixcodecs.compiled import compiled, inlined
from pixcodecs.jpeg.coefficients import code_magnitude
from pixcodecs.jpeg.decisions import decide

_ONE, _TWO = 704, 1728


@inlined
def _near(differences, y, x, width):
    """Whether a pixel before this one was corrected; 0 outside."""
    if y < 0 or x < 0 or x >= width:
        return np.int64(0)
    return np.int64(differences[y, x, 0] != 0 or differences[y, x, -1] != 0 or differences[y, x, 1] != 0)


@inlined
def _bounds(decoded, y, x, channels):
    """Two bits for each channel: whether its sample is 0 and whether it is 255."""
    found = np.int64(0)
    for c in range(channels):
        value = decoded[y, x, c]
        found = found << 2 | 2 * np.int64(value == 255) + np.int64(value == 0)
    return found


@compiled
def code_corrections(d, decoded, differences, flags, top, left):
    """Code what pixels differ by, block of luma by block of luma.

    Args:
        decoded: (H, W, C) uint8, what the coefficients decode to.
        differences: (H, W, 3) int16: the true samples less the decoded ones; read or written. Channels from C on are 0.
        flags: (rows, columns) uint8, for this function's use: zeros.
        top, left: see `Layout`.
    """
    height, width, channels = decoded.shape
    c = d.contexts
    for by in range(flags.shape[0]):
        y0, y1 = max(8 * by - top, 0), min(8 * by + 8 - top, height)
        for bx in range(flags.shape[1]):
            if d.control[2]:
                return
            x0, x1 = max(8 * bx - left, 0), min(8 * bx + 8 - left, width)
            wrong, limits = np.int64(0), np.int64(0)
            for y in range(y0, y1):
                for x in range(x0, x1):
                    limits += _bounds(decoded, y, x, channels) != 0
                    if d.control[0]:
                        wrong |= _near(differences, y, x, width)
            north = np.int64(flags[by - 1, bx]) if by else np.int64(0)
            west = np.int64(flags[by, bx - 1]) if bx else np.int64(0)
            corner = np.int64(flags[by - 1, bx - 1]) if by and bx else np.int64(0)
            east = np.int64(flags[by - 1, bx + 1]) if by and bx + 1 < flags.shape[1] else np.int64(0)
            edge = np.int64(by == 0) + 2 * np.int64(by == flags.shape[0] - 1)
            edge += 4 * np.int64(bx == 0) + 8 * np.int64(bx == flags.shape[1] - 1)
            around = north + 2 * west + 4 * corner + 8 * east
            base = 40 << 16
            c[0] = base | around
            c[1] = 1 << 24 | base | (limits + 3) // 4
            c[2] = 2 << 24 | base | edge << 4 | around
            c[3] = 3 << 24 | base | min(limits, 7) << 4 | around
            c[4] = 4 << 24 | base | edge
            c[5], c[6], c[7] = 0, 0, 0
            flags[by, bx] = decide(d, 0, _ONE, _TWO, wrong)
            if not flags[by, bx]:
                continue
            seen = np.int64(0)
            for y in range(y0, y1):
                for x in range(x0, x1):
                    w, n = _near(differences, y, x - 1, width), _near(differences, y - 1, x, width)
                    nw, ne = _near(differences, y - 1, x - 1, width), np.int64(0)
                    if y == y0 or x + 1 < x1:  # else it comes later
                        ne = _near(differences, y - 1, x + 1, width)
                    ww, nn = _near(differences, y, x - 2, width), _near(differences, y - 2, x, width)
                    around = w + 2 * n + 4 * nw + 8 * ne
                    limit = _bounds(decoded, y, x, channels)
                    here = np.int64(x == 0) + 2 * np.int64(y == 0)
                    here += 4 * np.int64(x == width - 1) + 8 * np.int64(y == height - 1)
                    base = 41 << 16
                    c[0] = base | around << 6 | limit
                    c[1] = 1 << 24 | base | around << 2 | ww << 1 | nn
                    c[2] = 2 << 24 | base | min(seen, 15) << 6 | (y - y0) << 3 | (x - x0)
                    c[3] = 3 << 24 | base | min(seen, 15) << 6 | limit
                    c[4] = 4 << 24 | base | here << 4 | around
                    c[5] = 5 << 24 | base | (limits + 3) // 4 << 4 | around
                    c[6] = 6 << 24 | base | min(seen, 15) << 4 | around
                    c[7] = 7 << 24 | base | limit
                    bit = _near(differences, y, x, width)
                    bit = decide(d, 0, _ONE + 1, _TWO + 1 + min(seen, 7), bit)
                    seen += bit
                    if not bit:
                        continue
                    before = np.int64(0)
                    for i in range(channels):
                        k = (1, 0, 2)[i] if channels > 1 else 0
                        value = np.int64(decoded[y, x, k])
                        difference = np.int64(differences[y, x, k])
                        dw = np.int64(differences[y, x - 1, k]) if x else np.int64(0)
                        dn = np.int64(differences[y - 1, x, k]) if y else np.int64(0)
                        dw, dn = min(max(dw, -7), 7) + 7, min(max(dn, -7), 7) + 7
                        db = min(max(before, -15), 15) + 15
                        bound = np.int64(value == 0) + 2 * np.int64(value == 255)
                        base = (42 << 16) | i << 14
                        c[0] = base | dw << 4 | dn
                        c[1] = 1 << 24 | base | db << 2 | bound
                        c[2] = 2 << 24 | base | db << 4 | dw
                        c[3] = 3 << 24 | base | limit
                        c[4] = 4 << 24 | base | here << 5 | db
                        c[5] = 5 << 24 | base | db
                        c[6], c[7] = 6 << 24 | base | dw, 7 << 24 | base | dn
                        one, two = _ONE + 16 + 4 * i, _TWO + 16 + 4 * (bound + 4 * i)
                        size = code_magnitude(d, one, two, 0, abs(difference))
                        if size:
                            for j in range(8):
                                c[j] |= 1 << 30
                            c[6] = 1 << 30 | 6 << 24 | base | min(size, 15)
                            negative = decide(d, 250, _ONE + 40, _TWO + 80 + bound, np.int64(difference < 0))
                            size = -size if negative else size
                        if value + size < 0 or value + size > 255:
                            d.control[2] = 1
                            return
                        differences[y, x, k] = size
                        before = size
