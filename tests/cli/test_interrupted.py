"""Commands that are killed, interrupted or refused by the system: an output is complete or absent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("needs signals and resource limits of POSIX", allow_module_level=True)

from pixzip import codec, image
from tests.conftest import SOURCES
from tests.helpers import commands, golden

MODEL = golden.FOLDER / "model-3.safetensors"
PICTURE = codec.as_picture(golden.image((40, 50, 3)))
#: Times at which signals arrive, as parts of the command's run time.
MOMENTS = np.random.default_rng(3).uniform(0, 1.1, 6)


@pytest.fixture(scope="module", autouse=True)
def _parent_of_all() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([*map(str, SOURCES), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("NUMBA_NUM_THREADS", "1")
        commands.warm_up()
        process = commands._CONTEXT.Process(target=time.sleep, args=(0,))
        process.start()
        process.join()


class Place:
    """A folder with a file to code; the other files in it show what happened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work = path / "work"
        self.work.mkdir()
        self.picture, self.packed = self.work / "in.png", self.work / "in.pxz"
        self.picture.write_bytes(image.write(PICTURE))
        self.packed.write_bytes(codec.compress([PICTURE], codec.Options(golden.weights, models_only=True))[0])
        self.before = {p: p.read_bytes() for p in self.work.iterdir()}

    def job(self, name: str, output: Path | None = None) -> tuple[list[object], Path]:
        """The arguments and the path of the output."""
        output = output or self.work / ("out.pxz" if name == "compress" else "out.png")
        source = self.picture if name == "compress" else self.packed
        return [name, source, "-o", output, "--model", MODEL, "-q"], output

    def check(self, output: Path) -> bool:
        """Whether the output exists, which must be complete then; nothing else is left, even after SIGKILL."""
        for path, data in self.before.items():
            assert path.read_bytes() == data
        assert not set(self.work.iterdir()) - set(self.before) - {output}
        if not output.exists():
            return False
        data = output.read_bytes()
        if output.suffix == ".pxz":
            assert codec.decompress([data], codec.Options.only(golden.weights(3))) == [PICTURE]
        else:
            assert image.load(data).picture == PICTURE
        return True


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def run(place: Place, *args: object, **options: Any) -> tuple[int | None, list[str]]:
    """Run a command: its exit code and lines of standard error."""
    with commands.started(place.path, *args, **options) as (process, errors, _):
        pass
    return process.exitcode, errors.read_text().splitlines()


each_job = pytest.mark.parametrize("name", ["compress", "decompress"])


@each_job
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_moment_leaves_a_whole_output_or_none(place: Place, name: str, number: int) -> None:
    args, output = place.job(name)
    began = time.monotonic()
    assert run(place, *args) == (0, [])
    took = time.monotonic() - began
    assert place.check(output)
    for moment in MOMENTS:
        output.unlink(missing_ok=True)
        with commands.started(place.path, *args) as (process, errors, _):
            time.sleep(moment * took)
            assert process.pid
            if process.is_alive():
                os.kill(process.pid, number)
        assert process.exitcode in (-number, 0)  # 0 if it had already finished
        whole = place.check(output)
        assert whole or process.exitcode
        said = errors.read_text() if errors.exists() else ""
        # no line if it had not begun or had already finished
        assert said in ("", f"pixzip: interrupted: {int(whole)} of 1 file was written\n")
        assert said == "" or number != signal.SIGKILL


@each_job
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_writing_waits_until_the_output_is_whole(
    place: Place, name: str, number: signal.Signals
) -> None:
    args, output = place.job(name)
    with commands.started(place.path, *args, pause_in_write=True) as (process, errors, paused):
        while not paused.exists():
            assert process.is_alive()
            time.sleep(0.005)
        os.kill(process.pid or 0, number)
    assert process.exitcode == -number
    killed = number == signal.SIGKILL
    assert errors.read_text() == "pixzip: interrupted: 1 of 1 file was written\n" * (not killed)
    assert place.check(output) is not killed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_from_the_start_stays_ignored(place: Place, number: signal.Signals) -> None:
    """So `nohup` and `&` in a script keep a command going."""
    args, output = place.job("compress")
    with commands.started(place.path, *args, pause_in_write=True, ignored=[number]) as (process, errors, paused):
        while not paused.exists():
            assert process.is_alive()
            time.sleep(0.005)
        os.kill(process.pid or 0, number)
    assert (process.exitcode, errors.read_text()) == (0, "")
    assert place.check(output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupt_among_many_says_how_many_are_written(place: Place, number: signal.Signals) -> None:
    folder = place.work / "many"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(place.picture.read_bytes())
    args = ["compress", "-r", folder, "-o", place.work / "out", "--rm", "--model", MODEL]
    with commands.started(place.path, *args, pause_in_write=True) as (process, errors, paused):
        while not paused.exists():
            assert process.is_alive()
            time.sleep(0.005)
        os.kill(process.pid or 0, number)
    assert process.exitcode == -number
    assert errors.read_text() == "pixzip: interrupted: 1 of 3 files were written\n"
    assert [p.name for p in (place.work / "out").iterdir()] == ["0.png.pxz"]
    assert sorted(p.name for p in folder.iterdir()) == ["0.png", "1.png", "2.png"]


@each_job
def test_death_while_overwriting_leaves_what_was_there(place: Place, name: str) -> None:
    args, output = place.job(name)
    output.write_bytes(b"older")
    with commands.started(place.path, *args, "-f", pause_in_write=True) as (process, _, paused):
        while not paused.exists():
            time.sleep(0.005)
        process.kill()
    assert process.exitcode == -signal.SIGKILL
    assert output.read_bytes() == b"older"


@each_job
@pytest.mark.parametrize("size", [300, 700])
def test_a_full_disk_is_one_line_and_leaves_nothing(place: Place, name: str, size: int) -> None:
    args, output = place.job(name)
    code, lines = run(place, *args, file_bytes=size)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("pixzip: ")
    assert "too large" in lines[0]
    assert not place.check(output)


@each_job
@pytest.mark.parametrize("where", ["below a file", "in a read-only folder", "in a missing folder", "under a long name"])
def test_outputs_that_cannot_be_written_are_one_line(place: Place, name: str, where: str) -> None:
    made: dict[str, Callable[[], Path]] = {
        "below a file": lambda: place.picture / "out.png",
        "in a read-only folder": lambda: place.path / "locked" / "out.png",
        "in a missing folder": lambda: place.path / "nowhere" / "out.png",
        "under a long name": lambda: place.work / ("x" * 300 + ".png"),
    }
    if where == "in a read-only folder":
        (place.path / "locked").mkdir(mode=0o500)
        if os.access(place.path / "locked", os.W_OK):
            pytest.skip("this user may write everywhere")
    args, output = place.job(name, made[where]())
    code, lines = run(place, *args)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("pixzip: ")
    place.check(place.work / "nothing")
    assert not list(output.parent.glob("out*")) if output.parent.is_dir() else True


def finished(command: str, env: dict[str, str], **names: object) -> subprocess.CompletedProcess[str]:
    """A finished command in a new interpreter, as seen by a shell."""
    given = {key: str(value) for key, value in names.items()}
    line = command.replace("pixzip", '"$PYTHON" -m pixzip', 1)
    return subprocess.run(
        ["sh", "-c", line], env={**env, "PYTHON": sys.executable, **given}, capture_output=True, text=True, check=False
    )


def test_a_closed_pipe_is_quiet_and_has_its_own_code(place: Place, child_env: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    args = [sys.executable, "-m", "pixzip", "compress", str(place.picture), "-o", "-", "--model", str(MODEL)]
    closed = subprocess.run(args, env=child_env, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert closed.returncode == 141
    assert closed.stderr == b""
    assert not place.check(place.work / "nothing")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_one_line_that_counts_the_written_files(place: Place) -> None:
    copy = place.work / "copy.png"
    copy.write_bytes(place.picture.read_bytes())
    place.before[copy] = copy.read_bytes()
    args = ["compress", place.picture, copy, "--json", "-f", "-o", place.path / "out", "--model", MODEL]
    code, lines = run(place, *args, output="/dev/full")
    found = "pixzip: standard output: No space left on device; interrupted: 1 of 2 files were written"
    assert (code, lines) == (2, [found])
    assert [path.name for path in (place.path / "out").iterdir()] == ["in.png.pxz"]
    for args in (["info", place.packed], ["--help"], ["--version"]):
        assert run(place, *args, output="/dev/full") == (2, ["pixzip: standard output: No space left on device"])
    said = run(place, "compress", place.picture, "-o", "-", "--model", MODEL, output="/dev/full")
    assert said == (2, ["pixzip: standard output: No space left on device; interrupted: 0 of 1 file was written"])


def test_output_on_closed_standard_streams_is_one_line(place: Place) -> None:
    for args in (["info", place.packed], ["compress", place.picture, "--dry-run", "--json"], ["--help"]):
        assert run(place, *args, closed=True) == (2, ["pixzip: standard output is closed"]), args
    args, output = place.job("compress")
    assert run(place, *args, closed=True) == (0, [])
    assert place.check(output)
    args = ["compress", "-", "-o", place.work / "x", "--model", MODEL]
    assert run(place, *args, closed=True) == (2, ["pixzip: -: standard input is closed"])


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("what", ["image", "model"])
def test_a_pipe_that_gives_nothing_can_be_interrupted(place: Place, what: str) -> None:
    fifo = place.path / "fifo"
    os.mkfifo(fifo)
    names = {"image": place.picture, "model": MODEL} | {what: fifo}
    args = ["compress", names["image"], "-o", place.work / "out", "--model", names["model"]]
    with commands.started(place.path, *args) as (process, errors, _):
        writing = os.open(fifo, os.O_WRONLY)  # waits until the command opens the pipe
        time.sleep(0.1)
        os.kill(process.pid or 0, signal.SIGINT)
    os.close(writing)
    assert process.exitcode == -signal.SIGINT
    assert errors.read_text() == "pixzip: interrupted: 0 of 1 file was written\n"
    assert not place.check(place.work / "out")


def test_closed_standard_streams_are_one_line(place: Place, child_env: dict[str, str]) -> None:
    done = finished("pixzip info - <&-", child_env)
    assert (done.returncode, done.stderr) == (2, "pixzip: standard input is closed\n")


@pytest.mark.parametrize(
    "module", ["click", "click.globals", "pixzip.cli.verbs", "pixzip.cli.models", "pixzip.models.registry"]
)
def test_an_interrupt_while_importing_is_quiet(child_env: dict[str, str], module: str) -> None:
    slow = (
        "import runpy, sys, os, signal; wanted = sys.argv[1]; sys.argv = ['pixzip', 'models']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Late:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == wanted: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Late())\n"
        "runpy.run_module('pixzip', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", slow, module], env=child_env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_help_names_the_exit_codes(child_env: dict[str, str]) -> None:
    done = finished("pixzip --help", child_env)
    assert done.returncode == 0
    for code in ("0 ", "1 ", "2 ", "141 ", "129, 130, 143 "):
        assert f"\n    {code}" in done.stdout
