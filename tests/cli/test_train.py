"""The command line around the codec: help, the progress bar, and training a model to code with."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from pixzip import codec, image
from pixzip.cli import main, progress


def pixels(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 50, (66, 70, 3), dtype=np.uint8)


def run(code: int, *args: object) -> Result:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, result.output
    return result


def test_version_and_help() -> None:
    assert run(0, "--version").stdout.startswith("pixzip ")
    for command in ("compress", "decompress", "info", "eval", "models", "train"):
        assert command in run(0, "--help").stdout
        run(0, command, "--help")


def test_help_does_not_import_torch() -> None:
    root = Path(__file__).parents[2]
    code = "import sys, pixzip.cli; print('torch' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "codecs")])}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_bar_appears_on_a_terminal_and_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "DELAY_S", 0.0)
    with progress.Bar("working") as bar:
        bar(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("pixzip.io.streams.is_terminal", lambda: True)
    with progress.Bar("working") as bar:
        bar(1, 2)
    assert "working" in capsys.readouterr().err
    monkeypatch.setattr(progress, "DELAY_S", 60.0)
    with progress.Bar("working") as bar:
        bar(1, 2)
    assert capsys.readouterr().err == ""


def test_train_then_compress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "rgb.png").write_bytes(image.write(codec.as_picture(pixels(seed=9))))
    for i in range(3):
        (tmp_path / "data" / f"{i}.png").write_bytes(image.write(codec.as_picture(pixels(seed=i))))
    run(
        0,
        *("train", "--data", "data", "--data", "rgb.png", "--config", "tiny", "-o", "run"),
        *("--megapixels", 0.02, "--batch", 1, "--seed", 3, "--device", "cpu"),
    )
    assert {"model.safetensors", "log.jsonl"} <= {p.name for p in (tmp_path / "run").iterdir()}
    run(0, "compress", "rgb.png", "--model", "run/model.safetensors", "--verify")
    again = ("train", "--data", "data", "--config", "tiny", "-o", "more", "--megapixels", 0.01, "--init")
    run(0, *again, "run/model.safetensors")
    assert "has the sizes" in run(2, *again[:5], "-o", "other", "--init", "base").stderr
    assert (
        "config is 'huge', expected one of base"
        in run(2, "train", "--data", "data", "--config", "huge", "-o", "run").stderr
    )
    assert "found 1 readable images" in run(2, "train", "--data", "rgb.png", "--config", "tiny", "-o", "other").stderr
