"""Blocks of JPEG's coefficients, for pixels that came out of a JPEG decoder."""

from typing import NamedTuple

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container.blocks import Kind, Samples

#: With fewer pixels to correct, no other kind is smaller: a photograph's pixels do not come out of a decoder by chance.
_SURE_SHARE = 0.1


class Candidate(NamedTuple):
    """A block, and whether no other kind needs to be tried on a photograph."""

    block: bytes
    is_sure: bool


def block(samples: Samples) -> Candidate | None:
    """A block of kind 14 for (H, W, C) uint8 samples, C = 1 or 3, or None if no JPEG is found in them."""
    from pixcodecs.jpeg.block import encode  # kernels
    from pixcodecs.jpeg.finding.find import find

    found = find(samples.astype(np.uint8, copy=False)) if samples.shape[2] in (1, 3) else None
    if found is None:
        return None
    body, corrected = encode(found.layout, found.planes, samples)
    share = corrected / (samples.shape[0] * samples.shape[1])
    return Candidate(blocks.foreign(Kind.JPEG, body), share < _SURE_SHARE)
