"""The benchmark of pictures: columns, totals, and failure on a broken promise."""

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
from pixzip.image.picture import Chunk, Layout, Picture
from tests.helpers.pictures import picture


@pytest.fixture
def bench() -> ModuleType:
    return importlib.import_module("bench.pictures.measure")


@pytest.fixture
def peers(bench: ModuleType) -> ModuleType:
    return importlib.import_module("bench.pictures.peers")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tar of two folders."""
    ramp = np.add.outer(np.arange(20), np.arange(24)).astype(np.uint8)
    text = (Chunk(b"tEXt", b"Title\0ramp"),)
    files = {
        "set/a/ramp.png": image.write(Picture(ramp[..., None], Layout.GREY, 8, metadata=text)),
        "set/a/palette.png": image.write(picture(Layout.PALETTE, 2, transparency=b"\0")),
        "set/b/ramp.png": image.write(picture(Layout.GREY, 16)),
        "set/b/notes.txt": b"no image",
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
    result = CliRunner().invoke(
        bench.main, [str(data), "--model", "fast", "--out", str(out), "--page", str(page), *args]
    )
    return result, json.loads(out.read_text()), page.read_text()


def test_every_file_has_its_sizes_and_every_group_its_totals(bench: ModuleType, data: Path) -> None:
    result, found, page = run(bench, data)
    assert result.exit_code == 0, result.output
    rows = {r["name"]: r for r in found["files"]}
    assert list(rows) == ["set/a/palette.png", "set/a/ramp.png", "set/b/notes.txt", "set/b/ramp.png"]
    assert "not an image" in rows.pop("set/b/notes.txt")["refused"]
    for r in rows.values():
        assert r["same"]
        assert r["peer_errors"] == []
        assert 0 < r["bare_bytes"] <= r["most_bytes"]
        assert r["png_bytes"] > 0
        assert r["jxl_bytes"] > 0
        assert (r["webp_bytes"] is None) == (r["depth"] > 8)
    assert rows["set/a/ramp.png"]["bare_bytes"] < rows["set/a/ramp.png"]["file_bytes"]
    assert rows["set/a/ramp.png"]["most_bytes"] == pytest.approx(rows["set/a/ramp.png"]["webp_bytes"] + 4, abs=1)
    assert rows["set/b/ramp.png"]["peer"] == "PNG"

    assert [g["name"] for g in found["groups"]["mode"]] == ["GREY 8", "GREY 16", "PALETTE 2"]
    assert [g["name"] for g in found["groups"]["folder"]] == ["set/a", "set/b"]
    (total,) = found["groups"]["all"]
    for key in ("png_bytes", "jxl_bytes", "bare_bytes"):
        assert total[key] == sum(r[key] for r in rows.values())
    both = [r for r in rows.values() if r["webp_bytes"]]
    assert total["webp_ratio"] == sum(r["bare_bytes"] for r in both) / sum(r["webp_bytes"] for r in both)
    assert page.count("| set/a | ") == 1
    assert page.count("| set/a/ramp.png | GREY 8 | 24 x 20 |") == 1


def test_only_some_paths(bench: ModuleType, data: Path) -> None:
    result, found, _ = run(bench, data, "--only", "*/b/*.png")
    assert result.exit_code == 0, result.output
    assert [r["name"] for r in found["files"]] == ["set/b/ramp.png"]
    assert "folder" not in found["groups"]


def test_a_file_larger_than_promised_is_exit_code_1(
    bench: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "ALLOWED_BYTES", -10_000)
    result, found, _ = run(bench, data, "--only", "set/b/*")
    assert result.exit_code == 1
    assert found["summary"]["larger than allowed"] == 1


def test_a_peer_that_changes_samples_has_no_size(
    bench: ModuleType, peers: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers.imagecodecs, "jpegxl_decode", lambda *_, **__: np.zeros((5, 7), np.uint16))
    _, found, page = run(bench, data, "--only", "set/b/ramp.png")
    assert found["files"][0]["jxl_bytes"] is None
    assert found["files"][0]["peer_errors"] == ["jxl: JPEG XL has other samples"]
    assert "jxl: JPEG XL has other samples" in page


def test_colours_are_those_of_a_viewer(peers: ModuleType) -> None:
    indices = np.array([[[0], [1], [2]]], np.uint8)
    opaque = Picture(indices, Layout.PALETTE, 2, bytes(range(6)))
    assert peers.colours(opaque).tolist() == [[[0, 1, 2], [3, 4, 5], [0, 0, 0]]]
    clear = Picture(indices, Layout.PALETTE, 2, bytes(range(6)), b"\x07")
    assert peers.colours(clear).tolist() == [[[0, 1, 2, 7], [3, 4, 5, 255], [0, 0, 0, 255]]]
    keyed = Picture(indices, Layout.GREY, 2, transparency=b"\0\1")
    assert peers.colours(keyed).tolist() == [[[0, 3], [1, 0], [2, 3]]]
