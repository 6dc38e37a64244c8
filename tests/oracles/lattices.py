"""The lattices of `docs/format.md`, section 12.6."""

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def lattice(number: int, order: tuple[int, ...]) -> NDArray[np.bool_]:
    """(2^24,) whether a colour, 65536 a + 256 b + c in coding order, is on the lattice (12.6)."""
    on = np.zeros(1 << 24, np.bool_)
    u, v = np.mgrid[-128:128, -128:128] if number == 1 else np.mgrid[-156:100, -137:119]
    for y in range(256):
        if number == 1:
            r, b = y + ((91881 * v + 32768) >> 16), y + ((116130 * u + 32768) >> 16)
            g = y + ((-22554 * u - 46802 * v + 32768) >> 16)
        else:
            r, b = (13584 * y + 18215 * v) // 10000, (13584 * y + 22179 * u) // 10000
            g = (13584 * y - 1940 * (22179 * u // 10000) - 5090 * (18215 * v // 10000)) // 10000
        planes = [np.clip(plane, 0, 255) for plane in (r, g, b)]
        on[65536 * planes[order[0]] + 256 * planes[order[1]] + planes[order[2]]] = True
    return on
