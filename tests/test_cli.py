"""The command line: what it writes, refuses, and leaves alone."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from pixcodecs import container

from pixzip import codec, image, library
from pixzip.cli import main
from tests.support import tiny_weights


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 50, shape, dtype=np.uint8)


RGB, GREY = pixels(9, 12, 3), pixels(7, 10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: rgb.png, grey.png and weights; no models are shipped."""
    monkeypatch.setattr(library, "WEIGHTS", tmp_path / "shipped")
    (tmp_path / "rgb.png").write_bytes(image.write(RGB))
    (tmp_path / "grey.png").write_bytes(image.write(GREY))
    (tmp_path / "rgb.model").write_bytes(tiny_weights(3).to_bytes())
    (tmp_path / "grey.model").write_bytes(tiny_weights(1).to_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shipped(folder: Path) -> Path:
    """As `folder`, with both models shipped as `base`."""
    (folder / "shipped").mkdir()
    (folder / "rgb.model").rename(folder / "shipped" / "base.safetensors")
    (folder / "grey.model").rename(folder / "shipped" / "base-grey.safetensors")
    return folder


def run(*args: object, data: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args], input=data)


def good(*args: object, data: bytes | None = None) -> Result:
    result = run(*args, data=data)
    assert result.exit_code == 0, result.output
    return result


def bad(*args: object, words: str, data: bytes | None = None) -> Result:
    """Exit code 2, and one line a problem that names the program."""
    result = run(*args, data=data)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert all(line.startswith("pixzip: ") for line in result.stderr.splitlines())
    return result


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(("name", "x"), [("rgb", RGB), ("grey", GREY)])
def test_round_trip(folder: Path, name: str, x: NDArray[np.uint8]) -> None:
    good("compress", f"{name}.png", "--model", f"{name}.model")
    original = (folder / f"{name}.png").read_bytes()
    good("decompress", f"{name}.png.pxz", "--model", f"{name}.model", "-o", "back.png")
    assert (image.read(folder / "back.png") == x).all()
    assert image.read(folder / "back.png").shape == x.shape
    assert (folder / f"{name}.png").read_bytes() == original
    assert not [n for n in names(folder) if n.endswith(".tmp")]


def test_default_names(shipped: Path) -> None:
    good("compress", "rgb.png", "grey.png")
    (shipped / "rgb.png").unlink()
    (shipped / "grey.png.pxz").rename("picture.pxz")
    good("decompress", "rgb.png.pxz", "picture.pxz")
    assert (image.read(shipped / "rgb.png") == RGB).all()
    assert (image.read(shipped / "picture.png") == GREY).all()
    (shipped / "a.webp").write_bytes(image.write(RGB, ".webp"))
    good("compress", "a.webp")
    good("decompress", "a.webp.pxz")
    assert (image.read(shipped / "a.webp.png") == RGB).all()


def test_the_suffix_names_the_format(shipped: Path) -> None:
    good("compress", "rgb.png", "-o", "a.pxz")
    for suffix, form in {".tif": "TIFF", ".webp": "WEBP", ".bmp": "BMP", ".ppm": "PPM"}.items():
        good("decompress", "a.pxz", "-o", f"a{suffix}")
        with Image.open(shipped / f"a{suffix}") as opened:
            assert opened.format == form
        assert (image.read(shipped / f"a{suffix}") == RGB).all()
    before = names(shipped)
    bad("decompress", "a.pxz", "-o", "a.jpg", words="'.jpg' is not one of .png")
    bad("decompress", "a.pxz", "-o", "a.pgm", words="does not hold RGB")
    assert names(shipped) == before


def test_standard_input_and_output(shipped: Path) -> None:
    packed = good("compress", "-", data=(shipped / "rgb.png").read_bytes()).stdout_bytes
    assert packed == good("compress", "rgb.png", "-o", "-").stdout_bytes
    unpacked = good("decompress", "-", data=packed).stdout_bytes
    assert (image.read(unpacked) == RGB).all()
    good("decompress", "-", "-o", "x.ppm", data=packed)
    assert (image.read(shipped / "x.ppm") == RGB).all()
    assert json.loads(good("info", "-", "--json", data=packed).stdout)["width"] == 12
    bad("compress", "-", "-", words="standard input can be given once")
    (shipped / "out").mkdir()
    bad("compress", "-", "-o", "out", words="no name")


def test_nothing_is_overwritten_without_force(shipped: Path) -> None:
    (shipped / "rgb.png.pxz").write_bytes(b"mine")
    bad("compress", "rgb.png", words="rgb.png.pxz exists: -f overwrites it")
    assert (shipped / "rgb.png.pxz").read_bytes() == b"mine"
    good("compress", "rgb.png", "-f")
    packed = (shipped / "rgb.png.pxz").read_bytes()
    original = (shipped / "rgb.png").read_bytes()
    bad("decompress", "rgb.png.pxz", words="rgb.png exists")
    assert (shipped / "rgb.png").read_bytes() == original
    good("decompress", "rgb.png.pxz", "-f")
    bad("compress", "rgb.png", "-o", "rgb.png", words="exists")
    assert (shipped / "rgb.png.pxz").read_bytes() == packed
    if Path(os.devnull).exists() and os.name == "posix":
        bad("compress", "rgb.png", "-o", os.devnull, "-f", words="not a file")


def test_many_inputs_are_one_batch_with_the_bytes_of_each_alone(shipped: Path) -> None:
    sizes = [(4, 9, 3), (11, 3, 3), (5, 5), (2, 2, 3)]
    for i, shape in enumerate(sizes):
        (shipped / f"{i}.png").write_bytes(image.write(pixels(*shape, seed=i)))
    (shipped / "out").mkdir()
    good("compress", *[f"{i}.png" for i in range(4)], "-o", "out", "--verify")
    for i in range(4):
        good("compress", f"{i}.png", "-o", f"{i}.pxz")
        assert (shipped / f"{i}.pxz").read_bytes() == (shipped / "out" / f"{i}.png.pxz").read_bytes()
    good("decompress", *[f"out/{i}.png.pxz" for i in range(4)])
    for i, shape in enumerate(sizes):
        assert (image.read(shipped / "out" / f"{i}.png") == pixels(*shape, seed=i)).all()


def test_outputs_that_cannot_be(shipped: Path) -> None:
    (shipped / "sub").mkdir()
    (shipped / "sub" / "rgb.png").write_bytes(image.write(GREY))
    (shipped / "out").mkdir()
    bad("compress", "rgb.png", "grey.png", "-o", "one.pxz", words="2 inputs need one")
    bad("compress", "rgb.png", "-o", "nowhere/a.pxz", words="folder nowhere does not exist")
    bad("compress", "rgb.png", "sub/rgb.png", "-o", "out", words="another input's output")
    assert names(shipped / "out") == ["rgb.png.pxz"]


def test_a_bad_file_among_many_is_reported_and_the_others_are_coded(shipped: Path) -> None:
    (shipped / "bad.png").write_bytes(b"not an image")
    result = bad("compress", "rgb.png", "bad.png", "missing.png", "grey.png", words="bad.png: not an image")
    assert "missing.png: No such file" in result.stderr
    assert len(result.stderr.splitlines()) == 2
    (shipped / "out").mkdir()
    packed = bytearray((shipped / "rgb.png.pxz").read_bytes())
    header, payload = container.unpack(bytes(packed))
    wrong = container.pack(header, np.random.default_rng(0).bytes(len(payload)))  # its checksums are right
    packed[-1] ^= 1
    (shipped / "flipped.pxz").write_bytes(packed)
    (shipped / "wrong.pxz").write_bytes(wrong)
    files = ["rgb.png.pxz", "flipped.pxz", "grey.png.pxz", "wrong.pxz", "bad.png"]
    result = bad("decompress", *files, "-o", "out", words="flipped.pxz: payload damaged")
    assert "wrong.pxz: " in result.stderr
    assert "bad.png: not a pixzip file" in result.stderr
    assert len(result.stderr.splitlines()) == 3
    assert names(shipped / "out") == ["grey.png", "rgb.png"]


def test_damage_leaves_no_output(shipped: Path) -> None:
    good("compress", "rgb.png", "-o", "a.pxz")
    data = (shipped / "a.pxz").read_bytes()
    before = names(shipped)
    for i in [*range(0, len(data), 5), len(data) - 1]:
        (shipped / "a.pxz").write_bytes(data[:i] + bytes([data[i] ^ 0x20]) + data[i + 1 :])
        bad("decompress", "a.pxz", words="a.pxz: ")
        (shipped / "a.pxz").write_bytes(data[:i])
        bad("decompress", "a.pxz", words="a.pxz: ")
        bad("info", "a.pxz", words="pixzip: ")
    (shipped / "a.pxz").write_bytes(data + b"more")
    bad("decompress", "a.pxz", words="too long")
    assert names(shipped) == before


def test_a_failed_write_leaves_nothing(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = names(shipped)
    monkeypatch.setattr(os, "fsync", full)
    bad("compress", "rgb.png", words="rgb.png: No space left on device")
    assert names(shipped) == before


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "1", "I;16"])
def test_other_modes_are_refused_by_name(shipped: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(shipped / "other.png")
    bad("compress", "other.png", words=f"other.png: image mode {mode} (")
    assert not (shipped / "other.png.pxz").exists()


def test_metadata_is_dropped_with_a_warning(shipped: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "someone")
    Image.fromarray(RGB).save(shipped / "a.png", pnginfo=text)
    assert good("compress", "a.png").stderr == "pixzip: a.png: warning: metadata is not kept: Author\n"
    assert good("compress", "rgb.png").stderr == ""


def test_wrong_and_missing_models(folder: Path) -> None:
    bad("compress", "rgb.png", words="model base has no weights for RGB images")
    bad("compress", "rgb.png", "--model", "nowhere", words="no model 'nowhere'")
    bad("compress", "rgb.png", "--model", "rgb.png", words="rgb.png is not a weights file")
    bad("compress", "rgb.png", "--model", "grey.model", words="is for grey images, this one is RGB")
    assert not (folder / "rgb.png.pxz").exists()
    good("compress", "rgb.png", "--model", "rgb.model", "-o", "a.pxz")
    before = names(folder)
    model_id = tiny_weights(3).model_id.hex()
    bad("decompress", "a.pxz", words=f"file needs model {model_id}, which is not here: update pixzip or pass --model")
    bad("decompress", "a.pxz", "--model", "grey.model", words=f"needs model {model_id}")
    bad("decompress", "a.pxz", "--model", "nowhere", words="no model file at nowhere")
    assert names(folder) == before
    good("decompress", "a.pxz", "--model", "grey.model", "--model", "rgb.model")


def test_verify_catches_a_wrong_decoder(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "rgb.png", "--verify", "-o", "a.pxz")
    monkeypatch.setattr(codec, "_decode", lambda parsed, *rest: [RGB ^ 1 for _ in parsed])
    bad("compress", "rgb.png", "--verify", words="verification failed")
    assert not (shipped / "rgb.png.pxz").exists()


def test_the_pixel_limit(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "rgb.png", "-o", "a.pxz")
    monkeypatch.setattr(container, "MAX_PIXELS", 100)
    bad("compress", "rgb.png", words="more than 100 pixels")
    bad("decompress", "a.pxz", words="limit of 100")
    good("compress", "rgb.png", "--no-pixel-limit")
    good("decompress", "a.pxz", "--no-pixel-limit")


def test_info(shipped: Path) -> None:
    good("compress", "grey.png", "-o", "a.pxz")
    size = (shipped / "a.pxz").stat().st_size
    facts: dict[str, Any] = json.loads(good("info", "a.pxz", "--json").stdout)
    assert (facts["width"], facts["height"], facts["channels"], facts["mode"]) == (10, 7, 1, "GREY8")
    assert (facts["model"], facts["model_id"]) == ("base-grey", tiny_weights(1).model_id.hex())
    assert facts["header_bytes"] + facts["payload_bytes"] == facts["file_bytes"] == size
    assert facts["bpsp"] == 8 * size / 70
    assert facts["pixels_crc"] == f"{container.crc32(GREY.tobytes()):08x}"
    assert "base-grey" in good("info", "a.pxz").stdout
    bad("info", "missing.pxz", words="missing.pxz: No such file")


def test_eval(shipped: Path) -> None:
    found = json.loads(good("eval", "rgb.png", "grey.png", "--json").stdout)
    good("compress", "rgb.png", "grey.png")
    for row in found["images"]:
        assert row["file_bits"] == 8 * (shipped / f"{row['image']}.pxz").stat().st_size
        assert row["ratio"] == pytest.approx(row["file_bits"] / row["model_bits"])
    assert found["total"]["file_bits"] == sum(row["file_bits"] for row in found["images"])
    assert found["total"]["bits_per_dim"] == pytest.approx(found["total"]["model_bits"] / (RGB.size + GREY.size))
    assert "total" in good("eval", "rgb.png").stdout
    result = bad("eval", "rgb.png", "missing.png", "--json", words="missing.png: No such file")
    assert len(json.loads(result.stdout)["images"]) == 1


def test_models(shipped: Path) -> None:
    rows = json.loads(good("models", "--json").stdout)
    assert [(row["name"], row["channels"]) for row in rows] == [("base", 3), ("base-grey", 1)]
    assert tiny_weights(1).model_id.hex() in good("models").stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("command", [["compress"], ["eval"], ["train", "--config", "tiny", "-o", "t", "--data"]])
def test_cuda_without_a_device_is_one_line(shipped: Path, command: list[str]) -> None:
    bad(*command, "rgb.png", "--device", "cuda", words="no CUDA device")
