"""The light stage in the compiled loop: least squares on the network's residuals, see `models.wavefront.least_squares`.

Rows y of an image belong to class y mod PERIOD.  In step t the equations of the rows of class t mod PERIOD are solved.
State is in planes of one float a row, so that the rows of a class are adjacent and LANES of them are solved at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.compiled import compiled, inlined

from pixzip.engine.backends.numba.lanes import (
    BYTES,
    LANES,
    accumulate,
    eliminate,
    invert,
    put,
    substitute,
    weigh,
)
from pixzip.engine.schedule import Schedule
from pixzip.models.wavefront import least_squares as LS

_LANES, _BYTES, _PERIOD = LANES, BYTES, LS.PERIOD
_OWN, _ERRORS, _KNOWN, _LATER = len(LS.OWN), len(LS.ERRORS), len(LS.KNOWN), len(LS.LATER)
#: Columns of `Equations.near`.
_NEAR = (*LS.OWN, *LS.ERRORS, *LS.KNOWN, *LS.LATER)
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_SPREAD, _MOST, _SHARE = np.float32(LS.SPREAD), np.float32(LS.MOST_SHIFT), np.float32(1 / 1024)

Floats = NDArray[np.float32]
Int64 = NDArray[np.int64]


class Equations(NamedTuple):
    """The state of the least squares of a batch; empty where nothing adapts.

    A plane has `columns` floats: some of which the last stands for the row above the first of its class, and one for
    each row of a class.  Images side by side, which have one size, share planes: the rows y of all, then the rows
    y + PERIOD.  For every image, or for all that are side by side, there are planes by class and by

    Attributes:
        sums, totals: sum;
        samples: pixel of the period, and tap, target and weight of each channel;
        coefficients: tap;
        near: (N, K) int64 offsets of the neighbours' addresses.
        taps, first_tap, first_sample, first_sum: (C,) int64 number of a channel's taps, and its first coefficient,
            sample and sum.
        all_taps, all_samples, all_sums: their numbers in all channels.
        columns, sums_at, samples_at, coefficients_at: (N,) int64 floats of a plane, and where an image's planes begin.
        lane, beside: (N,) int64 float of an image's first row in a plane, and floats from there to its next row.
        leads: (N,) int64 number of images whose planes are these, for the first of them; 0 for others.
        errors: (P, C) float32 samples minus means, in grey levels; 0 outside images.
        means, deviations: (M, C) int64 means of the step's mixtures, in 1/16 sample, and float32 deviations.
        scratch: (T, S, LANES) float32 for each thread.
    """

    sums: Floats
    totals: Floats
    samples: Floats
    coefficients: Floats
    near: Int64
    taps: Int64
    first_tap: Int64
    first_sample: Int64
    first_sum: Int64
    all_taps: int
    all_samples: int
    all_sums: int
    columns: Int64
    sums_at: Int64
    samples_at: Int64
    coefficients_at: Int64
    lane: Int64
    beside: Int64
    leads: Int64
    errors: Floats
    means: Int64
    deviations: Floats
    scratch: Floats


def _aligned(size: int) -> Floats:
    """Zeros from an address that a group of lanes divides."""
    whole = np.zeros(size + LANES, np.float32)
    start = -whole.ctypes.data % BYTES // 4
    return whole[start : start + size]


def _columns(rows: int, beside: int = 1) -> int:
    """Floats of a plane of some rows of each of the images side by side."""
    return LANES * (-(-beside // LANES) + -(-rows * beside // LANES))


def equations(
    schedule: Schedule, channels: int, prior: Floats | None, threads: int, most: int, *, together: bool = False
) -> Equations:
    """The state before the first step.

    Args:
        prior: the sums above the first row, channel after channel; None if nothing adapts.
        most: number of pixels in the largest step.
        together: whether the images, which are of one size, are side by side.
    """
    taps = np.array([LS.count_taps(c, channels) for c in range(channels)], np.int64)
    counts = np.array([LS.count_sums(int(n)) for n in taps])
    all_taps, all_sums = int(taps.sum()), int(counts.sum())
    all_samples = all_taps + 2 * channels
    on, n = prior is not None, len(schedule.height)
    beside = n if together else 1
    leads = np.full(n, beside)
    leads[1:] = 0 if together else 1
    origin = LANES * -(-beside // LANES)
    lane = origin + (np.arange(n) if together else np.zeros(n, np.int64))
    columns = np.array([on * _columns(-(-int(h) // LS.PERIOD), beside) for h in schedule.height], np.int64)

    def placed(planes: int) -> tuple[Floats, Int64]:
        sizes = LS.PERIOD * planes * columns * (leads > 0)
        return _aligned(int(sizes.sum())), (np.cumsum(sizes) - sizes) * (leads > 0)

    sums, sums_at = placed(all_sums)
    totals, _ = placed(all_sums)
    samples, samples_at = placed(LS.PERIOD * all_samples)
    coefficients, coefficients_at = placed(all_taps)
    if prior is not None:
        for at, width in zip(sums_at[leads > 0], columns[leads > 0], strict=True):
            planes = totals[at : at + LS.PERIOD * all_sums * width].reshape(LS.PERIOD, all_sums, width)
            planes[-1, :, origin - beside : origin] = prior[:, None]
    near = np.array(_NEAR, np.int64)
    largest = int(taps.max())
    return Equations(
        sums, totals, samples, coefficients, schedule.pitch[:, None] * near[:, 0] + near[:, 1], taps,
        np.cumsum(taps) - taps, np.cumsum(taps + 2) - taps - 2, np.cumsum(counts) - counts, all_taps, all_samples,
        all_sums, columns, sums_at, samples_at, coefficients_at, lane, np.full(n, beside), leads,
        np.zeros((schedule.buffer_pixels if on else 0, channels), np.float32), np.zeros((most, channels), np.int64),
        np.zeros((most, channels), np.float32),
        _aligned(threads * (LS.count_sums(largest) + largest + LS.PERIOD) * LANES).reshape(threads, -1, LANES),
    )  # fmt: skip


def state_bytes(size: tuple[int, int], channels: int) -> int:
    """Bytes of the sums, totals, samples and coefficients of an image of (height, width)."""
    taps = [LS.count_taps(c, channels) for c in range(channels)]
    planes = 2 * sum(map(LS.count_sums, taps)) + LS.PERIOD * (sum(taps) + 2 * channels) + sum(taps)
    return 4 * LS.PERIOD * planes * _columns(-(-size[0] // LS.PERIOD))


def last_totals(e: Equations, height: int) -> Floats:
    """The mean of the totals of the last rows of images of one height that are side by side."""
    count, width = int(e.leads[0]), int(e.columns[0])
    planes = e.totals.reshape(LS.PERIOD, e.all_sums, width)[(height - 1) % LS.PERIOD]
    first = int(e.lane[0]) + (height - 1) // LS.PERIOD * count
    total = np.zeros(e.all_sums)
    for image in range(count):  # one after another, so that the order of the sums is known
        total += planes[:, first + image]
    return (total / count).astype(np.float32)


@inlined
def _solve(channel, e, scratch, sums, totals, above, samples, coefficients, columns, low, high):
    """Solve a channel's equations in LANES rows, given the addresses of these rows in the first channel's planes."""
    n, pitch = e.taps[channel], 4 * columns
    weights, inverses, matrix = scratch, scratch + _BYTES * _PERIOD, scratch + _BYTES * (_PERIOD + n)
    planes = pitch * e.first_sum[channel]
    sums, totals, above = sums + planes, totals + planes, above + planes
    slot_pitch = pitch * e.all_samples
    samples += pitch * e.first_sample[channel]
    weigh(samples + pitch * (n + 1), slot_pitch, weights)
    row = np.int64(0)
    for i in range(n + 1):
        accumulate(
            sums + pitch * row, totals + pitch * row, above + pitch * row, pitch, min(i + 1, n), weights,
            samples + pitch * i, samples, slot_pitch, matrix + _BYTES * row, low, high,
        )  # fmt: skip
        row += i + 1
    start = matrix
    for i in range(n + 1):
        first, size = matrix, np.int64(1)
        for k in range(min(i, n)):
            # the rest of the row: the entries of columns k + 1 to i, or to n - 1 in the row of the target
            below = first + _BYTES * size
            eliminate(
                start + _BYTES * k, inverses + _BYTES * k, below + _BYTES * k, _BYTES * (size + 1),
                min(i, n - 1) - k,
            )  # fmt: skip
            first, size = below, size + 1
        if i < n:
            invert(start + _BYTES * i, inverses + _BYTES * i)
            start += _BYTES * (i + 1)
    last = start
    for i in range(n - 1, 0, -1):
        start -= _BYTES * (i + 1)
        substitute(last, start, last + _BYTES * i, i)
    put(coefficients + pitch * e.first_tap[channel], last, pitch, n, low, high)


@compiled
def solve(part, parts, t, places, e):
    """Solve the equations of the rows whose turn it is in step t, as thread `part` of `parts`."""
    which, group = t % _PERIOD, np.int64(0)
    scratch = e.scratch[part].ctypes.data
    for n in range(places.height.shape[0]):
        beside = e.leads[n]
        top = max(0, (t - places.width[n] + 2) // 2)
        bottom = min(places.height[n] - 1, t // 2)
        first, stop = (top - which + _PERIOD - 1) // _PERIOD, (bottom - which) // _PERIOD + 1
        if first >= stop or beside == 0:
            continue
        first, stop = first * beside, stop * beside
        columns = e.columns[n]
        for g in range(first // _LANES, (stop + _LANES - 1) // _LANES):
            group += 1
            if group % parts != part:
                continue
            column = e.lane[n] + _LANES * g
            at = e.sums_at[n] + which * e.all_sums * columns + column
            above = at - e.all_sums * columns
            if which == 0:
                above = at + (_PERIOD - 1) * e.all_sums * columns - beside
            samples = e.samples_at[n] + which * _PERIOD * e.all_samples * columns + column
            coefficients = e.coefficients_at[n] + which * e.all_taps * columns + column
            low, high = max(0, first - _LANES * g), min(_LANES, stop - _LANES * g)
            for channel in range(e.taps.shape[0]):
                _solve(
                    channel, e, scratch, e.sums.ctypes.data + 4 * at, e.totals.ctypes.data + 4 * at,
                    e.totals.ctypes.data + 4 * above, e.samples.ctypes.data + 4 * samples,
                    e.coefficients.ctypes.data + 4 * coefficients, columns, low, high,
                )  # fmt: skip


@compiled
def move(channel, t, first, stop, places, p, m, e, pixels):
    """Move the mixtures of pixels `first` to `stop` - 1 of step t by what their equations predict.

    Args:
        p, m, e: a StepPixels, Mixtures and Equations.
        pixels: (P, C) uint16.
    """
    n, channels, mixes = e.taps[channel], e.taps.shape[0], m.weights.shape[1]
    for i in range(first, stop):
        image, y, at = p.image[i], p.y[i], p.address[i]
        x, unit = t - 2 * y, m.units[i]
        total = np.int64(0)
        for k in range(mixes):
            total += np.int64(m.weights[i, k]) * np.int64(m.means[i, k])
        mean = (total + 512) >> 10
        e.means[i, channel] = mean
        grain = _ONE / np.float32(1 << unit)
        fine = grain * np.float32(0.0625)
        variance = _ZERO
        for k in range(mixes):
            distance = np.float32(np.int64(m.means[i, k]) - mean) * fine
            scale = _SPREAD / np.float32(m.slopes[i, k])
            variance += np.float32(m.weights[i, k]) * (scale * scale + distance * distance)
        deviation = np.sqrt(variance * _SHARE)
        e.deviations[i, channel] = deviation
        columns = e.columns[image]
        which, column = y % _PERIOD, e.lane[image] + y // _PERIOD * e.beside[image]
        slot = (x + y) % _PERIOD
        plane = (which * _PERIOD + slot) * e.all_samples + e.first_sample[channel]
        z = e.samples_at[image] + plane * columns + column
        b = e.coefficients_at[image] + (which * e.all_taps + e.first_tap[channel]) * columns + column
        if x == 0 and slot and y:
            above, above_column = (y - 1) % _PERIOD, e.lane[image] + (y - 1) // _PERIOD * e.beside[image]
            source = e.coefficients_at[image] + (above * e.all_taps + e.first_tap[channel]) * columns + above_column
            for k in range(n):
                e.coefficients[b + k * columns] = e.coefficients[source + k * columns]
        predicted, near = _ZERO, 0
        for _ in range(_OWN):
            there, value = at + e.near[image, near], _ZERO
            if places.inside[there]:
                value = np.float32(16 * np.int64(pixels[there, channel]) - mean) * fine
            e.samples[z] = value
            predicted += e.coefficients[b] * value
            near, z, b = near + 1, z + columns, b + columns
        for _ in range(_ERRORS):
            value = e.errors[at + e.near[image, near], channel]
            e.samples[z] = value
            predicted += e.coefficients[b] * value
            near, z, b = near + 1, z + columns, b + columns
        for other in range(channels):
            if other < channel:
                value = e.errors[at, other]
                e.samples[z] = value
                predicted += e.coefficients[b] * value
                z, b = z + columns, b + columns
                here = np.int64(pixels[at, other])
                for k in range(_KNOWN):
                    there, value = at + e.near[image, near + k], _ZERO
                    if places.inside[there]:
                        value = np.float32(np.int64(pixels[there, other]) - here) * grain
                    e.samples[z] = value
                    predicted += e.coefficients[b] * value
                    z, b = z + columns, b + columns
            elif other > channel:
                for k in range(_LATER):
                    value = e.errors[at + e.near[image, near + _KNOWN + k], other]
                    e.samples[z] = value
                    predicted += e.coefficients[b] * value
                    z, b = z + columns, b + columns
        spread = deviation + _HALF
        e.samples[z + columns] = _ONE / (spread * spread)
        most = _MOST * deviation
        predicted = max(-most, min(most, predicted))
        moved = np.int32(np.floor(predicted * np.float32(16 << unit) + _HALF))
        lowest = -np.int32(1024) << unit
        highest = 16 * m.tops[i] - lowest
        for k in range(mixes):
            m.means[i, k] = max(lowest, min(highest, m.means[i, k] + moved))


@inlined
def learn(value, i, channel, t, p, m, e):
    """Record a sample for the equations."""
    image, y = p.image[i], p.y[i]
    error = np.float32(16 * value - e.means[i, channel]) * (np.float32(0.0625) / np.float32(1 << m.units[i]))
    e.errors[p.address[i], channel] = error
    target = e.first_sample[channel] + e.taps[channel]
    plane = (y % _PERIOD * _PERIOD + (t - y) % _PERIOD) * e.all_samples + target
    column = e.lane[image] + y // _PERIOD * e.beside[image]
    e.samples[e.samples_at[image] + plane * e.columns[image] + column] = error
