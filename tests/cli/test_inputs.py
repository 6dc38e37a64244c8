"""Inputs that are pipes or devices, or change while they are read."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixzip import codec, image
from pixzip.codec import by_rows
from pixzip.io import files, streams
from tests.helpers import golden
from tests.helpers.shell import GREY, RGB, bad, good, names, pixels, read

Fifo = Callable[[bytes], str]


@pytest.fixture
def packed(shipped: Path) -> bytes:
    """The `.pxz` file of rgb.png."""
    good("compress", "rgb.png", "-o", "rgb.pxz")
    return (shipped / "rgb.pxz").read_bytes()


def test_every_verb_takes_a_pipe(shipped: Path, packed: bytes, fifo: Fifo) -> None:
    png = (shipped / "rgb.png").read_bytes()
    good("compress", fifo(png), "-o", "a.pxz")
    assert (shipped / "a.pxz").read_bytes() == packed
    good("compress", fifo(png), "--verify")
    good("compress", "grey.png", fifo(png), "-o", "folder")
    good("decompress", fifo(packed), "-o", "a.png")
    assert np.array_equal(read(shipped / "a.png"), RGB)
    good("decompress", fifo(packed), "--region", "1,2,3,4", "-o", "part.png")
    good("decompress", fifo(packed), "--salvage", "-o", "saved.png")
    good("verify", fifo(packed))
    assert "12" in good("info", fifo(packed)).stdout
    assert "total" in good("eval", fifo(png)).stdout
    good("heatmap", fifo(png), "-o", "a.npy")
    good("heatmap", fifo(packed), "-o", "b.npy")
    assert np.array_equal(np.load(shipped / "a.npy"), np.load(shipped / "b.npy"))


def test_stacks_take_pipes_and_come_from_pipes(shipped: Path, fifo: Fifo) -> None:
    png = (shipped / "rgb.png").read_bytes()
    good("compress", "--stack", fifo(png), fifo(png), "-o", "s.pxz")
    stack = (shipped / "s.pxz").read_bytes()
    good("decompress", fifo(stack), "-o", "images")
    assert [read(path).shape for path in (shipped / "images").iterdir()] == [RGB.shape] * 2
    good("verify", fifo(stack))
    good("info", fifo(stack))
    array = shipped / "a.npy"
    np.save(array, np.stack([GREY, GREY]))
    data = array.read_bytes()
    array.unlink()
    os.link(fifo(data), array)
    good("compress", "--stack", array, "-o", "array.pxz")


def test_bad_content_of_a_pipe_is_an_error_of_its_name(shipped: Path, fifo: Fifo) -> None:
    for verb in ("compress", "decompress", "verify"):
        name = fifo(b"no image")
        options = () if verb == "verify" else ("-o", "x")
        bad(verb, name, *options, words=f"{name}: not a")
    assert "x" not in names(shipped)


def test_a_pipe_of_the_system_has_no_name_for_an_output(shipped: Path, in_time: None) -> None:
    for name in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
        if Path(name).exists():
            bad("compress", name, words=f"{name}: it has no name to be written under: -o FILE gives one")


def test_the_output_of_a_pipe_has_the_permissions_of_the_umask(shipped: Path, packed: bytes, fifo: Fifo) -> None:
    before = os.umask(0o022)
    try:
        good("decompress", fifo(packed), "-o", "a.png")
    finally:
        os.umask(before)
    assert (shipped / "a.png").stat().st_mode & 0o777 == 0o644


def test_rm_keeps_a_pipe(shipped: Path, packed: bytes, fifo: Fifo) -> None:
    for verb, data in ("compress", (shipped / "rgb.png").read_bytes()), ("decompress", packed):
        name = fifo(data)
        result = good(verb, name, "-o", f"{verb}.png", "--rm")
        assert result.stderr == f"pixzip: {name}: warning: original kept: it is not a regular file\n"
        assert Path(name).exists()


def test_a_pipe_with_a_model_is_read_once_for_all_images(folder: Path, fifo: Fifo) -> None:
    model = fifo((folder / "rgb.model").read_bytes())
    good("compress", "rgb.png", "--model", model, "--models-only", "-o", "a.pxz")
    for i in "bc":
        shutil.copy(folder / "a.pxz", folder / f"{i}.pxz")
    again = fifo((folder / "rgb.model").read_bytes())
    good("decompress", "a.pxz", "b.pxz", "c.pxz", "--model", again, "-o", "out")
    damaged = fifo(b"no weights")
    result = bad("verify", "a.pxz", "b.pxz", "--model", damaged, words="a.pxz: ")
    assert result.stderr.count("is not a weights file") == 2
    bad("compress", "rgb.png", "--model", "/dev/zero", "-o", "z.pxz", words="/dev/zero")


def test_an_endless_input_ends_in_one_line(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_STREAM_BYTES", 1 << 20)
    for verb in ("compress", "decompress"):
        result = bad(verb, "/dev/zero", "-o", "x", words="/dev/zero: ")
        assert len(result.stderr.splitlines()) == 1
    bad("verify", "/dev/zero", words="/dev/zero: ")
    bad("eval", "/dev/zero", words="/dev/zero: ")
    assert "x" not in names(shipped)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_process_substitution(child_env: dict[str, str]) -> None:
    line = '"$0" -m pixzip info <(cat "$1")'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, str(golden.FOLDER / "v2-rgb.pxz")],
        env=child_env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "/dev/fd/" in done.stdout


@pytest.fixture
def three(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three files, which are read in parts as if they were large."""
    monkeypatch.setattr(streams, "MAX_WHOLE_BYTES", 0)
    found = []
    for i in range(3):
        (shipped / f"{i}.png").write_bytes((shipped / "rgb.png").read_bytes())
        good("compress", f"{i}.png")
        (shipped / f"{i}.png").unlink()
        found.append(f"{i}.png.pxz")
    return found


def cut(path: Path) -> None:
    os.truncate(path, 20)


def rewritten(path: Path) -> None:
    with path.open("r+b") as f:
        f.write(os.urandom(path.stat().st_size))


@pytest.mark.parametrize("change", [cut, rewritten])
@pytest.mark.parametrize("verb", [("decompress",), ("verify",), ("decompress", "--salvage")])
def test_a_file_that_changes_before_it_is_decoded_is_an_error_of_this_file_alone(
    shipped: Path,
    three: list[str],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    verb: Sequence[str],
) -> None:
    monkeypatch.setattr("pixzip.io.buffers._WINDOW_BYTES", 16)
    done = []

    def changing(inner: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **options: Any) -> Any:
            if not done:
                done.append(change(shipped / three[1]))
            return inner(*args, **options)

        return changed

    monkeypatch.setattr(codec, "decompress", changing(codec.decompress))
    monkeypatch.setattr(codec, "recover", changing(codec.recover))
    result = bad(*verb, *three, words=f"{three[1]}: ")
    assert done
    assert len(result.stderr.splitlines()) == 1
    if verb[0] == "decompress":
        assert {"0.png", "2.png"} <= set(names(shipped))
        assert "1.png" not in names(shipped)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("change", [cut, rewritten])
def test_a_large_file_that_changes_while_it_is_decoded_is_an_error_of_this_file_alone(
    shipped: Path, three: list[str], monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    monkeypatch.setattr("pixzip.io.buffers._WINDOW_BYTES", 16)
    decoded, seen = by_rows.decompress_rows, []

    def late(opening: codec.Opening, *args: Any) -> Any:
        seen.append(opening)
        if len(seen) == 2:
            change(shipped / three[1])
        return decoded(opening, *args)

    monkeypatch.setattr(by_rows, "decompress_rows", late)
    result = bad("verify", *three, words=f"{three[1]}: ")
    assert (len(seen), len(result.stderr.splitlines())) == (3, 1)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_a_large_image_that_changes_while_it_is_coded_is_an_error_of_this_file_alone(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    for i in range(3):
        (shipped / f"{i}{suffix}").write_bytes(_image(suffix))
    coded, seen = by_rows.compress_rows, []

    def late(*args: Any, **options: Any) -> None:
        seen.append(args)
        if len(seen) == 2:
            os.truncate(shipped / f"1{suffix}", 3000)
        coded(*args, **options)

    monkeypatch.setattr(by_rows, "compress_rows", late)
    result = bad("compress", *(f"{i}{suffix}" for i in range(3)), words=f"1{suffix}: ")
    assert (len(seen), len(result.stderr.splitlines())) == (3, 1)
    assert {f"0{suffix}.pxz", f"2{suffix}.pxz"} <= set(names(shipped))
    assert f"1{suffix}.pxz" not in names(shipped)


def _image(suffix: str) -> bytes:
    return image.write(codec.as_picture(pixels(40, 50, 3)), suffix)


def test_rm_keeps_an_original_that_was_rewritten_with_its_size_and_time(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, original = files.write, shipped / "rgb.png"
    before = original.stat()

    def late(*args: Any, **options: Any) -> None:
        write(*args, **options)
        with original.open("r+b") as f:
            f.write(bytes(before.st_size))
        os.utime(original, ns=(before.st_atime_ns, before.st_mtime_ns))

    monkeypatch.setattr(files, "write", late)
    result = good("compress", "rgb.png", "--rm")
    assert "rgb.png: warning: original kept: it has changed meanwhile" in result.stderr
    now = original.stat()
    assert (now.st_ino, now.st_size, now.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
