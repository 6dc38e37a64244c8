"""The benchmark of the PixelRNN family: its figures, and the agreement of page and JSON."""

import importlib
import json
import math
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pixzip.codec.stack import compress_stack
from pixzip.engine.family import FamilyEngine
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.pixelcnn import PixelCNNConfig
from pixzip.models.registry import load_family
from pixzip.train.family import FamilyConfig, FamilyTask
from pixzip.train.loop import run
from tests.helpers.family import SIZES, smooth
from tests.helpers.support import encoding

MODEL = PixelCNNConfig(head="mixture", n_mix=1, hidden=3, layers=1, features=4, first=3)
CONFIG = FamilyConfig(model=MODEL, megapixels=6 * 2 * 64 / 1e6, batch=2, evals=1, optimiser="adam", seed=1)
PAGE = "\n".join(
    f"<!-- family:start {name} -->\nstale\n<!-- family:end {name} -->"
    for name in ("rates", "speeds", "order", "budget", "ablations", "origins")
)


@pytest.fixture
def bench() -> ModuleType:
    return importlib.import_module("bench.family.measure")


@pytest.fixture
def page(bench: ModuleType) -> ModuleType:
    return importlib.import_module("bench.family.page")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets of 8 x 8 pixels, and a run under two names."""
    root = tmp_path_factory.mktemp("family")
    for split, count in (("train", 20), ("test", 12)):
        images = [smooth(3, 8, 8, seed) for seed in range(count)]
        np.save(root / f"cifar10-{split}.npy", np.stack(images))
    data = [root / "cifar10-train.npy"]
    run(FamilyTask(data, CONFIG), root / "pixelcnn-cifar10")
    shutil.copytree(root / "pixelcnn-cifar10", root / "ablation-two")
    return root


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """The output of `bench/family/measure.py` for both runs, the first one measured twice."""
    out, data = folder / "family.json", f"cifar10={folder / 'cifar10-test.npy'}"
    options = ["--data", data, "--images", "8", "--verify-images", "3", "--speed-images", "1", "--out", str(out)]
    main = importlib.import_module("bench.family.measure").main
    for given in (["pixelcnn-cifar10"], ["pixelcnn-cifar10", "--no-peers"], ["ablation-two", "--ablation"]):
        found: Result = CliRunner().invoke(main, [str(folder / given[0]), *given[1:], *options])
        assert found.exit_code == 0, found.output
    return json.loads(out.read_text())  # type: ignore[no-any-return]


def cells(text: str, start: str) -> list[list[str]]:
    """The cells of the table rows that start with the given text."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(f"| {start} |")]


def test_a_row_has_the_models_bits_and_the_files_bytes(result: dict[str, Any], folder: Path) -> None:
    assert [r["run"] for r in result["ablations"]] == ["ablation-two"]
    (row,) = result["rows"]
    weights = load_family(folder / "pixelcnn-cifar10" / "model.safetensors")
    images = np.load(folder / "cifar10-test.npy")[np.arange(8) * 12 // 8]
    bits = sum(FamilyEngine(weights).nll_bits(encoding(images)))
    assert row["nll_bits"] == pytest.approx(bits)
    assert row["nll"] == pytest.approx(bits / images.size)
    assert row["file_bytes"] == len(compress_stack(list(images), weights))
    assert row["size"] == 8 * row["file_bytes"] / images.size
    assert row["overhead"] == pytest.approx(8 * row["file_bytes"] / bits - 1)
    assert (row["images"], row["of_images"], row["verified_images"]) == (8, 12, 3)
    assert row["training"]["images_seen"] == 12
    assert row["training"]["finished"]
    assert row["config"] == "pixelcnn-cifar10-small"
    assert row["changes"]["hidden"] == 3
    assert row["published"] == 3.14
    assert row["multiply_adds"] == weights.multiply_adds  # all layers are at full resolution
    assert row["measured"]["data"].keys() == {"cifar10-test.npy"}
    assert str(folder) not in json.dumps(result)
    (peer,) = result["peers"]
    assert peer["images"] == 8
    for name in ("PNG", "WebP", "JPEG XL"):
        found = peer["formats"][name]
        assert found["each"] == 8 * found["each_bytes"] / images.size
        assert 0 < found["joined_bytes"] < found["each_bytes"]


def test_the_page_says_what_the_json_does(page: ModuleType, result: dict[str, Any], folder: Path) -> None:
    (row,), (peer,), text = result["rows"], result["peers"], folder / "family.md"
    text.write_text(f"Before.\n{PAGE}\nAfter.\n")
    given = ["--results", str(folder / "family.json"), "--page", str(text)]
    for _ in range(2):
        outcome = CliRunner().invoke(page.main, given)
        assert outcome.exit_code == 0, outcome.output
    found = text.read_text()
    assert found.startswith("Before.\n")
    assert found.endswith("After.\n")
    assert "stale" not in found
    in_rates, in_speeds = cells(found, "PixelCNN")[:2]
    assert f"{row['parameters']:,}" in in_rates
    assert in_rates[6:] == [
        f"{row['nll']:.3f}", f"{row['size']:.3f}", f"{100 * row['overhead']:.3f} %",
        f"{row['weights_bytes'] / 1e3:,.0f}", "3.140",
    ]  # fmt: skip
    assert in_speeds[4] == f"{row['one_by_one']['encode_images_per_s']:.3g}"
    assert in_speeds[-1] == "3"
    (png_each, png_joined) = cells(found, "PNG")
    assert png_each[7] == f"{peer['formats']['PNG']['each']:.3f}"
    assert png_joined[7] == f"{peer['formats']['PNG']['joined']:.3f}"
    measured = [r["measured"]["command"] for name in ("rows", "ablations", "peers") for r in result[name]]
    assert all(command in found for command in measured)
    assert found.count("<sub>`python ") == len(set(measured))


def test_an_ablation_is_of_runs_that_differ_in_its_fields_alone(bench: ModuleType, result: dict[str, Any]) -> None:
    tables = importlib.import_module("bench.family.tables")
    (row,) = result["rows"]

    def other(name: str, seen: int = 12, **changes: Any) -> Any:
        config = row["model_config"] | {"head": "mixture"} | changes
        return row | {"run": name, "model_config": config, "training": row["training"] | {"images_seen": seen}}

    runs = [
        other("one"), other("skip", skip=True), other("bare", residual=False), other("later", seen=24, skip=True),
        other("softmax", head="softmax"), other("narrow", hidden=2, skip=True),
    ]  # fmt: skip
    found = tables.ablations({"ablations": runs})
    assert found.count("### ") == 2
    names = [line.split(" | ")[1] for line in found.splitlines() if line.startswith("| PixelCNN |")]
    assert sorted(names) == ["bare", "one", "one", "skip", "softmax"]


def test_figures_on_another_binarisation_are_in_no_column(bench: ModuleType, result: dict[str, Any]) -> None:
    tables = importlib.import_module("bench.family.tables")
    (row,) = result["rows"]
    nats = {"data": "mnist-binary", "unit": "nats", "published": 81.3, "published_comparable": False}
    found = tables.rates({"rows": [row | nats], "peers": []})
    assert "published, nats |" not in found
    assert "PixelCNN 81.30" in found
    assert "Salakhutdinov" in found


def test_the_order_counts_pairs_that_stand_as_published(bench: ModuleType, result: dict[str, Any]) -> None:
    tables = importlib.import_module("bench.family.tables")
    (row,) = result["rows"]
    rows = [
        row | {"model": name, "nll": nll, "published": published}
        for name, nll, published in (("pixelcnn", 5.0, 3.14), ("row-lstm", 4.9, 3.07), ("gated-pixelcnn", 4.95, 3.03))
    ]
    found = tables.order({"rows": rows})
    assert "2 of the 3 pairs" in found
    names = [line.split(" | ")[0] for line in found.splitlines()[4:7]]
    assert names == ["| Row LSTM", "| Gated PixelCNN", "| PixelCNN"]


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_multiply_adds_are_no_more_than_there_are_weights(bench: ModuleType, name: str) -> None:
    runs = importlib.import_module("bench.family.runs")
    model = FAMILY[name](FAMILY[name].config_class(**SIZES[name]))
    weights = sum(p.numel() for n, p in model.named_parameters() if n.endswith("weight"))
    found = runs.family_multiply_adds(model, 8, 8)
    coarse = name in ("multi-scale-1", "pixelcnn-pp-1")
    assert weights / 4 < found < weights if coarse else found == weights


def test_half_the_resolution_costs_a_quarter(bench: ModuleType) -> None:
    runs, sizes = importlib.import_module("bench.family.runs"), SIZES["pixelcnn-pp-1"]
    kind = FAMILY["pixelcnn-pp-1"]
    model = kind(kind.config_class(**sizes, scales=2))
    streams = [model.u, model.ul]  # type: ignore[list-item]
    inner = sum(p.numel() for s in streams for n, p in s.coarse.named_parameters() if n.endswith("weight"))
    between = sum(p.numel() for s in streams for p in (s.leave.weight, s.enter.weight))
    fine = sum(p.numel() for n, p in model.named_parameters() if n.endswith("weight")) - inner - between
    assert runs.family_multiply_adds(model, 8, 8) == fine + (inner + between) / 4


def test_mosaics_are_full_rectangles_of_all_images(bench: ModuleType) -> None:
    peers = importlib.import_module("bench.family.peers")
    images = np.random.default_rng(0).integers(0, 256, (23, 2, 3, 1), np.uint8)
    pictures = peers.mosaics(images, 4)
    assert [p.shape[:2] for p in pictures] == [(8, 12), (2, 12), (2, 9)]
    assert sum(p.size for p in pictures) == images.size
    np.testing.assert_array_equal(pictures[0][2:4, 3:6], images[5])
    np.testing.assert_array_equal(pictures[-1][:, 6:], images[22])


def test_a_run_is_measured_on_the_set_that_its_data_begins_with(bench: ModuleType, folder: Path) -> None:
    runs = importlib.import_module("bench.family.runs")
    found = runs.prepare(folder / "pixelcnn-cifar10")
    assert runs.fits(found, {"cifar10": 0, "mnist": 0}) == "cifar10"
    assert runs.fits(found, {"photos": 0}) == "photos"
    with pytest.raises(SystemExit, match="was trained on cifar10-train"):
        runs.fits(found, {"photos": 0, "mnist": 0})


def test_binary_images_are_measured_in_nats(bench: ModuleType) -> None:
    data = importlib.import_module("bench.family.data")
    images = np.zeros((5, 4, 4, 1), np.uint8)
    assert data.Measured("mnist-binary", "mnist", "", images, 2, 9).in_unit(50) == pytest.approx(10 * math.log(2))
    assert data.Measured("mnist", "mnist", "", images, 256, 9).in_unit(40) == 0.5


def test_pictures_show_the_blind_spot(bench: ModuleType) -> None:
    pictures = importlib.import_module("bench.family.drawings")
    y, x = pictures.AT, pictures.AT
    found = pictures.field("pixelcnn")
    assert (found[y - 1, x + 4 :] == "blind").all()
    assert (found[:y, : x + 3] == "seen").all()
    assert not (pictures.field("gated-pixelcnn") == "blind").any()
    assert (pictures.field("multi-scale")[y + 1, ::2] == "known").any()


def test_pictures_are_drawn_and_shown(page: ModuleType, result: dict[str, Any], folder: Path) -> None:
    pytest.importorskip("matplotlib")
    target, name = folder / "pictures.md", result["rows"][0]["run"]
    sections = "model:pixelcnn", "gallery:cifar10"
    target.write_text("\n".join(f"<!-- family:start {n} --><!-- family:end {n} -->" for n in sections))
    given = [str(folder / name), "--data", f"cifar10={folder / 'cifar10-test.npy'}", "--page", str(target)]
    given += ["--results", str(folder / "family.json"), "--samples", "2", "--completions", "1"]
    outcome = CliRunner().invoke(page.main, given)
    assert outcome.exit_code == 0, outcome.output
    shown = target.read_text()
    drawn = [f"{name}-{kind}.png" for kind in ("influence", "samples", "completions")]
    for file in ("pixelcnn.svg", "pixelcnn-field.png", *drawn):
        assert (folder / "pictures" / file).stat().st_size > 0
        assert f"](pictures/{file})" in shown


def test_a_whole_set_is_one_verified_stack(folder: Path, bench: ModuleType) -> None:
    command = importlib.import_module("bench.family.stack").main
    data, out = f"cifar10={folder / 'cifar10-test.npy'}", folder / "stack.json"
    outcome = CliRunner().invoke(command, [str(folder / "pixelcnn-cifar10"), "--data", data, "--out", str(out)])
    assert outcome.exit_code == 0, outcome.output
    (row,) = json.loads(out.read_text())["stacks"]
    weights = load_family(folder / "pixelcnn-cifar10" / "model.safetensors")
    images = np.load(folder / "cifar10-test.npy")
    assert row["images"] == row["verified_images"] == len(images)
    assert row["file_bytes"] == len(compress_stack(list(images), weights, batch=256))
    assert row["nll_bits"] == pytest.approx(sum(FamilyEngine(weights).nll_bits(encoding(images))))
    assert row["overhead"] == pytest.approx(8 * row["file_bytes"] / row["nll_bits"] - 1)
