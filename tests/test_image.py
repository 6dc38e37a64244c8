"""Image files <-> arrays <-> planes: nothing is converted without a word."""

import io
import struct
import zlib
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from pixcodecs.container import PixelFormat
from pixcodecs.errors import UnsupportedImageError

from pixzip import image, planes


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def png(width: int, height: int, depth: int, colour: int, raw: bytes) -> bytes:
    """A PNG by hand: Pillow does not write all of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_planes_round_trip(order: tuple[int, ...]) -> None:
    x = pixels(5, 7, 3)
    stacked = planes.to_planes(x, order)
    assert stacked.shape == (3, 5, 7)
    assert (stacked[0] == x[..., order[0]]).all()
    assert (planes.from_planes(stacked, order) == x).all()


def test_grey_planes_round_trip() -> None:
    x = pixels(5, 7)
    assert planes.pixel_format(x) is PixelFormat.GREY8
    back = planes.from_planes(planes.to_planes(x, (0,)), (0,))
    assert back.shape == x.shape
    assert (back == x).all()


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2), np.uint16), np.zeros(3, np.uint8)])
def test_other_arrays_have_no_pixel_format(bad: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        planes.pixel_format(bad)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 1, 3), (6, 4, 3)])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF", ".bmp", ".ppm", ".pgm", ".webp"])
def test_written_images_read_back_the_same_or_are_refused(shape: tuple[int, ...], suffix: str) -> None:
    x = pixels(*shape)
    if suffix in ((".ppm", ".webp") if x.ndim == 2 else (".pgm",)):
        with pytest.raises(UnsupportedImageError, match=suffix):
            image.write(x, suffix)
        return
    loaded = image.load(image.write(x, suffix))
    assert loaded.pixels.shape == x.shape
    assert (loaded.pixels == x).all()
    assert loaded.metadata == []


@pytest.mark.parametrize("suffix", [".jpg", "", ".gif", ".pxz"])
def test_lossy_and_unknown_output_formats_are_refused(suffix: str) -> None:
    with pytest.raises(UnsupportedImageError, match=r"is not one of \.png"):
        image.write(pixels(2, 2, 3), suffix)


def test_a_path_is_read_like_its_bytes(tmp_path: Path) -> None:
    x = pixels(4, 3, 3)
    (tmp_path / "a.png").write_bytes(image.write(x))
    assert (image.read(tmp_path / "a.png") == x).all()


@pytest.mark.parametrize(
    ("mode", "form", "words"),
    [
        ("1", "PNG", "1-bit"),
        ("P", "PNG", r"image mode P \(palette\) is not supported yet: 8-bit RGB and grey are"),
        ("P", "GIF", "palette"),
        ("LA", "PNG", "grey with alpha"),
        ("RGBA", "PNG", "RGB with alpha"),
        ("RGBA", "WEBP", "alpha"),
        ("I;16", "PNG", "16-bit grey"),
        ("I;16", "TIFF", "16-bit grey"),
        ("I", "TIFF", "32-bit"),
        ("F", "TIFF", "floating"),
        ("CMYK", "TIFF", "CMYK"),
        ("CMYK", "JPEG", "CMYK"),
    ],
)
def test_other_modes_are_refused_by_name(mode: str, form: str, words: str) -> None:
    picture = Image.new(mode, (4, 3), 0 if mode != "RGBA" else (1, 2, 3, 4))
    with pytest.raises(UnsupportedImageError, match=words):
        image.read(saved(picture, form))


@pytest.mark.parametrize(
    ("depth", "colour", "row"), [(16, 2, b"\0" + bytes(range(12))), (2, 0, b"\0\x10"), (4, 0, b"\0\x12")]
)
def test_pngs_that_pillow_brings_to_8_bits_are_refused(depth: int, colour: int, row: bytes) -> None:
    data = png(2, 2, depth, colour, row * 2)
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode in ("L", "RGB")  # the loss would be silent
    with pytest.raises(UnsupportedImageError, match=f"{depth} bits"):
        image.read(data)


@pytest.mark.parametrize("head", [b"P6 2 1 65535\n", b"P5 2 1 15\n", b"P6 2 1 100\n"])
def test_pnms_that_pillow_scales_are_refused(head: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match="not supported yet"):
        image.read(head + bytes(12))


def test_transparent_colours_are_refused() -> None:
    picture = Image.new("RGB", (4, 3))
    with pytest.raises(UnsupportedImageError, match="transparent colour"):
        image.read(saved(picture, "PNG", transparency=(0, 0, 0)))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(form: str) -> None:
    frames = [Image.fromarray(pixels(4, 4, 3, seed=i)) for i in range(3)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImageError, match="3 frames"):
        image.read(data)


def test_the_pixel_limit_holds_before_decoding_and_can_be_lifted() -> None:
    data = image.write(pixels(10, 10))
    limit = Image.MAX_IMAGE_PIXELS
    for most in (99, 49, 10):
        with pytest.raises(UnsupportedImageError, match=f"more than {most} pixels"):
            image.read(data, max_pixels=most)
    assert image.read(data, max_pixels=100).shape == (10, 10)
    assert image.read(data, max_pixels=None).shape == (10, 10)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_sides_beyond_the_format_are_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="65535"):
        image.read(image.write(np.zeros((1, 65536), np.uint8)))


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        image.read(data)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".ppm"])
def test_every_truncation_is_refused_or_loses_no_pixel(suffix: str) -> None:
    x = pixels(5, 5, 3)
    data = image.write(x, suffix)
    for end in range(len(data)):
        try:
            found = image.read(data[:end])
        except UnsupportedImageError:
            continue
        assert (found == x).all()


def test_metadata_is_named() -> None:
    picture = Image.fromarray(pixels(4, 4, 3))
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "someone")
    exif = Image.Exif()
    exif[270] = "a picture"
    data = saved(picture, "PNG", pnginfo=text, icc_profile=b"profile", exif=exif, dpi=(300, 300))
    assert {"Author", "icc_profile", "exif", "dpi"} <= set(image.load(data).metadata)
    assert image.load(saved(picture, "TIFF", description="a picture", software="x")).metadata == [
        "description",
        "software",
    ]
    assert "exif" in image.load(saved(picture, "JPEG", exif=exif)).metadata
    assert image.load(saved(picture, "JPEG", progressive=True)).metadata == []
