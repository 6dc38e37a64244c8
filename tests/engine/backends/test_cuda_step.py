"""Steps in tensor operations write and read the bytes of the plain engine, and never read a value from the device."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from pixcodecs.coders import rans
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import CODERS, RANS
from pixcodecs.errors import BitstreamError, ModelMismatchError

from pixzip.engine.backends.cuda import graph
from pixzip.engine.backends.cuda.batch import Steps
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from tests.helpers.support import decoding, encoding, noise, scene, shares, tiny_weights

SIZES = [(5, 8), (1, 1), (1, 9), (6, 1), (2, 12), (5, 4), (3, 3)]


def images(channels: int, n: int) -> list[Samples]:
    """Small photographs and noise, of alternating sizes."""
    made: list[Callable[..., Samples]] = [scene, noise]
    return [made[i % 2](channels, *SIZES[i % len(SIZES)], i) for i in range(n)]


def sizes(batch: Sequence[Samples]) -> list[tuple[int, int]]:
    return [samples.shape[:2] for samples in batch]


def rans_jobs(coded: Sequence[bytes], sides: Sequence[tuple[int, int]]) -> list[Job]:
    return decoding(coded, sides, coders=[RANS] * len(coded))


def payloads(form: Steps, batch: Sequence[Samples], coder: EntropyCoder) -> list[bytes]:
    found = form.edges(batch)
    return [coder.from_edges(edges, samples) for edges, samples in zip(found, batch, strict=True)]


def same(a: Sequence[Samples], b: Sequence[Samples]) -> bool:
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module", params=[(1, "float32"), (3, "float32"), (1, "int8"), (3, "int8")], name="engine")
def _engine(request: pytest.FixtureRequest) -> TensorEngine:
    channels, backend = request.param
    try:
        return TensorEngine(tiny_weights(channels, seed=21, spread=1.0), backend=backend)
    except ModelMismatchError as e:
        pytest.skip(str(e))


@pytest.mark.parametrize("n", [1, 7, 64])
def test_batches_give_the_bytes_of_the_plain_engine_and_are_decoded(engine: TensorEngine, n: int) -> None:
    batch, form = images(engine.model.channels, n), Steps(engine.layers)
    for coder in CODERS.values():
        assert payloads(form, batch, coder) == engine.encode(encoding(batch, coder=coder))
    assert same(form.decode(rans_jobs(payloads(form, batch, RANS), sizes(batch))), batch)


@pytest.mark.parametrize("sides", [(1, 1), (1, 9), (9, 1), (2, 2), (6, 7)])
def test_an_image_is_the_same_alone_and_between_noise_of_other_widths(
    engine: TensorEngine, sides: tuple[int, int]
) -> None:
    channels, form = engine.model.channels, Steps(engine.layers)
    samples = scene(channels, *sides, 5)
    (alone,) = form.edges([samples])
    batch = [noise(channels, 3, 12, 1), samples, noise(channels, 9, 2, 2)]
    assert np.array_equal(form.edges(batch)[1], alone)
    both = payloads(form, batch, RANS)
    assert same(form.decode(rans_jobs(both, sizes(batch))), batch)
    assert same(form.decode(rans_jobs(both[1:2], [sides])), [samples])


def test_lanes_and_rounds_of_all_numbers_are_decoded_together() -> None:
    """Lanes are more, as many, and fewer than the rows of an image; with fewer, a step takes several rounds."""
    engine = TensorEngine(tiny_weights(3, seed=22), backend="float32")
    batch = [scene(3, 18, 9, i) for i in range(5)] + [noise(3, 1, 12, 5), noise(3, 9, 1, 6)]
    coded = [rans.encode(shares(engine, p), lanes) for p, lanes in zip(batch, (1, 2, 4, 8, 64, 4, 2), strict=True)]
    assert same(Steps(engine.layers).decode(rans_jobs(coded, sizes(batch))), batch)


@pytest.fixture(scope="module", name="small")
def _small() -> tuple[Steps, Samples, bytes]:
    engine = TensorEngine(tiny_weights(1, seed=23), backend="float32")
    samples = scene(1, 3, 4, 1)
    return Steps(engine.layers), samples, rans.encode(shares(engine, samples), 2)


def test_every_truncation_and_every_flipped_byte_is_an_error(small: tuple[Steps, Samples, bytes]) -> None:
    form, samples, payload = small
    bad = [payload[:n] for n in range(len(payload))] + [payload + bytes(n) for n in (1, 4, 8)]
    bad += [
        payload[:i] + bytes([payload[i] ^ mask]) + payload[i + 1 :]
        for i in range(len(payload))
        for mask in (1 << i % 8, 255)
    ]
    for data in bad:
        with pytest.raises(BitstreamError):
            form.decode(rans_jobs([data], sizes([samples])))


def test_a_damaged_payload_among_good_ones_is_an_error(small: tuple[Steps, Samples, bytes]) -> None:
    form, samples, payload = small
    assert same(form.decode(rans_jobs([payload] * 3, sizes([samples] * 3))), [samples] * 3)
    for data, message in ((payload[:-4], "ends before"), (payload + bytes(4), "goes on"), (b"\x09", "2\\^9 lanes")):
        with pytest.raises(BitstreamError, match=message):
            form.decode(rans_jobs([payload, data, payload], sizes([samples] * 3)))


def test_payloads_of_the_range_coder_are_a_callers_mistake(small: tuple[Steps, Samples, bytes]) -> None:
    form, samples, payload = small
    with pytest.raises(ValueError, match="coder range, expected rans"):
        form.decode(decoding([payload], sizes([samples])))


def test_progress_ends_with_all_steps(monkeypatch: pytest.MonkeyPatch, small: tuple[Steps, Samples, bytes]) -> None:
    monkeypatch.setattr(graph, "STEPS_AT_ONCE", 3)
    form, samples, _ = small
    told: list[tuple[int, int]] = []
    form.edges([samples], lambda done, total: told.append((done, total)))
    assert told == [(3, 8), (6, 8), (8, 8)]
