"""Logistic mixing of binary decisions: sizes and tables of the full stage.

A sample is coded as decisions whether it is at least some value.  Several experts give a probability for each; these
are mixed in the logistic domain by weights that are learned [1, 2].  `docs/format.md`, section 13, specifies the stage.

[1] Mahoney, Adaptive Weighing of Context Models for Lossless Data Compression, 2005.
[2] Mattern, Mixing Strategies in Data Compression, DCC 2012.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Stretched probabilities are in 1/256, within this limit.
STRETCH_LIMIT = 2815
#: Probabilities are in 1/2^16.
PROBABILITY_BITS = 16
#: Kinds of decisions: the first; 12 upwards, 12 downwards; and by the binary logarithm of the values that remain.
NODES, UP, DOWN, WITHIN = 33, 1, 13, 24
#: Steps of one value before steps are doubled.
SINGLE_STEPS = 4
#: Contexts whose counts are experts.
CONTEXTS = 7
#: Inputs of a mixer: three distributions, a constant, and two of each context.
EXPERTS, INPUTS = 4, 4 + 2 * CONTEXTS
#: Classes of deviations and of errors that select a mixer's weights.
KINDS = 12
#: Lines of counts of a context, and counts in a line.
LINE_BITS, LINE = 13, 64
#: Largest sum of the two counts of a slot.
MOST_COUNTS = 126
#: Right shift of products of inputs and errors, when they are added to weights.
RATE = 17
#: Largest magnitude of a weight of 2^-16.
MOST_WEIGHT = 1 << 20
#: Weights in files are in 2^-10, and of no larger magnitude either.
WEIGHT_SHIFT = 6
MOST_STORED = MOST_WEIGHT >> WEIGHT_SHIFT

#: Colours that a pixel may repeat: candidates of contexts, the last and the one before, and of neighbours.
CANDIDATES = 13
#: Contexts of candidates, rows of their tables, and bits of the colour that are kept of a context's hash.
TABLES, TABLE_BITS, CHECK_BITS = 5, 16, 8
#: Classes of a candidate's confidence.
TRUSTS = 8
#: Contexts of the decision whether a pixel repeats a candidate, and bits of their slots' numbers.
REPEAT_CONTEXTS, REPEAT_BITS = 5, 16
REPEAT_INPUTS = REPEAT_CONTEXTS + 1
REPEAT_RATE = 18
#: Least probability of a repetition that is coded.
LEAST_REPEAT = 1500
#: Gains are in 1/64 bit: at first, and at most.
FIRST_GAIN, MOST_GAIN = -4 * 64, 400 * 64
#: The constant input of all mixers.
CONSTANT = 77


def initial_weights(channels: int) -> NDArray[np.int16]:
    """(2 C, NODES, KINDS, INPUTS) weights of 2^-10 before any training: the moved mixture, and some of the others."""
    weights = np.zeros((2 * channels, NODES, KINDS, INPUTS), np.int16)
    weights[..., :3] = 768, 100, 156
    return weights


def initial_repeat_weights() -> NDArray[np.int16]:
    """(CANDIDATES, TRUSTS, REPEAT_INPUTS) weights of 2^-10 before any training."""
    return np.full((CANDIDATES, TRUSTS, REPEAT_INPUTS), 410, np.int16)


class Tables(NamedTuple):
    """
    Attributes:
        squash: (2 STRETCH_LIMIT + 3,) int32 probabilities.
        stretch: (2^16 + 1,) int16: the least argument of `squash` whose probability is at least the index.
        counted, sure: (128, 128) int16 inputs for two counts.
    """

    squash: NDArray[np.int32]
    stretch: NDArray[np.int16]
    counted: NDArray[np.int16]
    sure: NDArray[np.int16]


def squash_table() -> NDArray[np.int32]:
    """The logistic function in 1/2^16, rounded, for arguments of 1/256; computed once, and stored in weights files."""
    x = np.arange(-STRETCH_LIMIT, STRETCH_LIMIT + 1) / 256
    top = 1 << PROBABILITY_BITS
    return np.clip(np.floor(top / (1 + np.exp(-x)) + 0.5), 1, top - 1).astype(np.int32)


def tables(squash: NDArray[np.int32]) -> Tables:
    """All tables, from a model's table of the logistic function."""
    top = 1 << PROBABILITY_BITS
    stretch = np.searchsorted(squash, np.arange(top + 1)).clip(0, 2 * STRETCH_LIMIT) - STRETCH_LIMIT
    n0, n1 = np.arange(128)[:, None], np.arange(128)[None]
    share = (5 * n1 + 2) * top // (5 * (n0 + n1) + 4)
    sure = ((share - top // 2) * np.minimum(n0 + n1, 3)) // 384
    return Tables(squash, stretch.astype(np.int16), stretch[share].astype(np.int16), sure.astype(np.int16))
