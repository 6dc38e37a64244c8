"""Interleaved rANS: three forms of one coder, its overhead, and refusal of payloads that no encoder writes."""

import re
from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pixcodecs.coders import rans, rans_numba
from pixcodecs.coders.base import Shape
from pixcodecs.errors import BitstreamError

from tests.oracles.rans import HIGHEST, LOWEST, PlainRansDecoder, PlainRansEncoder, edges
from tests.pixcodecs.test_range import draw, random_rows

#: Sums of rows: the smallest possible for 16 frequencies, the largest, and those of bins.
TOTALS = [16, 17, 1000, 2**20 - 240, 2**20]
#: (height, width): a pixel, lines, steps without a pixel (W = 1), and more or fewer lanes than pixels per step.
SHAPES = [(1, 1), (1, 9), (9, 1), (2, 1), (7, 5), (5, 8), (12, 20)]


class Case:
    """(H, W, C, D) symbols distributed according to their rows."""

    def __init__(self, seed: int, shape: tuple[int, int, int, int], total: int) -> None:
        rng = np.random.default_rng(seed)
        self.shape = shape
        self.rows = random_rows(rng, int(np.prod(shape)), 16, total)
        self.symbols = draw(rng, self.rows)
        self.shares = rans.intervals_of(self.symbols, self.rows).reshape(shape)

    def calls(self) -> Iterator[NDArray[np.int64]]:
        """Yield the indices of the symbols that are coded at once, in order."""
        h, w, channels, digits = self.shape
        number = np.arange(self.symbols.size).reshape(self.shape)
        for t in range(w + 2 * (h - 1)):
            y = np.array([y for y in range(h) if 0 <= t - 2 * y < w], np.int64)
            for c in range(channels):
                for d in range(digits):
                    yield number[y, t - 2 * y, c, d]

    def plain(self, lanes: int) -> bytes:
        encoder = PlainRansEncoder(lanes)
        for call in self.calls():
            for j, i in enumerate(call):
                encoder.encode(j % lanes, int(self.symbols[i]), self.rows[i].tolist())
        return encoder.finish()

    def decoded(self, decoder: rans.Decoder) -> NDArray[np.int32]:
        found = np.full(self.symbols.size, -1, np.int32)
        for call in self.calls():
            found[call] = decoder.decode(self.rows[call])
        decoder.check_exhausted()
        return found

    def plainly_decoded(self, payload: bytes) -> list[int]:
        decoder = PlainRansDecoder(payload)
        found = [-1] * self.symbols.size
        for call in self.calls():
            for j, i in enumerate(call):
                found[i] = decoder.decode(j % decoder.lanes, self.rows[i].tolist())
        assert decoder.ended()
        return found


def compiled(shares: NDArray[np.int64], lanes: int | None = None) -> bytes:
    return rans_numba.payload(shares.reshape(*shares.shape[:2], -1), lanes)


def call_by_call(case: Case, lanes: int) -> bytes:
    """The payload when an engine passes symbols and rows step by step, with no call for a step without a pixel."""
    encoder = rans_numba.Encoder(Shape(*case.shape))
    for call in case.calls():
        if len(call):
            encoder.encode(case.symbols[call], case.rows[call])
    with patch.object(rans, "lanes_for", return_value=lanes):
        return encoder.finish()


def all_bits(shares: NDArray[np.int64]) -> float:
    """The cost of the shares in bits."""
    return float((20 - np.log2(shares & 2**20 - 1)).sum())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.sampled_from([1, 3]), st.integers(2, 4),
    st.integers(0, rans.MOST_LANES_LOG2), st.sampled_from(TOTALS),
)  # fmt: skip
def test_numpy_numba_and_plain_python_write_the_same_bytes_and_read_them(
    seed: int, sides: tuple[int, int], channels: int, digits: int, log2_lanes: int, total: int
) -> None:
    case, lanes = Case(seed, (*sides, channels, digits), total), 1 << log2_lanes
    payload = case.plain(lanes)
    assert rans.encode(case.shares, lanes) == payload
    assert compiled(case.shares, lanes) == payload
    assert call_by_call(case, lanes) == payload
    assert payload[0] == log2_lanes
    assert np.array_equal(case.decoded(rans.Decoder(payload)), case.symbols)
    assert np.array_equal(case.decoded(rans_numba.Decoder(payload)), case.symbols)
    assert case.plainly_decoded(payload) == case.symbols.tolist()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 16]), st.one_of(st.sampled_from(TOTALS), st.integers(16, 2**20)))
def test_shares_fill_2_to_the_20_and_none_is_empty_whatever_the_total(seed: int, k: int, total: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, 50, k, total)
    found = rans.edges_of(rows)
    assert found.tolist() == [edges(row.tolist()) for row in rows]
    assert (found[:, 0] == 0).all()
    assert (found[:, -1] == 2**20).all()
    sizes = np.diff(found)
    assert sizes.min() >= 1
    assert sizes.max() < 2**20
    assert (abs(sizes * total - rows.astype(np.int64) * 2**20) < total).all()
    symbols = rng.integers(0, k, 50).astype(np.int32)
    packed = rans.intervals_of(symbols, rows)
    assert np.array_equal(packed, rans.intervals_of(symbols, rows))
    assert np.array_equal(packed >> 20, found[np.arange(50), symbols])
    assert np.array_equal(packed & 2**20 - 1, sizes[np.arange(50), symbols])


def test_a_row_of_total_2_to_the_20_owns_its_frequencies() -> None:
    rows = random_rows(np.random.default_rng(4), 200, 16, 2**20)
    assert np.array_equal(np.diff(rans.edges_of(rows)), rows)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(0, 60), st.sampled_from(TOTALS))
def test_what_is_decoded_of_any_states_and_words_encodes_to_them(
    seed: int, log2_lanes: int, words: int, total: int
) -> None:
    """So a payload that ends correctly is the only one with its lanes that holds these symbols."""
    rng, lanes = np.random.default_rng(seed), 1 << log2_lanes
    states = [int(rng.choice([LOWEST, HIGHEST, int(rng.integers(LOWEST, HIGHEST))])) for _ in range(lanes)]
    payload = rans.pack(np.array(states), rng.integers(0, 2**32, words).astype(np.uint32))
    decoder, rows = PlainRansDecoder(payload), random_rows(rng, 400, 16, total).tolist()
    symbols: list[int] = []
    while decoder.words and len(symbols) < len(rows):
        lane = len(symbols) % lanes
        symbols.append(decoder.decode(lane, rows[len(symbols)]))
    encoder = PlainRansEncoder(lanes, decoder.states)
    for i, symbol in enumerate(symbols):
        encoder.encode(i % lanes, symbol, rows[i])
    left = b"".join(word.to_bytes(4, "little") for word in decoder.words)
    assert encoder.finish() + left == payload


@pytest.mark.parametrize("lanes", [1, 4, 64, 256])
@pytest.mark.parametrize("total", TOTALS)
def test_a_payload_takes_the_bits_of_its_shares_and_eight_bytes_a_lane(lanes: int, total: int) -> None:
    case = Case(total, (24, 40, 3, 2), total)
    assert 8 * len(compiled(case.shares, lanes)) <= 1.0005 * all_bits(case.shares) + 64 * lanes + 8


def test_shares_take_the_bits_of_their_frequencies() -> None:
    for total in TOTALS:
        case = Case(total + 1, (24, 40, 3, 2), total)
        chosen = np.take_along_axis(case.rows, case.symbols[:, None], 1)[:, 0]
        ideal = float(np.log2(total / chosen).sum())
        assert all_bits(case.shares) == pytest.approx(ideal, rel=1e-4, abs=0.1)


def test_certain_symbols_cost_nearly_nothing() -> None:
    rows = np.ones((100_000, 16), np.float32)
    rows[:, 3] = 2**20 - 15
    shares = rans.intervals_of(np.full(100_000, 3, np.int32), rows).reshape(100, 1000, 1, 1)
    assert len(compiled(shares)) <= 9 + 100_000 * 15 / 2**20 * 2


@pytest.mark.parametrize("symbol", [0, 1])
def test_the_largest_and_the_smallest_share_keep_states_within_63_bits(symbol: int) -> None:
    rows = np.tile(np.array([2**20 - 1, 1], np.float32), (3000, 1))
    symbols = np.where(np.arange(3000) % 7 == 0, 1 - symbol, symbol).astype(np.int32)
    shares = rans.intervals_of(symbols, rows).reshape(1, 3000, 1, 1)
    encoder = PlainRansEncoder(1)  # which asserts it
    for s, row in zip(symbols, rows, strict=True):
        encoder.encode(0, int(s), row.tolist())
    assert rans.encode(shares, 1) == compiled(shares, 1) == encoder.finish()


# How many lanes.


def test_lanes_are_a_power_of_two_for_every_eight_kibibytes_of_whole_bits() -> None:
    rng = np.random.default_rng(0)
    for n in (0, 1, 1000, 2**14, 2**16, 2**18):
        sizes = np.floor(2 ** rng.uniform(0, 20, (n, 1, 3, 2))).astype(np.int64)
        whole = sum(20 - int(size).bit_length() for size in sizes.ravel().tolist())
        lanes = rans.lanes_for(sizes | rng.integers(0, 2**20, sizes.shape) << 20)
        assert lanes & lanes - 1 == 0
        assert lanes == 1 or lanes <= whole / 8 / rans.BYTES_A_LANE < 2 * lanes or lanes == 256
        assert lanes > 1 or whole < 16 * rans.BYTES_A_LANE


def test_lanes_grow_with_the_image_up_to_256() -> None:
    found = [rans.lanes_for(np.ones((n, 64), np.int64)) for n in (1, *(53 << i for i in range(12)))]
    assert found == sorted(found)
    assert found[0] == 1
    assert {1, 2, 4, 128, 256} <= set(found)
    assert found[-1] == 256


def test_sizes_next_to_powers_of_two_are_counted_exactly() -> None:
    wanted = 16 * rans.BYTES_A_LANE  # for two lanes
    for bits in range(1, 19):
        for size in (2**bits - 1, 2**bits, 2**bits + 1):
            n = -(-wanted // (20 - size.bit_length()))
            assert rans.lanes_for(np.full(n, size)) == 2
            assert rans.lanes_for(np.full(n - 1, size)) == 1


# Payloads that no encoder writes.


def test_every_truncation_and_every_flipped_byte_is_an_error() -> None:
    for lanes, shape in ((1, (5, 4, 1, 2)), (4, (6, 7, 1, 2)), (16, (3, 4, 1, 2))):
        case = Case(lanes, shape, 2**20)
        payload = rans.encode(case.shares, lanes)
        bad = [payload[:n] for n in range(len(payload))] + [payload + bytes(n) for n in (1, 4, 8)]
        bad += [
            payload[:i] + bytes([payload[i] ^ mask]) + payload[i + 1 :]
            for i in range(len(payload))
            for mask in (1 << i % 8, 255)
        ]
        for data in bad:
            for form in (rans.Decoder, rans_numba.Decoder):
                with pytest.raises(BitstreamError):
                    case.decoded(form(data))


def _states(*states: int) -> bytes:
    return b"".join(x.to_bytes(8, "little") for x in states)


REFUSED = {
    "payload has 0 bytes, expected 9": b"",
    "payload has 1 bytes, expected 9": b"\0",
    "payload has 8 bytes, expected 9": b"\0" + bytes(7),
    "payload has 10 bytes, expected 9 and words of 4": b"\0" + _states(LOWEST) + b"\0",
    "payload has 9 bytes, expected 17": b"\1" + _states(LOWEST),
    "payload has 2^9 lanes, expected at most 2^8": b"\x09" + _states(*[LOWEST] * 512),
    "payload has 2^255 lanes": b"\xff" * 4096,
    "payload damaged: a state is out of its range": b"\1" + _states(LOWEST, LOWEST - 1),
    "payload damaged: a state is out": b"\1" + _states(1 << 63, LOWEST),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_payload_whose_parts_are_wrong_is_refused_before_it_is_decoded(message: str) -> None:
    with pytest.raises(BitstreamError, match=re.escape(message)):
        rans.Decoder(REFUSED[message])
    with pytest.raises(ValueError, match=r"lanes|length|state"):
        PlainRansDecoder(REFUSED[message])


@pytest.mark.parametrize("form", [rans.Decoder, rans_numba.Decoder])
def test_each_way_in_which_a_payload_does_not_end_is_named(form: type[rans.Decoder]) -> None:
    case = Case(3, (4, 5, 1, 2), 2**20)
    payload = rans.encode(case.shares, 4)
    with pytest.raises(BitstreamError, match="payload ends before its last pixel"):
        case.decoded(form(payload[:-4]))
    with pytest.raises(BitstreamError, match="payload goes on after its last pixel"):
        case.decoded(form(payload + bytes(4)))
    started = PlainRansEncoder(4, [LOWEST, LOWEST + 1, LOWEST, LOWEST])
    for call in case.calls():
        for j, i in enumerate(call):
            started.encode(j % 4, int(case.symbols[i]), case.rows[i].tolist())
    with pytest.raises(BitstreamError, match="its states do not end where an encoder starts"):
        case.decoded(form(started.finish()))


def test_a_lane_that_no_pixel_has_must_end_as_the_others() -> None:
    case = Case(5, (6, 1, 1, 2), 2**20)  # steps of one pixel at most
    payload = rans.encode(case.shares, 2)
    assert payload[9:17] == _states(LOWEST)
    for form in (rans.Decoder, rans_numba.Decoder):
        assert np.array_equal(case.decoded(form(payload)), case.symbols)
        with pytest.raises(BitstreamError, match="do not end"):
            case.decoded(form(payload[:9] + _states(LOWEST + 1) + payload[17:]))
