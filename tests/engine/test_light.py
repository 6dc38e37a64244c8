"""The light stage: the compiled loop computes what the format says, on every machine, in any number of threads."""

import dataclasses
import hashlib
import io
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pixcodecs import threads
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError

from pixzip.engine import device
from pixzip.engine.backends.numba import coding, loop
from pixzip.engine.backends.numba.lanes import LANES
from pixzip.engine.backends.numba.wavefront import CompiledWavefront
from pixzip.engine.backends.torch.engine import TensorEngine, with_known_answer
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.known_answer import adapted_answer_pattern
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models import library
from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront import colours
from pixzip.models.wavefront.least_squares import PERIOD
from tests.engine.conftest import FEW
from tests.helpers.support import noise, scene, tiny_weights
from tests.oracles.light import Light
from tests.oracles.range_coder import PlainEncoder

#: A pixel, a row, a column, images too narrow for a row's equations to know many pixels, and rows beyond one group.
SIZES = [(1, 1), (1, 13), (9, 1), (2, 3), (7, 2), (5, 7), (4 * LANES + 6, 5)]


@cache
def engine(channels: int) -> WavefrontEngine:
    return WavefrontEngine(tiny_weights(channels, seed=5, spread=1.0))


def few_colours(height: int, width: int, seed: int = 1) -> Samples:
    """(H, W, 3) scene of few values, so that colours occur again."""
    return scene(3, height, width, seed) // 24 * 24


def deep(samples: Samples, depth: int) -> Samples:
    """The same image in 9 to 16 bits, with something in the bits below."""
    return (samples.astype(np.uint16) << depth - 8) + (samples[::-1, ::-1] & (1 << depth - 8) - 1)


def made(channels: int) -> list[Samples]:
    """Images of `SIZES`, and for RGB one that repeats its colours."""
    found = [(scene if i % 2 else noise)(channels, *size, i) for i, size in enumerate(SIZES)]
    return [*found, few_colours(9, 14)] if channels == 3 else found


def jobs_of(images: list[Samples], coder: EntropyCoder = RANGE, precision: Precision = Precision()) -> list[Job]:  # noqa: B008
    return [Job.encoding(x, coder=coder, stage=LIGHT, precision=precision) for x in images]


def inverse(jobs: list[Job], payloads: list[bytes]) -> list[Job]:
    """The jobs that decode what other jobs gave."""
    return [dataclasses.replace(job, samples=None, payload=p) for job, p in zip(jobs, payloads, strict=True)]


def plane(w: CompiledWavefront, buffer: NDArray[np.float32], at: NDArray[np.int64], planes: int, y: int,
          image: int = 0) -> NDArray[np.float32]:  # fmt: skip
    """(planes,) floats of a row of an image, out of the planes of its class."""
    columns = int(w.equations.columns[image])
    start = int(at[image]) + y % PERIOD * planes * columns
    rows = buffer[start : start + planes * columns].reshape(planes, columns)
    return rows[:, int(w.equations.lane[image]) + y // PERIOD * int(w.equations.beside[image])]


def check_state(w: CompiledWavefront, oracle: Light, image: int = 0) -> None:
    """Compare the sums, totals and coefficients of every row, and the counts, with the oracle's."""
    e = w.equations
    for y in range(oracle.height):
        for c, b in enumerate(oracle.coefficients):
            n = b.shape[1]
            assert n == e.taps[c]
            i, j = np.tril_indices(n + 1)
            entries = i[:-1], j[:-1]
            for buffer, expected in ((e.sums, oracle.sums), (e.totals, oracle.totals)):
                found = plane(w, buffer, e.sums_at, e.all_sums, y, image)
                assert np.array_equal(found[e.first_sum[c] :][: len(i) - 1], expected[c][y][entries]), (y, c)
            found = plane(w, e.coefficients, e.coefficients_at, e.all_taps, y, image)
            assert np.array_equal(found[e.first_tap[c] :][:n], b[y]), (y, c)
    slot = int(w.mixtures.colours.at[image])
    assert (slot >= 0) == oracle.remembers
    if oracle.remembers:
        assert np.array_equal(w.mixtures.colours.hits[:, slot], oracle.hits)
        assert np.array_equal(w.mixtures.colours.uses[:, slot], oracle.uses)


def check(own: WavefrontEngine, samples: Samples, precision: Precision = Precision(), least: int = 4096) -> Light:  # noqa: B008
    """Compare an image's frequencies, and the state after the last step, with the oracle's; return the oracle."""
    oracle = Light(own.model, samples, precision, least)
    expected = oracle.rows()
    (job,) = jobs_of([samples], precision=precision)
    config = own.model.config
    assert np.array_equal(coding.frequencies(config, own.operands, job), expected)
    part = coding.Part(config, own.operands, [job], loop.MEASURE, 1)
    part.advance(part.wavefront.steps, 1)
    check_state(part.wavefront, oracle)
    return oracle


@pytest.mark.parametrize("channels", [1, 3])
def test_frequencies_and_state_are_those_of_the_format(channels: int) -> None:
    for size in SIZES:
        for make in (scene, noise):
            check(engine(channels), make(channels, *size, 3))


@pytest.mark.parametrize(("depth", "unit"), [(9, 0), (12, 3), (16, 0), (16, 8)])
@pytest.mark.parametrize("channels", [1, 3])
def test_frequencies_of_more_than_8_bits_are_those_of_the_format(channels: int, depth: int, unit: int) -> None:
    for size in [(1, 1), (2, 3), (6, 9)]:
        for make in (scene, noise):
            check(engine(channels), deep(make(channels, *size, 3), depth), Precision(depth, unit))


def test_colours_seen_act_from_4096_pixels_as_in_the_format() -> None:
    samples = few_colours(64, 64)
    oracle = check(engine(3), samples)
    assert oracle.uses.sum() > 1000
    assert 0.5 < oracle.hits.sum() / oracle.uses.sum() <= 1
    assert not Light(engine(3).model, samples[:-1]).remembers


def test_colours_seen_are_those_of_earlier_steps(few: None) -> None:
    """A few values, every one of them again and again; a colour of all 256 values of the last channel."""
    rng = np.random.default_rng(2)
    coarse = rng.choice(np.array([0, 1, 15, 16, 254, 255], np.uint8), (9, 14, 3))
    assert check(engine(3), coarse, least=FEW).uses.any()
    many = np.zeros((12, 24, 3), np.uint8)
    many[..., 2] = np.arange(many.shape[0] * many.shape[1]).reshape(many.shape[:2]) % 256
    assert 0 < check(engine(3), many, least=FEW).uses.sum() <= 64 + 24  # none once there are more than 64


def test_classes_are_halved_above_1024_uses(few: None) -> None:
    samples = np.zeros((30, 60, 3), np.uint8)
    oracle = check(engine(3), samples, least=FEW)
    assert oracle.uses.sum() < samples.shape[0] * samples.shape[1] - 500


def test_state_is_that_of_the_format_after_every_step(few: None) -> None:
    samples = few_colours(8, 9)
    oracle = Light(engine(3).model, samples, least_pixels=FEW)
    part = coding.Part(engine(3).model.config, engine(3).operands, jobs_of([samples]), loop.MEASURE, 1)
    for _ in oracle.steps():
        part.advance(1, 1)
        check_state(part.wavefront, oracle)
    assert part.is_done


def test_a_models_own_prior_takes_the_place_of_the_default() -> None:
    model = engine(3).model
    rng = np.random.default_rng(4)
    priors = {}
    for c, default in enumerate(model.priors):
        taps = 0
        while (taps + 1) * (taps + 2) // 2 - 1 < len(default):
            taps += 1
        z = rng.integers(-40, 41, (60, taps + 1))
        i, j = np.tril_indices(taps + 1)
        priors[f"prior.{c}"] = (z.T @ z)[i[:-1], j[:-1]].astype(np.int32)
    own = WavefrontEngine(dataclasses.replace(model, tensors=model.tensors | priors))
    samples = scene(3, 9, 11, 3)
    check(own, samples)
    assert own.encode(jobs_of([samples])) != engine(3).encode(jobs_of([samples]))


def test_the_oracle_and_a_plain_coder_write_the_payload(few: None) -> None:
    samples = few_colours(6, 9)
    plain, freqs = PlainEncoder(), Light(engine(3).model, samples, least_pixels=FEW).steps()
    for t, step in enumerate(freqs):
        ys = [y for y in range(samples.shape[0]) if 0 <= t - 2 * y < samples.shape[1]]
        values = [
            int(samples[y, t - 2 * y, c]) >> 4 - 4 * d & 15 for c in range(3) for d in range(2) for y in ys
        ]  # fmt: skip
        for value, row in zip(values, step, strict=True):
            plain.encode(value, row)
    assert engine(3).encode(jobs_of([samples])) == [plain.finish()]


@pytest.mark.parametrize("coder", [RANGE, RANS], ids=["range", "rans"])
@pytest.mark.parametrize("channels", [1, 3])
def test_payloads_are_the_same_alone_together_by_steps_and_in_any_number_of_threads(
    channels: int, coder: EntropyCoder, any_threads: None, few: None
) -> None:
    own, jobs = engine(channels), jobs_of(made(channels), coder)
    threads.set_threads(1)
    expected = [own.encode([job])[0] for job in jobs]
    assert SteppedEngine.encode(own, jobs) == expected
    assert SteppedEngine.encode(own, jobs[-1:]) == expected[-1:]
    back = inverse(jobs, expected)
    assert all(map(np.array_equal, SteppedEngine.decode(own, back), made(channels)))
    for count in (1, 2, 4):
        threads.set_threads(count)
        assert own.encode(jobs) == expected
        assert [own.encode([job])[0] for job in jobs[-2:]] == expected[-2:]
        assert all(map(np.array_equal, own.decode(back), made(channels)))
        for one, samples in zip(back[-2:], made(channels)[-2:], strict=True):
            assert np.array_equal(own.decode([one])[0], samples)


@pytest.mark.parametrize(("depth", "unit"), [(12, 3), (16, 8)])
def test_payloads_of_more_than_8_bits_round_trip_in_the_loop_and_by_steps(
    depth: int, unit: int, any_threads: None
) -> None:
    own, images = engine(3), [deep(x, depth) for x in made(3)]
    for coder in (RANGE, RANS):
        jobs = jobs_of(images, coder, Precision(depth, unit))
        expected = SteppedEngine.encode(own, jobs)
        for count in (1, 2):
            threads.set_threads(count)
            assert own.encode(jobs) == expected
            assert all(map(np.array_equal, own.decode(inverse(jobs, expected)), images))


def test_jobs_of_both_stages_share_a_call(few: None) -> None:
    own, images = engine(3), made(3)
    jobs = [
        Job.encoding(x, stage=(LIGHT, IDENTITY)[i % 2], coder=(RANGE, RANS)[i // 2 % 2]) for i, x in enumerate(images)
    ]
    payloads = own.encode(jobs)
    assert payloads == [own.encode([job])[0] for job in jobs]
    assert payloads == SteppedEngine.encode(own, jobs)
    assert all(map(np.array_equal, own.decode(inverse(jobs, payloads)), images))
    plain = TensorEngine(own.model, backend="float32")
    assert payloads[1::2] == plain.encode(jobs[1::2])


def test_bits_of_the_measure_are_those_of_the_payload(few: None) -> None:
    own, images = engine(3), [few_colours(30, 40), scene(3, 24, 33, 2)]
    jobs = jobs_of(images)
    maps = own.nll_maps(jobs)
    for bits, stepped, payload in zip(maps, SteppedEngine.nll_maps(own, jobs), own.encode(jobs), strict=True):
        assert np.allclose(bits, stepped, rtol=1e-12)
        assert 0.999 * bits.sum() - 8 < 8 * len(payload) < 1.001 * bits.sum() + 96


def both() -> str:
    """Digests of payloads of 8 and 12 bits by both coders, decoded again, with colours seen."""
    colours.LEAST_PIXELS, before = FEW, colours.LEAST_PIXELS
    try:
        found = []
        images = [few_colours(4, 8), noise(3, 5, 2, 1), scene(3, 3, 2, 2)]
        for precision in (Precision(), Precision(12, 3)):
            for coder in (RANGE, RANS):
                shown = images if precision.depth == 8 else [deep(x, 12) for x in images[coder is RANS :][:1]]
                jobs = jobs_of(shown, coder, precision)
                payloads = engine(3).encode(jobs)
                assert all(map(np.array_equal, engine(3).decode(inverse(jobs, payloads)), shown))
                found += [hashlib.sha256(payload).hexdigest() for payload in payloads]
    finally:
        colours.LEAST_PIXELS = before
    return " ".join(found)


def decoded_jpeg(height: int, width: int) -> Samples:
    """(H, W, 3) scene, after JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(scene(3, height, width, 1)).save(buffer, "JPEG", quality=90)
    return np.asarray(Image.open(buffer))


def test_the_stage_gains_on_scenes_and_on_decoded_jpegs() -> None:
    model = library.resolve("base", 3)
    own = WavefrontEngine(model)  # type: ignore[arg-type]
    for image, most in ((scene(3, 96, 128, 1), 0.995), (decoded_jpeg(96, 128), 0.97)):
        samples = to_coding_order(image, model.order)
        (light,), (plain,) = (own.encode([Job.encoding(samples, stage=stage)]) for stage in (LIGHT, IDENTITY))
        assert len(light) < most * len(plain)


@pytest.mark.parametrize("depth", [8, 9, 13, 16])
def test_damaged_payloads_end_in_errors_or_other_samples(depth: int, any_threads: None, few: None) -> None:
    """Samples beyond the depth are learned from, too, before they are refused."""
    own, precision = engine(3), Precision(depth)
    samples = few_colours(14, 20) if depth == 8 else deep(few_colours(14, 20), depth)
    rng, errors = np.random.default_rng(depth), 0
    for coder in (RANGE, RANS):
        jobs = jobs_of([samples], coder, precision)
        (payload,) = own.encode(jobs)
        for count in (1, 2):
            threads.set_threads(count)
            for cut in (0, 4, len(payload) // 8 * 4, len(payload) - 4, *[len(payload)] * 6):
                damaged = bytearray(payload[:cut])
                for at in rng.integers(0, max(1, cut), 1 if cut == len(payload) else 0):
                    damaged[at] ^= 1 << rng.integers(8)
                try:
                    (found,) = own.decode(inverse(jobs, [bytes(damaged)]))
                    assert not np.array_equal(found, samples)
                except BitstreamError:
                    errors += 1
    assert errors > 16


def test_noise_of_all_extremes_does_not_leave_the_kernels_range() -> None:
    for depth, unit in ((8, 0), (16, 0), (16, 8)):
        samples = noise(3, 9, 40, 5) // 128 * np.uint16((1 << depth) - 1)
        samples = samples.astype(np.uint8 if depth == 8 else np.uint16)
        check(engine(3), samples, Precision(depth, unit))


def test_the_adapted_answer_is_sealed_kept_in_files_and_no_part_of_the_digest(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = engine(3).model
    sealed = with_known_answer(dataclasses.replace(model, adapted_answer="0" * 64))
    assert sealed.adapted_answer == engine(3).adapted_answer()
    assert len({sealed.adapted_answer, sealed.known_answer}) == 2
    assert sealed.digest == model.digest
    (tmp_path / "m").write_bytes(sealed.to_bytes())
    assert load_wavefront(tmp_path / "m").adapted_answer == sealed.adapted_answer
    (tmp_path / "m").write_bytes(model.to_bytes())
    assert load_wavefront(tmp_path / "m").adapted_answer == ""
    assert b"adapted_answer" not in model.to_bytes()


def test_the_adapted_answer_is_that_of_the_oracle_and_covers_colours_seen() -> None:
    oracle = Light(engine(3).model, adapted_answer_pattern(3))
    rows = oracle.rows().astype("<i4")
    assert hashlib.sha256(rows.tobytes()).hexdigest() == engine(3).adapted_answer()
    assert np.count_nonzero(oracle.uses) > 5


def test_a_wrong_adapted_answer_refuses_the_stage_only() -> None:
    samples, model = scene(3, 5, 6, 1), engine(3).model
    right = WavefrontEngine(dataclasses.replace(model, adapted_answer=engine(3).adapted_answer()))
    wrong = WavefrontEngine(dataclasses.replace(model, adapted_answer="0" * 64))
    light, plain = jobs_of([samples]), [Job.encoding(samples)]
    (payload,) = right.encode(light)
    assert wrong.encode(plain) == right.encode(plain)
    for code in (
        lambda: wrong.encode(light),
        lambda: wrong.encode([*plain, *light]),
        lambda: wrong.decode(inverse(light, [payload])),
        lambda: wrong.nll_maps(light),
        lambda: SteppedEngine.encode(wrong, light),
    ):
        with pytest.raises(ModelMismatchError, match="compiled kernels, light stage"):
            code()
    with pytest.raises(ModelMismatchError, match="nothing was coded"):
        device.engine(wrong.model, "cpu").encode(light)
    assert device.engine(right.model, "cpu").encode(light) == [payload]


def test_the_adapted_answer_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, calls = engine(3).adapted_answer(), []
    own = WavefrontEngine(dataclasses.replace(engine(3).model, adapted_answer=answer))
    monkeypatch.setattr(WavefrontEngine, "adapted_answer", lambda self: calls.append(1) or answer)
    own.encode([Job.encoding(scene(3, 4, 4, 1))])
    assert not calls
    for _ in range(2):
        own.encode(jobs_of([scene(3, 4, 4, 1)]))
    assert len(calls) == 1
