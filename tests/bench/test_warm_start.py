"""Priors that are learned from images: what the rows of an image leave, in a weights file with new answers."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pixzip.engine.backends.torch.engine import with_known_answer
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront.least_squares import PRIOR_LIMIT
from tests.helpers.support import scene, tiny_weights
from tests.oracles.light import Light


@pytest.fixture
def bench() -> ModuleType:
    return importlib.import_module("bench.warm_start")


@pytest.mark.parametrize("channels", [1, 3])
def test_totals_are_those_of_the_format_on_the_average_over_rows(bench: ModuleType, channels: int) -> None:
    model, samples = bench.zero(tiny_weights(channels, seed=5)), scene(channels, 11, 14, 1)
    oracle = Light(model, samples)
    for _ in oracle.steps():
        pass
    found = bench.mean_totals(WavefrontEngine(model), samples)
    for c, mean in enumerate(found):
        n = oracle.coefficients[c].shape[1]
        i, j = np.tril_indices(n + 1)
        expected = np.mean([totals[i[:-1], j[:-1]] for totals in np.float64(oracle.totals[c])], 0)
        assert np.allclose(mean, expected, rtol=1e-12)


def test_every_image_counts_the_same_whatever_priors_a_model_has(bench: ModuleType) -> None:
    model, images = tiny_weights(3, seed=5), [scene(3, 9, 9, 1), scene(3, 20, 30, 2)]
    means = bench.learn(model, images)
    each = [bench.learn(model, [x]) for x in images]
    assert all(np.allclose(m, (a + b) / 2) for m, a, b in zip(means, *each, strict=True))
    warm = bench.warmed(model, means, 0.3, 300.0)
    assert all(map(np.array_equal, bench.learn(warm, images), means))


def test_priors_too_large_are_scaled(bench: ModuleType) -> None:
    model = tiny_weights(1, seed=5)
    means = bench.learn(model, [scene(1, 9, 9, 1)])
    (prior,) = bench.warmed(model, means, 1e9, 1e12).priors
    assert np.abs(prior).max() == PRIOR_LIMIT


@pytest.mark.parametrize("channels", [1, 3])
def test_the_command_writes_a_model_with_priors_and_answers(bench: ModuleType, channels: int, tmp_path: Path) -> None:
    for i in range(12):
        Image.fromarray(scene(3, 40, 50, i)).save(tmp_path / f"{i}.png")
    model = with_known_answer(tiny_weights(channels, seed=5))
    (tmp_path / "m").write_bytes(model.to_bytes())
    given = f"{tmp_path}/m --data {tmp_path} --report {tmp_path} --crops 5 --measured 4 -o {tmp_path}/out"
    args = given.split()
    done = CliRunner().invoke(bench.main, args)
    assert done.exit_code == 0, done.output
    assert done.output.count("| 0.3 rows, 300 |") == 2
    warm = load_wavefront(tmp_path / "out")
    assert WavefrontEngine(warm).adapted_answer() == warm.adapted_answer != model.adapted_answer
    assert (warm.known_answer, warm.order, warm.notes) == (model.known_answer, model.order, model.notes)
    assert warm.model_id != model.model_id
    assert CliRunner().invoke(bench.main, args).exit_code == 0
    assert load_wavefront(tmp_path / "out").model_id == warm.model_id
