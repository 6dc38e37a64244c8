"""The inverse DCT of libjpeg's `jidctint` [1], `islow`, in integers.

Samples are kept without the range limit, because predictions of neighbouring blocks need them; the limit here clamps,
as libjpeg-turbo's vector code does, where `jidctint` itself wraps around beyond 512.

[1] C. Loeffler, A. Ligtenberg, G. Moschytz, Practical fast 1-D DCT algorithms with 11 multiplications, ICASSP 1989;
    libjpeg-turbo, jidctint.c.
"""

from pixcodecs.compiled import compiled, inlined

#: Bits behind the point of the constants below, and of values between the two passes.
_CONSTANT, _PASS = 13, 2
_FIRST, _SECOND = _CONSTANT - _PASS, _CONSTANT + _PASS + 3
_FIRST_HALF, _SECOND_HALF = 1 << _FIRST - 1, 1 << _SECOND - 1


@inlined
def _inverse_line(block, at, step, half, shift):
    """The inverse DCT of 8 numbers, in place."""
    z2, z3 = block[at + 2 * step], block[at + 6 * step]
    z1 = (z2 + z3) * 4433
    t2, t3 = z1 - z3 * 15137, z1 + z2 * 6270
    z2, z3 = block[at], block[at + 4 * step]
    t0, t1 = (z2 + z3) << 13, (z2 - z3) << 13
    t10, t13, t11, t12 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
    t0, t1, t2, t3 = block[at + 7 * step], block[at + 5 * step], block[at + 3 * step], block[at + step]
    z1, z2, z3, z4 = t0 + t3, t1 + t2, t0 + t2, t1 + t3
    z5 = (z3 + z4) * 9633
    z1, z2 = z1 * -7373, z2 * -20995
    z3, z4 = z3 * -16069 + z5, z4 * -3196 + z5
    t0, t1, t2, t3 = t0 * 2446 + z1 + z3, t1 * 16819 + z2 + z4, t2 * 25172 + z2 + z3, t3 * 12299 + z1 + z4
    block[at] = (t10 + t3 + half) >> shift
    block[at + 7 * step] = (t10 - t3 + half) >> shift
    block[at + step] = (t11 + t2 + half) >> shift
    block[at + 6 * step] = (t11 - t2 + half) >> shift
    block[at + 2 * step] = (t12 + t1 + half) >> shift
    block[at + 5 * step] = (t12 - t1 + half) >> shift
    block[at + 3 * step] = (t13 + t0 + half) >> shift
    block[at + 4 * step] = (t13 - t0 + half) >> shift


@inlined
def inverse(block):
    """Dequantised coefficients -> samples less 128, without the range limit, in place.

    Args:
        block: (64,) int64, row by row; magnitudes below 2^24.
    """
    for x in range(8):
        _inverse_line(block, x, 8, _FIRST_HALF, _FIRST)
    for y in range(8):
        _inverse_line(block, 8 * y, 1, _SECOND_HALF, _SECOND)


@compiled
def inverse_plane(coefficients, quant, samples, block):
    """Quantised coefficients -> samples in their range.

    Args:
        coefficients: (rows, columns, 64) int16.
        quant: (64,) int64.
        samples: (8 rows, 8 columns) uint8, which are written.
        block: (64,) int64, for this function's use.
    """
    for by in range(coefficients.shape[0]):
        for bx in range(coefficients.shape[1]):
            for k in range(64):
                block[k] = coefficients[by, bx, k] * quant[k]
            inverse(block)
            for i in range(64):
                samples[8 * by + (i >> 3), 8 * bx + (i & 7)] = min(max(block[i] + 128, 0), 255)
