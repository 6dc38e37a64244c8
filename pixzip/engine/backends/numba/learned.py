"""What the batches of a stack hand on to each other: all that a stage has learned, but nothing that has a position."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixzip.engine.backends.numba.colours import Seen
from pixzip.engine.backends.numba.decisions import Mixer
from pixzip.engine.backends.numba.repeats import Repeats


@dataclass
class Learned:
    """What a stage knows when a batch begins.  Its images share it, and all but the prior changes in place.

    Attributes:
        prior: sums of the least squares above the first row of each image, see `Operands.prior`.
        seen: colours seen.
        decisions, repeats: state of the full stage; None for other stages, and before the first batch.
    """

    prior: NDArray[np.float32]
    seen: Seen
    decisions: Mixer | None = None
    repeats: Repeats | None = None
