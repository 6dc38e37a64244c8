"""Read bits, and so samples and repetitions of the full stage, where the probabilities of all questions are known.

Which question is next depends on the answers, so that pixels are read one after another.
"""

from pixcodecs.coders.bits_numba import take_bit
from pixcodecs.compiled import compiled


@compiled
def read_samples(first, chances, given, after, state, words, span, samples):
    """Read samples by increasing number; 0, or a number below zero as from `take_bit`.

    Args:
        first: (M,) int64 first questions.
        chances: (M, 255) int64 probabilities of 2^16 that the samples are at least 1 to 255.
        given: (M,) int64 samples that are known, or -1.
        after: see `Questions.after`.
        state: (4,) uint64, see `range_numba`.
        words: uint32 words of a payload, from span[0] to span[1] - 1.
        samples: (M,) int64, is written.
    """
    for i in range(first.shape[0]):
        t = first[i] if given[i] < 0 else -given[i]
        while t > 0:
            bit = take_bit(state, chances[i, t - 1], words, span[0], span[1])
            if bit < 0:
                return bit
            t = after[first[i], t, bit]
        samples[i] = -t
    return 0


@compiled
def read_repetitions(chances, asked, state, words, span, repeated):
    """Read which candidate each pixel repeats; 0, or a number below zero as from `take_bit`.

    Args:
        chances, asked: (M, K) int64 probabilities of 2^16 that pixels repeat candidates; bool, whether that is coded.
        state, words, span: see `read_samples`.
        repeated: (M,) int64, is written: the candidate, or -1.
    """
    for i in range(chances.shape[0]):
        repeated[i] = -1
        for k in range(chances.shape[1]):
            if asked[i, k]:
                bit = take_bit(state, chances[i, k], words, span[0], span[1])
                if bit < 0:
                    return bit
                if bit:
                    repeated[i] = k
                    break
    return 0
