"""Tensors that a wavefront model may have: priors of its least squares, which no file can make the engine fail with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError

from pixzip.engine.backends.numba import coding, loop
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront.least_squares import PRIOR_LIMIT, count_taps
from pixzip.models.wavefront.weights import IntegerWeights, check
from tests.helpers.support import noise, scene, tiny_weights

Tensors = dict[str, NDArray[Any]]


def sums_of(matrix: NDArray[Any], target: NDArray[Any]) -> NDArray[np.int32]:
    """A prior of a symmetric (n, n) matrix and the (n,) row of the target."""
    return np.concatenate([matrix[np.tril_indices(len(matrix))], target]).astype(np.int32)


def squares(channels: int, size: int = 40, seed: int = 1) -> Tensors:
    """Priors that are sums of products of random taps and targets."""
    rng, made = np.random.default_rng(seed), {}
    for c in range(channels):
        z = rng.integers(-size, size + 1, (60, count_taps(c, channels) + 1))
        both = z.T @ z
        made[f"prior.{c}"] = sums_of(both[:-1, :-1], both[-1, :-1])
    return made


def extremes(channels: int, size: int = PRIOR_LIMIT) -> Tensors:
    """Priors of nearly rank one and of a large magnitude, whose targets contradict them."""
    made = {}
    for c in range(channels):
        n = count_taps(c, channels)
        signs = np.where(np.arange(n) % 3, 1, -1)
        share = size >> 14
        matrix = (size - share) * np.outer(signs, signs) + share * np.eye(n, dtype=int)
        made[f"prior.{c}"] = sums_of(matrix, size * np.where(np.arange(n) % 2, 1, -1))
    return made


def with_priors(model: IntegerWeights, priors: Tensors) -> IntegerWeights:
    return replace(model, tensors=model.tensors | priors)


@pytest.mark.parametrize("channels", [1, 3])
def test_priors_are_kept_in_files_and_change_the_id(channels: int, tmp_path: Path) -> None:
    plain = tiny_weights(channels)
    model = with_priors(plain, squares(channels))
    (tmp_path / "m").write_bytes(model.to_bytes())
    found = load_wavefront(tmp_path / "m")
    assert found.model_id == model.model_id != plain.model_id
    assert all(np.array_equal(a, b) for a, b in zip(found.priors, squares(channels).values(), strict=True))


def indefinite(priors: Tensors) -> Tensors:
    sums = priors["prior.1"].copy()
    sums[1] = sums[0] + sums[2]  # larger than both entries of the diagonal beside it
    return priors | {"prior.1": sums}


def ill_conditioned(size: int) -> NDArray[np.int32]:
    """A prior of rank one, which an elimination in float32 does not keep free of negative pivots."""
    n = count_taps(1, 3)
    return sums_of(np.full((n, n), size), np.zeros(n))


def changed(at: int, value: int) -> Callable[[Tensors], Tensors]:
    def change(priors: Tensors) -> Tensors:
        sums = priors["prior.2"].copy()
        sums[at] = value
        return priors | {"prior.2": sums}

    return change


HOSTILE: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "one is missing": (lambda p: {name: p[name] for name in ("prior.0", "prior.2")}, "missing or unknown.*prior.1"),
    "one too many": (lambda p: p | {"prior.3": p["prior.2"]}, "missing or unknown.*prior.3"),
    "a short one": (lambda p: p | {"prior.0": p["prior.0"][:-1]}, r"prior.0 is int32\(251,\), expected int32\(252,\)"),
    "a matrix": (lambda p: p | {"prior.0": p["prior.0"][None]}, r"prior.0 is int32\(1, 252\)"),
    "16 bits": (lambda p: p | {"prior.2": p["prior.2"].astype(np.int16)}, "prior.2 is int16"),
    "not of squares": (indefinite, "prior.1 has an eigenvalue of -"),
    "a negative diagonal": (changed(0, -16), "prior.2 has an eigenvalue of -"),
    "badly conditioned": (lambda p: p | {"prior.1": ill_conditioned(1 << 24)}, "prior.1 has an eigenvalue of"),
    "a large sum": (changed(0, PRIOR_LIMIT + 1), "prior.2 leaves"),
    "a large target": (changed(-1, PRIOR_LIMIT + 1), "prior.2 leaves"),
    "the least integer": (changed(-1, -(1 << 31)), "prior.2 leaves"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_priors_are_refused(case: str, tmp_path: Path) -> None:
    change, message = HOSTILE[case]
    model = with_priors(tiny_weights(3), change(squares(3)))
    with pytest.raises(ModelMismatchError, match=message):
        check(model)
    (tmp_path / "m").write_bytes(model.to_bytes())
    with pytest.raises(ModelMismatchError, match=message):
        load_wavefront(tmp_path / "m")


def test_rounding_to_integers_refuses_no_prior() -> None:
    rng, priors = np.random.default_rng(3), {}
    for c in range(3):
        line = rng.normal(size=(1, count_taps(c, 3))) * 60
        priors[f"prior.{c}"] = sums_of(np.rint(line.T @ line), np.zeros(line.shape[1]))
    check(with_priors(tiny_weights(3), priors))


@pytest.mark.parametrize("size", [1 << 18, 1 << 24, PRIOR_LIMIT])
@pytest.mark.parametrize("channels", [1, 3])
def test_no_prior_that_is_accepted_makes_numbers_that_are_not_finite(channels: int, size: int) -> None:
    model = with_priors(tiny_weights(channels, seed=5, spread=1.0), extremes(channels, size))
    check(model)
    engine, tensors = WavefrontEngine(model), TensorEngine(model, backend="float32")
    for samples in (scene(channels, 9, 40, 2), noise(channels, 12, 7, 3) // 128 * np.uint8(255)):
        job = Job.encoding(samples, stage=LIGHT)
        part = coding.Part(model.config, engine.operands, [job], loop.MEASURE, 1)
        part.advance(part.wavefront.steps, 1)
        e = part.wavefront.equations
        assert all(np.isfinite(a).all() for a in (part.results[0], e.totals, e.coefficients))
        (payload,) = engine.encode([job])
        assert tensors.encode([job]) == [payload]
        (back,) = engine.decode([Job.decoding(payload, *samples.shape[:2], stage=LIGHT)])
        assert np.array_equal(back, samples)
