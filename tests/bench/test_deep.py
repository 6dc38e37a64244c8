"""The benchmark of deep samples: columns, totals, and failure on a broken promise."""

import importlib
import io
import json
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pixzip import image
from pixzip.image.picture import Layout, Picture
from tests.helpers.support import scene


@pytest.fixture
def bench() -> ModuleType:
    return importlib.import_module("bench.deep.measure")


def smooth(channels: int, bits: int) -> np.ndarray:
    """(H, W, C) uint16 ramps of `bits` bits with a little noise."""
    rng = np.random.default_rng(3)
    high = scene(channels, 40, 48, 5).astype(np.int64) << bits - 8
    samples = np.clip(high + rng.integers(0, 3, high.shape), 0, (1 << bits) - 1)
    samples[0, 0] = (1 << bits) - 1
    return samples.astype(np.uint16)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tar of two folders, with a file that is no image and an 8-bit image."""
    files = {
        "set/grey/twelve.png": image.write(Picture(smooth(1, 12), Layout.GREY, 16)),
        "set/rgb/sixteen.png": image.write(Picture(smooth(3, 16), Layout.RGB, 16)),
        "set/rgb/eight.png": image.write(Picture(smooth(3, 8).astype(np.uint8), Layout.RGB, 8)),
        "set/notes.txt": b"no image",
    }
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return tmp_path / "set.tar"


def run(bench: ModuleType, data: Path, *args: str) -> tuple[Result, dict[str, Any], str]:
    """Run the benchmark: its outcome, figures and page."""
    out, page = data.parent / "out.json", data.parent / "page.md"
    given = [str(data), "--out", str(out), "--page", str(page), "--jxl-effort", "1,3", *args]
    return CliRunner().invoke(bench.main, given), json.loads(out.read_text()), page.read_text()


def test_every_image_has_its_figures_and_every_folder_its_totals(
    bench: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "warm_up", lambda *_: None)  # the tests ignore times
    result, found, page = run(bench, data, "--model", "base,fast")
    assert result.exit_code == 0, result.output
    assert found["skipped"] == ["set/notes.txt", "set/rgb/eight.png"]
    grey, rgb = found["files"]
    assert (grey["bits"], grey["raw_bytes"], grey["low_raw_bytes"]) == (12, 40 * 48 * 12 // 8, 40 * 48 * 4 // 8)
    assert (rgb["bits"], rgb["raw_bytes"], rgb["low_raw_bytes"]) == (16, 40 * 48 * 6, 40 * 48 * 3)
    assert [r["models"] for r in grey["results"]] == [["base"], ["fast"]]
    assert [r["models"] for r in rgb["results"]] == [["base"], ["fast"]]
    for r in (*grey["results"], *rgb["results"]):
        assert r["low_bytes"] == r["pxz_bytes"] - r["high_bytes"]
        assert min(r["two_bytes"], r["encode_s"], r["decode_s"]) > 0
        assert sum(r["blocks"].values()) == sum(r["two_blocks"].values()) == 1
        assert not any("DEEP_MODEL" in kinds for kinds in r["two_blocks"])
    for f in (grey, rgb):
        assert min(f["png_bytes"], f["jpeg_ls_bytes"], *f["jxl_bytes"].values()) > 0

    names = [(t["name"], t["model"]) for t in found["totals"]]
    assert names == [(name, model) for name in ("grey", "rgb", "all") for model in ("base", "fast")]
    own = [f["results"][-1] for f in (grey, rgb)]
    assert found["totals"][-1]["low_bytes"] == sum(r["low_bytes"] for r in own)
    assert found["totals"][-1]["two_bytes"] == sum(r["two_bytes"] for r in own)
    for model in ("base", "fast"):
        assert page.count(f"| grey/twelve.png | {model} | 48 x 40, 12, ") == 1
    assert "libjxl/testdata" in page


def test_what_costs_more_than_promised_is_exit_code_1(
    bench: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "ALLOWED_BYTES", -100_000)
    result, found, page = run(bench, data, "--model", "fast", "--only", "*/rgb/*")
    assert result.exit_code == 1
    (line,) = found["failures"]
    assert line.startswith("set/rgb/sixteen.png by fast: ")
    assert f"* {line}" in page
    found["files"][0]["low_raw_bytes"] = found["files"][0]["results"][0]["low_bytes"] - 1
    assert any("low bits take" in line for line in bench.failures(found["files"][0]))


def test_a_changed_sample_ends_the_benchmark(bench: ModuleType) -> None:
    picture = Picture(smooth(1, 12), Layout.GREY, 12)
    file, _, _ = bench.pxz_round_trip(picture, "fast")
    with pytest.raises(SystemExit):
        bench.check(file, Picture(picture.samples ^ 1, Layout.GREY, 12), "fast")


def test_kinds_are_told_within_kinds(bench: ModuleType) -> None:
    file, _, _ = bench.pxz_round_trip(Picture(smooth(1, 12), Layout.GREY, 16), "fast")
    (kinds,) = bench.describe_blocks(file)
    assert kinds.startswith("NARROW 12 > ")


def test_eight_bits_in_use_leave_no_low_bits(bench: ModuleType) -> None:
    source = image.write(Picture(smooth(3, 8), Layout.RGB, 16))
    found = bench.row("set/eight.png", source, ["fast"], [1], 1)
    (r,) = found["results"]
    assert (found["bits"], found["low_raw_bytes"], r["low_bytes"]) == (8, 0, 0)
    assert list(bench.failures(found)) == []
