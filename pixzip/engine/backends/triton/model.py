"""The model in Triton: trunk, heads and mixtures for the pixels that one program codes in one step.

All numbers are integers.  Every function equals its namesake in `pixzip.engine.backends.torch` and `docs/format.md`.
"""

import triton
import triton.language as tl

from pixzip.engine.backends.triton.operands import COLUMNS, ROWS
from pixzip.engine.schedule import RING
from pixzip.models.wavefront import tables as T
from pixzip.models.wavefront.taps import MASK_A
from pixzip.models.wavefront.weights import OUTPUT_SHIFTS, STREAM_FRACTION

_RING, _COLUMNS, _PART = tl.constexpr(RING), tl.constexpr(COLUMNS), tl.constexpr(ROWS)
#: Number of taps that read pixels; in an input vector their entries precede those of the predictions.
_TAPS = tl.constexpr(len(MASK_A))
_STREAM_FRACTION, _HALF = tl.constexpr(STREAM_FRACTION), tl.constexpr(1 << (STREAM_FRACTION - 1))
_LOGITS, _MEANS = tl.constexpr(OUTPUT_SHIFTS["logits"]), tl.constexpr(OUTPUT_SHIFTS["means"])
_SCALES, _FACTORS = tl.constexpr(OUTPUT_SHIFTS["scales"]), tl.constexpr(OUTPUT_SHIFTS["factors"])
_WEIGHT_TOTAL, _FACTOR_LIMIT = tl.constexpr(T.WEIGHT_TOTAL), tl.constexpr(T.FACTOR_LIMIT)
_LOWEST_MEAN, _HIGHEST_MEAN = tl.constexpr(-16 * T.MEAN_MARGIN), tl.constexpr(16 * (255 + T.MEAN_MARGIN))
_SCALE_ZERO, _N_SCALES = tl.constexpr(T.SCALE_ZERO), tl.constexpr(T.N_SCALES)
_LIMIT, _RECIPROCAL_BITS = tl.constexpr(T.LOGISTIC_LIMIT), tl.constexpr(T.RECIPROCAL_BITS)


@triton.jit
def _activate(stream):
    """(M, N) int32 stream -> int8 activations."""
    return tl.minimum(tl.maximum(stream >> _STREAM_FRACTION, 0), 127).to(tl.int8)


@triton.jit
def _activate_finer(stream, finer):
    """`_activate` with `finer` extra fractional bits."""
    half = tl.zeros_like(finer) + _HALF
    # reduce the half step that rounds to nearest to half a finer step
    return tl.minimum(tl.maximum((stream - half + (half >> finer)) >> (-finer + _STREAM_FRACTION), 0), 127).to(tl.int8)


@triton.jit
def _product(activations, matrix, shift, ROWS: tl.constexpr, N: tl.constexpr):
    """(M, ROWS) int8 times the (ROWS, N) matrix, shifted: (M, N) int32."""
    n = tl.arange(0, N)
    weights = tl.load(matrix + tl.arange(0, ROWS)[:, None] * N + n[None, :])
    return tl.dot(activations, weights, out_dtype=tl.int32) << tl.load(shift + n)[None, :]


@triton.jit
def load_pixel(buffer, address, inside, channel, C: tl.constexpr):
    """Load int32 pixels of a channel, zeros outside the image."""
    return tl.load(buffer + address * C + channel, mask=inside, other=0).to(tl.int32)


@triton.jit
def _med(buffer, address, pitch, active, x, y, channel, C: tl.constexpr):
    """(M,) MED predictions of a channel."""
    west = load_pixel(buffer, address - 1, active & (x > 0), channel, C)
    north = load_pixel(buffer, address - pitch, active & (y > 0), channel, C)
    north_west = load_pixel(buffer, address - pitch - 1, active & (x > 0) & (y > 0), channel, C)
    return tl.minimum(tl.maximum(west + north - north_west, tl.minimum(west, north)), tl.maximum(west, north))


@triton.jit
def _features(buffer, address, pitch, width, active, x, y, taps_a, inputs, at, C: tl.constexpr):
    """(M, _PART) int8 entries of the input vectors, starting at entry `at`."""
    k = at + tl.arange(0, _PART)
    up, right, channel = tl.load(taps_a + k), tl.load(taps_a + inputs + k), k % C
    column = x[:, None] + right[None, :]
    inside = active[:, None] & (y[:, None] + up[None, :] >= 0) & (column >= 0) & (column < width)
    inside &= (k < _TAPS * C)[None, :]
    seen = load_pixel(buffer, address[:, None] + up[None, :] * pitch + right[None, :], inside, channel[None, :], C)
    med = tl.zeros_like(seen)
    for c in tl.static_range(C):
        own = _med(buffer, address, pitch, active, x, y, c, C)
        med = tl.where((channel == c)[None, :], own[:, None], med)
    level = (k >= _TAPS * C) & (k < (_TAPS + 1) * C)
    feats = tl.where(inside, seen - med, tl.where(level[None, :], med - 128, 0))
    return tl.minimum(tl.maximum(feats, -127), 127).to(tl.int8)


@triton.jit
def below(value, weight, mean, slope, logistic):
    """Frequency below (N,) values in 0..256, each under its own (N, K) mixture."""
    z = (((16 * value - 8)[:, None] - mean).to(tl.int64) * slope.to(tl.int64)) >> _RECIPROCAL_BITS
    place = tl.minimum(tl.maximum(z, -_LIMIT), _LIMIT) + _LIMIT
    found = (tl.sum(weight * tl.load(logistic + place), 1) >> 4) + value
    return tl.where(value >= 256, 1 << 20, tl.where(value <= 0, 0, found))


@triton.jit
def trunk(
    buffer, ring, hidden, centre, base, pitch, height, width, row, rows, slot, t, first, count, at,
    entry, entry_shift, entry_bias, blocks, block_shifts, mixing, mixing_shifts, hidden_weight, hidden_shift,
    hidden_bias, finer, taps_a, taps_b,
    C: tl.constexpr, INPUTS: tl.constexpr, D: tl.constexpr, E: tl.constexpr, N_BLOCKS: tl.constexpr,
    N_MIXING: tl.constexpr, BM: tl.constexpr,
):  # fmt: skip
    """Compute the heads' hidden layer and the MED predictions of BM pixels of a step."""
    j = at + tl.arange(0, BM)
    active = j < count
    y = first + j
    x = t - 2 * y
    address = base + y * pitch + x
    for plane in range(C):
        med = _med(buffer, address, pitch, active, x, y, plane, C)
        tl.store(centre + (slot + j) * C + plane, med, mask=active)
    stream = tl.zeros((BM, D), tl.int32)
    for at_input in range(0, INPUTS, _PART):  # whole input vectors do not fit the registers
        feats = _features(buffer, address, pitch, width, active, x, y, taps_a, INPUTS, at_input, C)
        stream += _product(feats, entry + at_input * D, entry_shift, _PART, D)
    n = tl.arange(0, D)
    stream += tl.load(entry_bias + n)[None, :]
    for i in range(N_BLOCKS):
        read = _activate_finer(stream, tl.load(finer + i))
        layer = ring + i * rows * _RING * D
        tl.store(layer + ((t % _RING) * rows + row + y)[:, None] * D + n[None, :], read, mask=active[:, None])
        shift = block_shifts + i * D
        added = _product(read, blocks + i * 5 * D * D, shift, D, D)
        for tap in range(1, 5):
            dy, dx, back = tl.load(taps_b + tap), tl.load(taps_b + 8 + tap), tl.load(taps_b + 16 + tap)
            there = active & (y + dy >= 0) & (x + dx >= 0) & (x + dx < width)
            place = ((t + _RING - back) % _RING) * rows + row + y + dy
            features = tl.load(layer + place[:, None] * D + n[None, :], mask=there[:, None], other=0)
            added += _product(features, blocks + (i * 5 + tap) * D * D, shift, D, D)
        stream += added
        for m in range(N_MIXING):
            mix = i * N_MIXING + m
            stream += _product(_activate(stream), mixing + mix * D * D, mixing_shifts + mix * D, D, D)
    last = _activate(stream)
    n = tl.arange(0, E)
    for c in range(C):
        z = _product(last, hidden_weight + c * D * E, hidden_shift + c * E, D, E)
        z += tl.load(hidden_bias + c * E + n)[None, :]
        tl.store(hidden + ((slot + j) * C + c)[:, None] * E + n[None, :], z, mask=active[:, None])


@triton.jit
def _output(activations, weights, shifts, bias, kind, E: tl.constexpr):
    """(M, COLUMNS) outputs of one kind (logits, means or scales), before their shift."""
    out = _product(activations, weights + kind * E * _COLUMNS, shifts + kind * _COLUMNS, E, _COLUMNS)
    return out + tl.load(bias + kind * _COLUMNS + tl.arange(0, _COLUMNS))[None, :]


@triton.jit
def mixture(
    hidden, centre, residuals, mixtures, slot, count, at, channel, known, out, out_shift, out_bias, factors,
    factors_bias, exp2, reciprocal, C: tl.constexpr, E: tl.constexpr, K: tl.constexpr, KP: tl.constexpr,
    BM: tl.constexpr,
):  # fmt: skip
    """Compute a channel's head: weights, means and slopes of BM pixels' mixtures, (3, slots, KP) int32."""
    j = at + tl.arange(0, BM)
    active = j < count
    n, k = tl.arange(0, E), tl.arange(0, _COLUMNS)
    z = tl.load(hidden + ((slot + j) * C + channel)[:, None] * E + n[None, :], mask=active[:, None], other=0)
    for p in range(channel):
        residual = tl.load(residuals + (slot + j) * C + p, mask=active, other=0)
        z += residual[:, None] * tl.load(known + (channel * 2 + p) * E + n)[None, :]
    a = _activate(z)
    out += channel * 3 * E * _COLUMNS
    out_shift += channel * 3 * _COLUMNS
    out_bias += channel * 3 * _COLUMNS
    logits = _output(a, out, out_shift, out_bias, 0, E) >> _LOGITS
    means = _output(a, out, out_shift, out_bias, 1, E) >> _MEANS
    scales = _output(a, out, out_shift, out_bias, 2, E) >> _SCALES
    real = (k < K)[None, :]
    largest = tl.max(tl.where(real, logits, -(1 << 30)), 1)
    share = tl.load(
        exp2 + tl.minimum(tl.maximum(largest[:, None] - logits, 0), 255), mask=real & active[:, None], other=0
    )
    weights = share * _WEIGHT_TOTAL // tl.maximum(tl.sum(share, 1), 1)[:, None]
    rest = -tl.sum(weights, 1) + _WEIGHT_TOTAL
    weights += tl.where((k == 0)[None, :], rest[:, None], 0)
    middle = tl.zeros((BM,), tl.int32)
    for p in range(channel):
        taken = tl.sum(a.to(tl.int32) * tl.load(factors + (channel * 2 + p) * E + n)[None, :], 1)
        factor = (taken + tl.load(factors_bias + channel * 2 + p)) >> _FACTORS
        residual = tl.load(residuals + (slot + j) * C + p, mask=active, other=0)
        middle += tl.minimum(tl.maximum(factor, -_FACTOR_LIMIT), _FACTOR_LIMIT) * residual
    middle = (middle + 2) >> 2  # 0 for the first channel
    middle += 16 * tl.load(centre + (slot + j) * C + channel, mask=active, other=0)
    means = tl.minimum(tl.maximum(means + middle[:, None], _LOWEST_MEAN), _HIGHEST_MEAN)
    slopes = tl.load(reciprocal + tl.minimum(tl.maximum(scales + _SCALE_ZERO, 0), _N_SCALES - 1))
    place = mixtures + (slot + j)[:, None] * (3 * KP) + k[None, :]
    kept = active[:, None] & (k < KP)[None, :]
    tl.store(place, tl.where(real, weights, 0), mask=kept)
    tl.store(place + KP, means, mask=kept)
    tl.store(place + 2 * KP, slopes, mask=kept)
