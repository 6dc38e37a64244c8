"""The command line: arguments and files that it refuses, leaving no output."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pixcodecs.container import image as container
from pixcodecs.container import limits

from pixzip import codec, image
from pixzip.codec import decoder
from tests.helpers.shell import GREY, RGB, bad, good, names, pixels
from tests.helpers.support import tiny_weights


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
    header = codec.Opening(bytes(packed)).header
    block = b"\x02\0" + np.random.default_rng(0).bytes(header.tiles[0].size_bytes // 4 * 4)
    tile = header.tiles[0]._replace(size_bytes=len(block), block_crc=container.crc32(block))
    wrong = container.pack_header(dataclasses.replace(header, tiles=(tile,))) + block  # its checksums are correct
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


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "tif"), ("F", "tif"), ("LAB", "tif")])
def test_what_cannot_be_represented_is_refused_by_name(shipped: Path, mode: str, form: str) -> None:
    Image.new(mode, (4, 4)).save(shipped / f"other.{form}")
    bad("compress", f"other.{form}", words=f"other.{form}: ")
    assert not (shipped / f"other.{form}.pxz").exists()


def test_animations_are_refused_with_their_number_of_frames_where_one_image_is_expected(shipped: Path) -> None:
    frames = [Image.fromarray(pixels(9, 8, seed=i)) for i in range(3)]
    frames[0].save(shipped / "a.png", save_all=True, append_images=frames[1:])
    bad("heatmap", "a.png", words="3 frames")


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("command", [["compress"], ["eval"], ["train", "--config", "tiny", "-o", "t", "--data"]])
def test_cuda_without_a_device_is_one_line(shipped: Path, command: list[str]) -> None:
    bad(*command, "rgb.png", "--device", "cuda", words="no CUDA device")
