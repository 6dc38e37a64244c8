"""The full stage of `docs/format.md`, section 13, in plain Python integers, one pixel at a time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pixzip.models.wavefront.weights import IntegerWeights
from tests.oracles.mixing import Candidate, Decision, Mixing, Pixel, clamp, h, size, top
from tests.oracles.range_coder import PlainEncoder

#: Candidates of the first and the second entries of the tables.
LAST, BEFORE = (0, 1, 2, 8, 9), (5, 6, 7, 10, 11)

#: Colour, check and times; 0 times if it is empty.
Entry = tuple[int, int, int]


class Full(Mixing):
    """The integer model and the full stage on one image whose samples are known.

    Attributes:
        repeat_counts: slot of candidates -> its two counts; absent ones are zero.
        gains: 104 numbers, by kind.
        entries: (table, place) -> its two entries.
        how: (H, W, 1) int64.
        repetitions: number of these so far.
    """

    def __init__(
        self, weights: IntegerWeights, samples: NDArray[np.integer], least_pixels: int = 4096, lattice: int = 0
    ) -> None:
        super().__init__(weights, samples, least_pixels, lattice)
        self.repeat_counts: dict[int, list[int]] = {}
        self.gains = [-256] * 104
        self.entries: dict[tuple[int, int], tuple[Entry, Entry]] = {}
        self.how = np.zeros((*samples.shape[:2], 1), np.int64)
        self.repetitions = 0

    def decisions(self) -> Iterator[list[Decision]]:
        """Code the samples; for each step yield its decisions: bit, and its probability of being 1."""
        height, width, channels = self.samples.shape
        for t in range(width + 2 * (height - 1)):
            rows = [y for y in range(height) if 0 <= t - 2 * y < width]
            self.prepare(rows, t)
            pixels = [Pixel(y, t - 2 * y) for y in rows]
            kinds = [self.look(pixel) for pixel in pixels]
            made = [decision for pixel in pixels for decision in self.offer(pixel)]
            for channel in range(channels):
                for pixel in pixels:
                    made += self.sample(pixel, channel)
            self.remember(rows, t, kinds)
            self.learn([(self, pixel) for pixel in pixels])
            yield made

    def payload(self) -> bytes:
        """Code the samples; return the payload."""
        encoder = PlainEncoder()
        for step in self.decisions():
            for bit, p in step:
                split = 256 * (65536 - p)
                encoder.encode_interval(split if bit else 0, 1 << 24 if bit else split)
        return encoder.finish()

    # 13.3

    def colour(self, y: int, x: int) -> int:
        number = 0
        for sample in self._at(self.pixels, y, x):
            number = 256 * number + int(sample)
        return number

    def around(self, pixel: Pixel) -> tuple[list[int], list[int]]:
        """The colours of W, N, NW, NE, WW, NN and F; the hashes g0 to g4."""
        offsets = (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 2)
        near = [self.colour(pixel.y + dy, pixel.x + dx) for dy, dx in offsets]
        w, n, nw, ne, ww, nn, f = near
        g2 = h(w, n)
        g1 = h(g2, h(nw, ne))
        return near, [h(h(g1, ww), h(nn, f)), g1, g2, h(w, 1), h(n, 2)]

    def found(self, near: list[int], hashes: list[int]) -> list[tuple[int, int]]:
        """13 candidates: colour, and times or 0."""
        found = [(0, 0)] * 13
        for k, g in enumerate(hashes):
            for j, (colour, check, times) in zip((LAST[k], BEFORE[k]), self.at(k, g), strict=True):
                found[j] = colour, times if check == top(g, 24) & 255 else 0
        found[3], found[4], found[12] = (near[0], 1), (near[1], 1), (near[3], 1)
        return found

    def at(self, k: int, g: int) -> tuple[Entry, Entry]:
        """A place in a table."""
        return self.entries.get((k, top(g, 16)), ((0, 0, 0), (0, 0, 0)))

    def offer(self, pixel: Pixel) -> Iterator[Decision]:
        """The decisions whether a pixel has the colours of candidates."""
        y, x, own = pixel.y, pixel.x, self.colour(pixel.y, pixel.x)
        near, hashes = self.around(pixel)
        w, n, nw, ne, ww, nn, _ = near
        equal = sum(2**i for i, (a, b) in enumerate([(w, n), (w, nw), (n, nw), (n, ne), (w, ww), (n, nn)]) if a == b)
        west, north, north_east = (int(self._at(self.how, y + i, x + j)[0]) for i, j in ((0, -1), (-1, 0), (-1, 1)))
        how = 64 * west + 8 * north + north_east
        before, coded = set(), 0
        for j, (colour, times) in enumerate(self.found(near, hashes)):
            if not times or colour in before:
                continue
            before.add(colour)
            trust = min(times, 3) if times < 4 else 4 + (times >= 8) + (times >= 32)
            kind = 8 * j + trust
            same = sum(2**i for i, other in enumerate((w, n, nw, ne)) if colour == other)
            contexts = (64 * kind + equal, same), (hashes[2], j), (kind, how), (hashes[1], j), (colour, 16 * j + coded)
            slots = [65536 * i + top(h(h(i, a), b), 16) for i, (a, b) in enumerate(contexts)]
            inputs = [*(self.slot(self.repeat_counts, slot)[0] for slot in slots), 77]
            p = self.squash(self.mixed(self.repeat[j, trust], inputs))
            pixel.candidates.append(Candidate(colour, kind, p, slots, inputs))
            if p > 1500 and self.gains[kind] >= 0:
                coded += 1
                yield int(colour == own), p
                if colour == own:
                    pixel.repeated, self.how[y, x] = True, 1 + min(j, 6)
                    self.repetitions += 1
                    return

    # 13.4

    def learn(self, pixels: list[tuple["Full", Pixel]]) -> None:
        """Learn from a step's pixels, each of its image."""
        for mixer, sums in self.news.items():
            weights = self.mix[mixer]
            weights[:] = [clamp(int(w) + (s >> 17), -1 << 20, 1 << 20) for w, s in zip(weights, sums, strict=True)]
        count(self.counts, self.bits)
        self.forget()
        bits, saved = [], [0] * 104
        for image, pixel in pixels:
            for one in pixel.candidates:
                bit = int(one.colour == image.colour(pixel.y, pixel.x))
                self.note((one.kind >> 3, one.kind & 7), one.inputs, 65536 * bit - one.p)
                saved[one.kind] += size(one.p) - 1024 + pixel.nll if bit else size(65536 - one.p) - 1024
                bits += [(slot, bit) for slot in one.slots]
        for mixer, sums in self.news.items():
            self.repeat[mixer] += [s >> 18 for s in sums]
        self.repeat = self.repeat.clip(-1 << 20, 1 << 20)
        self.gains = [clamp(gain + more, -25600, 25600) for gain, more in zip(self.gains, saved, strict=True)]
        count(self.repeat_counts, bits)
        self.forget()
        for image, pixel in pixels:
            for k, g in enumerate(image.around(pixel)[1]):
                self.enter(k, g, image.colour(pixel.y, pixel.x))

    def enter(self, k: int, g: int, colour: int) -> None:
        """Record the colour that followed a context."""
        known = colour, top(g, 24) & 255
        first, second = self.at(k, g)
        if first[2] and first[:2] == known:
            first = (*known, min(255, first[2] + 1))
        elif second[2] and second[:2] == known:
            first, second = (*known, min(255, second[2] + 1)), first
        else:
            first, second = (*known, 1), first
        self.entries[k, top(g, 16)] = first, second


def count(counts: dict[int, list[int]], bits: list[Decision]) -> None:
    """Count bits in slots."""
    for slot, bit in bits:
        counts.setdefault(slot, [0, 0])[bit] += 1
    for slot, _ in bits:
        while sum(counts[slot]) > 126:
            counts[slot] = [n >> 1 for n in counts[slot]]
