"""Entropy coders in Triton: decode or look up the symbols of one image at one step.

rANS decodes one pixel per lane in parallel.  The range coder decodes pixel after pixel; only its search among 16
symbols is parallel.
"""

import triton
import triton.language as tl
from pixcodecs.coders import rans
from pixcodecs.coders.base import EDGE_BITS

from pixzip.engine.backends.triton.model import below, load_pixel

_PRECISION, _LOWEST_STATE = tl.constexpr(rans.PRECISION), tl.constexpr(rans.LOWEST)
_MASK = tl.constexpr((1 << rans.PRECISION) - 1)
_EDGE_BITS = tl.constexpr(EDGE_BITS)
#: Bits of the range coder's shares and words.
_SHARE_BITS, _WORD_BITS = tl.constexpr(24), tl.constexpr(32)
_SHARES, _SHARE_MASK = tl.constexpr(1 << 24), tl.constexpr((1 << 24) - 1)


@triton.jit
def store(buffer, residuals, centre, address, place, channel, value, active, C: tl.constexpr):
    """Store values for the pixels and channels that follow."""
    tl.store(buffer + address * C + channel, value.to(tl.uint8), mask=active)
    own = tl.load(centre + place * C + channel, mask=active, other=0)
    tl.store(residuals + place * C + channel, tl.minimum(tl.maximum(value - own, -127), 127), mask=active)


@triton.jit
def _refill(x, busy, words, at, end):
    """Refill states that ran short with words; return the states and the read position."""
    short = busy & (x < _LOWEST_STATE)
    needed = short.to(tl.int32)
    index = at + tl.cumsum(needed, 0) - needed
    word = tl.load(words + index, mask=short & (index < end), other=0).to(tl.int64) & 0xFFFFFFFF
    return tl.where(short, (x << 32) | word, x), at + tl.sum(needed, 0)


@triton.jit
def _load_mixtures(mixtures, place, busy, KP: tl.constexpr):
    """Load (M, KP) weights, means and slopes."""
    at = mixtures + place[:, None] * (3 * KP) + tl.arange(0, KP)[None, :]
    weight = tl.load(at, mask=busy[:, None], other=0)
    return weight, tl.load(at + KP, mask=busy[:, None], other=0), tl.load(at + 2 * KP, mask=busy[:, None], other=1)


@triton.jit
def bins_rans(
    x, at, end, mixtures, bins, words, logistic, slot, count, lanes, KP: tl.constexpr, LANES: tl.constexpr
):  # fmt: skip
    """Decode the bins of a step, and store them with the ends of their intervals."""
    lane = tl.arange(0, LANES)
    for round_at in range(0, count, lanes):
        busy = (lane < lanes) & (round_at + lane < count)
        place = slot + round_at + lane
        weight, mean, slope = _load_mixtures(mixtures, place, busy, KP)
        share = (x & _MASK).to(tl.int32)
        found = tl.zeros((LANES,), tl.int32)
        for bit in tl.static_range(4):
            tried = found + (8 >> bit)
            found = tl.where(below(16 * tried, weight, mean, slope, logistic) <= share, tried, found)
        start = below(16 * found, weight, mean, slope, logistic)
        stop = below(16 * found + 16, weight, mean, slope, logistic)
        moved = (stop - start).to(tl.int64) * (x >> _PRECISION) + (share - start).to(tl.int64)
        moved, at = _refill(moved, busy, words, at, end)
        x = tl.where(busy, moved, x)
        tl.store(bins + place * 3, found, mask=busy)
        tl.store(bins + place * 3 + 1, start, mask=busy)
        tl.store(bins + place * 3 + 2, stop, mask=busy)
    return x, at


@triton.jit
def places_rans(
    x, at, end, mixtures, bins, words, logistic, buffer, residuals, centre, base, pitch, slot, t, first, count, lanes,
    channel, C: tl.constexpr, KP: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Decode the places within the bins, and store the values."""
    lane = tl.arange(0, LANES)
    for round_at in range(0, count, lanes):
        busy = (lane < lanes) & (round_at + lane < count)
        place = slot + round_at + lane
        weight, mean, slope = _load_mixtures(mixtures, place, busy, KP)
        bin16 = 16 * tl.load(bins + place * 3, mask=busy, other=0)
        start = tl.load(bins + place * 3 + 1, mask=busy, other=0)
        stop = tl.load(bins + place * 3 + 2, mask=busy, other=1 << 20)
        total = (stop - start).to(tl.int64)
        share = x & _MASK
        limit = start + (((share + 1) * total - 1) >> _PRECISION).to(tl.int32)
        found = tl.zeros((LANES,), tl.int32)
        for bit in tl.static_range(4):
            tried = found + (8 >> bit)
            found = tl.where(below(bin16 + tried, weight, mean, slope, logistic) <= limit, tried, found)
        value = bin16 + found
        under = below(value, weight, mean, slope, logistic)
        over = tl.where(found == 15, stop, below(value + 1, weight, mean, slope, logistic))
        left = ((under - start).to(tl.int64) << _PRECISION) // total
        right = ((over - start).to(tl.int64) << _PRECISION) // total
        moved = (right - left) * (x >> _PRECISION) + share - left
        moved, at = _refill(moved, busy, words, at, end)
        x = tl.where(busy, moved, x)
        y = first + round_at + lane
        store(buffer, residuals, centre, base + y * pitch + t - 2 * y, place, channel, value, busy, C)
    return x, at


@triton.jit
def look_up(
    mixtures, logistic, values, edges, buffer, residuals, centre, base, pitch, slot, t, first, count, at, channel,
    C: tl.constexpr, KP: tl.constexpr, BM: tl.constexpr,
):  # fmt: skip
    """Look up BM values, and store the edges of their bins and of the values."""
    j = at + tl.arange(0, BM)
    active = j < count
    y = first + j
    address = base + y * pitch + t - 2 * y
    weight, mean, slope = _load_mixtures(mixtures, slot + j, active, KP)
    value = load_pixel(values, address, active, channel, C)
    first_of_bin = value // 16 * 16
    for digit in tl.static_range(2):
        left = first_of_bin if digit == 0 else value
        right = left + (16 if digit == 0 else 1)
        under = below(left, weight, mean, slope, logistic).to(tl.int64)
        over = below(right, weight, mean, slope, logistic).to(tl.int64)
        tl.store(edges + (address.to(tl.int64) * C + channel) * 2 + digit, (under << _EDGE_BITS) | over, mask=active)
    store(buffer, residuals, centre, address, slot + j, channel, value, active, C)


@triton.jit
def _symbol(low, span, point, at, bad, cumulative, total, words, end):
    """Decode one of 16 symbols with the range coder, from the (16,) frequencies below each and their total."""
    e = tl.arange(0, 16)
    scale = tl.div_rn(tl.full((), 16777200.0, tl.float32), total.to(tl.float32))  # 2^24 - 16
    left = (cumulative.to(tl.float32) * scale).to(tl.int32) + e
    unit = span >> _SHARE_BITS
    quantile = (point - low) // unit
    bad |= (quantile >> _SHARE_BITS != 0).to(tl.int32)
    symbol = tl.sum((left <= (quantile & _SHARE_MASK).to(tl.int32)).to(tl.int32), 0) - 1
    start = tl.sum(tl.where(e == symbol, left, 0), 0)
    stop = tl.where(symbol == 15, _SHARES, tl.sum(tl.where(e == symbol + 1, left, 0), 0))
    low += unit * start.to(tl.uint64)
    span = unit * (stop - start).to(tl.uint64)
    short = span >> _WORD_BITS == 0
    word = tl.load(words + at, mask=short & (at < end), other=0).to(tl.int64) & 0xFFFFFFFF
    low = tl.where(short, low << _WORD_BITS, low)
    span = tl.where(short, span << _WORD_BITS, span)
    point = tl.where(short, (point << _WORD_BITS) | word.to(tl.uint64), point)
    return low, span, point, at + short.to(tl.int32), bad, symbol


@triton.jit
def bins_range(
    low, span, point, at, bad, end, mixtures, bins, words, logistic, slot, count, KP: tl.constexpr
):  # fmt: skip
    """Decode the bins of a step, and store them with the ends of their intervals."""
    e, k = tl.arange(0, 16), tl.arange(0, KP)
    for j in range(count):
        place_of = mixtures + (slot + j) * (3 * KP) + k[None, :]
        weight, mean, slope = tl.load(place_of), tl.load(place_of + KP), tl.load(place_of + 2 * KP)
        cumulative = below(16 * e, weight, mean, slope, logistic)
        total = tl.sum(tl.where(e == 0, 1 << 20, 0), 0)
        low, span, point, at, bad, found = _symbol(low, span, point, at, bad, cumulative, total, words, end)
        start = tl.sum(tl.where(e == found, cumulative, 0), 0)
        stop = tl.where(found == 15, 1 << 20, tl.sum(tl.where(e == found + 1, cumulative, 0), 0))
        tl.store(bins + (slot + j) * 3, found)
        tl.store(bins + (slot + j) * 3 + 1, start)
        tl.store(bins + (slot + j) * 3 + 2, stop)
    return low, span, point, at, bad


@triton.jit
def places_range(
    low, span, point, at, bad, end, mixtures, bins, words, logistic, buffer, residuals, centre, base, pitch, slot, t,
    first, count, channel, C: tl.constexpr, KP: tl.constexpr,
):  # fmt: skip
    """Decode the places within the bins, and store the values."""
    e, k = tl.arange(0, 16), tl.arange(0, KP)
    for j in range(count):
        place = slot + j
        place_of = mixtures + place * (3 * KP) + k[None, :]
        weight, mean, slope = tl.load(place_of), tl.load(place_of + KP), tl.load(place_of + 2 * KP)
        bin16 = 16 * tl.load(bins + place * 3)
        start, stop = tl.load(bins + place * 3 + 1), tl.load(bins + place * 3 + 2)
        cumulative = tl.where(e == 0, start, below(bin16 + e, weight, mean, slope, logistic)) - start
        low, span, point, at, bad, found = _symbol(low, span, point, at, bad, cumulative, stop - start, words, end)
        y = first + j
        store(buffer, residuals, centre, base + y * pitch + t - 2 * y, place, channel, bin16 + found, y >= 0, C)
    return low, span, point, at, bad
