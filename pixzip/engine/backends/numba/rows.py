"""The steps of the compiled loop one by one, with whole rows of frequencies, for stages and coders that need rows."""

import numpy as np
from pixcodecs.compiled import compiled

from pixzip.engine.backends.numba import loop
from pixzip.engine.backends.numba.digits import raw_below, row_of
from pixzip.engine.backends.numba.features import features
from pixzip.engine.backends.numba.mixture import Mixtures, mixtures
from pixzip.engine.backends.numba.trunk import Scratch, trunk

_store = loop.store


@compiled
def begin(count, places, network, rings, p, scratch, m, pixels):
    """Run the trunk for the pixels of a step; see `loop.run`."""
    for i in range(count):
        m.tops[i] = places.tops[p.image[i]]
        if places.units.shape[0]:
            m.units[i] = places.units[p.image[i]]
    own = Scratch(
        scratch.features[:count], scratch.activations[:count], scratch.others[:count], scratch.stream[:count],
        scratch.hidden[:count], scratch.own[:count], scratch.repeated,
    )  # fmt: skip
    features(
        pixels, places.inside, p.address[:count], p.image[:count], places.offsets, places.units, places.levels,
        scratch.repeated[0], m.centre, own.features,
    )  # fmt: skip
    trunk(network, rings, p.taps[:count], own)


@compiled
def freqs(channel, heads, scratch, m, deep, prefix, before, digits, out):
    """Write the (M, 16) float32 frequencies of digit number `before` into `out`; for the first one, also the mixtures.

    Args:
        prefix: (M,) int32: the digits before.
    """
    count = out.shape[0]
    if before == 0:
        mine = Mixtures(
            m.weights[:count], m.means[:count], m.slopes[:count], m.units[:count], m.tops[:count], m.centre[:count],
            m.known[:count], m.fine[:count], m.inputs[:count], m.outputs[:count],
        )  # fmt: skip
        mixtures(channel, heads, scratch.hidden[:count], scratch.own[:count], mine)
    shift = 4 * (digits - 1 - before)
    for i in range(count):
        first = np.int64(prefix[i]) * 16
        low, high = raw_below(heads, m, i, deep, first << shift), raw_below(heads, m, i, deep, (first + 16) << shift)
        row_of(heads, m, i, deep, low, high, np.int64(prefix[i]), shift, out[i])


@compiled
def store(values, channel, address, m, pixels):
    """Store (M,) samples of a channel."""
    for i in range(values.shape[0]):
        _store(np.int64(values[i]), i, channel, address[i], m, pixels)
