"""Training: a short run learns and resumes after a stop, and its export codes images."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront.config import Config
from pixzip.train.crops import Augmentation, Crops
from pixzip.train.loop import Status
from pixzip.train.wavefront import TrainConfig, train
from tests.helpers.support import ORDERS, decoding, encoding, noise, scene

STEPS, CROP, BATCH = 40, 16, 2
TINY = TrainConfig(
    model=Config(width=12, blocks=2, head_width=10, n_mix=2),
    megapixels=(STEPS - 0.5) * BATCH * CROP**2 / 1e6,
    batch=BATCH,
    crop=CROP,
    muon_lr=2e-2,
    adam_lr=1e-2,
    warmup_steps=4,
    ema=0.9,
    held_out_one_in=3,
    eval_images=2,
    evals=4,
    checkpoint_s=1e9,  # at evaluations only, because every save waits for the disk
)


class StoppedError(Exception):
    """Simulates a kill within the loop."""


def folder(path: Path, channels: int) -> Path:
    path.mkdir()
    for seed in range(6):
        array = scene(channels, 24, 30, seed)
        Image.fromarray(array[..., 0] if channels == 1 else array).save(path / f"{seed}.png")
    (path / "readme.txt").write_text("not an image")
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_a_short_run_learns_and_its_export_codes_an_image_losslessly(channels: int, tmp_path: Path) -> None:
    config = replace(TINY, model=replace(TINY.model, channels=channels), order=ORDERS[channels])
    seen: list[tuple[int, float]] = []
    data = folder(tmp_path / "data", channels)
    train([data], config, tmp_path / "run", report=lambda s: seen.append((s.step, s.bits_per_dim)))
    assert [step for step, _ in seen] == list(range(1, STEPS + 1))
    log = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [entry["quantise"] for entry in log] == [False, False, True, True]
    assert log[-1]["held_out"] < log[0]["held_out"] < seen[0][1]
    assert log[-1]["held_out"] < 0.9 * seen[0][1]
    model = load_wavefront(tmp_path / "run/model.safetensors")
    engine = TensorEngine(model, backend="float32")
    images = [scene(channels, 11, 14, 99), noise(channels, 5, 3, 1)]
    decoded = engine.decode(decoding(engine.encode(encoding(images)), [image.shape[:2] for image in images]))
    assert all(np.array_equal(a, b) for a, b in zip(decoded, images, strict=True))


def test_a_stopped_run_goes_on_to_exactly_the_same_weights(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", 3)
    whole = train([data], TINY, tmp_path / "whole")

    def stop_at(step: int):  # type: ignore[no-untyped-def]
        def report(status: Status) -> None:
            if status.step == step:
                raise StoppedError

        return report

    for step in (17, 33):  # in the float part and in the quantised part
        with pytest.raises(StoppedError):
            train([data], TINY, tmp_path / "parts", report=stop_at(step))
    steps: list[int] = []
    parts = train([data], TINY, tmp_path / "parts", report=lambda s: steps.append(s.step))
    assert steps[0] == 31  # resumed from its last checkpoint
    assert parts.digest == whole.digest
    for name in ("model.safetensors", "log.jsonl"):
        assert (tmp_path / "whole" / name).exists()
        assert (tmp_path / "parts" / name).exists()
    with (
        safe_open(tmp_path / "whole/checkpoint.safetensors", "pt") as a,
        safe_open(tmp_path / "parts/checkpoint.safetensors", "pt") as b,
    ):
        assert set(a.keys()) == set(b.keys())
        assert all(torch.equal(a.get_tensor(k), b.get_tensor(k)) for k in a.keys())  # noqa: SIM118 (not a dict)


def test_batches_grow_towards_the_end_and_see_the_same_megapixels(tmp_path: Path) -> None:
    data, seen = folder(tmp_path / "data", 3), list[float]()
    growing = replace(TINY, late_batch=3 * BATCH, late_from=0.5)
    train([data], growing, tmp_path / "run", report=lambda s: seen.append(s.megapixels))
    batch = BATCH * CROP**2 / 1e6
    steps = np.diff([0.0, *seen])
    assert np.allclose(steps[:20], batch)  # half of the run
    assert np.allclose(steps[20:], 3 * batch)
    assert len(steps) == 20 + 7
    assert TINY.megapixels <= seen[-1] < TINY.megapixels + 3 * batch


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", 3)
    short = replace(TINY, megapixels=TINY.megapixels / 10)
    first = train([data], short, tmp_path / "run")
    steps: list[int] = []
    again = train([data], short, tmp_path / "run", report=lambda s: steps.append(s.step))
    assert not steps
    assert again.digest == first.digest


def test_a_folder_of_another_config_is_refused(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", 3)
    short = replace(TINY, megapixels=TINY.megapixels / 10)
    train([data], short, tmp_path / "run")
    with pytest.raises(ValueError, match="another config"):
        train([data], replace(short, seed=1), tmp_path / "run")


def test_a_run_writes_safetensors_and_json_only(tmp_path: Path) -> None:
    train([folder(tmp_path / "data", 3)], replace(TINY, megapixels=TINY.megapixels / 10), tmp_path / "run")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoint.safetensors", "log.jsonl", "model.safetensors",
    ]  # fmt: skip
    for path in (tmp_path / "run").glob("*.safetensors"):
        data = path.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        assert "__metadata__" in header


def test_too_little_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="0 readable images"):
        train([tmp_path / "empty"], TINY, tmp_path / "run")
    with pytest.raises(ValueError, match="none of"):
        train([folder(tmp_path / "data", 3)], replace(TINY, crop=64), tmp_path / "run")


def test_recoloured_crops_are_permutations_and_inverses() -> None:
    picture = np.broadcast_to(np.array([10, 20, 40], np.uint8), (70, 70, 3))
    crops = Crops([picture], (0, 1, 2), Augmentation(crop=8, soft_chroma=0.0, recolour=1.0))
    drawn = crops.draw(200, np.random.default_rng(1))
    colours = {tuple(int(v) for v in crop[:, 0, 0]) for crop in drawn}
    expected = set(itertools.permutations((10, 20, 40))) | set(itertools.permutations((245, 235, 215)))
    assert colours == expected
    plain = Crops([picture], (0, 1, 2), Augmentation(crop=8, soft_chroma=0.0)).draw(20, np.random.default_rng(1))
    assert {tuple(int(v) for v in crop[:, 0, 0]) for crop in plain} == {(10, 20, 40)}


def test_a_run_ends_when_its_time_is_over_with_rates_that_fall_until_then(tmp_path: Path) -> None:
    seen: list[Status] = []
    config = replace(TINY, megapixels=1000.0, seconds=1.0, evals=1)
    data = folder(tmp_path / "data", 3)
    first = train([data], config, tmp_path / "run", report=lambda status: seen.append(replace(status)))
    assert seen[-1].megapixels < 100
    assert seen[-1].learning_rate < 0.3 * max(status.learning_rate for status in seen)
    (entry,) = seen[-1].log
    assert 1.0 <= entry["elapsed_s"] < 30
    assert train([data], config, tmp_path / "run").model_id == first.model_id  # nothing is left to do
