"""The range coder: round trips, overhead, and agreement with the formula in `docs/format.md`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pixcodecs.coders import range as range_coder
from pixcodecs.coders.base import TOTAL
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.models.wavefront import reference
from tests.helpers.support import encoding, scene, tiny_weights
from tests.oracles.range_coder import PlainDecoder, PlainEncoder

Rows = NDArray[np.float32]
Symbols = NDArray[np.int32]


def random_rows(rng: np.random.Generator, n: int, k: int, total: int) -> Rows:
    """(n, k) integers >= 1 with row sums `total`, from nearly uniform to nearly all on one symbol."""
    concentration = 10.0 ** rng.uniform(-3, 2, n)
    p = np.stack([rng.dirichlet(np.full(k, c)) for c in concentration])
    return (1 + np.stack([rng.multinomial(total - k, row / row.sum() * (1 - 1e-12)) for row in p])).astype(np.float32)


def draw(rng: np.random.Generator, rows: Rows) -> Symbols:
    """Symbols distributed according to the rows."""
    u = rng.random(len(rows)) * rows.sum(1)
    return (rows.cumsum(1) <= u[:, None]).sum(1).clip(max=rows.shape[1] - 1).astype(np.int32)


def coded(symbols: Symbols, rows: Rows) -> bytes:
    encoder = range_coder.Encoder()
    encoder.encode(symbols, rows)
    return encoder.finish()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 200), total=st.sampled_from([16, 17, 1000, 2**20, 2**24 - 1]))
def test_symbols_round_trip_in_any_division_into_calls(seed: int, n: int, total: int) -> None:
    rng = np.random.default_rng(seed)
    rows = random_rows(rng, n, 16, total)
    symbols = rng.integers(0, 16, n).astype(np.int32)
    payload = coded(symbols, rows)
    cut = int(rng.integers(0, n + 1))
    decoder = range_coder.Decoder(payload)
    parts = [decoder.decode(rows[:cut]), decoder.decode(rows[cut:])]
    decoder.check_exhausted()
    assert np.array_equal(np.concatenate(parts), symbols)


def test_overhead_is_below_a_thousandth_and_a_few_bytes() -> None:
    rng = np.random.default_rng(1)
    for n in (1, 10, 1000, 50_000):
        rows = random_rows(rng, min(n, 2000), 16, TOTAL)[np.arange(n) % 2000]
        symbols = draw(rng, rows)
        ideal = float(-np.log2(np.take_along_axis(rows, symbols[:, None], 1)[:, 0] / rows.sum(1)).sum())
        assert 8 * len(coded(symbols, rows)) <= 1.001 * ideal + 64


def test_certain_symbols_cost_nearly_nothing() -> None:
    rows = np.ones((100_000, 16), np.float32)
    rows[:, 3] = TOTAL - 15
    assert len(coded(np.full(100_000, 3, np.int32), rows)) <= 8 + 100_000 * 15 / TOTAL * 2


def test_plain_python_gives_the_same_bytes_and_reads_them() -> None:
    rng = np.random.default_rng(2)
    for trial in range(600):
        n = int(rng.integers(0, 12))
        total = int(rng.choice([16, int(rng.integers(17, 2**20)), 2**20]))
        rows = random_rows(rng, n, 16, total) if n else np.ones((0, 16), np.float32)
        symbols = draw(rng, rows) if trial % 2 else rng.integers(0, 16, n).astype(np.int32)
        encoder = PlainEncoder()
        for symbol, row in zip(symbols, rows, strict=True):
            encoder.encode(int(symbol), row.tolist())
        payload = coded(symbols, rows) if n else range_coder.Encoder().finish()
        assert encoder.finish() == payload
        decoder = PlainDecoder(payload)
        assert [decoder.decode(row.tolist()) for row in rows] == symbols.tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_payload_is_decoded_by_nothing_but_the_specification(channels: int) -> None:
    model = tiny_weights(channels, seed=9, spread=1.0)
    height, width = 5, 8
    samples = scene(channels, height, width, 9)
    (payload,) = TensorEngine(model, backend="float32").encode(encoding([samples]))
    decoder = PlainDecoder(payload)
    own = reference.Reference(model, height, width)
    for t in range(width + 2 * (height - 1)):
        step = [(y, t - 2 * y) for y in range(height) if 0 <= t - 2 * y < width]
        states = []
        for y, x in step:
            own.begin(y, x)
            states.append((own.centre, own.hidden, own.known, own.fine))
        for channel in range(channels):
            tables = []
            for own.centre, own.hidden, own.known, own.fine in states:
                tables.append(np.diff(own.cumulative(channel)))
            bins = [decoder.decode(reference.bin_freqs(table).tolist()) for table in tables]
            for i, (y, x) in enumerate(step):
                place = decoder.decode(reference.place_freqs(tables[i], bins[i]).tolist())
                own.centre, own.hidden, own.known, own.fine = states[i]
                own.store(y, x, channel, 16 * bins[i] + place)
                states[i] = own.centre, own.hidden, own.known, own.fine
    assert np.array_equal(own.pixels, samples)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_a_payload_that_is_not_made_of_words_is_rejected(n: int) -> None:
    with pytest.raises(BitstreamError, match="multiple of 4"):
        range_coder.Decoder(bytes(n))


def test_words_left_over_are_rejected() -> None:
    rng = np.random.default_rng(3)
    rows = random_rows(rng, 50, 16, TOTAL)
    decoder = range_coder.Decoder(coded(draw(rng, rows), rows) + b"\x01\0\0\0" * 3)
    decoder.decode(rows)
    with pytest.raises(BitstreamError, match="goes on"):
        decoder.check_exhausted()


def test_a_payload_no_encoder_writes_ends_in_bitstream_error() -> None:
    rows = np.full((64, 16), TOTAL / 16, np.float32)
    with pytest.raises(BitstreamError):
        range_coder.Decoder(b"\xff" * 64).decode(rows)
