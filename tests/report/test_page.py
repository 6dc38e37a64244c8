"""`pixzip bench`: the page is self-contained, names are escaped, and a report is complete or absent."""

import base64
import io
import json
import re
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pixzip import cli, image
from pixzip.cli import bench
from pixzip.image.picture import Layout, Picture
from pixzip.report import codecs, heat, page, plot
from tests.helpers.reports import RGB, lossy, of_layout

#: Name of a tar's member, because not every file system supports it.
HOSTILE = ["a/</script><script>alert('1')</script>.png", 'b/"><img src=x onerror="alert(2)">é.png', "c/{{ 7*7 }}.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, one in a subfolder, a file that is no image, and a file that pretends to be one."""
    (tmp_path / "set" / "below").mkdir(parents=True)
    (tmp_path / "set" / "rgb.png").write_bytes(image.write(RGB))
    (tmp_path / "set" / "below" / "grey.PNG").write_bytes(image.write(of_layout(Layout.GREY, 8)))
    (tmp_path / "set" / "notes.txt").write_text("none")
    return tmp_path / "set"


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / "set.tar", "w") as out:
        for name in reversed(HOSTILE):
            body = image.write(RGB)
            member = tarfile.TarInfo(name)
            member.size = len(body)
            out.addfile(member, io.BytesIO(body))
    return tmp_path / "set.tar"


def run(out: Path, *args: object) -> Result:
    return CliRunner().invoke(cli.main, ["bench", "-o", str(out), "--threads", "1", *map(str, args)])


def read(out: Path) -> tuple[dict[str, Any], str]:
    return json.loads((out / "report.json").read_text()), (out / "index.html").read_text()


def test_a_report_of_a_folder(tmp_path: Path, folder: Path) -> None:
    (folder / "false.png").write_bytes(b"no image")
    result = run(tmp_path / "out", folder, "--codecs", "png,jxl-e3,pixzip-fast", "--heatmaps", 1)
    assert result.exit_code == 2
    assert "pixzip: false.png: " in result.stderr
    found, text = read(tmp_path / "out")
    assert [i["image"] for i in found["images"]] == ["below/grey.PNG", "rgb.png"]
    assert [s["image"] for s in found["skipped"]] == ["false.png"]
    assert [t["name"] for t in found["totals"]] == ["PNG", "JPEG XL e3", "pixzip fast"]
    assert found["reference"] == "jxl-e3"
    assert found["command"].startswith("pixzip bench")
    assert found["versions"]["libjxl"]
    assert set(found["models"]) == {"fast"}
    assert [h["image"] for h in found["heatmaps"]["images"]] == ["below/grey.PNG"]
    assert text.count("<svg") == 2
    assert text.count('src="data:image/') == 2
    for t in found["totals"]:
        assert f"{t['bytes']:,}" in text
        assert f"{t['ratio']:.3f}" in result.stdout


def test_a_page_needs_nothing_from_elsewhere(tmp_path: Path, folder: Path) -> None:
    assert run(tmp_path / "out", folder, "--codecs", "png,qoi", "--heatmaps", 0).exit_code == 0
    text = read(tmp_path / "out")[1]
    assert not re.findall(r"https?:|//[a-z]|@import", text.replace("// ", ""))
    attributes = re.findall(r'\b(?:src|href)="([^"]*)"', text)
    assert attributes
    assert all(a.startswith(("data:", "#")) for a in attributes)
    assert "default-src 'none'" in text


class _Reader(HTMLParser):
    """Collects the elements of a page, and the names of its images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.names: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if dict(attrs).get("scope") == "row":
            self.names.append(dict(attrs)["data-value"])


def test_hostile_names_are_text_and_nothing_else(tmp_path: Path, tar: Path) -> None:
    assert run(tmp_path / "out", tar, "--codecs", "qoi,png", "--heatmaps", 0).exit_code == 0
    found, text = read(tmp_path / "out")
    assert [i["image"] for i in found["images"]] == HOSTILE
    heats = [heat.heat(name, RGB, np.ones((32, 40), np.float32)) for name in HOSTILE]
    found["skipped"] = [{"image": name, "reason": name} for name in HOSTILE]
    found["images"][0]["results"]["qoi"] = {"status": "failed", "reason": HOSTILE[0]}
    found["codecs"][0]["name"] = found["totals"][0]["name"] = HOSTILE[0]
    for written in (text, page.render(found, heats)):
        reader = _Reader(written)
        assert reader.names[2:] == HOSTILE
        assert reader.tags.count("script") == 2
        assert reader.handlers == []
        assert reader.tags.count("img") in (0, 6)
    assert "{{ 7*7 }}" in text


def test_limit_and_names_of_codecs(tmp_path: Path, tar: Path) -> None:
    assert run(tmp_path / "out", tar, "--codecs", "png", "--heatmaps", 0, "--limit", 2).exit_code == 0
    assert len(read(tmp_path / "out")[0]["images"]) == 2
    result = run(tmp_path / "other", tar, "--codecs", "gif")
    assert result.exit_code == 2
    assert "no codec 'gif': there are png, " in result.stderr
    listed = CliRunner().invoke(cli.main, ["bench", "--list"])
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(codecs.known())


def test_a_report_that_is_there_is_not_overwritten(tmp_path: Path, folder: Path) -> None:
    args = (folder, "--codecs", "qoi,png", "--heatmaps", 0)
    assert run(tmp_path / "out", *args).exit_code == 0
    before = read(tmp_path / "out")
    again = run(tmp_path / "out", *args)
    assert again.exit_code == 2
    assert "-f overwrites it" in again.stderr
    assert read(tmp_path / "out") == before
    assert run(tmp_path / "out", *args, "-f").exit_code == 0
    assert read(tmp_path / "out") != before


def test_an_interrupt_leaves_no_report(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "render", interrupted)
    assert run(tmp_path / "out", folder, "--codecs", "png", "--heatmaps", 0).exit_code != 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]


def test_without_images_there_is_no_report(tmp_path: Path, folder: Path) -> None:
    for path, expected in [(folder / "nowhere", "does not exist"), (folder / "notes.txt", "can be measured")]:
        result = run(tmp_path / "out", path, "--codecs", "png")
        assert result.exit_code == 2
        assert expected in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_of_ours_that_changes_an_image_is_our_fault(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "pixzip", lambda model, effort, device: lossy(f"pixzip-{model}"))
    result = run(tmp_path / "out", folder, "--codecs", "png,pixzip-fast", "--heatmaps", 0)
    assert result.exit_code == 1
    assert "pixzip: Lossy: not lossless on 2 image(s)" in result.stderr
    assert "2 not lossless" in read(tmp_path / "out")[1]


def test_a_missing_library_is_named_with_the_extra(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "find_spec", lambda name: None if name == "jinja2" else object())
    result = run(tmp_path / "out", folder)
    assert result.exit_code == 2
    assert result.stderr == "pixzip: bench needs jinja2: pip install jinja2\n"


def test_a_map_is_as_bright_as_the_bits_it_stands_for() -> None:
    bits = np.zeros((1000, 2000), np.float32)
    bits[:, 1000:] = 11
    found = heat.heat("wide", Picture(np.zeros((1000, 2000, 1), np.uint16), Layout.GREY, 16), bits)
    assert found.bits.shape == (320, 640)
    assert (found.mean, float(found.bits.mean())) == (5.5, 5.5)
    top = heat.scale_top([found])
    assert top == 12
    body = heat.map_uri(found.bits, top).removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(body))) as opened:
        levels = np.asarray(opened)
    assert (levels[:, :320] == 0).all()
    assert (levels[:, 320:] == round(11 / 12 * 255)).all()


def test_names_in_a_plot_do_not_overlap() -> None:
    crowd = [plot.Point(f"codec {i}", 1 + 0.3 * i, 1 + 0.01 * (i % 3), i == 0) for i in range(8)]
    figure = plot.rate_speed([plot.Panel("t", [*crowd, plot.Point("far", 300, 2, False)], "x", "y")])
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 9
    overlaps = [(i, j) for i in range(9) for j in range(i) if boxes[i].overlaps(boxes[j])]
    assert overlaps == []
