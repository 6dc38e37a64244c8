"""The programs of `examples/` run and print the expected output."""

import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a program in this process as from a shell."""
    monkeypatch.setattr(sys, "argv", [name, str(folder)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_every_example_is_tested() -> None:
    programs = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")}
    assert programs == {"archive.sh", "arrays.py", "ome_zarr_pyramid.py", "pillow_files.py", "zarr_store.py"}


def test_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("arrays.py", tmp_path, monkeypatch)
    said = capsys.readouterr().out
    assert said.startswith("4 images: 147,456 bytes in memory")
    assert "bits at" in said


def test_pillow_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("pillow_files.py", tmp_path, monkeypatch)
    assert "thumbnail.pxz: PXZ RGB (192, 128), 'Dragonfly on lavender'" in capsys.readouterr().out
    with Image.open(tmp_path / "thumbnail.pxz") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), rel=1e-3)


def test_zarr_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("zarr")
    run("zarr_store.py", tmp_path, monkeypatch)
    assert capsys.readouterr().out.startswith("(16, 64, 64, 3) uint8: 196,608 bytes in memory")


def test_ome_zarr_pyramid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of ome-zarr and scikit-image
        pytest.importorskip("ome_zarr.writer", exc_type=ImportError)
        run("ome_zarr_pyramid.py", tmp_path, monkeypatch)
    assert "(1, 2, 3, 128, 128) uint16 and a level: " in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_archive(tmp_path: Path, child_env: dict[str, str]) -> None:
    pixels = np.random.default_rng(0).integers(0, 60, (24, 32, 3), dtype=np.uint8)
    (tmp_path / "photos" / "2019").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "photos" / "2019" / "scan.tif")
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / "photos" / "a.png")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "pixzip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pixzip "$@"\n')
    (commands / "pixzip").chmod(0o755)
    env = {**child_env, "MODEL": "fast", "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    folders = [str(tmp_path / name) for name in ("photos", "archive", "restored")]
    subprocess.run([str(EXAMPLES / "archive.sh"), *folders], env=env, check=True)
    with Image.open(tmp_path / "restored" / "2019" / "scan.tif") as image:
        assert (np.asarray(image) == pixels).all()
    with Image.open(tmp_path / "restored" / "a.png") as image:
        assert (np.asarray(image) == pixels[:, ::-1]).all()
