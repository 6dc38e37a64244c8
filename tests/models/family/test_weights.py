"""Weights files of the PixelRNN family: round trips, and refusal of weights that break exact arithmetic."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pixcodecs.errors import ModelMismatchError

from pixzip.engine import family as family_engine
from pixzip.engine.family import FamilyEngine, with_known_answer
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import FixedWeights, check, fixed
from pixzip.models.registry import load, load_family, load_wavefront
from tests.helpers.family import changed, mixture_of, pair, smooth, tiny
from tests.helpers.support import tiny_weights

every_model = pytest.mark.parametrize("name", FAMILY)


@every_model
def test_a_file_says_what_the_weights_say(name: str, tmp_path: Path) -> None:
    choices: list[dict[str, Any]] = [{"head": "mixture", "n_mix": 2}, {"head": "softmax", "levels": 2}]
    for changes in choices:
        weights = fixed(tiny(name, **changes), notes="some notes")
        (tmp_path / "m").write_bytes(weights.to_bytes())
        for loaded in (load(tmp_path / "m"), load_family(tmp_path / "m")):
            assert isinstance(loaded, FixedWeights)
            assert loaded.digest == weights.digest
            assert (loaded.config, loaded.notes, loaded.architecture) == (weights.config, "some notes", name)
            assert all(np.array_equal(loaded.tensors[n], weights.tensors[n]) for n in weights.tensors)
        with pytest.raises(ModelMismatchError, match="expected one of"):
            load_wavefront(tmp_path / "m")


def test_a_wavefront_model_is_none_of_the_family(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(tiny_weights(1).to_bytes())
    with pytest.raises(ModelMismatchError, match="expected one of"):
        load_family(tmp_path / "m")


@every_model
def test_the_id_covers_every_tensor_and_size(name: str) -> None:
    weights = pair(mixture_of(name))[1]
    ids = {weights.model_id}
    for tensor in weights.tensors:
        ids.add(changed(weights, tensor, lambda a: a.__setitem__((0,) * a.ndim, a[(0,) * a.ndim] ^ 1)).model_id)
    ids.add(dataclasses.replace(weights, config=dataclasses.replace(weights.config, n_mix=3)).model_id)
    ids.add(dataclasses.replace(weights, architecture="another").model_id)
    assert len(ids) == len(weights.tensors) + 3
    assert dataclasses.replace(weights, notes="other", known_answer="00").model_id == weights.model_id


def test_a_name_is_that_of_its_model() -> None:
    assert all(cls.wire_name == name for name, cls in FAMILY.items())
    assert set(FAMILY) >= {"pixelcnn-1", "row-lstm-1", "diagonal-bilstm-1", "multi-scale-1", "gated-pixelcnn-1"}


# The known answer.


@pytest.fixture
def small_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that is fast to decode."""
    monkeypatch.setattr(family_engine, "known_answer_pattern", lambda channels: smooth(channels, 5, 6, 1))


@every_model
@pytest.mark.usefixtures("small_pattern")
def test_tampered_weights_do_not_give_the_known_answer(name: str) -> None:
    weights = with_known_answer(pair(mixture_of(name))[1])
    assert len(weights.known_answer) == 64
    FamilyEngine(weights)
    bias = max(n for n in weights.tensors if n.endswith("last.bias"))
    tampered = [
        changed(weights, bias, lambda a: a.__setitem__(1, a[1] + 40)),
        changed(weights, "table.exp", lambda a: a.__setitem__(slice(1, None), a[1:] // 2)),
        changed(weights, "table.logistic", lambda a: a.__setitem__(slice(1, -1), a[1:-1] // 2)),
        dataclasses.replace(weights, known_answer="0" * 64),
    ]
    for model in tampered:
        check(model)  # a valid model, but another one
        with pytest.raises(ModelMismatchError, match="other frequencies"):
            FamilyEngine(model)


def test_the_known_answer_of_a_whole_pattern_is_confirmed_by_decoding_it() -> None:
    weights = with_known_answer(fixed(tiny("pixelcnn-1", levels=2, channels=1, layers=1)))
    assert FamilyEngine(weights).known_answer() == weights.known_answer


def test_a_network_too_large_for_fixed_point_is_refused() -> None:
    for name, value in (("hidden.weight", 1e6), ("hidden.bias", 1024.0), ("hidden.bias", -2e6)):
        model = tiny("pixelcnn-1")
        with torch.no_grad():
            model.get_parameter(name).fill_(value)
        with pytest.raises(ModelMismatchError):
            fixed(model)
