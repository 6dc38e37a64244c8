"""The command line: files that it writes, and files that it leaves alone."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from pixzip import codec, image
from pixzip.codec import tiles
from pixzip.codec.search import Search
from tests.helpers.shell import GREY, RGB, bad, good, names, pixels, read, run


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
    good("compress", "a.webp", "--no-original")
    good("decompress", "a.webp.pxz")
    assert (read(shipped / "a.webp.png") == RGB).all()
    (shipped / "a.webp").unlink()
    good("compress", "grey.png", "-o", "b.webp.pxz")  # another suffix than the original's
    good("decompress", "b.webp.pxz")
    assert (shipped / "b.webp.png").read_bytes() == (shipped / "grey.png").read_bytes()


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
