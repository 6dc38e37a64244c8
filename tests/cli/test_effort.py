"""`compress -e`: the effort on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixzip
from pixzip.cli.compress import compress
from pixzip.codec.efforts import DEFAULT_EFFORT, EFFORTS
from pixzip.codec.options import Options
from tests.helpers.shell import good, run
from tests.helpers.support import photo

IMAGE = photo(3, 70, 80)


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with an image; the models are the shipped ones."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(IMAGE).save("x.png")


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    ("effort", "model", "stages"), [(1, "fast", []), (2, "fast", ["light"]), (5, "base", ["full"])]
)
def test_the_effort_chooses_model_and_stage(effort: int, model: str, stages: list[str]) -> None:
    good("compress", "x.png", "-e", str(effort), "--verify", "--no-original")
    assert Path("x.png.pxz").read_bytes() == pixzip.encode(IMAGE, effort=effort)
    facts = json.loads(good("info", "--json", "x.png.pxz").stdout)
    assert [found["name"] for found in facts["models"]] == [model]
    assert facts["stages"] == stages
    assert (f"MODEL ({stages[0]})" if stages else "MODEL") in good("info", "x.png.pxz").stdout
    good("verify", "x.png.pxz")
    good("decompress", "x.png.pxz", "-o", "back.png")
    with Image.open("back.png") as back:
        assert np.array_equal(np.asarray(back), IMAGE)


@pytest.mark.usefixtures("image")
def test_the_most_effort_makes_the_smallest_file() -> None:
    sizes = []
    for effort in (1, 2, 4, 5, 9):
        good("compress", "x.png", "--effort", str(effort), "-o", f"{effort}.pxz")
        sizes.append(Path(f"{effort}.pxz").stat().st_size)
    assert sizes[-1] == min(sizes)


@pytest.mark.usefixtures("image")
def test_a_named_model_keeps_coding() -> None:
    good("compress", "x.png", "-e", "1", "--model", "base")
    facts = json.loads(good("info", "--json", "x.png.pxz").stdout)
    assert [found["name"] for found in facts["models"]] == ["base"]
    assert facts["stages"] == []


@pytest.mark.usefixtures("image")
def test_a_stack_takes_the_model_of_the_effort() -> None:
    good("compress", "--stack", "x.png", "-e", "1", "-o", "stack.pxz")
    facts = json.loads(good("info", "--json", "stack.pxz").stdout)
    assert [found["name"] for found in facts["models"]] == ["fast"]


@pytest.mark.usefixtures("image")
def test_info_names_the_stage_of_a_stack_and_says_what_stages_saved() -> None:
    tile = np.random.default_rng(0).integers(0, 2, (12, 12, 3), np.uint8) * 255
    np.save("tiles.npy", np.stack([np.roll(tile, i, 0) for i in range(12)]))
    sizes = []
    for effort in (1, 3):
        good("compress", "--stack", "tiles.npy", "-e", str(effort), "-o", f"{effort}.pxz", "--verify")
        sizes.append(Path(f"{effort}.pxz").stat().st_size)
        good("verify", f"{effort}.pxz")
        good("decompress", f"{effort}.pxz", "-o", f"{effort}.npy")
        assert np.array_equal(np.load(f"{effort}.npy"), np.load("tiles.npy"))
    facts = [json.loads(good("info", "--json", "--saved", f"{effort}.pxz").stdout) for effort in (1, 3)]
    assert [of["stages"] for of in facts] == [[], ["full"]]
    assert facts[0]["bytes_without_stage"] == facts[0]["stage_bytes"] == facts[0]["saved_by_stages"] == 0
    saved = facts[1]["bytes_without_stage"] - facts[1]["stage_bytes"]
    assert abs(saved - (sizes[0] - sizes[1])) < 16
    said = good("info", "--saved", "3.pxz").stdout.splitlines()
    assert "stages              full" in said
    assert f"stages saved        {facts[1]['saved_by_stages']:.2%}" in said
    assert f"bytes without stage {facts[1]['bytes_without_stage']}" in said
    assert "saved" not in good("info", "3.pxz").stdout
    good("compress", "x.png", "-e", "5", "-o", "x.pxz")
    assert json.loads(good("info", "--json", "--saved", "x.pxz").stdout)["stage_bytes"] > 0


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize("effort", ["0", "10", "-1", "high", "5.5"])
def test_another_effort_is_wrong_usage(effort: str) -> None:
    refused = run("compress", "x.png", "-e", effort)
    assert refused.exit_code == 2
    assert "'-e' / '--effort'" in refused.stderr
    assert not Path("x.png.pxz").exists()


def test_the_help_names_the_efforts() -> None:
    said = " ".join(good("compress", "--help").stdout.split())
    assert "-e, --effort 1..9" in said
    assert f"[default: {DEFAULT_EFFORT}" in said
    (option,) = [p for p in compress.params if p.name == "effort"]
    assert (option.type.min, option.type.max) == (min(EFFORTS), max(EFFORTS))  # type: ignore[attr-defined]
    assert option.default == DEFAULT_EFFORT
    assert Options.of().effort == EFFORTS[DEFAULT_EFFORT]
