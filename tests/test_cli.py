"""The command line: what it writes, refuses, and leaves alone."""

import dataclasses
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
from pixcodecs import container, limits

from pixzip import codec, decoder, image, library, tiles
from pixzip.cli import main
from pixzip.smallest import Search
from tests.support import tiny_weights


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 50, shape, dtype=np.uint8)


def read(source: bytes | Path) -> NDArray[Any]:
    """Samples of an image file."""
    return codec.as_array(image.load(source, None).picture)


RGB, GREY = pixels(9, 12, 3), pixels(7, 10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: rgb.png, grey.png and weights; no models are shipped."""
    monkeypatch.setattr(library, "WEIGHTS", tmp_path / "shipped")
    (tmp_path / "rgb.png").write_bytes(image.write(codec.as_picture(RGB)))
    (tmp_path / "grey.png").write_bytes(image.write(codec.as_picture(GREY)))
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


@pytest.fixture
def models_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models code whatever they can: the untrained ones of these tests are never the smallest."""
    init = Search.__init__
    monkeypatch.setattr(Search, "__init__", lambda self, models, *, models_only: init(self, models, models_only=True))


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
    assert (read(folder / "back.png") == x).all()
    assert read(folder / "back.png").shape == x.shape
    assert (folder / f"{name}.png").read_bytes() == original
    assert not [n for n in names(folder) if n.endswith(".tmp")]


def test_default_names(shipped: Path) -> None:
    good("compress", "rgb.png", "grey.png")
    (shipped / "rgb.png").unlink()
    (shipped / "grey.png.pxz").rename("picture.pxz")
    good("decompress", "rgb.png.pxz", "picture.pxz")
    assert (read(shipped / "rgb.png") == RGB).all()
    assert (read(shipped / "picture.png") == GREY).all()
    (shipped / "a.webp").write_bytes(image.write(codec.as_picture(RGB), ".webp"))
    good("compress", "a.webp")
    good("decompress", "a.webp.pxz")
    assert (read(shipped / "a.webp.png") == RGB).all()


def test_the_suffix_names_the_format(shipped: Path) -> None:
    good("compress", "rgb.png", "-o", "a.pxz")
    for suffix, form in {".tif": "TIFF", ".webp": "WEBP", ".bmp": "BMP", ".ppm": "PPM"}.items():
        good("decompress", "a.pxz", "-o", f"a{suffix}")
        with Image.open(shipped / f"a{suffix}") as opened:
            assert opened.format == form
        assert (read(shipped / f"a{suffix}") == RGB).all()
    before = names(shipped)
    bad("decompress", "a.pxz", "-o", "a.jpg", words="'.jpg' is not one of .png")
    bad("decompress", "a.pxz", "-o", "a.pgm", words="does not hold RGB")
    assert names(shipped) == before


def test_standard_input_and_output(shipped: Path) -> None:
    packed = good("compress", "-", data=(shipped / "rgb.png").read_bytes()).stdout_bytes
    assert packed == good("compress", "rgb.png", "-o", "-").stdout_bytes
    unpacked = good("decompress", "-", data=packed).stdout_bytes
    assert (read(unpacked) == RGB).all()
    good("decompress", "-", "-o", "x.ppm", data=packed)
    assert (read(shipped / "x.ppm") == RGB).all()
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
        (shipped / f"{i}.png").write_bytes(image.write(codec.as_picture(pixels(*shape, seed=i))))
    (shipped / "out").mkdir()
    good("compress", *[f"{i}.png" for i in range(4)], "-o", "out", "--verify")
    for i in range(4):
        good("compress", f"{i}.png", "-o", f"{i}.pxz")
        assert (shipped / f"{i}.pxz").read_bytes() == (shipped / "out" / f"{i}.png.pxz").read_bytes()
    good("decompress", *[f"out/{i}.png.pxz" for i in range(4)])
    for i, shape in enumerate(sizes):
        assert (read(shipped / "out" / f"{i}.png") == pixels(*shape, seed=i)).all()


def test_outputs_that_cannot_be(shipped: Path) -> None:
    (shipped / "sub").mkdir()
    (shipped / "sub" / "rgb.png").write_bytes(image.write(codec.as_picture(GREY)))
    (shipped / "out").mkdir()
    bad("compress", "rgb.png", "grey.png", "-o", "one.pxz", words="2 inputs need one")
    bad("compress", "rgb.png", "-o", "nowhere/a.pxz", words="folder nowhere does not exist")
    bad("compress", "rgb.png", "sub/rgb.png", "-o", "out", words="another input's output")
    assert names(shipped / "out") == ["rgb.png.pxz"]


@pytest.mark.usefixtures("models_only")
def test_a_bad_file_among_many_is_reported_and_the_others_are_coded(shipped: Path) -> None:
    (shipped / "bad.png").write_bytes(b"not an image")
    result = bad("compress", "rgb.png", "bad.png", "missing.png", "grey.png", words="bad.png: not an image")
    assert "missing.png: No such file" in result.stderr
    assert len(result.stderr.splitlines()) == 2
    (shipped / "out").mkdir()
    packed = bytearray((shipped / "rgb.png.pxz").read_bytes())
    header = codec.parse(bytes(packed))
    block = b"\x02\0" + np.random.default_rng(0).bytes(header.tiles[0].size_bytes // 4 * 4)
    tile = header.tiles[0]._replace(size_bytes=len(block), block_crc=container.crc32(block))
    wrong = container.pack_header(dataclasses.replace(header, tiles=(tile,))) + block  # its checksums are right
    packed[-1] ^= 1
    (shipped / "flipped.pxz").write_bytes(packed)
    (shipped / "wrong.pxz").write_bytes(wrong)
    files = ["rgb.png.pxz", "flipped.pxz", "grey.png.pxz", "wrong.pxz", "bad.png"]
    result = bad("decompress", *files, "-o", "out", words="flipped.pxz: block damaged")
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
    bad("decompress", "a.pxz", words="damaged")
    assert names(shipped) == before


def test_a_failed_write_leaves_nothing(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = names(shipped)
    monkeypatch.setattr(os, "fsync", full)
    bad("compress", "rgb.png", words="rgb.png: No space left on device")
    assert names(shipped) == before


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "1", "I;16"])
def test_every_mode_round_trips(shipped: Path, mode: str) -> None:
    grey = pixels(9, 8)
    made = Image.fromarray(grey.astype(np.uint16) * 700) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    made.save(shipped / "other.png")
    before = image.load(shipped / "other.png", None).picture
    good("compress", "other.png", "--verify")
    (shipped / "other.png").unlink()
    good("decompress", "other.png.pxz")
    assert image.load(shipped / "other.png", None).picture == before


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "tif"), ("F", "tif"), ("LAB", "tif")])
def test_what_cannot_be_represented_is_refused_by_name(shipped: Path, mode: str, form: str) -> None:
    Image.new(mode, (4, 4)).save(shipped / f"other.{form}")
    bad("compress", f"other.{form}", words=f"other.{form}: ")
    assert not (shipped / f"other.{form}.pxz").exists()


def test_animations_are_refused_with_their_number_of_frames(shipped: Path) -> None:
    frames = [Image.fromarray(pixels(9, 8, seed=i)) for i in range(3)]
    frames[0].save(shipped / "a.png", save_all=True, append_images=frames[1:])
    bad("compress", "a.png", words="3 frames")


def test_metadata_comes_back_and_strip_drops_it(shipped: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "someone")
    Image.fromarray(RGB).save(shipped / "a.png", pnginfo=text, dpi=(300, 300))
    assert good("compress", "a.png").stderr == ""
    assert "tEXt" in good("info", "a.png.pxz").stdout
    good("decompress", "a.png.pxz", "-o", "b.png")
    with Image.open(shipped / "b.png") as back:
        assert back.info["Author"] == "someone"
        assert round(back.info["dpi"][0]) == 300
    warned = good("decompress", "a.png.pxz", "-o", "b.ppm").stderr
    assert warned == "pixzip: a.png.pxz: warning: .ppm does not hold pHYs, tEXt\n"
    good("compress", "a.png", "--strip", "-f")
    assert json.loads(good("info", "a.png.pxz", "--json").stdout)["metadata"] == []


def test_region_and_salvage(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 500)
    monkeypatch.setattr(tiles, "TILE_SIDE", 32)
    monkeypatch.setattr(Search, "whole", lambda *args: None)
    x = pixels(50, 70, 3, seed=4)
    (shipped / "big.png").write_bytes(image.write(codec.as_picture(x)))
    good("compress", "big.png")
    good("decompress", "big.png.pxz", "--region", "30,10,20,33", "-o", "part.png")
    assert (read(shipped / "part.png") == x[10:43, 30:50]).all()
    for region, words in {"60,0,20,20": "not inside", "1,2,3": "is not X,Y,W,H", "0,0,0,1": "no pixels"}.items():
        assert words in run("decompress", "big.png.pxz", "--region", region, "-o", "no.png").output
    data = bytearray((shipped / "big.png.pxz").read_bytes())
    data[-1] ^= 1
    (shipped / "big.png.pxz").write_bytes(data)
    bad("decompress", "big.png.pxz", "-f", words="tile 5 damaged")
    bad("decompress", "big.png.pxz", "-o", "saved.png", "--salvage", words="damaged tile of 22x25 pixels at 48,25")
    assert (read(shipped / "saved.png")[:25] == x[:25]).all()
    assert not read(shipped / "saved.png")[25:, 48:].any()


@pytest.mark.usefixtures("models_only")
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
    wrong = decoder.Decoded(codec.as_picture(RGB ^ 1))
    monkeypatch.setattr(decoder, "decode_files", lambda *args, **options: [wrong])
    bad("compress", "rgb.png", "--verify", words="verification failed")
    assert not (shipped / "rgb.png.pxz").exists()


def test_the_pixel_limit(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "rgb.png", "-o", "a.pxz")
    monkeypatch.setattr(limits, "MAX_PIXELS", 100)
    bad("compress", "rgb.png", words="more than 100 pixels")
    bad("decompress", "a.pxz", words="limit of 100")
    good("compress", "rgb.png", "--no-pixel-limit")
    good("decompress", "a.pxz", "--no-pixel-limit")


@pytest.mark.usefixtures("models_only")
def test_info(shipped: Path) -> None:
    good("compress", "grey.png", "-o", "a.pxz")
    size = (shipped / "a.pxz").stat().st_size
    facts: dict[str, Any] = json.loads(good("info", "a.pxz", "--json").stdout)
    assert (facts["width"], facts["height"], facts["channels"], facts["mode"]) == (10, 7, 1, "GREY")
    assert facts["models"] == [{"id": tiny_weights(1).model_id.hex(), "name": "base-grey"}]
    assert facts["blocks"] == {"MODEL": 1}
    assert facts["file_bytes"] == size > facts["header_bytes"]
    assert facts["bpsp"] == 8 * size / 70
    assert facts["samples_crc"] == [f"{container.crc32(GREY.tobytes()):08x}"]
    assert "base-grey" in good("info", "a.pxz").stdout
    bad("info", "missing.pxz", words="missing.pxz: No such file")


@pytest.mark.usefixtures("models_only")
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
