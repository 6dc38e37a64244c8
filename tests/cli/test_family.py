"""Models of the PixelRNN family on the command line: train, sample, complete, compress and decompress."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pixcodecs.container import image as container

from pixzip import codec
from pixzip.cli import main
from pixzip.codec.options import Options
from pixzip.engine.family import FamilyEngine, with_known_answer
from pixzip.engine.sampling import complete, grid, sample
from pixzip.models import library
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import FixedWeights, fixed
from tests.helpers.family import smooth, tiny
from tests.helpers.support import encoding

SMALLEST = {"hidden": 2, "layers": 1, "features": 2}


def run(code: int, *args: object) -> Result:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, result.output
    return result


@cache  # computing the known answer takes longer than most tests
def weights_of(name: str, **changes: Any) -> FixedWeights:
    return with_known_answer(fixed(tiny(name, **changes)))


def model_file(path: Path, name: str, **changes: Any) -> Path:
    path.write_bytes(weights_of(name, **changes).to_bytes())
    return path


@pytest.mark.parametrize("name", FAMILY)
def test_every_model_compresses_and_decompresses_an_image(name: str, tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", name)
    pixels = smooth(3, 9, 12, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    run(0, "compress", tmp_path / "a.png", "--model", model, "--verify", "--models-only")
    assert "MODEL" in run(0, "info", tmp_path / "a.png.pxz").stdout
    run(0, "decompress", tmp_path / "a.png.pxz", "--model", model, "-o", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as back:
        assert np.array_equal(np.asarray(back), pixels)
    facts = json.loads(run(0, "eval", tmp_path / "a.png", "--model", model, "--json").stdout)
    (row,) = facts["images"]
    assert row["file_bits"] <= 1.002 * row["model_bits"] + 8 * 40  # the header, and the coder's end


def test_a_file_without_its_model_says_so(tmp_path: Path) -> None:
    """The image is noisy, so that the model's block is the smallest."""
    weights = weights_of("row-lstm-1", head="mixture", n_mix=2)
    pixels = smooth(3, 12, 12, 1)
    (file,) = codec.compress([pixels], Options.only(weights, models_only=True))
    (tmp_path / "a.pxz").write_bytes(file)
    result = run(2, "decompress", tmp_path / "a.pxz")
    assert "file needs model" in result.stderr
    assert not list(tmp_path.glob("*.png"))


def test_large_images_are_tiled_for_a_family_model(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = weights_of("pixelcnn-1", **SMALLEST)
    assert weights.largest_tile == 256
    monkeypatch.setattr(FixedWeights, "largest_tile", 32)
    pixels = smooth(3, 20, 70, 1)
    (file,) = codec.compress([pixels], Options.only(weights, models_only=True))
    header = container.read_header(file)
    assert (header.tile_width, header.tile_height) == (24, 20)
    (back,) = codec.decompress([file], Options.only(weights))
    assert np.array_equal(back.samples, pixels)


def test_a_photograph_of_sixteen_bits_does_without_a_family_model() -> None:
    weights = weights_of("pixelcnn-1", **SMALLEST)
    deep = smooth(3, 20, 20, 1).astype(np.uint16) * 257
    deep[::2] += 1
    (file,) = codec.compress([deep], Options.only(weights))
    (back,) = codec.decompress([file], Options.only(weights))
    assert np.array_equal(back.samples, deep)


def test_a_model_of_two_levels_is_for_stacks(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "pixelcnn-1", channels=1, levels=2)
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(tmp_path / "a.png")
    assert "only stacks" in run(2, "compress", tmp_path / "a.png", "--model", model).stderr
    bits = [np.random.default_rng(i).random((6, 5)) < 0.3 for i in range(3)]
    for i, image in enumerate(bits):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    named = [tmp_path / f"{i}.png" for i in range(3)]
    run(0, "compress", "--stack", *named, "--model", model, "-o", tmp_path / "s.pxz")
    run(0, "decompress", tmp_path / "s.pxz", "--model", model, "-o", tmp_path / "out")
    for i, image in enumerate(bits):
        with Image.open(tmp_path / f"out/{i}.png") as back:
            assert np.array_equal(np.asarray(back.convert("L")) > 0, image)


@pytest.mark.parametrize("name", FAMILY)
def test_every_model_samples_and_completes(name: str, tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", name)
    run(0, "sample", "--model", model, "-n", 3, "--size", "7x5", "-o", tmp_path / "s.png")
    with Image.open(tmp_path / "s.png") as drawn:
        assert drawn.size == (2 * 9 + 2, 2 * 7 + 2)
    first = (tmp_path / "s.png").read_bytes()
    run(0, "sample", "--model", model, "-n", 3, "--size", "7x5", "-o", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == first
    run(0, "sample", "--model", model, "-n", 3, "--size", "7x5", "--seed", 1, "-o", tmp_path / "other.png")
    assert (tmp_path / "other.png").read_bytes() != first
    pixels = smooth(3, 6, 7, 5)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    run(0, "complete", tmp_path / "a.png", "--keep-rows", 3, "--model", model, "-n", 2, "-o", tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as drawn:
        tiles = np.asarray(drawn)[2:8].reshape(6, -1, 3)
    parts = [tiles[:, 2 + 9 * i : 9 + 9 * i] for i in range(3)]
    assert np.array_equal(parts[0], pixels)
    assert all(np.array_equal(part[:3], pixels[:3]) for part in parts[1:])
    assert not np.array_equal(parts[1], parts[2])


def test_usage_errors_are_one_line(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "pixelcnn-1")
    Image.fromarray(smooth(3, 6, 7, 5)).save(tmp_path / "a.png")
    Image.fromarray(smooth(3, 6, 8, 5)).save(tmp_path / "b.png")
    two = [tmp_path / "a.png", tmp_path / "b.png"]
    common = ["--model", model, "-o", tmp_path / "o.png"]
    assert "several sizes" in run(2, "complete", *two, "--keep-rows", 3, *common).stderr
    assert "of an image of 6 rows" in run(2, "complete", two[0], "--keep-rows", 7, *common).stderr
    said = run(2, "sample", "--model", "fast", "-o", tmp_path / "o.png").stderr
    named = re.search(r"PixelRNN family, such as ([\w-]+);", said.replace("\n", " "))
    assert named
    assert named[1] in library.family_paths()
    assert "no model" in run(2, "sample", "--model", "nothing", "-o", tmp_path / "o.png").stderr
    assert "the grid is a PNG" in run(2, "sample", "--model", model, "-o", tmp_path / "o.jpg").stderr
    run(2, "sample", *common, "--size", "7")
    run(2, "sample", *common, "--temperature", "0")
    assert not (tmp_path / "o.png").exists()


def test_low_temperatures_keep_to_what_is_likely() -> None:
    engine = FamilyEngine(weights_of("pixelcnn-1", channels=1, levels=2))
    cold, warm = (sample(engine, 40, 6, 6, seed=2, temperature=t) for t in (0.05, 1.0))

    def bits(images: np.ndarray) -> float:  # type: ignore[type-arg]
        return sum(engine.nll_bits(encoding(images)))

    assert bits(cold) < 0.9 * bits(warm)


def test_samples_have_the_frequencies_of_the_model() -> None:
    """Compare the first sub-pixel of many samples with the frequencies that would code it."""
    engine = FamilyEngine(weights_of("pixelcnn-1", channels=1, levels=2))
    ones = int(sample(engine, 2000, 1, 1, seed=3).sum())
    share = 2.0 ** -engine.nll_bits(encoding([np.ones((1, 1, 1), np.uint8)]))[0]
    assert abs(ones - 2000 * share) < 4 * np.sqrt(2000 * share * (1 - share))


def test_completing_all_rows_changes_nothing() -> None:
    engine = FamilyEngine(weights_of("multi-scale-1"))
    images = np.stack([smooth(3, 5, 6, i) for i in range(2)])
    assert np.array_equal(complete(engine, images, 5), images)
    assert grid(images, 2).shape == (9, 18, 3)


def test_train_takes_a_data_set_and_changes_of_the_model(tmp_path: Path) -> None:
    images = np.stack([smooth(1, 8, 8, i)[0] for i in range(40)])
    np.save(tmp_path / "d.npy", images)
    sizes = ["--set", "hidden=4", "--set", "layers=1", "--set", "features=4", "--set", "eval_images=4"]
    common = ["train", "--data", tmp_path / "d.npy", "--config", "row-lstm-mnist-small", "--megapixels", "0.001"]
    run(0, *common, *sizes, "-o", tmp_path / "run")
    facts = json.loads((tmp_path / "run/log.jsonl").read_text().splitlines()[-1])
    assert facts["held_out"] < 9
    run(0, "sample", "--model", tmp_path / "run/model.safetensors", "-n", 1, "--size", "4x4", "-o", tmp_path / "s.png")
    assert "has no nothing" in run(2, *common, "--set", "nothing=1", "-o", tmp_path / "other").stderr
    assert "type int" in run(2, *common, "--set", "hidden=many", "-o", tmp_path / "other").stderr
    assert "config is 'x'" in run(2, *common[:3], "--config", "x", "-o", tmp_path / "other").stderr
