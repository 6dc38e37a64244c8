"""Decisions (bits) by a mixture of adaptive predictions, in integers; `docs/format.md`, section 17.4.

Each of several contexts has a slot that counts how often a decision was 1 there.  A mixer weighs what the slots say, in
the logistic domain, and learns from each decision [1].  The range coder of model payloads codes the bits.

[1] M. Mahoney, Adaptive weighing of context models for lossless data compression, Florida Tech CS-2005-16, 2005.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders.range_numba import WHOLE, new_states, put, quantile, start, take
from pixcodecs.compiled import inlined

#: Contexts of a decision.
CONTEXTS = 8
#: Two inputs for each context, and a constant one.
INPUTS = 2 * CONTEXTS + 1
#: Slots of a context, as a power of two.
SLOT_BITS = 16
#: Largest number that `stretch` gives and `squash` takes; 256 stand for a factor of e in the odds.
LIMIT = 2815
#: Most that a slot counts: it goes on learning.
MOST_SEEN = 255
_CONSTANT_INPUT = 256
_MIXERS = 1 << 11
_FIRST_WEIGHT = 1 << 12
_LEARNING = 16
_LIMIT, _MOST_SEEN = LIMIT, MOST_SEEN
_CONTEXTS, _INPUTS = CONTEXTS, INPUTS
_WHOLE = WHOLE
_SPREAD, _PLACE = np.uint64(0x9E3779B97F4A7C15), np.uint64(64 - SLOT_BITS)

#: The logistic function of -22/2 ... 22/2, of 2^16; `squash` interpolates between them.
KNOTS = (
    1, 2, 3, 5, 8, 13, 22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514,
    65523, 65528, 65531, 65533, 65534, 65535,
)  # fmt: skip


def _squash() -> NDArray[np.int32]:
    x = np.arange(2 * LIMIT + 1) + 1
    knots = np.array(KNOTS)
    low, part = x >> 7, x & 127
    found: NDArray[np.int32] = ((knots[low] * (128 - part) + knots[low + 1] * part + 64) >> 7).astype(np.int32)
    return found


#: squash(x) at x + LIMIT.
SQUASH = _squash()
#: stretch of a probability p of 2^16, at p >> 4.
STRETCH = (np.minimum(np.searchsorted(SQUASH, 16 * np.arange(4096) + 8), 2 * LIMIT) - LIMIT).astype(np.int32)
#: What a slot that has seen n decisions moves by, of 2^16.
RATES = (2**17 // (2 * np.arange(MOST_SEEN + 1) + 3)).astype(np.int32)


class Decisions(NamedTuple):
    """The arrays of a coder of decisions; kernels own no memory.

    Attributes:
        control: whether to encode; decisions left; whether the payload is damaged; number of words of a decoder.
        contexts: of the decision that comes.
    """

    control: NDArray[np.int64]
    state: NDArray[np.uint64]
    words: NDArray[np.uint32]
    slots: NDArray[np.int32]
    weights: NDArray[np.int32]
    contexts: NDArray[np.int64]
    places: NDArray[np.int64]
    inputs: NDArray[np.int64]
    squash: NDArray[np.int32]
    stretch: NDArray[np.int32]
    rates: NDArray[np.int32]


def new(words: NDArray[np.uint32], *, encoding: bool, most: int) -> Decisions:
    """A coder that has coded nothing.

    Args:
        words: of the payload, or room for them: one for each decision and two more are enough.
        most: decisions that may be coded.
    """
    state = new_states(1)[0]
    if not encoding:
        start(state, words, 0, len(words))
    return Decisions(
        np.array([encoding, most, 0, len(words)], np.int64), state, words,
        np.full(CONTEXTS << SLOT_BITS, 1 << 29, np.int32), np.full((_MIXERS, INPUTS), _FIRST_WEIGHT, np.int32),
        np.zeros(CONTEXTS, np.int64), np.zeros(CONTEXTS, np.int64), np.zeros(INPUTS, np.int64), SQUASH, STRETCH, RATES,
    )  # fmt: skip


@inlined
def bounded(x, least, most):
    """The number nearest to x between two."""
    return min(max(x, least), most)


@inlined
def decide(d, node, one, two, bit):
    """Code a decision; return it.

    Args:
        node: number of the decision within its contexts, 0 to 255.
        one, two: mixers.
        bit: the decision; ignored by a decoder.
    """
    if d.control[1] <= 0:
        d.control[2] = 1
        return np.int64(0)
    d.control[1] -= 1
    for i in range(_CONTEXTS):
        place = i << 16 | np.int64(np.uint64(d.contexts[i] << 8 | node) * _SPREAD >> _PLACE)
        d.places[i] = place
        chance = np.int64(d.slots[place]) >> 8
        d.inputs[2 * i] = d.stretch[chance >> 10]
        d.inputs[2 * i + 1] = (chance >> 6) - 32768 >> 5
    d.inputs[2 * _CONTEXTS] = _CONSTANT_INPUT
    x0, x1 = np.int64(0), np.int64(0)
    for j in range(_INPUTS):
        x0 += d.inputs[j] * d.weights[one, j]
        x1 += d.inputs[j] * d.weights[two, j]
    y0, y1 = bounded(x0 >> 16, -_LIMIT, _LIMIT), bounded(x1 >> 16, -_LIMIT, _LIMIT)
    edge = 256 * (65536 - np.int64(d.squash[((y0 + y1) >> 1) + _LIMIT]))
    if d.control[0]:
        put(d.state, edge if bit else np.int64(0), np.int64(_WHOLE) if bit else edge, d.words, 0)
    else:
        at = quantile(d.state)
        bit = np.int64(at >= edge)
        good = take(d.state, edge if bit else np.int64(0), np.int64(_WHOLE) if bit else edge, d.words, 0, d.control[3])
        if at < 0 or not good:
            d.control[1], d.control[2] = 0, 1
    e0, e1 = (bit << 16) - d.squash[y0 + _LIMIT], (bit << 16) - d.squash[y1 + _LIMIT]
    for j in range(_INPUTS):
        w = d.weights[one, j] + (d.inputs[j] * e0 >> _LEARNING)
        d.weights[one, j] = min(max(w, -(1 << 20)), 1 << 20)
    for j in range(_INPUTS):
        w = d.weights[two, j] + (d.inputs[j] * e1 >> _LEARNING)
        d.weights[two, j] = min(max(w, -(1 << 20)), 1 << 20)
    for i in range(_CONTEXTS):
        slot = np.int64(d.slots[d.places[i]])
        chance, seen = slot >> 8, slot & 255
        chance += ((bit << 22) - bit - chance) * d.rates[seen] >> 16
        d.slots[d.places[i]] = chance << 8 | min(seen + 1, _MOST_SEEN)
    return bit
