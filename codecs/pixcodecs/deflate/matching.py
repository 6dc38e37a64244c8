"""The matches that zlib chooses at its levels 4 to 9: hash chains and a match put off by a byte [1].

Unlike in [1], no window slides: positions count from the beginning of the data.

[1] Gailly and Adler, zlib 1.2.13, deflate.c: `deflate_slow` and `longest_match`.
"""

from typing import NamedTuple

import numpy as np

from pixcodecs.compiled import compiled, inlined
from pixcodecs.deflate.symbols import LONGEST, SHORTEST

#: Bytes after a position without which it waits for more data.
LOOKAHEAD = LONGEST + SHORTEST + 1
#: Places of the state: the position, the length and start of the last match, whether a literal waits, the number of
#: tokens, the end of the block's data, and where zlib's window would begin.
AT, LENGTH, START, WAITS, TOKENS, END, WINDOW = range(7)
PLACES = 7
#: What `advance` returns: more data are needed; a block is full; the data have ended.
MORE, FULL, ENDED = range(3)


class Effort(NamedTuple):
    """zlib's parameters of a level.

    Attributes:
        good: after a match of this length, a quarter of the chain is searched.
        lazy: after a match of this length, none is searched.
        nice: a match of this length ends the search.
        chain: most positions of a search.
    """

    good: int
    lazy: int
    nice: int
    chain: int


EFFORTS = {
    4: Effort(4, 4, 16, 16), 5: Effort(8, 16, 32, 32), 6: Effort(8, 16, 128, 128), 7: Effort(8, 32, 128, 256),
    8: Effort(32, 128, 258, 1024), 9: Effort(32, 258, 258, 4096),
}  # fmt: skip


#: A step back that leaves every window.
_FARTHEST = 65535
_ONE, _TWO = np.uint64(1), np.uint64(2)


@inlined
def _inserted(data, base, at, head, chain, shift):
    """Put a position into the table of hashes; the last position of its hash, -1 if there is none."""
    p = np.uint64(at - base)
    key = (np.int64(data[p]) << 2 * shift) ^ (np.int64(data[p + _ONE]) << shift) ^ np.int64(data[p + _TWO])
    place = np.uint64(key & (head.shape[0] - 1))
    last = np.int64(head[place])
    chain[np.uint64(at & (chain.shape[0] - 1))] = min(at - last, _FARTHEST)
    head[place] = at
    return last


@inlined
def _longest(data, pairs, base, at, left, first, chain, best, effort, state):
    """The length of the longest match of more than `best` bytes, or `best`; its start goes to the state."""
    depth = effort[3] >> 2 if best >= effort[0] else effort[3]
    most = np.uint64(min(LONGEST, left))
    nice = min(np.uint64(effort[2]), most)
    limit = max(at - (chain.shape[0] - LOOKAHEAD), 0)
    # without signs, places are not counted from the end
    p, mask = np.uint64(at - base), np.uint64(chain.shape[0] - 1)
    size, other = np.uint64(best), first
    if size >= most:
        return best
    begin, end = pairs[p], pairs[p + size - _ONE]
    while True:
        q = np.uint64(other - base)
        if pairs[q + size - _ONE] == end and pairs[q] == begin:
            n = _TWO
            while n < most and data[q + n] == data[p + n]:
                n += _ONE
            if n > size:
                state[START], size = other, n
                if n >= nice:
                    break
                end = pairs[p + size - _ONE]
        other -= np.int64(chain[np.uint64(other) & mask])
        depth -= 1
        if other <= limit or depth == 0:
            break
    return np.int64(size)


@compiled
def advance(data, pairs, base, end, final, state, head, chain, shift, effort, far, tokens):
    """Turn data into tokens until a block is full or data are missing.

    Args:
        data, base, end: the data from position `base` on; the end of the data.
        pairs: each byte of the data and the next one, in one number.
        final: whether no more data follow.
        state: see the places above; the number of tokens is that of the block, and is set to 0 by the caller.
        head, chain: the last position of each hash; for each position of the window, the step to the one before it of
            the same hash.
        shift: bits by which a byte moves the hash.
        far: a match of three bytes has at most this distance.
        tokens: (2, N) the literal and 0, or length and distance of a match.
    """
    at, length, start, waits, n = state[AT], state[LENGTH], state[START], state[WAITS], state[TOKENS]
    window, outcome = chain.shape[0] - LOOKAHEAD, MORE
    while True:
        left = end - at
        if at - state[WINDOW] > 2 * chain.shape[0] - LOOKAHEAD:
            state[WINDOW] += chain.shape[0]
        if left < LOOKAHEAD and not final:
            break
        if left == 0:
            if waits:
                tokens[0, n], tokens[1, n] = data[at - 1 - base], 0
                n, waits = n + 1, 0
            state[END] = at
            outcome = ENDED
            break
        first = np.int64(-1)
        if left >= SHORTEST:
            first = _inserted(data, base, at, head, chain, shift)
        last, last_start, length = length, start, np.int64(SHORTEST - 1)
        if first > 0 and last < effort[1] and at - first <= window:
            state[START] = start
            length = _longest(data, pairs, base, at, left, first, chain, last, effort, state)
            start = state[START]
            if length == SHORTEST and at - start > far:
                length = np.int64(SHORTEST - 1)
        if last >= SHORTEST and length <= last:
            tokens[0, n], tokens[1, n] = last, at - 1 - last_start
            n += 1
            until = at - 1 + last
            at += 1
            while at < until:
                if at <= end - SHORTEST:
                    _inserted(data, base, at, head, chain, shift)
                at += 1
            waits, length = 0, np.int64(SHORTEST - 1)
            if n == tokens.shape[1]:
                state[END] = at
                outcome = FULL
                break
        elif waits:
            tokens[0, n], tokens[1, n] = data[at - 1 - base], 0
            n += 1
            at += 1
            if n == tokens.shape[1]:
                state[END] = at - 1
                outcome = FULL
                break
        else:
            waits = 1
            at += 1
    state[AT], state[LENGTH], state[START], state[WAITS], state[TOKENS] = at, length, start, waits, n
    return outcome
