"""`pixzip heatmap`: the numbers add up to the file, and the picture shows them beside the image."""

import io
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pixcodecs.errors import PixzipError

import pixzip
from pixzip.cli import main
from pixzip.image.colours import in_8_bits
from pixzip.image.picture import Layout, Picture
from pixzip.report import figure


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """photo.png, half of it smooth, in the current folder."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(3).integers(0, 256, (40, 24, 3), dtype=np.uint8)
    smooth = np.broadcast_to(np.arange(40, dtype=np.uint8)[:, None, None], (40, 24, 3))
    Image.fromarray(np.concatenate([smooth, noise], 1)).save("photo.png")
    return tmp_path / "photo.png"


def run(*args: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["heatmap", "--model", "fast", *map(str, args)])
    assert result.exit_code == code, result.output
    return result


def test_the_numbers_add_up_to_the_file_without_its_header(photo: Path) -> None:
    run(photo, "-o", "map.npy")
    bits = np.load("map.npy")
    facts = pixzip.info(pixzip.encode(Image.open(photo), "fast"))
    assert bits.shape == (40, 48)
    assert bits.dtype == np.float32
    assert bits.sum(dtype=np.float64) == pytest.approx(8 * (facts["file_bytes"] - facts["header_bytes"]), rel=1e-5)


def test_noise_takes_more_bits_than_what_is_smooth(photo: Path) -> None:
    run(photo, "-o", "map.npy", "--models-only")
    bits = np.load("map.npy")
    assert bits[:, 26:].mean() > 3 * bits[:, :22].mean()


def test_a_file_has_the_map_of_its_image(photo: Path) -> None:
    Path("photo.pxz").write_bytes(pixzip.encode(Image.open(photo), "fast"))
    run(photo, "-o", "a.npy")
    run("photo.pxz", "-o", "b.npy")
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))


def test_the_picture_has_the_image_and_the_map_side_by_side(photo: Path) -> None:
    run(photo, "--models-only")
    with Image.open("photo.png.heatmap.png") as drawn:
        assert drawn.format == "PNG"
        pixels = np.asarray(drawn.convert("RGB")).astype(int)
    width = pixels.shape[1]
    left, right = pixels[:, : width // 2], pixels[:, width // 2 :]
    grey = np.ptp(left.reshape(-1, 3), axis=1)
    assert (grey > 100).sum() > 1000  # the noise's colours
    yellow = (right[..., 0] > 200) & (right[..., 1] > 140) & (right[..., 2] < 120)
    dark = right.max(2) < 90
    assert yellow.sum() > 1000  # pixels of many bits
    assert dark.sum() > 1000  # pixels of few bits


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_other_formats_are_drawn_too(photo: Path, suffix: str) -> None:
    run(photo, "-o", f"map{suffix}")
    assert Path(f"map{suffix}").read_bytes().startswith({".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])


def test_tiles_that_webp_coded_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawing = np.kron(np.random.default_rng(0).integers(0, 2, (16, 16), dtype=np.uint8), np.ones((4, 4), np.uint8))
    Image.fromarray(drawing * 255).save("drawing.png")
    result = run("drawing.png", "-o", "map.npy")
    assert "spread evenly" in result.stderr
    assert np.ptp(np.load("map.npy")) == 0


def test_what_cannot_be_written_is_said_before_the_work(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixzip.cli.work.heatmap._coded", lambda *_: pytest.fail("worked"))
    assert ".jpg" in run(photo, "-o", "map.jpg", code=2).stderr
    Path("there.png").write_bytes(b"mine")
    assert "exists" in run(photo, "-o", "there.png", code=2).stderr
    assert Path("there.png").read_bytes() == b"mine"
    assert "-o" in run("-", code=2).stderr


def test_without_matplotlib_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    picture = Picture(np.zeros((2, 2, 1), np.uint8), Layout.GREY, 8)
    with pytest.raises(PixzipError, match="pip install matplotlib"):
        figure.draw(picture, np.ones((2, 2), np.float32), "x")


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (700, 1000)])
def test_images_of_any_shape_are_drawn(shape: tuple[int, int]) -> None:
    picture = Picture(np.zeros((*shape, 3), np.uint8), Layout.RGB, 8)
    drawn = figure.draw(picture, np.full(shape, 0.0, np.float32), "$50 & <b>_{x}")
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.width > image.height / 2


def test_a_palette_is_shown_by_its_colours() -> None:
    indices = np.array([[[0], [1], [7]]], np.uint8)
    picture = Picture(indices, Layout.PALETTE, 3, palette=bytes([1, 2, 3, 4, 5, 6]), transparency=b"\x09")
    assert in_8_bits(picture).tolist() == [[[1, 2, 3, 9], [4, 5, 6, 255], [0, 0, 0, 255]]]


@pytest.mark.parametrize(("depth", "top"), [(1, 1), (4, 15), (12, 4095), (16, 65535)])
def test_every_depth_is_shown_from_black_to_white(depth: int, top: int) -> None:
    dtype = np.uint8 if depth <= 8 else np.uint16
    picture = Picture(np.array([[[0], [top]]], dtype), Layout.GREY, depth)
    assert in_8_bits(picture).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_alpha_stays() -> None:
    picture = Picture(np.array([[[10, 128]]], np.uint8), Layout.GREY_ALPHA, 8)
    assert in_8_bits(picture).tolist() == [[[10, 10, 10, 128]]]


def test_a_transparent_colour_is_shown_as_alpha() -> None:
    picture = Picture(np.array([[[7], [9]]], np.uint8), Layout.GREY, 8, transparency=b"\0\x09")
    assert in_8_bits(picture).tolist() == [[[7, 7, 7, 255], [9, 9, 9, 0]]]


def test_a_large_picture_is_reduced_before_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure, "_MOST_SIDE", 8)
    rng = np.random.default_rng(0)
    for height, width in ((24, 20), (1, 30), (30, 1), (9, 9)):
        samples = rng.integers(0, 256, (height, width, 3), np.uint8)
        bits = rng.random((height, width), np.float32)
        small, mean = figure._reduced(Picture(samples, Layout.RGB, 8), bits)
        assert (small.height, small.width) == mean.shape
        assert max(mean.shape) <= 8 or max(mean.shape) < max(height, width)
        if (height, width) == (24, 20):
            assert np.allclose(mean, bits[:24, :18].reshape(8, 3, 6, 3).mean((1, 3)))
            assert np.array_equal(small.samples, samples[::3, :18:3])
    picture, bits = Picture(samples[:8, :8].copy(), Layout.RGB, 8), np.ones((8, 8), np.float32)
    assert figure._reduced(picture, bits) == (picture, bits)
