"""Symbols of deflate: lengths and distances of matches, their bits beyond the symbol, and the fixed codes [1].

[1] RFC 1951, sections 3.2.5 and 3.2.6.
"""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import bit_length, inlined

Table = NDArray[np.int64]

#: Symbols of literals and lengths, of distances, and of the lengths of codes; the symbol that ends a block.
LITERALS, DISTANCES, LENGTHS, END = 286, 30, 19, 256
SHORTEST, LONGEST = 3, 258
#: The order in which the lengths of the codes of lengths are written.
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)

#: Bits beyond the symbol: of literals (none) and lengths, of distances, of lengths of codes.
LITERAL_BITS: Table = np.array([*(0,) * 257, *(0,) * 8, *(b for b in range(1, 6) for _ in range(4)), 0], np.int64)
DISTANCE_BITS: Table = np.array([max(0, k // 2 - 1) for k in range(DISTANCES)], np.int64)
LENGTH_BITS: Table = np.array([*(0,) * 16, 2, 3, 7], np.int64)
#: The first distance of each symbol, and the first length of each from 257 on.
FIRST_DISTANCE: Table = 1 + np.cumsum(np.concatenate([[0], 1 << DISTANCE_BITS[:-1]]))
FIRST_LENGTH: Table = SHORTEST + np.cumsum(np.concatenate([[0], 1 << LITERAL_BITS[257:285]]))
FIRST_LENGTH[-1] = LONGEST  # the symbol before could say it, too
#: Bits of the fixed codes of literals and lengths, of which two occur nowhere, and of distances.
FIXED_LITERALS: Table = np.repeat(np.array([8, 9, 7, 8], np.int64), (144, 112, 24, 8))
FIXED_DISTANCES: Table = np.full(DISTANCES, 5, np.int64)


@inlined
def length_symbol(length):
    """The symbol of a length, 3 to 258, less 257."""
    rest = length - SHORTEST
    if rest < 8:
        return rest
    top = bit_length(rest) - 1
    return 28 if length == LONGEST else 4 * (top - 1) + ((rest >> (top - 2)) & 3)


@inlined
def distance_symbol(distance):
    """The symbol of a distance, 1 to 32768."""
    rest = distance - 1
    if rest < 4:
        return rest
    top = bit_length(rest) - 1
    return 2 * top + ((rest >> (top - 1)) & 1)
