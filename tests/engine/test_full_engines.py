"""The full stage in engines of tensors, and the answer that every machine must reproduce before it uses the stage."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from pixcodecs.errors import ModelMismatchError

from pixzip.engine import device
from pixzip.engine.backends.cuda.batch import Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine
from pixzip.engine.backends.torch.engine import with_known_answer
from pixzip.engine.base import Job
from pixzip.engine.known_answer import adapted_answer_pattern
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.registry import load_wavefront
from tests.engine.test_full import jobs_of
from tests.engine.test_light import engine, inverse
from tests.helpers.support import scene
from tests.oracles.full import Full


def on_device(own: WavefrontEngine) -> DeviceEngine:
    return DeviceEngine(own.model, "cpu", lambda e: Steps(e.layers))


def test_the_gpus_engine_codes_the_stage_in_the_compiled_loop() -> None:
    own, images = engine(3), [scene(3, 4, 7, i) for i in range(5)]
    other = on_device(own)
    jobs = [Job.encoding(x, stage=(FULL, IDENTITY, LIGHT)[i % 3]) for i, x in enumerate(images)]
    assert "compiled" not in vars(other)
    for some in (jobs, jobs[::3]):
        payloads = own.encode(some)
        assert other.encode(some) == payloads
        assert all(map(np.array_equal, other.decode(inverse(some, payloads)), [job.known for job in some]))
        assert all(map(np.allclose, other.nll_maps(some), own.nll_maps(some)))
    assert other.compiled is other.compiled


def test_the_full_answer_is_that_of_the_oracle() -> None:
    for channels in (1, 3):
        payload = Full(engine(channels).model, adapted_answer_pattern(channels)).payload()
        assert hashlib.sha256(payload).hexdigest() == engine(channels).full_answer()


def test_the_full_answer_is_sealed_kept_in_files_and_no_part_of_the_digest(tmp_path: Path) -> None:
    model = engine(3).model
    sealed = with_known_answer(dataclasses.replace(model, full_answer="0" * 64))
    assert sealed.full_answer == engine(3).full_answer()
    assert len({sealed.full_answer, sealed.adapted_answer, sealed.known_answer}) == 3
    assert sealed.digest == model.digest
    (tmp_path / "m").write_bytes(sealed.to_bytes())
    assert load_wavefront(tmp_path / "m").answers == sealed.answers
    (tmp_path / "m").write_bytes(model.to_bytes())
    assert load_wavefront(tmp_path / "m").full_answer == ""
    assert b"full_answer" not in model.to_bytes()


def test_a_wrong_full_answer_refuses_the_stage_only() -> None:
    samples, model = scene(3, 5, 6, 1), engine(3).model
    right = WavefrontEngine(dataclasses.replace(model, full_answer=engine(3).full_answer()))
    wrong = WavefrontEngine(dataclasses.replace(model, full_answer="0" * 64))
    full, others = jobs_of([samples]), [Job.encoding(samples), Job.encoding(samples, stage=LIGHT)]
    (payload,) = right.encode(full)
    assert wrong.encode(others) == right.encode(others)
    by_device = on_device(wrong)
    for code in (
        lambda: wrong.encode(full),
        lambda: wrong.encode([*others, *full]),
        lambda: wrong.decode(inverse(full, [payload])),
        lambda: wrong.nll_maps(full),
        lambda: by_device.encode(full),
    ):
        with pytest.raises(ModelMismatchError, match="compiled kernels, full stage"):
            code()
    with pytest.raises(ModelMismatchError, match="nothing was coded"):
        device.engine(wrong.model, "cpu").encode(full)
    assert device.engine(right.model, "cpu").encode(full) == [payload]


def test_the_full_answer_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, calls = engine(3).full_answer(), []
    own = WavefrontEngine(dataclasses.replace(engine(3).model, full_answer=answer))
    monkeypatch.setattr(WavefrontEngine, "full_answer", lambda self: calls.append(1) or answer)
    own.encode([Job.encoding(scene(3, 4, 4, 1), stage=LIGHT)])
    assert not calls
    for _ in range(2):
        own.encode(jobs_of([scene(3, 4, 4, 1)]))
    assert len(calls) == 1
