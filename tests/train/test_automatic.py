"""The choice of a run by its images and by the machine, and its report, with small models as the shipped ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixzip.cli.work import train_minutes
from pixzip.models.wavefront.optional import present
from pixzip.models.wavefront.weights import IntegerWeights
from pixzip.train import automatic, wavefront
from pixzip.train.automatic import Candidate, Length, Plan, Tried
from pixzip.train.wavefront import TrainConfig, WavefrontTask
from tests.helpers.shell import run
from tests.helpers.support import ORDERS, scene, tiny_weights


@pytest.fixture
def small(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small models as `base`, and configs of their sizes."""
    for name, channels in (("rgb", 3), ("grey", 1)):
        sizes = tiny_weights(channels).config
        config = TrainConfig(model=sizes, order=ORDERS[channels], batch=2)
        monkeypatch.setitem(wavefront.CONFIGS, name, config)
    chosen = {3: (Candidate("rgb", "base"),), 1: (Candidate("grey", "base-grey"),)}
    monkeypatch.setattr(automatic, "CANDIDATES", chosen)
    monkeypatch.setattr(automatic, "_TRIAL_S", 0.01)
    return shipped


def pictures(folder: Path, count: int, channels: int, side: int = 40) -> Path:
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        array = scene(channels, side, side + 8, seed)
        Image.fromarray(array[..., 0] if channels == 1 else array).save(folder / f"{channels}-{seed}.png")
    return folder


def test_the_images_decide_the_colours_and_some_are_kept_for_the_report(small: Path) -> None:
    colour = automatic.gather([pictures(small / "a", 10, 3)])
    assert (colour.channels, len(colour.images), len(colour.report), colour.left_out) == (3, 9, 1, 0)
    pictures(small / "b", 3, 3)
    mixed = automatic.gather([pictures(small / "b", 20, 1)])
    assert (mixed.channels, len(mixed.images), len(mixed.report), mixed.left_out) == (1, 18, 2, 3)
    assert all(p.shape[2] == 1 for p in [*(p for _, p in mixed.images), *mixed.report])
    learned = {p.tobytes() for _, p in mixed.images}
    assert not any(p.tobytes() in learned for p in mixed.report)
    with pytest.raises(ValueError, match="found 2 readable images of 16 x 16 pixels or more"):
        automatic.gather([pictures(small / "c", 2, 3), pictures(small / "d", 5, 1, 12)])


def test_the_crops_fit_and_the_length_is_the_time(small: Path) -> None:
    material = automatic.gather([pictures(small / "a", 10, 3)])
    short, long = (automatic.plan(material, seconds) for seconds in (20.0, 2000.0))
    assert short.length.crop == 32
    assert 20 < long.length.megapixels / short.length.megapixels < 500
    (tried,) = long.tried
    assert long.length.megapixels == pytest.approx(2 * tried.megapixels_per_s * 2000 * automatic._TRAINING, rel=0.1)
    assert long.length.seconds == pytest.approx(2000 * (automatic._TRAINING + automatic._MEASURING), rel=0.1)
    assert (long.config.megapixels, long.config.seconds) == (long.length.megapixels, long.length.seconds)
    assert Plan.from_json(long.to_json()) == replace(long, tried=())
    for wrong in ("", "[]", '{"chosen": ["no", "such"], "length": [1, 2, 3, 4, 5]}', '{"chosen": ["rgb", "base"]}'):
        with pytest.raises(ValueError, match="is no plan of a run"):
            Plan.from_json(wrong)


@pytest.mark.parametrize(
    ("bits", "speeds", "chosen"),
    [
        ((3.0, 4.0), (0.1, 0.9), 0),
        ((3.0, 4.0), (0.001, 0.9), 1),
        ((4.0, 3.0), (9.0, 1.0), 1),
        ((3.0, 4.0), (1e-9, 2e-9), 1),
        ((3.0, 4.0), (1.9e-9, 2e-9), 0),
    ],
)
def test_the_fewest_bits_count_if_the_machine_trains_them_in_time(
    bits: tuple[float, float], speeds: tuple[float, float], chosen: int, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = automatic.gather([pictures(small / "a", 4, 3)])
    options = tuple(Candidate(name, "base") for name in ("rgb", "other"))
    monkeypatch.setitem(wavefront.CONFIGS, "other", wavefront.CONFIGS["rgb"])
    monkeypatch.setitem(automatic.CANDIDATES, 3, options)
    found = iter([Tried(option, *of) for option, *of in zip(options, bits, speeds, strict=True)])
    monkeypatch.setattr(automatic, "_tried", lambda *args: next(found))
    assert automatic.plan(material, 60.0).chosen == options[chosen]


def test_a_run_that_starts_from_a_model_keeps_what_its_stages_begin_with(small: Path) -> None:
    start = tiny_weights(3)
    groups = [name for group in present(start.config, start.tensors).values() for name in group]
    priors = {name: np.eye(1, n, 0, np.int32)[0] for name, n in _prior_sizes(start).items()}
    with_priors = replace(start, tensors={**start.tensors, **priors})
    images = [(str(seed), scene(3, 40, 40, seed)) for seed in range(4)]
    config = replace(wavefront.CONFIGS["rgb"], crop=32)
    exported = WavefrontTask(images, config, start=with_priors).export()
    assert not groups
    assert {name: exported.tensors[name].tolist() for name in priors} == {n: a.tolist() for n, a in priors.items()}
    assert not priors.keys() & WavefrontTask(images, config, start=start).export().tensors.keys()


def _prior_sizes(weights: IntegerWeights) -> dict[str, int]:
    from pixzip.models.wavefront.optional import GROUPS

    return {name: shape[0] for name, (_, shape) in GROUPS["prior"].expected(weights.config).items()}


def test_train_for_minutes_writes_a_model_and_says_whether_to_keep_it(small: Path) -> None:
    pictures(small / "photos", 8, 3)
    result = run("train", "photos", "-o", "mine.safetensors", "--minutes", 0.03, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "7 RGB images to learn from, 1 to report on" in result.stderr
    table = result.stdout.splitlines()
    assert table[0].split() == ["1", "held-out", "images", "base", "this", "model", "saved"]
    assert [line.split("  ")[1] for line in table[1:3]] == ["without a stage (-e 1)", "adapting (-e 5)"]
    assert table[3].startswith(("Keep it: `pixzip compress --model mine.safetensors`", "It is not worth keeping"))
    assert not (small / "mine.safetensors.run").exists()
    assert run("compress", "photos/3-0.png", "--model", "mine.safetensors", "--models-only").exit_code == 0
    assert run("verify", "photos/3-0.png.pxz", "--model", "mine.safetensors").exit_code == 0


def test_an_interrupted_run_goes_on_by_its_plan(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(small / "photos", 8, 1)
    words = ("train", "photos", "-o", "mine.safetensors", "--minutes", 0.03, "--device", "cpu", "-q")
    with monkeypatch.context() as patch:
        patch.setattr(train_minutes, "report", lambda *args: 1 / 0)
        assert isinstance(run(*words).exception, ZeroDivisionError)
    kept = Plan.from_json((small / "mine.safetensors.run" / "plan.json").read_text())
    planned = []
    monkeypatch.setattr(automatic, "plan", lambda *args: planned.append(args))
    assert run(*words).exit_code == 0
    assert not planned
    assert kept.chosen == Candidate("grey", "base-grey")
    (small / "mine.safetensors.run").mkdir()
    (small / "mine.safetensors.run" / "plan.json").write_text("{}")
    assert "plan.json is no plan of a run" in run(*words).stderr


def test_the_report_compares_files_with_and_without_the_stage(small: Path) -> None:
    images = [scene(3, 90, 70, seed) for seed in (30, 31)]
    found = train_minutes.report(images, "base")
    assert found["base"] == found["own"]
    plan = Plan(Candidate("fast", "base"), Length(1.0, 1.0, 2, 1, 32))
    worth = {"base": {"plain": 1000, "adapted": 1000}, "own": {"plain": 990, "adapted": 900}}
    keep = train_minutes.lines(worth, "m", 2, plan)
    assert keep[-2:] == [
        "Keep it: `pixzip compress --model m` saves 10.0 % of the bytes.",
        "It has the size of fast, so that it codes about twice as fast as base.",
    ]
    worth["own"]["adapted"] = 1200
    assert train_minutes.lines(worth, "m", 2, plan)[-2] == (
        "It is not worth keeping: it takes 20.0 % more bytes than base."
    )
    worth["own"]["adapted"] = 1001
    assert "base takes about as few bytes" in train_minutes.lines(worth, "m", 2, plan)[-2]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-o", "m", "--minutes", 1), "there are no images"),
        (("photos", "-o", "m"), "--config NAME says what to train, or --minutes N lets it be chosen"),
        (("photos", "-o", "m", "--minutes", 1, "--config", "fast"), "--minutes does not go with --config"),
        (("photos", "-o", "photos", "--minutes", 1), "-o photos is a folder, --minutes writes a weights file"),
        (("photos", "-o", "rgb.png", "--config", "fast"), "-o rgb.png is a file, expected the folder of a run"),
        (("photos", "-o", "m.safetensors", "--minutes", 1), "found 1 readable images"),
    ],
)
def test_wrong_arguments_are_refused(words: tuple[object, ...], why: str, small: Path) -> None:
    pictures(small / "photos", 1, 3)
    result = run("train", *words)
    assert result.exit_code == 2
    assert why in result.stderr
