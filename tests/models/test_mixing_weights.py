"""Weights of the full stage that a model's file gives: within what the stage itself can learn, or refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from pixcodecs.errors import ModelMismatchError

from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront import mixing
from pixzip.models.wavefront.weights import IntegerWeights, check
from tests.helpers.support import tiny_weights


def with_weight(name: str, weight: int) -> IntegerWeights:
    """A model with weights of its own, one of which is given."""
    model = tiny_weights(1)
    own = {
        "mix.squash": mixing.squash_table(), "mix.weights": mixing.initial_weights(1),
        "repeat.weights": mixing.initial_repeat_weights(),
    }  # fmt: skip
    own[name].flat[7] = weight
    return replace(model, tensors=model.tensors | own)


@pytest.mark.parametrize("name", ["mix.weights", "repeat.weights"])
def test_weights_beyond_those_that_are_learned_are_refused(name: str, tmp_path: Path) -> None:
    for weight in (16384, -16384):
        (tmp_path / "m").write_bytes(with_weight(name, weight).to_bytes())
        assert load_wavefront(tmp_path / "m").tensors[name].flat[7] == weight
    for weight in (16385, -16385, 32767, -32768):
        with pytest.raises(ModelMismatchError, match=f"{name} has a weight of magnitude {abs(weight)}"):
            check(with_weight(name, weight))
        (tmp_path / "m").write_bytes(with_weight(name, weight).to_bytes())
        with pytest.raises(ModelMismatchError, match="magnitude"):
            load_wavefront(tmp_path / "m")
