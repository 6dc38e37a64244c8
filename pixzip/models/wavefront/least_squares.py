"""Least squares on the network's residuals: which earlier pixels predict an error of the network, and how they weigh.

`docs/format.md`, section 12, specifies the whole stage.  For every channel a linear predictor estimates how far the
sample lies from the mixture's mean, from `taps` numbers: differences of neighbours from that mean, the network's
errors at neighbours, and what is known of the other channels.  Its coefficients solve weighted normal equations whose
sums decay with distance, along a row and from row to row [1, 2].

[1] Meyer, Tischer, Glicbawls: Grey Level Image Compression by Adaptive Weighted Least Squares, 2001.
[2] Ulacha, Stasinski, Extended Multi WLS Method for Lossless Image Coding, Entropy 22 (2020), 919.
"""

#: Neighbours of the same channel, minus the mean; offsets (dy, dx) to pixels of earlier steps.
OWN = ((0, -1), (-1, 0), (-1, 1), (-1, -1), (0, -2), (-2, 0), (-1, -2), (-2, 1))
#: Neighbours whose errors of the same channel are taps.
ERRORS = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-1, -2), (-2, -1))
#: Neighbours of every channel already coded, minus its sample here; its error here is a tap, too.
KNOWN = ((0, -1), (-1, 0), (-1, 1))
#: Neighbours whose errors of every channel that follows are taps.
LATER = ((0, -1), (-1, 0))
#: Pixels of a row between two solutions of its equations, and rows between those that are solved in the same step.
PERIOD = 4
#: Factor by which a sum decays from pixel to pixel, and from row to row.
DECAY = 31 / 32
#: Added to the diagonal of every system; half of it is the least pivot.
RIDGE = 30.0
#: Largest shift of a mixture, in its standard deviations.
MOST_SHIFT = 2.0
#: What a logistic adds to the deviation of a mixture, times its reciprocal scale: 512 pi / sqrt(3), which makes it a
#: sixteenth of the logistic's standard deviation in grey levels.
SPREAD = 929.0
#: Sums of less magnitude become zero, so that no arithmetic meets a subnormal number.
TINY = 2.0**-40
#: Diagonal of the sums above the first row, in models that were trained without it.
PRIOR = 1000
#: Largest magnitude of an entry of a trained prior; a diagonal of it leaves mixtures where they are.
PRIOR_LIMIT = 1 << 30
#: The least eigenvalue of a prior's matrix is at least this share of its largest entry, minus half of the ridge: more
#: than what an elimination in float32 rounds away.
PRIOR_SHARE = 2.0**-14


def count_taps(channel: int, channels: int) -> int:
    """Number of taps of a channel."""
    known, later = 1 + len(KNOWN), len(LATER)
    return len(OWN) + len(ERRORS) + known * channel + later * (channels - 1 - channel)


def count_sums(taps: int) -> int:
    """Number of sums of products of taps, and of taps and targets: rows 0 to `taps` - 1 of a lower triangle and one
    row more, of the target, without its last entry."""
    return (taps + 1) * (taps + 2) // 2 - 1
