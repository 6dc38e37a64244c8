"""The compiled range encoder for known shares writes the bytes of the library's, including carries."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pixcodecs.coders import range as range_coder
from pixcodecs.coders import rans
from pixcodecs.coders.base import EDGE_BITS
from pixcodecs.coders.registry import RANGE, RANS

from tests.oracles.range_coder import PRECISION, PlainEncoder, boundaries

#: (height, width): a pixel, lines, steps without a pixel (W = 1), an odd image.
SHAPES = [(1, 1), (1, 2), (2, 1), (9, 1), (1, 30), (7, 5), (4, 9)]

#: (encoder in plain Python, frequencies) -> next symbol to code.
Choose = Callable[[PlainEncoder, list[int]], int]


def uneven(rng: np.random.Generator, total: int, least: int) -> list[int]:
    """16 frequencies, from nearly uniform to nearly all on one symbol."""
    p = rng.dirichlet(np.full(16, 10.0 ** rng.uniform(-3, 2)))
    found: list[int] = (least + rng.multinomial(total - 16 * least, p / p.sum() * (1 - 1e-12))).tolist()
    return found


def order(height: int, width: int, channels: int) -> Iterator[list[tuple[int, int, int]]]:
    """Yield the (y, x, channel) that are coded together; all their bins come first."""
    for t in range(width + 2 * (height - 1)):
        for channel in range(channels):
            yield [(y, t - 2 * y, channel) for y in range(height) if 0 <= t - 2 * y < width]


class Case:
    """Frequencies and chosen values, coded by the library, by plain Python, and as edges."""

    def __init__(self, seed: int, shape: tuple[int, int, int], choose: Choose) -> None:
        rng, plain, library = np.random.default_rng(seed), PlainEncoder(), range_coder.Encoder()
        self.values = np.zeros(shape, np.uint8)
        self.edges = np.zeros((*shape, 2), np.int64)
        self.shares = np.zeros((*shape, 2), np.int64)
        for together in order(*shape):
            bins = {at: uneven(rng, 1 << 20, 16) for at in together}
            bin_of = {}
            for at, row in bins.items():
                bin_of[at] = self._code(plain, library, (*at, 0), 0, row, choose)
            for at in together:
                row, b = bins[at], bin_of[at]
                place = self._code(plain, library, (*at, 1), sum(row[:b]), uneven(rng, row[b], 1), choose)
                self.values[at] = 16 * b + place
        self.payload = library.finish()
        assert plain.finish() == self.payload

    def _code(
        self, plain: PlainEncoder, library: range_coder.Encoder, at: tuple[int, ...], below: int, row: list[int],
        choose: Choose,
    ) -> int:  # fmt: skip
        symbol = choose(plain, row)
        plain.encode(symbol, row)
        symbols, rows = np.array([symbol], np.int32), np.array([row], np.float32)
        library.encode(symbols, rows)
        start, stop = below + sum(row[:symbol]), below + sum(row[: symbol + 1])
        self.edges[at], self.shares[at] = start << EDGE_BITS | stop, rans.intervals_of(symbols, rows)[0]
        return symbol


def drawn(seed: int) -> Choose:
    rng = np.random.default_rng(seed)
    return lambda _, row: int(rng.choice(16, p=np.array(row) / sum(row)))


def rare(seed: int) -> Choose:
    return lambda _, row: int(np.argmin(row))


def straddling(until: int) -> Choose:
    """Choose symbols that contain the middle of all numbers, so that words of ones wait for a carry at the end."""

    def choose(encoder: PlainEncoder, row: list[int]) -> int:
        ends, scale = boundaries(row), encoder.range >> PRECISION
        middle = (1 << 63 + 32 * encoder.words) - encoder.low
        symbol = max(i for i in range(16) if ends[i] * scale <= max(0, middle))
        return min(15, symbol + (encoder.words > until))

    return choose


def longest_run(words: NDArray[np.uint32], word: int) -> int:
    runs = "".join("x" if w == word else " " for w in words).split()
    return max(map(len, runs), default=0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.sampled_from([1, 3]), st.sampled_from([drawn, rare]))
def test_both_coders_write_the_bytes_of_coding_symbol_by_symbol(
    seed: int, sides: tuple[int, int], channels: int, choose: Callable[[int], Choose]
) -> None:
    case = Case(seed, (*sides, channels), choose(seed))
    assert RANGE.from_edges(case.edges, case.values) == case.payload
    assert RANS.from_edges(case.edges, case.values) == rans.encode(case.shares, rans.lanes_for(case.shares))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("shape", "until"), [((1, 60, 1), 5), ((5, 12, 3), 12), ((80, 1, 1), 8)])
def test_carries_pass_through_many_words(seed: int, shape: tuple[int, int, int], until: int) -> None:
    case = Case(seed, shape, straddling(until))
    assert longest_run(np.frombuffer(case.payload, "<u4"), 0) >= until - 1  # these were all ones before the carry
    assert RANGE.from_edges(case.edges, case.values) == case.payload


@pytest.mark.parametrize("seed", range(6))
def test_words_of_ones_that_no_carry_reaches_stay(seed: int) -> None:
    case = Case(seed, (6, 8, 1), straddling(1000))
    words = np.frombuffer(case.payload, "<u4")
    assert longest_run(words, 0xFFFFFFFF) >= 5 or longest_run(words, 0) >= 5  # the last carry may be the end's own
    assert RANGE.from_edges(case.edges, case.values) == case.payload


def test_memory_layout_of_values_and_edges_does_not_matter() -> None:
    case = Case(1, (5, 4, 3), drawn(1))
    values = np.asfortranarray(case.values)
    edges = np.asfortranarray(case.edges)
    for coder, payload in ((RANGE, case.payload), (RANS, rans.encode(case.shares, rans.lanes_for(case.shares)))):
        assert coder.from_edges(edges, values) == payload
