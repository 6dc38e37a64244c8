"""Numbers as decisions, and what their contexts are made of; `docs/format.md`, sections 17.4 and 17.5."""

from typing import Any, NamedTuple

import numpy as np

from pixcodecs.compiled import bit_length, compiled, inlined
from pixcodecs.jpeg.decisions import decide

#: Sizes have at most this many binary digits.
DIGITS = 12
_DIGITS = DIGITS
#: Node of a sign.
_SIGN_NODE = 250
#: Numbers of mixers: trees and signs in the first half, signs in the second.
_TREES, _SIGNS, _SIGNS_TWO = 512, 544, 1520


@inlined
def level(x):
    """Some twice the binary logarithm of a number, 0 for 0, at most 15."""
    if x == 0:
        return np.int64(0)
    b = bit_length(np.int64(x)) - 1
    return min(2 * b + 1 + np.int64(2 * x >= 3 << b), 15)


@inlined
def sign(x):
    """0 for 0, 1 for a positive number, 2 for a negative one."""
    return np.int64(x > 0) + 2 * np.int64(x < 0)


@inlined
def put(d, i, element, a, b, c):
    """Set context i of the next decisions: an element of the syntax, and three numbers of 0 to 63."""
    d.contexts[i] = element << 18 | a << 12 | b << 6 | c


@compiled
def code_tree(d, element, two, digits, value):
    """Code a number of some binary digits, the highest first."""
    node = np.int64(1)
    for i in range(digits - 1, -1, -1):
        node = 2 * node + decide(d, node, _TREES + element, two, value >> i & 1)
    return node - (1 << digits)


@compiled
def code_size(d, one, two, least, value):
    """Code a number of 0 or more: how many binary digits it has, which are at least `least`, in unary, then these."""
    digits, length = np.int64(least), bit_length(np.int64(value))
    while digits < _DIGITS:
        class_ = min(digits, 2)
        if not decide(d, digits, one + class_, two + class_, np.int64(length > digits)):
            break
        digits += 1
    found = np.int64(digits > 0)
    for i in range(digits - 2, -1, -1):
        node = 16 + digits if i == digits - 2 else 32 + i
        found = 2 * found + decide(d, node, one + 3, two + 3, value >> i & 1)
    return found


@compiled
def code_sign(d, element, value):
    """Code whether a number is negative."""
    return decide(d, _SIGN_NODE, _SIGNS + element, _SIGNS_TWO + element, np.int64(value < 0))


class Around(NamedTuple):
    """A block and what is around it.

    Attributes:
        here, above, left, corner: (64,) coefficients.
        other: those of Cb, for Cr.
        has_above, has_left, is_red: 0 or 1; `is_red` for Cr.
        chroma: 0 for luma, 1 for Cb and Cr.
        n_other: inner coefficients of the block of luma in the same place, for chroma; else 0.
    """

    here: Any
    above: Any
    left: Any
    corner: Any
    other: Any
    has_above: Any
    has_left: Any
    is_red: Any
    chroma: Any
    n_other: Any


@inlined
def neighbours(r, k):
    """13 times the magnitudes of coefficient k above and to the left, and 6 times that of the corner."""
    both = r.has_above & r.has_left
    a, b = abs(np.int64(r.above[k])) * r.has_above, abs(np.int64(r.left[k])) * r.has_left
    return 13 * (a + b) + 6 * abs(np.int64(r.corner[k])) * both


@inlined
def keep(d, here, k, value):
    """Write a coefficient that was decoded."""
    if not d.control[0]:
        here[k] = value
