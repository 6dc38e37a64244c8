"""Look-up tables of the mixture, and the quantisation of its parameters.

The tables are computed once, at export, and stored in the weights file: nothing here runs when a file is
coded, because float `exp` differs between machines.
"""

import numpy as np
from numpy.typing import NDArray

#: Mixture logits are in 1/16 octave; weights are 2^(-i/16) of the largest, out of WEIGHT_TOTAL.
LOGIT_STEPS = 16
WEIGHT_TOTAL = 1 << 10
#: Means and positions in the CDF are in 1/16 grey level.
MEAN_STEPS = 16
#: Means are kept within this many grey levels of 0..255.
MEAN_MARGIN = 64
#: Scales are 2^((i - SCALE_ZERO) / 8) grey levels, 0 <= i < N_SCALES.
SCALE_STEPS = 8
SCALE_ZERO = 36
N_SCALES = 80
#: Learned factors of the residuals of known channels are in 1/64.
FACTOR_LIMIT = 255
#: Maximum of a component's CDF, so that 256 values of frequency >= 1 fill 2^20 exactly.
CDF_TOTAL = (1 << 14) - 4
#: Arguments of the logistic function are in 1/512, clamped to +-LOGISTIC_LIMIT.
LOGISTIC_STEPS = 512
LOGISTIC_LIMIT = 5632
#: Fractional bits of reciprocal scales.
RECIPROCAL_BITS = 8

# Samples of 9 to 16 bits: the CDF is interpolated, because a sample can be much smaller than a step of the table.

#: Smallest frequency of a digit.
FLOOR = 16
#: The CDF is interpolated between every STRIDE-th entry of its table, because integers form a staircase in the tails.
STRIDE = 64
#: Log2 of a stride in the finest steps; an entry is 2^RECIPROCAL_BITS of these.
STRIDE_BITS = 14
#: Maximum of a mixture's CDF: product of weights, table and interpolation.
CDF_FULL = (WEIGHT_TOTAL * CDF_TOTAL) << RECIPROCAL_BITS


def exp2_table() -> NDArray[np.int16]:
    """(256,) WEIGHT_TOTAL * 2^(-i / LOGIT_STEPS), rounded."""
    i = np.arange(256)
    return np.floor(WEIGHT_TOTAL * 2.0 ** (-i / LOGIT_STEPS) + 0.5).astype(np.int16)


def logistic_table() -> NDArray[np.int16]:
    """(2 LOGISTIC_LIMIT + 1,) CDF_TOTAL times the logistic function, rounded; 0 and CDF_TOTAL at the ends."""
    z = np.arange(-LOGISTIC_LIMIT, LOGISTIC_LIMIT + 1) / LOGISTIC_STEPS
    table = np.floor(CDF_TOTAL / (1 + np.exp(-z)) + 0.5)
    table[0], table[-1] = 0, CDF_TOTAL
    return table.astype(np.int16)


def reciprocal_table() -> NDArray[np.int32]:
    """(N_SCALES,) LOGISTIC_STEPS / (MEAN_STEPS * scale) with RECIPROCAL_BITS fractional bits, rounded."""
    scale = 2.0 ** ((np.arange(N_SCALES) - SCALE_ZERO) / SCALE_STEPS)
    return np.floor(LOGISTIC_STEPS / (MEAN_STEPS * scale) * (1 << RECIPROCAL_BITS) + 0.5).astype(np.int32)
