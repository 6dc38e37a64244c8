"""A stage is one class: an added stage refines the models' frequencies, equally in encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from pixcodecs.coders.base import TOTAL, Rows, Symbols
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Engine
from pixzip.engine.batch import Batch, Samples, Segment, Step
from pixzip.engine.executor import Ask, Local, Payload
from pixzip.engine.family import FamilyEngine, with_known_answer
from pixzip.engine.stages.base import IDENTITY
from pixzip.models.family.weights import fixed
from tests.helpers.family import tiny
from tests.helpers.support import encoding, tiny_weights


class CountingLearner:
    """Adds, by channel, the counts of an image's digits in all earlier steps to its frequencies."""

    def __init__(self, batch: Batch, share: int) -> None:
        self.share = share
        self.digits = batch.digits
        self.counts: dict[tuple[int, int, int], np.ndarray] = {}
        self.news: list[tuple[tuple[int, int, int], np.ndarray]] = []
        self.segments: Sequence[Segment] = ()

    def begin(self, step: Step) -> None:
        self.segments = step.segments

    def refine(self, channel: int, before: Sequence[Symbols], freqs: Rows) -> Rows:
        refined = np.maximum(freqs // 2, 1)
        for image, part in self.segments:
            counts = self.counts.get((image, channel, len(before)))
            if counts is not None:
                refined[part] += counts * (TOTAL // self.share) // counts.sum()
        return refined

    def learn(self, channel: int, digits: Sequence[Symbols]) -> None:
        for image, part in self.segments:
            for i, symbols in enumerate(digits):
                self.news.append(((image, channel, i), np.bincount(symbols[part], minlength=16)))

    def end(self) -> None:
        for place, counts in self.news:
            self.counts[place] = self.counts.get(place, 0) + counts
        self.news.clear()


@dataclass(frozen=True)
class Counting:
    """The stage that creates `CountingLearner`s."""

    name: str = "counting"
    share: int = 4

    def start(self, batch: Batch) -> CountingLearner:
        return CountingLearner(batch, self.share)


def wavefront() -> Engine:
    return TensorEngine(tiny_weights(3, seed=5, spread=1.0), backend="float32")


def family() -> Engine:
    return FamilyEngine(with_known_answer(fixed(tiny("pixelcnn-1", hidden=2, layers=1, features=2))))


def drawings() -> list[Samples]:
    """Images of few levels, which an untrained model does not expect: two of one size, one of another."""
    rng = np.random.default_rng(0)
    return [rng.choice(np.array([7, 8, 250], np.uint8), size) for size in ((12, 9, 3), (12, 9, 3), (5, 14, 3))]


@pytest.mark.parametrize("make", [wavefront, family])
def test_a_stage_that_is_added_teaches_encoder_decoder_and_measure_the_same(make) -> None:  # type: ignore[no-untyped-def]
    engine, images = make(), drawings()
    plain = encoding(images)
    jobs = [replace(job, stage=Counting()) for job in plain]
    payloads = engine.encode(jobs)

    together = [replace(job, samples=None, payload=p) for job, p in zip(jobs, payloads, strict=True)]
    alone = [engine.decode([job])[0] for job in together]
    for decoded in (engine.decode(together), alone, engine.decode(together[::-1])[::-1]):
        assert all(np.array_equal(a, b) for a, b in zip(decoded, images, strict=True))

    bits = engine.nll_bits(jobs)
    assert all(0 <= 8 * len(p) - b < 72 for p, b in zip(payloads, bits, strict=True))
    assert sum(bits) < 0.8 * sum(engine.nll_bits(plain))  # it learns


@pytest.mark.parametrize("make", [wavefront, family])
def test_jobs_with_and_without_a_stage_are_coded_side_by_side(make) -> None:  # type: ignore[no-untyped-def]
    engine, images = make(), drawings()
    stages = Counting(), IDENTITY, Counting(share=16)  # two of one name, with other settings
    jobs = [replace(job, stage=stages[i]) for i, job in enumerate(encoding(images))]
    payloads = engine.encode(jobs)
    assert payloads == [engine.encode([job])[0] for job in jobs]
    assert payloads[1] == engine.encode(encoding(images))[1]
    assert engine.nll_bits(jobs) == pytest.approx([engine.nll_bits([job])[0] for job in jobs])
    decoded = engine.decode([replace(job, samples=None, payload=p) for job, p in zip(jobs, payloads, strict=True)])
    assert all(np.array_equal(a, b) for a, b in zip(decoded, images, strict=True))


@dataclass(frozen=True)
class Oracle:
    """A stage that is all but certain of the lowest digit: the least that a payload can take."""

    name: str = "oracle"

    def start(self, batch: Batch) -> Oracle:
        return self

    def begin(self, step: Step) -> None: ...

    def refine(self, channel: int, before: Sequence[Symbols], freqs: Rows) -> Rows:
        certain = np.ones_like(freqs)
        certain[:, 0] = TOTAL - 15
        return certain

    def learn(self, channel: int, digits: Sequence[Symbols]) -> None: ...

    def end(self) -> None: ...


def test_a_payload_of_a_certain_stage_is_not_taken_for_damaged() -> None:
    """Files may be refused before they are decoded when they are too short for any model, but not for any stage."""
    model, samples = tiny_weights(3, seed=5, spread=1.0), np.zeros((300, 400, 3), np.uint8)
    (payload,) = Local().encode([Ask(samples, model, stage=Oracle())])
    assert len(payload) < 40
    (back,) = Local().decode([Payload(model, payload, samples.shape, stage=Oracle())])
    assert np.array_equal(back, samples)
    with pytest.raises(BitstreamError, match="pixels take at least"):
        Local().decode([Payload(model, payload, samples.shape)])
    with pytest.raises(BitstreamError, match="pixels take at least"):
        Local().decode([Payload(model, payload, (3000, 4000, 3), stage=Oracle())])


@pytest.mark.parametrize("coder", [RANGE, RANS])
def test_an_executor_hands_a_stage_on(coder) -> None:  # type: ignore[no-untyped-def]
    model = tiny_weights(3, seed=5, spread=1.0)
    asks = [Ask(samples, model, coder=coder, stage=Counting()) for samples in drawings()]
    payloads = Local().encode(asks)
    assert sum(map(len, payloads)) < 0.8 * sum(map(len, Local().encode([ask._replace(stage=IDENTITY) for ask in asks])))
    asked = [
        Payload(model, payload, ask.samples.shape, coder=coder, stage=Counting())
        for ask, payload in zip(asks, payloads, strict=True)
    ]
    assert all(np.array_equal(a, b.samples) for a, b in zip(Local().decode(asked), asks, strict=True))
