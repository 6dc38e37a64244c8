"""Which lattices of colours to try on the samples of a tile, by what share of some pixels is on them."""

from collections.abc import Sequence

import numpy as np
from pixcodecs.container.blocks import Precision, Samples

from pixzip.engine.stages.base import Identity
from pixzip.models.wavefront import lattices
from pixzip.models.wavefront.colours import LEAST_PIXELS

#: Pixels examined, and how many different colours they must have at least: of few colours, all may be on a lattice.
_EXAMINED, _LEAST_COLOURS = 512, 64
#: From the first share on a lattice is tried, beside none; from the second on nothing else is.
_DOUBTED, _SURE = 0.8, 0.98


def trials(
    samples: Samples, stages: Sequence[Identity], precision: Precision
) -> list[tuple[Identity, Precision]]:  # fmt: skip
    """The stages, each with every lattice to try with it.

    Args:
        samples: (H, W, C) in the order R, G, B.
    """
    found = _lattices(samples) if precision.depth == 8 and any(stage.number for stage in stages) else [lattices.NONE]
    return [
        (stage, precision._replace(lattice=lattice))
        for stage in stages
        for lattice in (found if stage.number else [lattices.NONE])
    ]


def _lattices(samples: Samples) -> list[int]:
    """The lattices to try on 8-bit samples; none is one of them."""
    pixels = samples.reshape(-1, samples.shape[2])
    if pixels.shape[1] != 3 or len(pixels) < LEAST_PIXELS:
        return [lattices.NONE]
    # a step that shares no factor with common widths, so that all columns are examined
    some = pixels[np.arange(_EXAMINED) * (len(pixels) // _EXAMINED | 1) % len(pixels)].astype(np.int64)
    if len(np.unique(some, axis=0)) < _LEAST_COLOURS:
        return [lattices.NONE]
    share, best = max((lattices.share_on(number, some), number) for number in lattices.LATTICES)
    if share < _DOUBTED:
        return [lattices.NONE]
    return [best] if share >= _SURE else [lattices.NONE, best]
