"""The compiled loop: exact products, and the bytes of the plain engine in any number of threads and parts."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from pixcodecs import threads
from pixcodecs.coders import range as range_coder
from pixcodecs.coders import range_numba
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.compiled import compiled
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.numba.products import COLUMNS, ROWS, packed
from pixzip.engine.backends.numba.trunk import layer
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.batch import Samples
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.wavefront.weights import STREAM_FRACTION
from tests.helpers.support import decoding, encoding, noise, scene, tiny_weights

#: (height, width): one column, one row, a pixel, odd sides.
SIZES = [(9, 14), (1, 1), (21, 1), (1, 17), (6, 5)]


@compiled
def one_layer(source, places, weight, shift, bias, fresh, stream, target, target_places, finer):
    layer(source, places, weight, shift, bias, fresh, stream, target, target_places, finer)


@pytest.mark.parametrize("m", [1, 2, ROWS, ROWS + 1, 2 * ROWS + 3])
@pytest.mark.parametrize(("length", "groups", "taps"), [(1, 1, 1), (7, 2, 3), (64, 3, 5), (320, 5, 1)])
def test_products_are_exact_at_the_ends_of_their_range(m: int, length: int, groups: int, taps: int) -> None:
    """Rows fewer and more than a tile's, groups in pairs and alone; rows that nobody owns stay as they are."""
    rng = np.random.default_rng([m, length])
    rows, columns = m + 5, groups * COLUMNS
    for low, high in ((-127, 128), (127, 128), (-(2**15), 2**15)):
        source = rng.integers(low, high, (rows, length + length % 2)).astype(np.int16)
        weight = rng.integers(-127, 128, (taps, length, columns))
        weight[:, :, 0], weight[:, :, 1] = 127, -127
        places, into = rng.integers(0, rows, (m, taps)), rng.permutation(rows)[:m, None]
        shift, bias = (rng.integers(0, 4, columns).astype(np.int32) for _ in range(2))
        stream = rng.integers(-1000, 1000, (rows, columns)).astype(np.int32)
        target = rng.integers(0, 127, (rows, columns)).astype(np.int16)
        sums = sum(source[places[:, k], :length].astype(np.int64) @ weight[k] for k in range(taps)) << shift
        for fresh, finer, written in ((1, 0, target), (0, 2, target), (0, 0, target[:0])):
            expected, activations = stream.astype(np.int64), target.copy()
            expected[:m] = np.where(fresh, bias, stream[:m]) + sums
            right = STREAM_FRACTION - finer
            surplus = (1 << (STREAM_FRACTION - 1)) - (1 << (right - 1))
            if len(written):
                activations[into[:, 0]] = ((expected[:m].astype(np.int32) - surplus) >> right).clip(0, 127)
            matrix = np.stack([packed(w) for w in weight])
            one_layer(source, places, matrix, shift, bias, fresh, stream[:m], written, into, finer)
            assert np.array_equal(stream, expected.astype(np.int32))
            assert np.array_equal(target, activations)


@pytest.fixture
def any_threads() -> Iterator[None]:
    before = threads.get_threads()
    yield
    threads.set_threads(before)


def images(channels: int) -> list[Samples]:
    return [(scene if i % 2 else noise)(channels, *size, i) for i, size in enumerate(SIZES)]


@pytest.mark.parametrize("coder", [RANGE, RANS], ids=["range", "rans"])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_number_of_threads_writes_the_plain_engines_bytes(
    channels: int, coder: object, any_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more threads than images they meet in every step; with fewer they share the images out."""
    monkeypatch.setattr("pixzip.engine.backends.numba.coding.SEGMENT_PIXELS", 20)
    monkeypatch.setattr("pixzip.engine.backends.numba.coding._ROUND_PIXELS", 30)
    monkeypatch.setattr("pixzip.engine.backends.numba.pace.PIXELS_PER_THREAD", 1)
    model = tiny_weights(channels, seed=5, spread=1.0)
    plain, own, made = TensorEngine(model, backend="float32"), WavefrontEngine(model), images(channels)
    expected = plain.encode(encoding(made, coder=coder))  # type: ignore[arg-type]
    maps = plain.nll_maps(encoding(made))
    for count in (1, 2, 3, 8):
        threads.set_threads(count)
        assert own.encode(encoding(made, coder=coder)) == expected  # type: ignore[arg-type]
        back = own.decode(decoding(expected, [x.shape[:2] for x in made], None, [coder] * len(made)))  # type: ignore[list-item]
        assert all(map(np.array_equal, back, made))
        assert all(np.allclose(a, b, rtol=1e-12) for a, b in zip(own.nll_maps(encoding(made)), maps, strict=True))
        assert own.decode(decoding(expected[:1], [SIZES[0]], None, [coder]))[0].tobytes() == made[0].tobytes()  # type: ignore[list-item]


@pytest.mark.parametrize("depth", [8, 12, 16])
def test_damaged_payloads_end_in_errors_or_other_samples(depth: int, any_threads: None) -> None:
    """In one thread and in two, which must not wait for each other for ever."""
    model = tiny_weights(1, seed=6, spread=1.0)
    own, precision = WavefrontEngine(model), Precision(depth)
    samples = noise(1, 40, 80, 1).astype(np.uint8 if depth == 8 else np.uint16) << depth - 8
    rng, outcomes = np.random.default_rng(depth), set()
    for coder in (RANGE, RANS):
        (payload,) = own.encode(encoding([samples], [precision], coder))
        for count in (1, 2):
            threads.set_threads(count)
            for cut in (0, 4, len(payload) // 8 * 4, len(payload) - 4, len(payload)):
                damaged = bytearray(payload[:cut] + bytes(4 * (cut == len(payload))))
                for at in rng.integers(0, max(1, cut), 3 * (cut > 4)):
                    damaged[at] ^= 1 << rng.integers(8)
                try:
                    own.decode(decoding([bytes(damaged)], [(40, 80)], [precision], [coder]))
                except BitstreamError as e:
                    outcomes.add(str(e).partition(":")[0])
    assert {"payload ends before its last pixel", "payload goes on after its last pixel"} & outcomes


@compiled
def lefts(below, edges):
    """The starts of the intervals of symbols with these frequencies below them, of 2^20 in all."""
    for symbol in range(below.shape[0]):
        edges[symbol] = range_numba.left_of(below[symbol], symbol, range_numba.scale_of(np.int64(1 << 20)))


@compiled
def wrong(positions, totals, most):
    """The number of positions, totals and symbols for which `about` decides otherwise than the exact starts."""
    found = 0
    for i in range(positions.shape[0]):
        near = range_numba.about(positions[i], totals[i])
        for symbol in range(1, 16):
            for off in range(-most, most + 1):
                below = near + off
                if abs(off) > range_numba.SURE and symbol <= below < totals[i]:
                    exact = range_numba.left_of(below, symbol, range_numba.scale_of(totals[i])) <= positions[i]
                    found += exact != (off < 0)
    return found


def test_frequencies_far_from_a_position_are_compared_without_floats() -> None:
    rng = np.random.default_rng(7)
    totals = np.concatenate([rng.integers(16, 1 << 20, 60_000), np.full(20_000, 1 << 20), np.arange(16, 20_016)])
    positions = rng.integers(0, 1 << 24, totals.size)
    positions[::7] = (1 << 24) - 1 - rng.integers(0, 40, positions[::7].size)
    assert wrong(positions, totals, 12) == 0


@compiled
def quantile(state):
    return range_numba.quantile(state)


@compiled
def take(state, left, right, words):
    return range_numba.take(state, left, right, words, 0, words.shape[0])


@pytest.mark.parametrize("words", [0, 1, 2, 3, 9])
def test_the_compiled_range_decoder_ends_like_the_library(words: int) -> None:
    """Random words, decoded to their end and a little further by both."""
    rng, freqs = np.random.default_rng(words), np.full(16, 1 << 16)
    for _ in range(60):
        payload = rng.integers(0, 1 << 32, words, dtype=np.uint32).astype("<u4")
        library, state = range_coder.Decoder(payload.tobytes()), np.zeros(4, np.uint64)
        data = range_numba.parse(payload.tobytes())
        range_numba.start(state, data, 0, len(data))
        edges = np.zeros(16, np.int64)
        lefts(np.cumsum(freqs) - freqs, edges)
        for _ in range(8 * words + 4):
            assert range_numba.is_exhausted(state, len(data)) == library._coder.maybe_exhausted()
            position = quantile(state)
            if position < 0:
                with pytest.raises(BitstreamError):
                    library.decode(freqs[None].astype(np.float32))
                break
            symbol = int(np.searchsorted(edges, position, "right")) - 1
            (found,) = library.decode(freqs[None].astype(np.float32))
            assert found == symbol
            right = int(edges[symbol + 1]) if symbol < 15 else range_numba.WHOLE
            if not take(state, int(edges[symbol]), right, data):
                break


#: Prints the payloads of the images that `images` makes, after decoding them.
INTERPRETED = """
import numpy as np
from pixcodecs.coders.registry import RANGE, RANS
from pixzip.engine.wavefront import WavefrontEngine
from tests.engine.backends.test_compiled_loop import SIZES, images
from tests.helpers.support import decoding, encoding, tiny_weights
own, made = WavefrontEngine(tiny_weights(3, seed=5, spread=1.0)), images(3)
for coder in (RANGE, RANS):
    payloads = own.encode(encoding(made, coder=coder))
    back = own.decode(decoding(payloads, SIZES, None, [coder] * len(made)))
    assert all(map(np.array_equal, back, made))
    print(*(payload.hex() for payload in payloads))
"""


def test_the_interpreter_writes_the_compiled_loops_bytes(child_env: dict[str, str]) -> None:
    own, made = WavefrontEngine(tiny_weights(3, seed=5, spread=1.0)), images(3)
    expected = [" ".join(p.hex() for p in own.encode(encoding(made, coder=coder))) for coder in (RANGE, RANS)]
    env = child_env | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", INTERPRETED], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == expected
