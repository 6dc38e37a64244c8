"""Stacks on the command line: files that are written, refused, and left alone."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pixcodecs.container import limits
from pixcodecs.container import stack as stacks

from pixzip import codec, image
from pixzip.codec import stack
from pixzip.io import files, folders
from pixzip.models import library
from tests.helpers.shell import bad, good, pixels, read, run
from tests.helpers.support import tiny_weights

SIZES = {"b/2.png": (9, 12, 3), "b/10.png": (9, 12, 3), "a.png": (7, 5, 3), "c/d/é.webp": (4, 4, 3)}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: images of `SIZES` in set/, a hidden file beside them, and models shipped as `base`."""
    monkeypatch.setattr(library, "WEIGHTS", tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "base.safetensors").write_bytes(tiny_weights(3).to_bytes())
    (tmp_path / "shipped" / "base-grey.safetensors").write_bytes(tiny_weights(1).to_bytes())
    for i, (name, shape) in enumerate(SIZES.items()):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.write(codec.as_picture(pixels(*shape, seed=i)), path.suffix))
    for hidden in ("set/.DS_Store", "set/.git/config"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_text("no image")
    return tmp_path


def test_a_folder_comes_back(here: Path) -> None:
    good("compress", "--stack", "set", "--verify")
    good("decompress", "set.pxz", "-o", "back")
    assert list(contents(here / "back")) == ["a.png", "b/10.png", "b/2.png", "c/d/é.webp.png"]
    for i, (name, shape) in enumerate(SIZES.items()):
        back = here / "back" / (name if name.endswith(".png") else f"{name}.png")
        assert (read(back) == pixels(*shape, seed=i)).all()
    header = stacks.read_header((here / "set.pxz").read_bytes())
    assert header.names == ("a.png", "b/10.png", "b/2.png", "c/d/é.webp")
    assert not list(here.rglob("*.tmp"))


def test_without_names_files_are_numbered(here: Path) -> None:
    good("compress", "--stack", "--no-names", "set/a.png", "set/b", "-o", "x.pxz")
    good("decompress", "x.pxz")
    assert list(contents(here / "x")) == ["00000.png", "00001.png", "00002.png"]
    assert (read(here / "x" / "00000.png") == pixels(7, 5, 3, seed=2)).all()
    bad("decompress", "x.pxz", words="00000.png exists: -f overwrites it")


@pytest.mark.parametrize("shape", [(5, 6, 7), (5, 6, 7, 1), (5, 6, 7, 3)])
def test_arrays_come_back(here: Path, shape: tuple[int, ...]) -> None:
    x = pixels(*shape)
    np.save(here / "x.npy", x)
    good("compress", "--stack", "x.npy", "x.npy", "-o", "x.pxz", "--verify")
    good("decompress", "x.pxz", "-o", "back.npy")
    assert np.array_equal(np.load(here / "back.npy"), np.concatenate([x, x]).reshape(10, 6, 7, -1))
    bad("decompress", "x.pxz", "-o", "back.npy", words="back.npy exists: -f overwrites it")
    good("decompress", "x.pxz", "-o", "back.npy", "-f")


def test_standard_output_and_input(here: Path) -> None:
    packed = good("compress", "--stack", "set/b", "-o", "-").stdout_bytes
    good("decompress", "-", "-o", "x.npy", data=packed)
    assert np.load(here / "x.npy").shape == (2, 9, 12, 3)
    bad("decompress", "-", words="a stack does not go to standard output", data=packed)
    bad("compress", "--stack", "-", "-o", "y.pxz", words="standard input is neither", data=packed)


def test_nothing_is_overwritten_without_force(here: Path) -> None:
    good("compress", "--stack", "set", "-o", "set.pxz")
    before = (here / "set.pxz").read_bytes()
    bad("compress", "--stack", "set/b", "-o", "set.pxz", words="set.pxz exists: -f overwrites it")
    (here / "out" / "b").mkdir(parents=True)
    (here / "out" / "b" / "2.png").write_bytes(b"mine")
    bad("decompress", "set.pxz", "-o", "out", words="2.png exists")
    assert contents(here / "out") == {"b/2.png": b"mine"}
    good("decompress", "set.pxz", "-o", "out", "-f")
    assert len(contents(here / "out")) == 4
    assert contents(here / "out")["b/2.png"] == contents(here / "set")["b/2.png"]
    (here / "file").write_bytes(b"mine")
    bad("decompress", "set.pxz", "-o", "file", "-f", words="file exists and is not a folder")
    (here / "mixed").mkdir()
    (here / "mixed" / "b").write_bytes(b"mine")
    bad("decompress", "set.pxz", "-o", "mixed", "-f", words="exists and is not a folder")
    assert contents(here / "mixed") == {"b": b"mine"}
    assert (here / "set.pxz").read_bytes() == before


def test_a_failed_write_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "--stack", "set")

    def full(self: Path, target: object) -> None:
        raise OSError(28, "No space left on device")

    before = contents(here)
    monkeypatch.setattr(Path, "rename", full)
    bad("decompress", "set.pxz", "-o", "out", words="No space left on device")
    assert contents(here) == before


def test_files_whose_names_are_one_for_the_file_system_are_refused(tmp_path: Path) -> None:
    """Simulates a file system that ignores case."""
    with pytest.raises(files.PixzipError, match=r"is another file's name too"):
        folders.write_folder(str(tmp_path / "out"), {"a": b"", "./a": b""}, False)
    assert not list(tmp_path.iterdir())


def test_images_that_would_be_one_file_are_refused(here: Path) -> None:
    for name in ("x", "x.png"):
        (here / name).write_bytes((here / "set" / "a.png").read_bytes())
    good("compress", "--stack", "x", "x.png", "-o", "s.pxz")
    bad("decompress", "s.pxz", "-o", "out", words="name 'x.png' is there twice")
    assert not (here / "out").exists()
    bad("compress", "--stack", "x", "x", "-o", "t.pxz", words="name 'x' is there twice")
    good("compress", "--stack", "x", "x", "-o", "t.pxz", "--no-names")


def test_what_a_stack_cannot_hold_is_refused_by_name(here: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "someone")
    Image.fromarray(pixels(4, 4, 3)).save(here / "set" / "text.png", pnginfo=text)
    bad("compress", "--stack", "set", words="text.png: image has tEXt, a stack holds samples alone: --strip drops it")
    good("compress", "--stack", "set", "--strip", "-o", "s.pxz")
    grey = Image.fromarray(pixels(4, 4))
    for mode, words in {
        "L": "image is grey, those before it in the stack are RGB", "RGBA": "image is RGBA", "P": "image is PALETTE",
        "I;16": "image is GREY of 16 bits", "1": "image has 1 bits a sample, those before it 8",
    }.items():  # fmt: skip
        made = Image.fromarray(pixels(4, 4).astype(np.uint16)) if mode == "I;16" else grey.convert(mode)
        made.save(here / "set" / "other.png")
        result = bad("compress", "--stack", "set", "--strip", "-o", "t.pxz", words=f"other.png: {words}")
        assert len(result.stderr.splitlines()) == 1
    np.save(here / "x.npy", pixels(2, 4, 4, 3))
    (here / "y.npy").write_bytes(b"no array")
    np.save(here / "z.npy", pixels(2, 4, 4).astype(np.int64))
    bad("compress", "--stack", "x.npy", "set/a.png", "-o", "t.pxz", words="x.npy has no names for its images")
    good("compress", "--stack", "x.npy", "set/a.png", "-o", "mixed.pxz", "--no-names")
    bad("decompress", "mixed.pxz", "-o", "m.npy", words="images are of 2 sizes, 4x4, 5x7")
    bad("compress", "--stack", "y.npy", words="y.npy: array cannot be read")
    bad("compress", "--stack", "z.npy", words="z.npy: array is int64 (2, 4, 4), expected uint8")
    bad("compress", "--stack", "missing", words="missing: No such file")
    bad("compress", "--stack", "set/a.png", "set/b", words="needs -o FILE.pxz")
    (here / "empty").mkdir()
    bad("compress", "--stack", "empty", words="folder empty has no images")
    assert "--no-names is for --stack" in run("compress", "--no-names", "set/a.png").output
    assert not (here / "t.pxz").exists()


def test_one_bit_images_need_a_model_of_two_levels(here: Path) -> None:
    Image.fromarray(pixels(4, 4)).convert("1").save(here / "bits.png")
    bad("compress", "--stack", "bits.png", words="a stack of 1 bits a sample needs one of 2")


def test_what_is_for_images_alone_is_said(here: Path) -> None:
    good("compress", "--stack", "set")
    for option in (["--salvage"], ["--region", "0,0,1,1"]):
        bad("decompress", "set.pxz", "-o", "out", *option, words="has no regions or tiles: --region and --salvage")
    bad(
        "decompress",
        "set.pxz",
        "set.pxz.pxz",
        "-o",
        "set",
        words="set.pxz: a stack of images is decompressed by itself",
    )
    assert not (here / "out").exists()


def test_the_pixel_limit(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "--stack", "set")
    monkeypatch.setattr(limits, "MAX_PIXELS", 150)
    bad("compress", "--stack", "set", "-o", "t.pxz", words="2.png: stack has more than 150 pixels up to here")
    bad("decompress", "set.pxz", "-o", "out", words="more pixels than the limit of 150")
    good("compress", "--stack", "set", "-o", "t.pxz", "--no-pixel-limit")
    good("decompress", "t.pxz", "-o", "out", "--no-pixel-limit")


def test_verify_catches_a_wrong_decoder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_decode", lambda *args: [])
    bad("compress", "--stack", "set", "--verify", words="verification failed")
    assert not (here / "set.pxz").exists()


def test_info(here: Path) -> None:
    good("compress", "--stack", "set")
    facts: dict[str, Any] = json.loads(good("info", "set.pxz", "--json").stdout)
    assert (facts["format_version"], facts["images"], facts["mode"], facts["depth"]) == (3, 4, "RGB", 8)
    assert facts["sizes"] == [
        {"images": 1, "width": 5, "height": 7},
        {"images": 2, "width": 12, "height": 9},
        {"images": 1, "width": 4, "height": 4},
    ]
    assert facts["names"] == ["a.png", "b/10.png", "b/2.png", "c/d/é.webp"]
    assert facts["models"] == [{"id": tiny_weights(3).model_id.hex(), "name": "base"}]
    assert facts["file_bytes"] == (here / "set.pxz").stat().st_size > facts["header_bytes"]
    text = good("info", "set.pxz").stdout
    assert "1 of 5x7, 2 of 12x9, 1 of 4x4" in text
    assert "4 names, a.png ... c/d/é.webp" in text
    data = (here / "set.pxz").read_bytes()
    (here / "set.pxz").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    bad("info", "set.pxz", words="payload damaged")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_stack_of_private_images_and_what_comes_out_of_it_are_private(here: Path) -> None:
    for name in ("a.png", "b.png"):
        (here / name).write_bytes(image.write(codec.as_picture(pixels(5, 6, 3))))
        (here / name).chmod(0o600 if name == "a.png" else 0o644)
    good("compress", "--stack", "a.png", "b.png", "-o", "s.pxz")
    good("decompress", "s.pxz")
    good("decompress", "s.pxz", "-o", "s.npy")
    for written in ("s.pxz", "s/a.png", "s.npy"):
        assert (here / written).stat().st_mode & 0o777 == 0o600
