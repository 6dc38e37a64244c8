"""The light stage of `docs/format.md`, section 12, in plain Python, one pixel at a time.

Floats are NumPy's float32, which round every operation to the nearest float and fuse none; all else is integers.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container.blocks import Precision

from pixzip.models.wavefront.reference import Integers, Reference
from pixzip.models.wavefront.weights import IntegerWeights
from tests.oracles.lattices import lattice

F = np.float32
Floats = NDArray[np.float32]

OWN = ((0, -1), (-1, 0), (-1, 1), (-1, -1), (0, -2), (-2, 0), (-1, -2), (-2, 1))
ERRORS = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-1, -2), (-2, -1))
EARLIER = ((0, -1), (-1, 0), (-1, 1))
LATER = ((0, -1), (-1, 0))
DECAY = F(31 / 32)
TINY = F(2.0**-40)
TOTAL = 1 << 20
CLASSES = 48

#: A pixel's class, whether its value was likely, its second class if it has one, and whether its value had occurred.
Found = tuple[int, bool, int | None, bool]


def without_tiny(a: Floats) -> Floats:
    """The same numbers, with 0 for those of a magnitude less than 2^-40."""
    return np.where(abs(a) < TINY, F(0), a)


def odd(f: int) -> int:
    """The number of half octaves below f, at least 1."""
    b = f.bit_length() - 1
    return 2 * b + (b > 0 and 2 * f >= 3 << b)


class Light(Reference):
    """The integer model and the light stage on one image whose samples are known.

    Attributes:
        sums, totals: for each channel of n taps (H, n + 1, n) float32 L and T of all rows; entries [i, j] with j > i
            have no meaning.
        coefficients: for each channel (H, n) float32 b of all rows.
        taps: for each channel (H, W, n + 1) float32 taps of all pixels so far, and the target.
        trust, deviations: (H, W, C) float32 weights and s of these pixels.
        errors: (H, W, C) float32, 0 where no sample was coded.
        hits, uses: (2, 48) counts of the classes, of both kinds.
        lattice: colours in coding order, as one number each; empty without a lattice.
    """

    def __init__(
        self,
        weights: IntegerWeights,
        samples: NDArray[np.integer],
        precision: Precision = Precision(),  # noqa: B008
        least_pixels: int = 4096,
    ) -> None:
        """
        Args:
            samples: (H, W, C) in coding order.
            least_pixels: number of pixels from which colours are remembered.
        """
        height, width, channels = samples.shape
        super().__init__(weights, height, width, precision)
        self.samples, self.digits = samples.astype(np.int64), precision.digits
        counts = [17 + 4 * c + 2 * (channels - 1 - c) for c in range(channels)]
        self.sums = [np.zeros((height, n + 1, n), F) for n in counts]
        self.totals = [np.zeros((height, n + 1, n), F) for n in counts]
        self.coefficients = [np.zeros((height, n), F) for n in counts]
        self.taps = [np.zeros((height, width, n + 1), F) for n in counts]
        self.trust, self.deviations, self.errors = (np.zeros((height, width, channels), F) for _ in range(3))
        self.prior = [self._prior(c, n) for c, n in enumerate(counts)]
        self.remembers = height * width >= least_pixels and channels == 3 and self.depth == 8
        self.seen: dict[tuple[int, int], set[int]] = {}
        self.hits, self.uses = (np.zeros((2, CLASSES), np.int64) for _ in range(2))
        self.lattice = lattice(precision.lattice, weights.order) if precision.lattice else np.zeros(0, np.bool_)
        self.moved: tuple[Integers, Integers, Integers] | None = None

    def _prior(self, channel: int, n: int) -> Floats:
        """(n + 1, n) totals above the first row."""
        prior = np.zeros((n + 1, n), F)
        found = self.weights.tensors.get(f"prior.{channel}")
        entries = [(i, j) for i in range(n + 1) for j in range(min(i + 1, n))]
        for at, (i, j) in enumerate(entries):
            prior[i, j] = found[at] if found is not None else 1000 * (i == j)
        return prior

    def steps(self) -> Iterator[list[Integers]]:
        """Code the samples; for each step yield the 16 frequencies of each symbol, in coding order."""
        height, width, channels = self.samples.shape
        for t in range(width + 2 * (height - 1)):
            rows = [y for y in range(height) if 0 <= t - 2 * y < width]
            self.prepare(rows, t)
            found = [self.code(y, t - 2 * y) for y in rows]
            self.remember(rows, t, [kind for _, kind in found])
            yield [
                freqs[channel][digit]
                for channel in range(channels)
                for digit in range(self.digits)
                for freqs, _ in found
            ]  # fmt: skip

    def prepare(self, rows: list[int], t: int) -> None:
        """Solve the equations of a step, or take those of the row above."""
        for y in rows:
            if (t - y) % 4 == 0:
                self.solve(y, t - 2 * y)
        for y in rows:
            if t == 2 * y and y % 4 and y:
                for b in self.coefficients:
                    b[y] = b[y - 1]

    def rows(self) -> Integers:
        """(Q, 16) frequencies of all symbols in coding order."""
        return np.array([row for step in self.steps() for row in step])

    # 12.1

    def _tap(self, y: int, x: int, channel: int, m: int, fine: np.float32, grain: np.float32) -> list[np.float32]:
        """The taps of the pixel for a channel."""

        def at(offset: tuple[int, int]) -> tuple[int, int] | None:
            there = y + offset[0], x + offset[1]
            return there if 0 <= there[0] < self.height and 0 <= there[1] < self.width else None

        def error(place: tuple[int, int] | None, c: int) -> np.float32:
            return self.errors[place][c] if place else F(0)

        taps = []
        for place in map(at, OWN):
            taps.append(F(16 * int(self.pixels[place][channel]) - m) * fine if place else F(0))
        taps += [error(at(offset), channel) for offset in ERRORS]
        for j in range(channel):
            taps.append(error((y, x), j))
            for place in map(at, EARLIER):
                difference = int(self.pixels[place][j]) - int(self.pixels[y, x, j]) if place else 0
                taps.append(F(difference) * grain)
        for j in range(channel + 1, self.samples.shape[2]):
            taps += [error(at(offset), j) for offset in LATER]
        return taps

    def mixture(self, channel: int) -> tuple[Integers, Integers, Integers]:
        """That of the network, moved."""
        assert self.moved is not None
        return self.moved

    def move(self, y: int, x: int, channel: int) -> int:
        """Move the network's mixture for the current pixel and record its taps; return m."""
        weights, means, scales = super().mixture(channel)
        m = (int(sum(weights * means)) + 512) >> 10
        grain = F(2.0**-self.unit)
        fine = F(2.0**-self.unit / 16)
        v = F(0)
        for weight, mean, scale in zip(weights, means, scales, strict=True):
            d = F(int(mean) - m) * fine
            q = F(929) / F(int(self.table["reciprocal"][scale]))
            v = v + F(int(weight)) * (q * q + d * d)
        s = np.sqrt(v * F(1 / 1024))
        z = self._tap(y, x, channel, m, fine, grain)
        a = F(0)
        for b, tap in zip(self.coefficients[channel][y], z, strict=True):
            a = a + b * tap
        a = max(-(F(2) * s), min(F(2) * s, a))
        shift = int(np.floor(a * F(16 << self.unit) + F(0.5)))
        margin = 1024 << self.unit
        means = np.clip(means + shift, -margin, 16 * ((1 << self.depth) - 1) + margin)
        self.moved = weights, means, scales
        self.taps[channel][y, x, :-1] = z
        self.deviations[y, x, channel] = s
        self.trust[y, x, channel] = F(1) / ((s + F(0.5)) * (s + F(0.5)))
        return m

    # 12.2

    def solve(self, y: int, x: int) -> None:
        """Solve the equations of row y, of which pixels up to x - 1 are known."""
        for c, (sums, totals) in enumerate(zip(self.sums, self.totals, strict=True)):
            n = sums.shape[2]
            new = sums[y] * (DECAY * DECAY * DECAY * DECAY)
            for k in range(4):
                before = x - 4 + k
                z = self.taps[c][y, before] if before >= 0 else np.zeros(n + 1, F)
                h = self.trust[y, before, c] * F((31 / 32) ** (3 - k)) if before >= 0 else F(0)
                new = new + (h * z)[:, None] * z[None, :n]
            sums[y] = without_tiny(new)
            above = totals[y - 1] if y else self.prior[c]
            totals[y] = without_tiny(sums[y] + DECAY * above)
            self.coefficients[c][y] = solved(totals[y])

    # 12.3

    def refined(self, f: Integers, y: int, x: int) -> tuple[Integers, Found | None]:
        """The frequencies below the values of channel 2, given those of the mixture; and the pixel's class."""
        p = self.samples[y, x]
        seen = self.seen.get((int(p[0]), int(p[1])), set())
        first = 65536 * int(p[0]) + 256 * int(p[1])
        among = {v for v in range(256) if self.lattice.size and self.lattice[first + v]} - seen
        if not 1 <= len(seen) + len(among) <= (96 if self.lattice.size else 64):
            return f, None
        z, y_ = np.zeros(257, np.int64), np.zeros(257, np.int64)
        for v in range(256):
            z[v + 1] = z[v] + (f[v + 1] - f[v] if v in seen else 0)
            y_[v + 1] = y_[v] + (f[v + 1] - f[v] if v in among else 0)
        inside, others = int(z[256]), int(y_[256])
        outside = TOTAL - inside - others
        kind = self.kind_of(inside + others, outside)
        share = self.share(0, kind, (inside + others) // 4)
        of_seen = of_others = share
        second = None
        if seen and among:
            second = self.kind_of(inside, others)
            part = self.share(1, second, (inside << 18) // (inside + others))
            of_seen, of_others = share * part >> 16, share * ((1 << 16) - part) >> 16
        inner = of_seen * 16 * (TOTAL - 256) // inside if seen else 0
        middle = of_others * 16 * (TOTAL - 256) // others if among else 0
        outer = ((1 << 16) - share) * 16 * (TOTAL - 256) // outside
        out = (inner * z + middle * y_ + outer * (f - z - y_) >> 20) + np.arange(257)
        out[0], out[256] = 0, TOTAL
        return out, (kind, int(p[2]) in seen | among, second, int(p[2]) in seen)

    @staticmethod
    def kind_of(one: int, other: int) -> int:
        return max(0, min(CLASSES - 1, odd(one) - odd(other) + 24))

    def share(self, which: int, kind: int, prior: int) -> int:
        share = ((int(self.hits[which, kind]) << 16) + prior) // (int(self.uses[which, kind]) + 4)
        return max(16, min((1 << 16) - 16, share))

    def remember(self, rows: list[int], t: int, kinds: list[Found | None]) -> None:
        """Record the classes and colours of a step."""
        self.count_classes(kinds)
        self.record_colours(rows, t)
        self.halve_classes()

    def count_classes(self, kinds: list[Found | None]) -> None:
        for found in kinds:
            if not found:
                continue
            kind, likely, second, seen = found
            self.uses[0, kind] += 1
            self.hits[0, kind] += likely
            if likely and second is not None:
                self.uses[1, second] += 1
                self.hits[1, second] += seen

    def record_colours(self, rows: list[int], t: int) -> None:
        for y in rows if self.remembers else ():
            first, second, third = map(int, self.samples[y, t - 2 * y])
            self.seen.setdefault((first, second), set()).add(third)

    def halve_classes(self) -> None:
        while (self.uses > 1024).any():
            many = self.uses > 1024
            self.uses[many] >>= 1
            self.hits[many] >>= 1

    # Sections 6 to 7.1 with the moved mixture.

    def below(self) -> Integers:
        """(257,) F(v) of the moved mixture, 8 bits."""
        weights, means, scales = self.mixture(0)
        v = np.arange(257)[:, None]
        d = (16 * v - 8 - means) * self.table["reciprocal"][scales] >> 8
        f: Integers = (self.table["logistic"][np.clip(d, -5632, 5632) + 5632] @ weights >> 4) + v[:, 0]
        f[0], f[256] = 0, TOTAL
        return f

    def code(self, y: int, x: int) -> tuple[list[list[Integers]], Found | None]:
        """Code a pixel: for each channel the frequencies of its digits; and the pixel's class."""
        self.begin(y, x)
        freqs: list[list[Integers]] = []
        kind = None
        for channel, sample in enumerate(map(int, self.samples[y, x])):
            m = self.move(y, x, channel)
            if self.depth == 8:
                f = self.below()
                if channel == 2 and self.remembers:
                    f, kind = self.refined(f, y, x)
                each = np.diff(f).reshape(16, 16)
                freqs.append([each.sum(1), each[sample >> 4]])
            else:
                places = range(self.digits - 1, -1, -1)
                freqs.append([self.digit_freqs(channel, sample >> 4 * place + 4, place) for place in places])
            self.record(y, x, channel, sample, m)
        return freqs, kind

    def record(self, y: int, x: int, channel: int, sample: int, m: int) -> None:
        """Store a sample and its error."""
        error = F(16 * sample - m) * F(2.0**-self.unit / 16)
        self.errors[y, x, channel] = self.taps[channel][y, x, -1] = error
        self.store(y, x, channel, sample)


def solved(totals: Floats) -> Floats:
    """(n + 1, n) T -> (n,) b.

    The format reduces row by row.  Here column k is subtracted from all rows at once: every entry meets the same
    subtractions by increasing k.  Entries above the diagonal are not used.
    """
    x = totals.copy()
    n = x.shape[1]
    for k in range(n):
        inverse = F(1) / max(x[k, k] + F(30), F(15))
        f = x[k + 1 :, k].copy()
        x[k + 1 :, k] = f * inverse
        x[k + 1 :, k + 1 :] -= f[:, None] * x[None, k + 1 : n, k]
    b = x[n].copy()
    for k in range(n - 1, 0, -1):
        b[:k] = b[:k] - b[k] * x[k, :k]
    return b
