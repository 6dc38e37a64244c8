"""The questions that lead to a sample in the full stage, of all samples at once: `docs/format.md`, section 13.2.

A question is whether a sample is at least t.  The first one, which depends on the mixture's mean, determines all that
may follow: a binary tree of 255 questions, one for each t.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixzip.models.wavefront.mixing import DOWN, SINGLE_STEPS, UP, WITHIN

Numbers = NDArray[np.int16]


class Questions(NamedTuple):
    """
    Attributes:
        path: (256, 256, L) the questions t for a first one and a sample, in order; 0 where there are no more.
        low, high, node: (256, 256) by first question and t: the sample is known to be in low <= p < high; node says
            of what kind the question is.  As for a first one where t is 0.
        after: (256, 256, 2) by first question, t and answer: the next t, or the sample, negative.
    """

    path: Numbers
    low: Numbers
    high: Numbers
    node: Numbers
    after: Numbers


@cache
def questions() -> Questions:
    """The questions for each first one, 1 to 255; row 0 is not used."""
    first, sample = (a.astype(np.int64) for a in np.ogrid[:256, :256])
    first, sample = np.broadcast_arrays(first, sample)
    low, high, node = (np.full((256, 256), value, np.int64) for value in (0, 256, 0))
    found = Questions(
        *(np.zeros((256, 256, 0), np.int16), np.zeros((256, 256), np.int16), np.full((256, 256), 256, np.int16)),
        *(np.zeros((256, 256), np.int16), np.zeros((256, 256, 2), np.int16)),
    )
    path: list[Numbers] = []
    direction, step, t = np.zeros_like(low), np.ones_like(low), first
    open_ = (first > 0) & (high - low > 1)
    while open_.any():
        path.append(np.where(open_, t, 0).astype(np.int16))
        for table, values in ((found.low, low), (found.high, high), (found.node, node)):
            table[first[open_], t[open_]] = values[open_]
        bit = sample >= t
        asked, before = open_, t
        low, high = np.where(open_ & bit, t, low), np.where(open_ & ~bit, t, high)
        if len(path) == 1:
            direction, node = np.where(bit, 1, -1), np.where(bit, UP, DOWN)
        else:
            goes_on = (direction != 0) & (bit == (direction > 0))
            direction, node = np.where(goes_on, direction, 0), node + goes_on
            if len(path) > SINGLE_STEPS:
                step = np.where(goes_on, 2 * step, step)
        open_ = open_ & (high - low > 1)
        widths = [1 << bits for bits in range(8)]
        node = np.where(direction == 0, WITHIN + np.searchsorted(widths, high - low - 1, "right"), node)
        up, down = np.minimum(high - 1, low + step), np.maximum(low + 1, high - step)
        t = np.where(direction > 0, up, np.where(direction < 0, down, (low + high) >> 1))
        found.after[first[asked], before[asked], bit[asked].astype(np.int64)] = np.where(open_, t, -low)[asked]
    return found._replace(path=np.stack(path, -1))
