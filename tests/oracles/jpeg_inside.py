"""The decoder of blocks of kind 14, `docs/format.md`, section 17, in plain Python integers."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from pixcodecs.primitives import Reader

from tests.oracles.jpeg_decisions import Decisions, level, sign
from tests.oracles.jpeg_tables import CHROMA, LUMA, ZIGZAG
from tests.oracles.mixing import clamp

INNER = [k for k in ZIGZAG if k >= 8 and k % 8]
RATIOS = [8192, 11363, 10703, 9633, 8192, 6436, 4433, 2260]
Block = list[int]


def inverse(block: Block) -> list[int]:
    """Section 17.1: differences of dequantised coefficients."""

    def line(x: list[int], n: int) -> list[int]:
        z = (x[2] + x[6]) * 4433
        e2, e3 = z - 15137 * x[6], z + 6270 * x[2]
        e0, e1 = (x[0] + x[4]) << 13, (x[0] - x[4]) << 13
        z5 = (x[7] + x[3] + x[5] + x[1]) * 9633
        z1, z2 = -7373 * (x[7] + x[1]), -20995 * (x[5] + x[3])
        z3, z4 = z5 - 16069 * (x[7] + x[3]), z5 - 3196 * (x[5] + x[1])
        o0, o1 = 2446 * x[7] + z1 + z3, 16819 * x[5] + z2 + z4
        o2, o3 = 25172 * x[3] + z2 + z3, 12299 * x[1] + z1 + z4
        even, odd = [e0 + e3, e1 + e2, e1 - e2, e0 - e3], [o3, o2, o1, o0]
        out = [a + b for a, b in zip(even, odd, strict=True)] + [a - b for a, b in zip(even, odd, strict=True)][::-1]
        return [(y + (1 << n - 1)) >> n for y in out]

    columns = [line(block[x::8], 11) for x in range(8)]
    rows = [line([column[y] for column in columns], 18) for y in range(8)]
    return [value for row in rows for value in row]


class Plane:
    """A channel's blocks as they are decoded."""

    def __init__(self, rows: int, columns: int, quant: list[int]) -> None:
        self.rows, self.columns, self.quant = rows, columns, quant
        self.blocks: dict[tuple[int, int], Block] = {}
        self.differences = np.zeros((8 * rows, 8 * columns), np.int64)

    @property
    def samples(self) -> NDArray[np.int64]:
        return np.clip(self.differences + 128, 0, 255)


def inner_count(block: Block) -> int:
    return sum(block[k] != 0 for k in INNER)


def edge_count(block: Block, along: int) -> int:
    return sum(block[i * along] != 0 for i in range(1, 8))


class JpegInside:
    """A body that is being decoded."""

    def __init__(self, body: bytes, height: int, width: int, channels: int) -> None:
        reader = Reader(body)
        flags, offset, quality = (reader.byte("head") for _ in range(3))
        self.height, self.width, self.channels = height, width, channels
        self.top, self.left = offset >> 4, offset & 15
        self.sv, self.sh = [(1, 1), (1, 2), (2, 2), (2, 1)][flags & 3]
        self.plain, self.right, self.bottom = flags >> 2 & 1, flags >> 3 & 1, flags >> 4 & 1
        tables = []
        for standard in (LUMA, CHROMA)[: 1 if channels == 1 else 2]:
            if quality:
                scale = 5000 // quality if quality < 50 else 200 - 2 * quality
                tables.append([clamp((t * scale + 50) // 100, 1, 255) for t in standard])
            else:
                taken = reader.take(64, "table")
                tables.append([taken[ZIGZAG.index(k)] for k in range(64)])
        self.corrected, announced = reader.varint("corrected"), reader.varint("decisions")
        self.d = Decisions(reader.rest(), announced)
        a, b = self.top + height, self.left + width
        self.planes = [Plane(-(-a // 8), -(-b // 8), tables[0])]
        for _ in range(channels - 1):
            self.planes.append(Plane(-(-a // (8 * self.sv)), -(-b // (8 * self.sh)), tables[1]))

    def decode(self) -> NDArray[np.int64]:
        """(H, W, C) samples."""
        for i, plane in enumerate(self.planes):
            for by in range(plane.rows):
                for bx in range(plane.columns):
                    self.block(i, by, bx)
        pixels = self.pixels()
        if self.corrected:
            self.correct(pixels)
        assert not self.d.left
        return pixels

    def block(self, channel: int, by: int, bx: int) -> None:
        """Section 17.5."""
        d, plane, luma, zeros = self.d, self.planes[channel], self.planes[0], [0] * 64
        c, h, quant = [0] * 64, int(channel > 0), plane.quant
        A, B = plane.blocks.get((by - 1, bx), zeros), plane.blocks.get((by, bx - 1), zeros)
        D = plane.blocks.get((by - 1, bx - 1), zeros)
        O = self.planes[1].blocks[by, bx] if channel == 2 else zeros  # noqa: E741
        both = by > 0 and bx > 0
        M = 0
        if channel:
            M = inner_count(luma.blocks[by * luma.rows // plane.rows, bx * luma.columns // plane.columns])
        na, nb = inner_count(A), inner_count(B)
        v = (na + nb + 1) >> 1 if both else na + nb
        n = d.tree(
            [(h, v), (h, level(na), level(nb)), (h, M), (h, level(v), M), (h, na), (h, nb),
             (h, inner_count(O), level(v))], 1472 + level(v), 6,
        )  # fmt: skip

        def w(k: int) -> int:
            return 13 * (abs(A[k]) + abs(B[k])) + 6 * abs(D[k]) * both

        rest, last, before, e = n, 0, 0, 2 + h
        for i, k in enumerate(INNER):
            if not rest:
                break
            z = (2 * abs(c[k - 8]) if k >= 16 else 0) + (2 * abs(c[k - 1]) if k % 8 > 1 else 0)
            z += abs(c[k - 9]) if k >= 16 and k % 8 > 1 else 0
            z += (abs(c[k - 16]) if k >= 24 else 0) + (abs(c[k - 2]) if k % 8 > 2 else 0)
            share, lw = 16 * rest // (49 - i), level(w(k) >> 2)
            y = d.size(
                [(e, k, lw, level(rest)), (e, k, min(abs(A[k]), 63), min(abs(B[k]), 63)), (e, k, level(z), lw),
                 (e, k, rest), (e, k, level(last + before), level(n - rest)), (e, k, level(abs(O[k])), level(M)),
                 (e, lw, level(z), share), (e, k, min(z + (w(k) >> 4), 63), share)],
                4 * k + 256 * h, 1024 + 16 * lw + 4 * (min(level(z), 7) >> 1), int(rest == 49 - i),
            )  # fmt: skip
            if y:
                s, o = 3 * sign(A[k]) + sign(B[k]), sign(O[k])
                c[k] = d.signed([(4 + h, k, s), (4 + h, o, min(y, 63)), (4 + h, k, o), (4 + h, s, o)], y)
                rest -= 1
            last, before = y, last
        counts = [0, 0]
        for j, (along, t, P, there) in enumerate(((1, 8, A, by > 0), (8, 1, B, bx > 0))):
            e, ea, eb = 6 + 2 * j + h, edge_count(A, along), edge_count(B, along)
            f = counts[0] if j else 0
            counts[j] = rest = d.tree(
                [(e, n), (e, level(n), ea, eb), (e, f, level(n)), (e, f, ea, eb), (e, level(M), ea + eb), (e,),
                 (e, ea), (e, eb)], 1488 + e, 3,
            )  # fmt: skip
            last, e = 0, 10 + h
            for i in range(1, 8):
                k = i * along
                if not rest:
                    break
                g = 0
                if there:
                    g = sum(
                        (P[k + m * t] * (-1) ** m - (c[k + m * t] if m else 0)) * RATIOS[m] * quant[k + m * t]
                        for m in range(8)
                    )
                    g = (g + 2**10 * quant[k]) // (2**11 * quant[k])
                z = abs(c[k + t]) + abs(c[k + 2 * t]) + abs(c[k + 3 * t])
                lg = level(abs(g))
                y = d.size(
                    [(e, k, lg, rest), (e, k, min(abs(A[k]), 63), min(abs(B[k]), 63)), (e, k, rest, n),
                     (e, k, lg, level(last)), (e, k, level(w(k) >> 2), lg), (e, k, level(abs(O[k])), level(M)),
                     (e, min(abs(g), 63), rest, i), (e, k, level(z), lg)],
                    4 * k + 256 * h, 1280 + 4 * (lg + 16 * j), int(rest == 8 - i),
                )  # fmt: skip
                if y:
                    s, o, q, x = 3 * sign(A[k]) + sign(B[k]), sign(O[k]), sign(g), 12 + h
                    c[k] = d.signed(
                        [(x, k, q, lg), (x, q, min(abs(g), 63), min(y, 63)), (x, k, s, q), (x, k, o, q), (x, lg, o, q),
                         (x, level(y), lg, q)], y,
                    )  # fmt: skip
                    rest -= 1
                last = y
        c[0] = self.constant(plane, by, bx, c, h, M, min(n + sum(counts), 63))
        assert all(abs(value) <= 2047 for value in c)
        plane.blocks[by, bx] = c
        values = [clamp(x, -2048, 2047) for x in inverse([a * b for a, b in zip(c, quant, strict=True)])]
        plane.differences[8 * by : 8 * by + 8, 8 * bx : 8 * bx + 8] = np.reshape(values, (8, 8))

    def constant(self, plane: Plane, by: int, bx: int, c: Block, h: int, m: int, a: int) -> int:
        """DC."""
        b = inverse([x * y for x, y in zip(c, plane.quant, strict=True)])
        F, y, x, u, v, q = plane.differences, 8 * by, 8 * bx, [], [], plane.quant[0]
        for i in range(8):
            if by:
                u.append(3 * int(F[y - 1, x + i]) - int(F[y - 2, x + i]) - 3 * b[i] + b[8 + i])
            if bx:
                v.append(3 * int(F[y + i, x - 1]) - int(F[y + i, x - 2]) - 3 * b[8 * i] + b[8 * i + 1])
        both = bool(u and v)
        T = (sum(u) + sum(v)) >> 1 if both else sum(u) + sum(v)
        spread = (max(u + v) - min(u + v)) * 4 // q if u + v else 0
        differ = abs(sum(u) - sum(v)) // q if both else 0
        toward = sign((sum(u) - T) // q) if both else 0
        guess = clamp((T + q) // (2 * q), -2047, 2047)
        part, ls, ld, e = (T + q) % (2 * q) * 4 // (2 * q), level(spread), level(differ), 14 + h
        size = self.d.size(
            [(e, ls, ld), (e, ld, a), (e, ls, a), (e, min(spread, 63)), (e, min(differ, 63)), (e, m, ls),
             (e, part, ls)], 256 * h, 1408 + 4 * ls, 0,
        )  # fmt: skip
        if not size:
            return guess
        e = 16 + h
        return guess + self.d.signed([(e, part, ls), (e, toward, ld, min(size, 3)), (e, toward, part, ls)], size)

    def pixels(self) -> NDArray[np.int64]:
        """Sections 17.2 and 17.3."""
        out = np.zeros((self.height, self.width, self.channels), np.int64)
        luma, *chroma = (plane.samples.tolist() for plane in self.planes)
        m, n = -(-(self.top + self.height) // self.sv), -(-(self.left + self.width) // self.sh)
        if chroma:
            m, n = len(chroma[0]) if self.bottom else m, len(chroma[0][0]) if self.right else n
        for y in range(self.height):
            for x in range(self.width):
                Y, X = y + self.top, x + self.left
                if not chroma:
                    out[y, x] = luma[Y][X]
                    continue
                u, v = (self.sample(S, Y, X, m, n) - 128 for S in chroma)
                added = 91881 * v, -22554 * u - 46802 * v, 116130 * u
                out[y, x] = [clamp(luma[Y][X] + ((part + 32768) >> 16), 0, 255) for part in added]
        return out

    def sample(self, plane: list[list[int]], y: int, x: int, m: int, n: int) -> int:
        r, c = y // self.sv, x // self.sh
        if (self.sv, self.sh) == (1, 1) or self.plain or (self.sh == 2 and n <= 2):
            return plane[r][c]
        below, beside = clamp(r + 2 * (y % 2) - 1, 0, m - 1), clamp(c + 2 * (x % 2) - 1, 0, n - 1)
        if self.sv == 1:
            return (3 * plane[r][c] + plane[r][beside] + 1 + x % 2) >> 2
        if self.sh == 1:
            return (3 * plane[r][c] + plane[below][c] + 1 + y % 2) >> 2
        here, there = 3 * plane[r][c] + plane[below][c], 3 * plane[r][beside] + plane[below][beside]
        return (3 * here + there + 8 - x % 2) >> 4

    def correct(self, pixels: NDArray[np.int64]) -> None:
        """Section 17.6."""
        decoded, count = pixels.copy(), 0
        wrong: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
        flags: dict[tuple[int, int], int] = defaultdict(int)
        rows, columns = self.planes[0].rows, self.planes[0].columns

        def limits(y: int, x: int) -> int:
            found = 0
            for value in decoded[y, x]:
                found = 4 * found + (2 if value == 255 else int(value == 0))
            return found

        for by in range(rows):
            for bx in range(columns):
                ys = range(max(8 * by - self.top, 0), min(8 * by + 8 - self.top, self.height))
                xs = range(max(8 * bx - self.left, 0), min(8 * bx + 8 - self.left, self.width))
                many = sum(limits(y, x) != 0 for y in ys for x in xs)
                f = flags[by - 1, bx] + 2 * flags[by, bx - 1] + 4 * flags[by - 1, bx - 1] + 8 * flags[by - 1, bx + 1]
                g = (by == 0) + 2 * (by == rows - 1) + 4 * (bx == 0) + 8 * (bx == columns - 1)
                contexts = [(18, f), (18, level(many)), (18, g, f), (18, min(many, 7), f), (18, g)]
                flags[by, bx] = self.d.decide(contexts, 0, 576, 1550)
                seen = 0
                for y, x in [(y, x) for y in ys for x in xs] if flags[by, bx] else []:
                    near = [(y, x - 1), (y - 1, x), (y - 1, x - 1), (y - 1, x + 1)]
                    if x + 1 == xs.stop and y > ys.start:
                        near.pop()
                    f = sum(any(wrong[at]) << i for i, at in enumerate(near))
                    further = any(wrong[y, x - 2]) + 2 * any(wrong[y - 2, x])
                    g = (x == 0) + 2 * (y == 0) + 4 * (x == self.width - 1) + 8 * (y == self.height - 1)
                    s, limit = min(seen, 15), limits(y, x)
                    is_wrong = self.d.decide(
                        [(19, f, limit), (19, f, further), (19, s, y - ys.start, x - xs.start), (19, s, limit),
                         (19, g, f), (19, level(many), f), (19, s, f), (19, limit)], 0, 577, 1552 + min(seen, 7),
                    )  # fmt: skip
                    if not is_wrong:
                        continue
                    seen, count, r = seen + 1, count + 1, 0
                    for i, k in enumerate((1, 2, 0) if self.channels == 3 else (0,)):
                        v, u = (clamp(wrong[at][k], -7, 7) + 7 for at in ((y, x - 1), (y - 1, x)))
                        value, first = int(decoded[y, x, k]), clamp(r, -15, 15) + 15
                        o, e = 2 * (value == 255) + (value == 0), 20 + i
                        shared = [(v, u), (first, o), (first, v), (limit,), (g, first)]
                        r = self.d.size(
                            [*((e, *c) for c in shared), (e, first), (e, v), (e, u)], 600 + 4 * i,
                            1568 + 16 * i + 4 * o, 0,
                        )  # fmt: skip
                        if r:
                            t, e = min(r, 15), 23 + i
                            r = self.d.signed([*((e, *c) for c in shared), (e, first, t), (e, v, t), (e, o, t)], r)
                        wrong[y, x][k] = r
                        pixels[y, x, k] += r
        assert count == self.corrected
