"""Values of the environment and of options that libraries would refuse with a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixzip.cli import environment
from pixzip.models import library
from tests.helpers import golden
from tests.helpers.shell import bad, good, names

BAD = {"NUMBA_NUM_THREADS": "0", "OMP_NUM_THREADS": "many", "NUMBA_THREADING_LAYER": "none"}


def test_bad_values_are_ignored_with_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (BAD | {"MKL_NUM_THREADS": "100000", "OPENBLAS_NUM_THREADS": "1.5"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_THREAD_LIMIT", "")
    environment.settle()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[0] == (
        "pixzip: warning: NUMBA_NUM_THREADS is '0', expected a number of threads from 1 to 1024: it is ignored"
    )
    assert not {*BAD, "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_THREAD_LIMIT"} & os.environ.keys()


def test_good_values_stay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "4,2", "NUMBA_THREADING_LAYER": "omp"}.items():
        monkeypatch.setenv(name, value)
        environment.settle()
        assert os.environ[name] == value
    assert capsys.readouterr().err == ""


def test_a_command_works_in_a_bad_environment(tmp_path: Path, child_env: dict[str, str]) -> None:
    args = ["verify", golden.FOLDER / "v2-rgb-model.pxz", "--model", golden.FOLDER / "model-3.safetensors"]
    done = subprocess.run(
        [sys.executable, "-m", "pixzip", *map(str, args)], env=child_env | BAD | {library.FOLDERS: "~nosuchuser/x"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line.split(" is ")[0] for line in done.stderr.splitlines()] == [f"pixzip: warning: {name}" for name in BAD]


@pytest.mark.parametrize("listed", ["~nosuchuser/x", "x" * 5000, "nowhere", "rgb.png"])
def test_a_folder_of_models_that_is_none_is_ignored_and_named_by_models(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    monkeypatch.setenv(library.FOLDERS, listed)
    good("compress", "rgb.png")
    result = good("models")
    assert result.stderr == f"pixzip: warning: PIXZIP_MODELS lists {listed}, which is not a folder\n"


@pytest.mark.parametrize("threads", ["0", "-1", "100000", "many", "1.5", "9" * 30])
def test_a_number_of_threads_that_cannot_be_is_one_line(shipped: Path, threads: str) -> None:
    before = names(shipped)
    for args in (["compress", "rgb.png"], ["decompress", "x.pxz"], ["verify", "x.pxz"]):
        result = bad(*args, "-j", threads, words=f"'{threads}' threads, expected a number from 1 to 1024")
        assert len(result.stderr.splitlines()) == 1
    bad("train", "--data", "rgb.png", "--config", "tiny", "-o", "t", "--threads", threads, words="expected a number")
    bad("bench", "rgb.png", "--threads", threads, words="expected a number")
    assert names(shipped) == before


@pytest.mark.parametrize(
    "args",
    [
        ["compress", ""],
        ["compress", "-r", ""],
        ["compress", "rgb.png", "-o", ""],
        ["compress", "rgb.png", "--output="],
        ["compress", "rgb.png", "--model", ""],
        ["compress", "--stack", "rgb.png", "-o", ""],
        ["decompress", "", "-o", "x"],
        ["decompress", "a.pxz", "-o", ""],
        ["verify", "-r", ""],
        ["info", ""],
        ["eval", ""],
        ["heatmap", "rgb.png", "-o", ""],
        ["sample", "--model", "x", "-o", ""],
        ["complete", "rgb.png", "--keep-rows", "1", "--model", "x", "-o", ""],
        ["train", "--data", "rgb.png", "--config", "tiny", "-o", ""],
        ["bench", "rgb.png", "-o", ""],
        ["bench", ""],
    ],
)
def test_an_empty_argument_is_refused(shipped: Path, args: list[str]) -> None:
    before = names(shipped)
    bad(*args, words="an empty argument")
    assert names(shipped) == before


@pytest.mark.parametrize(
    "args",
    [
        ["compress", "rgb.png"],
        ["compress", "--stack", "rgb.png"],
        ["decompress", "a.pxz"],
        ["heatmap", "rgb.png", "-o", "x.png/"],
        ["sample", "--model", "x", "-o", "x.png/"],
        ["complete", "rgb.png", "--keep-rows", "1", "--model", "x", "-o", "x.png/"],
    ],
)
def test_an_output_that_ends_like_a_folder_is_refused_where_there_is_none(shipped: Path, args: list[str]) -> None:
    good("compress", "grey.png", "-o", "a.pxz")
    before = names(shipped)
    bad(*args, *([] if "-o" in args else ["-o", "nodir/"]), words="is not a folder that exists")
    assert names(shipped) == before


def test_folders_of_several_outputs_and_of_a_stack_may_end_like_folders(shipped: Path) -> None:
    good("compress", "rgb.png", "grey.png", "-o", "packed/")
    good("compress", "--stack", "rgb.png", "-o", "s.pxz")
    good("decompress", "s.pxz", "-o", "images/")
    assert (names(shipped / "packed"), names(shipped / "images")) == (["grey.png.pxz", "rgb.png.pxz"], ["rgb.png"])
