"""Repetitions in the full stage: decisions whether a pixel has the colour of a neighbour, or that followed a context.

They code pixels of drawings in one decision or two.  Whether a class of candidates is coded at all depends on what it
would have saved so far, compared with the mixtures; so photographs do not pay for it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.compiled import compiled, inlined

from pixzip.engine.backends.numba.contexts import first_bits, mingled
from pixzip.engine.backends.numba.counts import both_of, count, counted_of, prefetch
from pixzip.engine.backends.numba.decisions import about_log, code
from pixzip.models.wavefront import mixing as X

_CANDIDATES, _TABLES, _TABLE_BITS, _CHECK_BITS = X.CANDIDATES, X.TABLES, X.TABLE_BITS, X.CHECK_BITS
_TRUSTS, _CONTEXTS, _BITS, _INPUTS = X.TRUSTS, X.REPEAT_CONTEXTS, X.REPEAT_BITS, X.REPEAT_INPUTS
_RATE, _LEAST, _MOST_GAIN, _CONSTANT = X.REPEAT_RATE, X.LEAST_REPEAT, X.MOST_GAIN, X.CONSTANT
_MOST_WEIGHT, _STRETCH = X.MOST_WEIGHT, X.STRETCH_LIMIT
_COLOUR = np.int64(0xFFFFFF)
#: Places of an entry's parts: colour, check of the context, and how often the colour came without another.
_CHECK_AT, _COUNT_AT = np.int64(24), np.int64(32)
_MOST_SEEN = 255
#: Pixels after this one whose entries are on their way.
_AHEAD = 4
#: Candidates of tables: the last colour and the one before.
_LAST, _BEFORE = np.array([0, 1, 2, 8, 9]), np.array([5, 6, 7, 10, 11])
_WEST, _NORTH, _NORTH_EAST = 3, 4, 12

Int64 = NDArray[np.int64]


class Repeats(NamedTuple):
    """State of the repetitions of one image of at most M pixels a step.

    Attributes:
        entries: (TABLES, 2^TABLE_BITS, 2) int64 the last colour after a context, and the one before; 0 for none.
        slots: (K,) uint32 counts of the decisions' contexts, see `counts`.
        weights, news: (CANDIDATES TRUSTS, REPEAT_INPUTS) int64 weights and sums of gradients.
        gains: (CANDIDATES TRUSTS,) int64 what a class of candidates would have saved, in 1/64 bit.
        records: (R,) int64 what this step adds to the counts.
        hashes: (M, TABLES) uint64 contexts of pixels.
        near: (M, 7) int64 colours of W, N, NW, NE, WW, NN and (-2, 2).
        candidates, trust: (T, CANDIDATES) int64 of each of T threads: colours of a pixel, and how often they came; 0
            for none.
        saved: (CANDIDATES TRUSTS,) int64 what this step adds to `gains`.
        tests: (M, CANDIDATES, 13) int64: colour, class, probability of 2^16, slots and inputs of each candidate.
        offered, tested: (M,) int64 number of these, and of those that were looked at.
        repeated: (M,) uint8 whether a pixel was coded as a repetition.
        how: (P,) uint8 by which candidate a pixel was coded, from 1; 0 for none.
    """

    entries: Int64
    slots: NDArray[np.uint32]
    weights: Int64
    news: Int64
    gains: Int64
    records: Int64
    hashes: NDArray[np.uint64]
    near: Int64
    candidates: Int64
    trust: Int64
    saved: Int64
    tests: Int64
    offered: Int64
    tested: Int64
    repeated: NDArray[np.uint8]
    how: NDArray[np.uint8]


def repeats(weights: NDArray[np.int16], most: int, buffer_pixels: int, threads: int) -> Repeats:
    """The state before the first step.

    Args:
        weights: (CANDIDATES, TRUSTS, REPEAT_INPUTS) of 2^-10.
        most: number of pixels in the largest step.
        threads: most threads.
    """
    start = weights.astype(np.int64).reshape(-1, _INPUTS) << X.WEIGHT_SHIFT
    return Repeats(
        entries=np.zeros((_TABLES, 1 << _TABLE_BITS, 2), np.int64), slots=np.zeros(_CONTEXTS << _BITS, np.uint32),
        weights=start, news=np.zeros_like(start), gains=np.full(len(start), X.FIRST_GAIN),
        records=np.zeros(most * _CANDIDATES * _CONTEXTS, np.int64), hashes=np.zeros((most, _TABLES), np.uint64),
        near=np.zeros((most, 7), np.int64),
        candidates=np.zeros((threads, _CANDIDATES), np.int64), trust=np.zeros((threads, _CANDIDATES), np.int64),
        saved=np.zeros(len(start), np.int64), tests=np.zeros((most, _CANDIDATES, 13), np.int64),
        offered=np.zeros(most, np.int64), tested=np.zeros(most, np.int64),
        repeated=np.zeros(most, np.uint8), how=np.zeros(buffer_pixels, np.uint8),
    )  # fmt: skip


@inlined
def _colour_of(pixels, at):
    """A pixel's samples as one number."""
    colour = np.int64(0)
    for channel in range(pixels.shape[1]):
        colour = colour << 8 | np.int64(pixels[at, channel])
    return colour


@inlined
def _look_around(i, at, pitch, r, pixels):
    """Read the colours of a pixel's neighbours, make the contexts of the tables, and ask for the entries."""
    near, hashes = r.near[i], r.hashes[i]
    near[0], near[1] = _colour_of(pixels, at - 1), _colour_of(pixels, at - pitch)
    near[2], near[3] = _colour_of(pixels, at - pitch - 1), _colour_of(pixels, at - pitch + 1)
    near[4], near[5] = _colour_of(pixels, at - 2), _colour_of(pixels, at - 2 * pitch)
    near[6] = _colour_of(pixels, at - 2 * pitch + 2)
    two = mingled(near[0], near[1])
    four = mingled(two, mingled(near[2], near[3]))
    hashes[0] = mingled(mingled(four, near[4]), mingled(near[5], near[6]))
    hashes[1], hashes[2] = four, two
    hashes[3], hashes[4] = mingled(near[0], np.int64(1)), mingled(near[1], np.int64(2))
    entries_at = r.entries.ctypes.data
    for k in range(_TABLES):
        prefetch(entries_at + 16 * ((k << _TABLE_BITS) + _place_of(hashes[k])[0]))


@inlined
def _place_of(hashed):
    """Where a context's entries are, and the check that tells it from others."""
    both = first_bits(hashed, _TABLE_BITS + _CHECK_BITS)
    return both >> _CHECK_BITS, both & ((1 << _CHECK_BITS) - 1)


@inlined
def _find(r, i, colours, trust):
    """Find the candidates of the contexts and neighbours that `_look_around` read."""
    for k in range(_TABLES):
        place, check = _place_of(r.hashes[i, k])
        for older in range(2):
            entry = r.entries[k, place, older]
            which = _BEFORE[k] if older else _LAST[k]
            colours[which] = entry & _COLOUR
            trust[which] = (entry >> _COUNT_AT) if (entry >> _CHECK_AT & 255) == check else np.int64(0)
    colours[_WEST], colours[_NORTH], colours[_NORTH_EAST] = r.near[i, 0], r.near[i, 1], r.near[i, 3]
    trust[_WEST], trust[_NORTH], trust[_NORTH_EAST] = 1, 1, 1


@inlined
def _trust_of(times):
    """Class of how often a colour came without another."""
    return min(times, np.int64(3)) if times < 4 else 4 + np.int64(times >= 8) + np.int64(times >= 32)


@inlined
def _slot(j, a, b):
    """The slot of a decision's context."""
    return (j << _BITS) + first_bits(mingled(mingled(j, a), b), _BITS)


@inlined
def _offer(i, at, pitch, r, colours, trust):
    """Write the tests of a pixel: each candidate, its class, and the slots that no decision of the pixel changes."""
    near, slots_at = r.near[i], r.slots.ctypes.data
    west, north = near[0], near[1]
    equal = np.int64(west == north) | np.int64(west == near[2]) << 1 | np.int64(north == near[2]) << 2
    equal |= np.int64(north == near[3]) << 3 | np.int64(west == near[4]) << 4 | np.int64(north == near[5]) << 5
    how = np.int64(r.how[at - 1]) * 64 + np.int64(r.how[at - pitch]) * 8 + np.int64(r.how[at - pitch + 1])
    offered = np.int64(0)
    for k in range(_CANDIDATES):
        colour, fresh = colours[k], trust[k] > 0
        for other in range(k):
            if trust[other] and colours[other] == colour:
                fresh = False
        if not fresh:
            continue
        kind = k * _TRUSTS + _trust_of(trust[k])
        same = np.int64(colour == west) | np.int64(colour == north) << 1
        same |= np.int64(colour == near[2]) << 2 | np.int64(colour == near[3]) << 3
        test = r.tests[i, offered]
        test[0], test[1] = colour, kind
        test[3] = _slot(np.int64(0), kind * 64 + equal, same)
        test[4] = _slot(np.int64(1), r.hashes[i, 2], np.int64(k))
        test[5] = _slot(np.int64(2), kind, how)
        test[6] = _slot(np.int64(3), r.hashes[i, 1], np.int64(k))
        test[7] = _slot(np.int64(4), colour, k * 16)
        for j in range(_CONTEXTS):
            prefetch(slots_at + 4 * test[3 + j])
        offered += 1
    r.offered[i] = offered


@compiled
def look_repeats(part, first, stop, pitch, p, r, pixels):
    """Find the candidates of the step's pixels `first` to `stop` - 1, as thread `part`."""
    for i in range(first, min(stop, first + _AHEAD)):
        _look_around(i, p.address[i], pitch, r, pixels)
    for i in range(first, stop):
        if i + _AHEAD < stop:
            _look_around(i + _AHEAD, p.address[i + _AHEAD], pitch, r, pixels)
        _find(r, i, r.candidates[part], r.trust[part])
        _offer(i, p.address[i], pitch, r, r.candidates[part], r.trust[part])


@compiled
def weigh_repeats(first, stop, r, x):
    """Compute the inputs of the tests that `look_repeats` wrote; sum up those that no decision of the pixel changes."""
    for i in range(first, stop):
        for q in range(r.offered[i]):
            test = r.tests[i, q]
            kind = test[1]
            total = r.weights[kind, _CONTEXTS] * _CONSTANT
            for j in range(_CONTEXTS):
                test[8 + j] = counted_of(both_of(x.pairs, r.slots[test[3 + j]]))
            for j in range(_CONTEXTS - 1):
                total += r.weights[kind, j] * test[8 + j]
            test[2] = total


@compiled
def code_repeats(mode, count, p, r, x, s, work):
    """Code for each of a step's pixels whether it is a repetition; 0, or a number below zero if that fails.

    The colours of repetitions are written into `work.pixels` at once.
    """
    pixels, channels = work.pixels, work.pixels.shape[1]
    for i in range(count):
        at, coded, tests = p.address[i], np.int64(0), np.int64(0)
        truth = _colour_of(pixels, at)
        x.nll[i], r.repeated[i], r.how[at] = 0, 0, 0
        while tests < r.offered[i]:
            test = r.tests[i, tests]
            colour, kind = test[0], test[1]
            k = kind // _TRUSTS
            if coded:
                test[7] = _slot(np.int64(4), colour, k * 16 + coded)
                test[12] = counted_of(both_of(x.pairs, r.slots[test[7]]))
            total = test[2] + r.weights[kind, _CONTEXTS - 1] * test[12]
            chance = np.int64(x.squash[max(np.int64(-_STRETCH), min(np.int64(_STRETCH), total >> 16)) + _STRETCH])
            test[2] = chance
            tests += 1
            if chance <= _LEAST or r.gains[kind] < 0:
                continue
            coded += 1
            bit = code(mode, np.int64(truth == colour), chance, at, s, work)
            if bit < 0:
                return bit
            if bit:
                r.repeated[i], r.how[at] = 1, 1 + min(k, 6)
                for channel in range(channels):
                    pixels[at, channel] = (colour >> 8 * (channels - 1 - channel)) & 255
                break
        r.tested[i] = tests
    return np.int64(0)


@inlined
def _enter(r, place, check, k, colour):
    """Record the colour after a context."""
    last, before = r.entries[k, place, 0], r.entries[k, place, 1]
    fresh = (colour | check << _CHECK_AT) + (np.int64(1) << _COUNT_AT)
    known = (np.int64(1) << _COUNT_AT) - 1
    if last >> _COUNT_AT and last & known == fresh & known:
        if last >> _COUNT_AT < _MOST_SEEN:
            r.entries[k, place, 0] = last + (np.int64(1) << _COUNT_AT)
        return
    r.entries[k, place, 1] = last
    r.entries[k, place, 0] = fresh
    if before >> _COUNT_AT and before & known == fresh & known:
        r.entries[k, place, 0] = before + (np.int64(before >> _COUNT_AT < _MOST_SEEN) << _COUNT_AT)


@compiled
def learn_repeats(steps_pixels, p, r, x, pixels):
    """Learn from a step's pixels, which are all known."""
    number = np.int64(0)
    for i in range(steps_pixels):
        truth = _colour_of(pixels, p.address[i])
        for q in range(r.tested[i]):
            test = r.tests[i, q]
            kind, chance, hit = test[1], test[2], np.int64(test[0] == truth)
            error = (hit << 16) - chance
            for j in range(_CONTEXTS):
                r.news[kind, j] += test[8 + j] * error
                r.records[number] = 2 * test[3 + j] + hit
                number += 1
            r.news[kind, _CONTEXTS] += _CONSTANT * error
            r.saved[kind] += about_log(chance if hit else 65536 - chance) - 1024
            if hit:
                r.saved[kind] += x.nll[i]
    count(r.slots, r.records, number)
    for kind in range(r.gains.shape[0]):
        r.gains[kind] = max(-_MOST_GAIN, min(_MOST_GAIN, r.gains[kind] + r.saved[kind]))
        r.saved[kind] = 0
        for j in range(_INPUTS):
            weight = r.weights[kind, j] + (r.news[kind, j] >> _RATE)
            r.weights[kind, j] = max(-_MOST_WEIGHT, min(_MOST_WEIGHT, weight))
            r.news[kind, j] = 0
    for i in range(steps_pixels):
        colour = _colour_of(pixels, p.address[i])
        for k in range(_TABLES):
            place, check = _place_of(r.hashes[i, k])
            _enter(r, place, check, k, colour)
