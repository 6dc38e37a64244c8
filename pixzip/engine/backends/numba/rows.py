"""The steps of the compiled loop one by one, with whole rows of frequencies, for stages and coders that need rows."""

import numpy as np
from pixcodecs.compiled import compiled

from pixzip.engine.backends.numba import loop
from pixzip.engine.backends.numba.adapt import learn, move, solve
from pixzip.engine.backends.numba.colours import look, remember
from pixzip.engine.backends.numba.digits import raw_below, row_of
from pixzip.engine.backends.numba.features import features
from pixzip.engine.backends.numba.mixture import Mixtures, mixtures
from pixzip.engine.backends.numba.trunk import Scratch, trunk

_store = loop.store


@compiled
def begin(count, t, places, network, rings, p, scratch, m, e, pixels):
    """Run the trunk for the pixels of step t, and solve its equations; see `loop.encode`."""
    if e.errors.shape[0]:
        solve(0, 1, t, places, e)
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
def freqs(channel, t, places, p, heads, scratch, m, e, pixels, deep, prefix, before, digits, out):
    """Write the (M, 16) float32 frequencies of digit number `before` into `out`; for the first one, also the mixtures.

    Args:
        prefix: (M,) int32: the digits before.
    """
    count = out.shape[0]
    if before == 0:
        mine = Mixtures(
            m.weights[:count], m.means[:count], m.slopes[:count], m.units[:count], m.tops[:count], m.centre[:count],
            m.known[:count], m.fine[:count], m.inputs[:count], m.outputs[:count],
            m.colours,
        )  # fmt: skip
        mixtures(channel, heads, scratch.hidden[:count], scratch.own[:count], mine)
        if e.errors.shape[0]:
            move(channel, t, 0, count, places, p, m, e, pixels)
        if m.colours.bitmap.shape[0]:
            look(channel, 0, count, heads, p, m, pixels)
    shift = 4 * (digits - 1 - before)
    for i in range(count):
        first = np.int64(prefix[i]) * 16
        low, high = raw_below(heads, m, i, deep, first << shift), raw_below(heads, m, i, deep, (first + 16) << shift)
        row_of(heads, m, i, deep, low, high, np.int64(prefix[i]), shift, out[i])


@compiled
def store(values, channel, t, places, p, m, e, pixels):
    """Store (M,) samples of a channel."""
    count = values.shape[0]
    for i in range(count):
        _store(np.int64(values[i]), i, channel, p.address[i], m, pixels)
        if e.errors.shape[0]:
            learn(np.int64(values[i]), i, channel, t, p, m, e)
    if channel == m.centre.shape[1] - 1 and m.colours.bitmap.shape[0]:
        remember(t, places, m.colours, pixels)
