"""The README's tables: made from reports of `pixzip bench`, refused if totals cannot be compared."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

from pixzip import cli, image
from pixzip.image.picture import Layout, Picture
from tests.conftest import ROOT
from tests.helpers.support import scene


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "bench")
    return importlib.import_module("report")


@pytest.fixture
def root(tmp_path: Path, bench: ModuleType) -> Path:
    """A README, a page of figures, results from before `pixzip bench`, and images of two kinds."""
    (tmp_path / "README.md").write_text(f"before\n{bench.START}\nold\n{bench.END}\nafter\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "figures.md").write_text(f"# Figures\n{bench.START}\nold\n{bench.END}\nmore\n")
    (tmp_path / "results").mkdir()
    for name in ("memory", "profile", "speed", "versus"):
        old = ROOT / "bench" / "results" / f"{name}.json"
        (tmp_path / "results" / f"{name}.json").write_bytes(old.read_bytes())
    for name, channels, layout in [("photos", 3, Layout.RGB), ("scans", 1, Layout.GREY)]:
        (tmp_path / name).mkdir()
        samples = np.ascontiguousarray(scene(channels, 24, 32, 1))
        (tmp_path / name / "0.png").write_bytes(image.write(Picture(samples, layout, 8)))
    return tmp_path


def measure(root: Path, name: str, codecs: str) -> None:
    args = ["-o", str(root / "results" / name), "--codecs", codecs, "--heatmaps", "0", "--threads", "1", "-f"]
    result = CliRunner().invoke(cli.main, ["bench", str(root / name), *args])
    assert result.exit_code == 0, result.output


def test_the_tables_say_what_the_reports_do(bench: ModuleType, root: Path) -> None:
    for name in ("photos", "scans"):
        measure(root, name, "png,jxl-e9")
    args = ["--results", str(root / "results"), "--root", str(root)]
    result = CliRunner().invoke(bench.main, args)
    assert result.exit_code == 0, result.output
    text = (root / "README.md").read_text()
    for name in ("photos", "scans"):
        report = json.loads((root / "results" / name / "report.json").read_text())
        assert f"| {name} (1 images, 0.000768 MP) | PNG |" in text
        for t in report["totals"]:
            assert f"| {t['name']} | {t['bytes']:,} | {t['bpsp']:.3f} | {t['ratio']:.3f} |" in text
    assert text.startswith("before")
    assert text.endswith("after\n")
    figures = (root / "docs" / "figures.md").read_text()
    for heading in ("Peak memory", "Where the time", "Before and after", "decode MP/s and thread"):
        assert heading in figures
    assert "old" not in figures
    assert figures.endswith("more\n")
    assert (root / bench.PLOT).read_text().count("JPEG XL e9") >= 2


def test_totals_of_different_images_are_in_no_table(bench: ModuleType, root: Path) -> None:
    measure(root, "scans", "png,jxl-e9,qoi")
    result = CliRunner().invoke(bench.main, ["--results", str(root / "results"), "--root", str(root)])
    assert "scans: not all images are held by QOI" in result.output
    assert result.exit_code == 1
    assert "old" in (root / "README.md").read_text()


def test_the_readme_says_of_the_jpeg_inside_what_was_measured() -> None:
    cases = json.loads((ROOT / "bench" / "results" / "jpeg-inside.json").read_text())["cases"]

    def ratio(qualities: set[int]) -> float:
        chosen = [case for case in cases if case["quality"] in qualities]
        return sum(case["pixzip_bytes"] for case in chosen) / sum(case["jxl_bytes"] for case in chosen)

    said = f"in {ratio({50, 75, 85, 90}):.2f} of the bytes of JPEG XL e9 up to quality 90, {ratio({95}):.2f} at 95"
    assert said in (ROOT / "README.md").read_text()
