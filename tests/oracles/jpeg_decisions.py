"""Decisions of `docs/format.md`, section 17.4, in plain Python integers."""

from functools import cache

from tests.oracles.mixing import clamp, top
from tests.oracles.range_coder import MASK, PlainDecoder

_LOW = (1, 2, 3, 5, 8, 13, 22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768)
KNOTS = [*_LOW, *(65536 - knot for knot in reversed(_LOW[:-1]))]
#: An element of the syntax and up to three numbers.
Context = tuple[int, ...]


def squash(x: int) -> int:
    i, f = (x + 2816) >> 7, (x + 2816) & 127
    return (KNOTS[i] * (128 - f) + KNOTS[i + 1] * f + 64) >> 7


_SQUASHED = [squash(x) for x in range(-2815, 2816)]


@cache
def stretch(p: int) -> int:
    return min(sum(q < 16 * (p >> 4) + 8 for q in _SQUASHED), 5630) - 2815


def odd(f: int) -> int:
    b = f.bit_length() - 1
    return 2 * b + (2 * f >= 3 << b) if f > 1 else 0


def level(x: int) -> int:
    return min(odd(x) + 1, 15) if x else 0


def sign(x: int) -> int:
    return (x > 0) + 2 * (x < 0)


class Decisions:
    """A decoder of decisions, and the numbers made of them.

    Attributes:
        left: decisions that have been announced and not taken.
    """

    def __init__(self, payload: bytes, announced: int) -> None:
        self.coder, self.left = PlainDecoder(payload), announced
        self.slots: dict[tuple[int, int], tuple[int, int]] = {}
        self.weights: dict[int, list[int]] = {}

    def interval(self, edge: int) -> int:
        """The bit whose interval, below or above `edge` of 2^24, the coder points at."""
        c = self.coder
        scale = c.range >> 24
        bit = int(((c.point - c.low) & MASK) // scale >= edge)
        left, right = (edge, 1 << 24) if bit else (0, edge)
        c.low, c.range = (c.low + scale * left) & MASK, scale * (right - left)
        if c.range < 1 << 32:
            c.low, c.range = c.low << 32 & MASK, c.range << 32
            c.point, c.at = (c.point << 32 | c.word(c.at)) & MASK, c.at + 1
        return bit

    def decide(self, contexts: list[Context], node: int, one: int, two: int) -> int:
        assert self.left
        self.left -= 1
        contexts = contexts + [contexts[0][:1]] * (8 - len(contexts))
        places, inputs = [], []
        for i, (e, *rest) in enumerate(contexts):
            a, b, c = [*rest, 0, 0, 0][:3]
            number = (e << 18) + (a << 12) + (b << 6) + c
            places.append((i, top((256 * number + node) * 0x9E3779B97F4A7C15 & MASK, 16)))
            chance = self.slots.setdefault(places[-1], (1 << 21, 0))[0] >> 6
            inputs += [stretch(chance), (chance - 32768) >> 5]
        inputs.append(256)
        pair = [self.weights.setdefault(m, [4096] * 17) for m in (one, two)]
        x = [clamp(sum(i * w for i, w in zip(inputs, ws, strict=True)) >> 16, -2815, 2815) for ws in pair]
        bit = self.interval(256 * (65536 - squash((x[0] + x[1]) >> 1)))
        for ws, own in zip(pair, x, strict=True):
            e = 65536 * bit - squash(own)
            ws[:] = [clamp(w + (i * e >> 16), -(2**20), 2**20) for w, i in zip(ws, inputs, strict=True)]
        for place in places:
            chance, n = self.slots[place]
            chance += ((1 << 22) * bit - bit - chance) * (2**17 // (2 * n + 3)) >> 16
            self.slots[place] = chance, min(n + 1, 255)
        return bit

    def tree(self, contexts: list[Context], two: int, digits: int) -> int:
        node = 1
        for _ in range(digits):
            node = 2 * node + self.decide(contexts, node, 512 + contexts[0][0], two)
        return node - (1 << digits)

    def size(self, contexts: list[Context], one: int, two: int, least: int) -> int:
        d = least
        while d < 12 and self.decide(contexts, d, one + min(d, 2), two + min(d, 2)):
            d += 1
        found = int(d > 0)
        for i in range(d - 2, -1, -1):
            found = 2 * found + self.decide(contexts, 16 + d if i == d - 2 else 32 + i, one + 3, two + 3)
        return found

    def signed(self, contexts: list[Context], size: int) -> int:
        """A number of this size, with its sign."""
        e = contexts[0][0]
        return -size if self.decide(contexts, 250, 544 + e, 1520 + e) else size
