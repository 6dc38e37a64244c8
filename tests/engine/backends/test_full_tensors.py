"""The full stage in tensor operations: the compiled loop's payloads, and the state that the format describes."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError

from pixzip.engine import wavefront
from pixzip.engine.backends.torch import decisions
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.backends.torch.full import FullWavefront
from pixzip.engine.backends.torch.runs import runs
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.decisions import EncodingDecisions
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine, together
from tests.engine.conftest import FEW
from tests.engine.test_full import (
    counts_of,
    damaged,
    drawing,
    entries_of,
    extreme_engine,
    jobs_of,
    outcome,
    random_engine,
)  # fmt: skip
from tests.engine.test_light import engine, few_colours, inverse
from tests.helpers.support import noise, scene
from tests.oracles.full import Full

SIZES = [(1, 1), (1, 7), (4, 1), (2, 3), (4, 7)]


def tensors(own: WavefrontEngine) -> TensorEngine:
    return TensorEngine(own.model, backend="float32")


def images(channels: int) -> list[Samples]:
    """Images of `SIZES`, and a drawing."""
    found = [(noise if i % 2 else scene)(channels, *size, i) for i, size in enumerate(SIZES)]
    return [*found, drawing(channels, 6, 9)]


def check(own: WavefrontEngine, samples: Sequence[Samples]) -> None:
    """Tensors write the compiled loop's payloads, of all images at once and of the last one alone, and read them."""
    plain, jobs = tensors(own), jobs_of(list(samples))
    payloads = own.encode(jobs)
    assert plain.encode(jobs) == payloads
    assert plain.encode(jobs[-1:]) == payloads[-1:]
    back = inverse(jobs, payloads)
    assert all(map(np.array_equal, plain.decode(back), samples))
    assert np.array_equal(plain.decode(back[-1:])[0], samples[-1])


@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_write_and_read_the_compiled_loops_payloads(channels: int) -> None:
    check(engine(channels), images(channels))


def test_colours_seen_and_a_models_own_tables_are_used_alike(few: None) -> None:
    check(random_engine(3), [few_colours(5, 8), drawing(3, 6, 9)])
    check(extreme_engine(1, 65535), [noise(3, 4, 5, 2), drawing(3, 5, 7)])


def learned(batch: FullWavefront, image: int, number: int) -> list[object]:
    """What an image has learned: weights, counts, gains and entries."""
    d, r = batch.decisions, batch.repeats

    def own(state: torch.Tensor) -> NDArray[np.int64]:
        return np.split(state.numpy(), number)[image]

    return [
        own(d.weights).tolist(), own(r.weights).tolist(),
        counts_of(own(d.counts.slots)), counts_of(own(r.counts.slots)),
        own(r.gains).tolist(), entries_of(own(r.entries).reshape(5, -1, 2)),
    ]  # fmt: skip


@pytest.mark.parametrize("make", [scene, lambda channels, *size: drawing(channels, *size[:2])])
def test_state_is_that_of_the_format_after_every_step(make: object, few: None) -> None:
    samples = make(3, 5, 7, 1)  # type: ignore[operator]
    own = random_engine(3)
    oracle, (job,) = Full(own.model, samples, FEW), jobs_of([samples])
    plain = tensors(own)
    batch = FullWavefront(plain.layers, plain.model, [job.size])
    coder = EncodingDecisions(batch, [samples])
    for step, _ in zip(batch, oracle.decisions(), strict=True):
        batch.code(step, coder)
        assert learned(batch, 0, 1) == [
            oracle.mix.reshape(-1, 18).tolist(), oracle.repeat.reshape(-1, 6).tolist(), oracle.counts,
            oracle.repeat_counts, oracle.gains, oracle.entries,
        ]  # fmt: skip
        for buffer, expected in (
            (batch.decisions.residuals, oracle.residuals), (batch.repeats.how, oracle.how[..., 0]),
            (batch.equations.errors, oracle.errors),
        ):  # fmt: skip
            assert np.array_equal(batch.schedule.view(buffer, 0).numpy(), expected)
        assert np.array_equal(batch.colours.counts[:, 0, 0].numpy(), oracle.hits)
        assert np.array_equal(batch.colours.counts[:, 1, 0].numpy(), oracle.uses)
    assert coder.payloads() == [Full(own.model, samples, FEW).payload()]


def test_each_image_of_a_batch_learns_as_if_alone() -> None:
    own, samples = random_engine(3), [scene(3, 5, 8, 0), drawing(3, 7, 9), noise(3, 3, 4, 1)]
    plain = tensors(own)
    batch = FullWavefront(plain.layers, plain.model, [x.shape[:2] for x in samples])
    batch.run(EncodingDecisions(batch, samples))
    for i, image in enumerate(samples):
        oracle = Full(own.model, image)
        oracle.payload()
        assert learned(batch, i, 3) == [
            oracle.mix.reshape(-1, 18).tolist(), oracle.repeat.reshape(-1, 6).tolist(), oracle.counts,
            oracle.repeat_counts, oracle.gains, oracle.entries,
        ]  # fmt: skip


def test_bits_are_measured_alike_and_stages_share_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "_ALL_AT_ONCE", 2)  # a step's pixels in several parts
    own, some = engine(3), images(3)
    jobs = [Job.encoding(x, stage=(FULL, IDENTITY, LIGHT)[i % 3]) for i, x in enumerate(some)]
    payloads, plain = own.encode(jobs), tensors(own)
    assert plain.encode(jobs) == payloads
    assert all(map(np.array_equal, plain.decode(inverse(jobs, payloads)), some))
    assert all(map(np.allclose, plain.nll_maps(jobs), own.nll_maps(jobs)))


def test_damaged_payloads_end_as_in_the_compiled_loop() -> None:
    own, errors = engine(3), 0
    plain = tensors(own)
    for samples in (drawing(3, 4, 7), scene(3, 3, 5, 1)):
        (job,) = jobs_of([samples])
        (payload,) = own.encode([job])
        for wrong in damaged(payload, 1, 4):
            found = outcome(plain, job, wrong)
            assert found == outcome(own, job, wrong)
            errors += "payload" in found
    assert errors > 2
    with pytest.raises(Exception, match="multiple of 4"):
        plain.decode(inverse(jobs_of([drawing(1, 2, 2)]), [b"123"]))


def test_the_full_answer_is_that_of_the_compiled_loop_and_a_wrong_one_refuses_the_stage() -> None:
    own, samples = engine(1), scene(1, 3, 4, 1)
    right = tensors(WavefrontEngine(dataclasses.replace(own.model, full_answer=own.full_answer())))
    wrong = tensors(WavefrontEngine(dataclasses.replace(own.model, full_answer="0" * 64)))
    wrong.full_answer = own.full_answer  # type: ignore[method-assign]
    jobs = jobs_of([samples])
    payloads = own.encode(jobs)
    assert right.encode(jobs) == payloads
    assert FULL not in right.unchecked
    for code in (wrong.encode, wrong.nll_maps, lambda jobs: wrong.decode(inverse(jobs, payloads))):
        with pytest.raises(ModelMismatchError, match="float32 on cpu, full stage"):
            code(jobs)
    assert wrong.encode([Job.encoding(samples)]) == own.encode([Job.encoding(samples)])


def test_a_wrong_adapted_answer_refuses_the_light_stage() -> None:
    own, jobs = engine(1), [Job.encoding(scene(1, 3, 4, 1), stage=LIGHT)]
    answer = own.adapted_answer()
    right = tensors(WavefrontEngine(dataclasses.replace(own.model, adapted_answer=answer)))
    assert right.encode(jobs) == own.encode(jobs)
    assert LIGHT not in right.unchecked
    wrong = tensors(WavefrontEngine(dataclasses.replace(own.model, adapted_answer="0" * 64)))
    wrong.adapted_answer = lambda: answer  # type: ignore[method-assign]
    for code in (wrong.encode, wrong.nll_maps):
        with pytest.raises(ModelMismatchError, match="light stage"):
            code(jobs)


def test_a_batch_is_as_small_as_its_memory_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, jobs = tensors(engine(3)), jobs_of(images(3))
    batch = FullWavefront(plain.layers, plain.model, [jobs[-1].size])
    d, r, e = batch.decisions, batch.repeats, batch.equations
    held = [d.weights, d.counts.slots, r.entries, r.counts.slots, e.sums, e.totals, e.samples, e.coefficients]
    reckoned, real = plain.state_bytes(jobs[-1]), sum(state.nbytes for state in held)
    assert real <= reckoned < 1.1 * real
    assert len(together(jobs, plain.state_bytes)) > 1
    monkeypatch.setattr(wavefront, "_STATE_BYTES", 1)
    assert [len(part) for part in together(jobs, plain.state_bytes)] == [1] * len(jobs)
    assert plain.encode(jobs[:2]) == engine(3).encode(jobs[:2])


def test_runs_see_each_places_items_in_order() -> None:
    rng = np.random.default_rng(1)
    for count, places, values in ((1, 1, 1), (40, 5, 2), (60, 1, 3), (50, 40, 40), (30, 3, 1)):
        place, value = rng.integers(0, places, count), rng.integers(0, values, count)
        seen: dict[int, list[int]] = {}
        for items, numbers in runs(torch.from_numpy(place), torch.from_numpy(value)):
            assert len(set(place[items.numpy()])) == len(items)
            for item, number in zip(items.tolist(), numbers.tolist(), strict=True):
                seen.setdefault(int(place[item]), []).extend([int(value[item])] * number)
        assert seen == {p: value[place == p].tolist() for p in set(place.tolist())}
