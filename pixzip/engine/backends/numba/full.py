"""The loop of the full stage: one image, whose pixels are coded by decisions; see `loop` for the others."""

import numpy as np
from pixcodecs.compiled import compiled

from pixzip.engine.backends.numba.adapt import learn, move
from pixzip.engine.backends.numba.colours import look, remember
from pixzip.engine.backends.numba.decisions import about_log, centre, code_sample, fetch, keep, learn_decisions
from pixzip.engine.backends.numba.digits import raw_below
from pixzip.engine.backends.numba.loop import begin, store
from pixzip.engine.backends.numba.mixture import mixtures
from pixzip.engine.backends.numba.repeats import code_repeats, learn_repeats, look_repeats, weigh_repeats
from pixzip.engine.backends.numba.sync import meet

#: Pixels after this one whose counts are on their way.
_AHEAD = 2


@compiled
def full(part, parts, counter, steps, places, network, heads, rings, p, scratch, m, e, x, r, s, work, mode):
    """Code steps[0] to steps[1] - 1 of one image as thread `part` of `parts`; ends early with `work.status` below zero.

    Args:
        x, r: a Mixer and Repeats; for the others see `loop.encode`.
        mode: `loop.DECODE`, `ENCODE` or `MEASURE`.
    """
    meetings, at, slots_at, pitch = 0, counter.ctypes.data, x.slots.ctypes.data, places.pitch[0]
    remembers = m.colours.bitmap.shape[0] > 0
    for t in range(steps[0], steps[1]):
        count, i, j, own, mine = begin(part, parts, t, places, network, rings, p, scratch, m, e, work.pixels)
        if not count:
            continue
        look_repeats(part, i, j, pitch, p, r, work.pixels)
        weigh_repeats(i, j, r, x)
        meetings += 1
        meet(at, meetings, parts)
        if part == 0:
            work.status[0] = code_repeats(mode, count, p, r, x, s, work)
        for channel in range(m.centre.shape[1]):
            if i < j:
                mixtures(channel, heads, own.hidden, own.own, mine)
                keep(i, j, m, x)
                move(channel, t, i, j, places, p, m, e, work.pixels)
                if remembers:
                    look(channel, i, j, heads, p, m, work.pixels)
                # another thread may not have found the repetitions yet while this one begins the first channel
                found = count if channel or parts == 1 else 0
                centre(channel, i, j, pitch, heads, p, m, e, x, work.pixels, r.repeated[:found])
            meetings += 1
            meet(at, meetings, parts)
            if part == 0 and work.status[0] == 0:
                for row in range(count):
                    if row + _AHEAD < count and not r.repeated[row + _AHEAD]:
                        fetch(slots_at, row + _AHEAD, x)
                    address = p.address[row]
                    value = np.int64(work.pixels[address, channel])
                    if r.repeated[row]:
                        share = raw_below(heads, m, row, False, value + 1) - raw_below(heads, m, row, False, value)
                        x.nll[row] += 1280 - about_log(share)
                    else:
                        value = code_sample(mode, channel, value, row, address, heads, m, x, s, work)
                        if value < 0:
                            work.status[0] = value
                            break
                    store(value, row, channel, address, m, work.pixels)
                    learn(value, row, channel, t, p, m, e)
                    x.residuals[address, channel] = 16 * value - x.middle[row]
            meetings += 1
            meet(at, meetings, parts)
            if work.status[0] < 0:
                return
        if part == 0:
            if remembers:
                remember(t, places, m.colours, work.pixels)
            learn_decisions(x)
        if part == parts - 1:
            learn_repeats(count, p, r, x, work.pixels)
        meetings += 1
        meet(at, meetings, parts)
