"""Many steps of a batch as one Triton kernel, with one independent program per image.

The pixels of a step are independent of each other, and so are images.  So one program runs all steps of an image, and
only its own threads synchronise: there are no launches within a step or between steps.  All numbers are integers
except the range coder's shares, which are float32 products by definition.

The tests run the kernel in Triton's interpreter on a CPU, and compare every byte.
"""

import triton
import triton.language as tl

from pixzip.engine.backends.triton.coders import bins_range, bins_rans, look_up, places_range, places_rans
from pixzip.engine.backends.triton.model import mixture, trunk

#: Numbers that describe an image to its program: sides, position in the pixel buffer and in the rings' rows, first
#: slot, number of lanes, first lane, and end of the words.
FIELDS = ("height", "width", "base", "pitch", "row", "slot", "lanes", "lane", "words_end")
#: Modes of a program: symbols are known, decoded by rANS, or decoded by the range coder.
KNOWN, RANS, RANGE = 0, 1, 2

_FIELDS, _RANS, _RANGE = tl.constexpr(len(FIELDS)), tl.constexpr(RANS), tl.constexpr(RANGE)


@triton.jit(do_not_specialize=["t_first", "t_end", "rows"])  # one compilation for images of all sizes
def steps(
    images, t_first, t_end, rows, buffer, ring, hidden, centre, residuals, mixtures, bins, values, edges, states,
    words, at_words, damaged, entry, entry_shift, entry_bias, blocks, block_shifts, mixing, mixing_shifts,
    hidden_weight, hidden_shift, hidden_bias, known, out, out_shift, out_bias, factors, factors_bias, exp2, logistic,
    reciprocal, finer, taps_a, taps_b, MODE: tl.constexpr, C: tl.constexpr, INPUTS: tl.constexpr, D: tl.constexpr,
    E: tl.constexpr, K: tl.constexpr, KP: tl.constexpr, N_BLOCKS: tl.constexpr, N_MIXING: tl.constexpr,
    BM: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Code the pixels of steps t_first to t_end - 1 of one image.

    Shapes, with S slots and R rows in all images: `buffer`, `values` (P, C) uint8; `ring` (blocks, 4 R, D) int8;
    `hidden` (S, C, E), `centre`, `residuals` (S, C), `mixtures` (S, 3, KP), `bins` (S, 3) int32; `edges` (P, C, 2)
    int64; `states` int64: for rANS one per lane, for the range coder low, range and point of every image; `words`
    int32; `at_words`, `damaged` (N,) int32.  The rest are the fields of `Operands`.
    """
    own = images + tl.program_id(0) * _FIELDS
    height, width, base, pitch = tl.load(own), tl.load(own + 1), tl.load(own + 2), tl.load(own + 3)
    row, slot, lanes, lane = tl.load(own + 4), tl.load(own + 5), tl.load(own + 6), tl.load(own + 7)
    end, at, bad = tl.load(own + 8), tl.load(at_words + tl.program_id(0)), tl.load(damaged + tl.program_id(0))
    each = tl.arange(0, LANES)
    x = tl.load(states + lane + each, mask=each < lanes, other=1 << 31)
    range_of = states + lane
    low = tl.load(range_of, mask=MODE == _RANGE, other=0).to(tl.uint64)
    span = tl.load(range_of + 1, mask=MODE == _RANGE, other=0).to(tl.uint64)
    point = tl.load(range_of + 2, mask=MODE == _RANGE, other=0).to(tl.uint64)
    for step in range(t_first, t_end):
        t = step + tl.zeros((), tl.int32)  # a tensor in Triton's interpreter, too
        first = tl.maximum(t - width + 2, 0) // 2
        count = tl.minimum(height - 1, t // 2) - first + 1
        for at_row in range(0, count, BM):
            trunk(
                buffer, ring, hidden, centre, base, pitch, height, width, row, rows, slot, t, first, count, at_row,
                entry, entry_shift, entry_bias, blocks, block_shifts, mixing, mixing_shifts, hidden_weight,
                hidden_shift, hidden_bias, finer, taps_a, taps_b, C, INPUTS, D, E, N_BLOCKS, N_MIXING, BM,
            )  # fmt: skip
        tl.debug_barrier()
        for channel in range(C):
            for at_row in range(0, count, BM):
                mixture(
                    hidden, centre, residuals, mixtures, slot, count, at_row, channel, known, out, out_shift, out_bias,
                    factors, factors_bias, exp2, reciprocal, C, E, K, KP, BM,
                )  # fmt: skip
            tl.debug_barrier()
            if MODE == _RANS:
                x, at = bins_rans(x, at, end, mixtures, bins, words, logistic, slot, count, lanes, KP, LANES)
                tl.debug_barrier()
                x, at = places_rans(
                    x, at, end, mixtures, bins, words, logistic, buffer, residuals, centre, base, pitch, slot, t,
                    first, count, lanes, channel, C, KP, LANES,
                )  # fmt: skip
            elif MODE == _RANGE:
                low, span, point, at, bad = bins_range(
                    low, span, point, at, bad, end, mixtures, bins, words, logistic, slot, count, KP
                )
                tl.debug_barrier()
                low, span, point, at, bad = places_range(
                    low, span, point, at, bad, end, mixtures, bins, words, logistic, buffer, residuals, centre, base,
                    pitch, slot, t, first, count, channel, C, KP,
                )  # fmt: skip
            else:
                for at_row in range(0, count, BM):
                    look_up(
                        mixtures, logistic, values, edges, buffer, residuals, centre, base, pitch, slot, t, first,
                        count, at_row, channel, C, KP, BM,
                    )  # fmt: skip
            tl.debug_barrier()
    tl.store(states + lane + each, x, mask=(each < lanes) & (MODE == _RANS))
    tl.store(range_of, low.to(tl.int64), mask=MODE == _RANGE)
    tl.store(range_of + 1, span.to(tl.int64), mask=MODE == _RANGE)
    tl.store(range_of + 2, point.to(tl.int64), mask=MODE == _RANGE)
    tl.store(at_words + tl.program_id(0), at)
    tl.store(damaged + tl.program_id(0), bad)
