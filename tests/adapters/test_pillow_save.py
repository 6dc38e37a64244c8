"""Pillow saves `.pxz` files: every mode, its transparency and metadata, or a clear error and no file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import pixzip
from tests.helpers.pictures import ICC, XMP
from tests.helpers.pillow_images import SRGB, exif, opened, photo, same_pixels, saved


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a photograph's file."""
    photo().save(tmp_path / "photo.pxz", model="fast")
    return tmp_path / "photo.pxz"


def of_mode(mode: str) -> Image.Image:
    rng = np.random.default_rng(3)
    if mode == "1":
        return Image.fromarray(rng.integers(0, 2, (11, 13), np.uint8) * 255).convert("1")
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 1 << 16, (11, 13), np.uint16))
    if mode == "P":
        shown = Image.fromarray(rng.integers(0, 40, (11, 13), np.uint8))
        shown.putpalette(rng.bytes(3 * 40))
        return shown
    channels = len(mode)
    return Image.fromarray(rng.integers(0, 256, (11, 13, channels), np.uint8).squeeze())


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_that_png_has_too_comes_back(mode: str) -> None:
    shown = of_mode(mode)
    again = opened(saved(shown))

    assert shown.mode == mode
    assert same_pixels(again, shown)
    assert again.getpalette() == shown.getpalette()
    assert again.info == {}


@pytest.mark.parametrize(
    ("mode", "key"),
    [("1", 255), ("L", 7), ("RGB", (1, 2, 3)), ("P", 3), ("P", bytes([1, 200, 255, 7])), ("I;16", 40_000)],
)
def test_transparent_colours_come_back(mode: str, key: Any) -> None:
    shown = of_mode(mode)
    shown.info["transparency"] = key
    again = opened(saved(shown))

    assert again.info["transparency"] == key
    assert same_pixels(again, shown)


def test_palettes_with_alpha_come_back() -> None:
    shown = of_mode("P")
    shown.putpalette(np.random.default_rng(4).bytes(4 * 40), "RGBA")
    again = opened(saved(shown))

    assert again.info["transparency"] == bytes(shown.getpalette("RGBA")[3::4])
    assert same_pixels(again.convert("RGBA"), shown.convert("RGBA"))


@pytest.mark.parametrize(("mode", "name"), [("L", "nothing"), ("RGB", 7), ("L", 300), ("LA", 7)])
def test_a_transparent_colour_that_is_none_is_an_error(mode: str, name: Any, tmp_path: Path) -> None:
    shown = of_mode(mode)
    shown.info["transparency"] = name
    with pytest.raises(OSError, match="transparency"):
        shown.save(tmp_path / "a.pxz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["CMYK", "F", "I", "YCbCr", "LAB", "HSV", "PA", "RGBX"])
def test_other_modes_are_refused_by_name_and_leave_no_file(mode: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"image mode {mode}"):
        Image.new(mode, (3, 3)).save(tmp_path / "a.pxz")
    assert not list(tmp_path.iterdir())


def test_several_frames_are_refused_and_one_is_saved(tmp_path: Path) -> None:
    photo().save(tmp_path / "a.pxz", model="fast", save_all=True)
    with Image.open(tmp_path / "a.pxz") as again:
        assert same_pixels(again, photo())
    with pytest.raises(OSError, match=r"it has 3 frames, a \.pxz file holds one image"):
        photo().save(tmp_path / "b.pxz", save_all=True, append_images=[photo(), photo()])
    assert not (tmp_path / "b.pxz").exists()


def test_the_model_is_an_option_and_unknown_ones_are_errors(tmp_path: Path) -> None:
    photo().save(tmp_path / "a.pxz", model="fast", device="cpu", quality=90)
    (model,) = pixzip.info((tmp_path / "a.pxz").read_bytes())["models"]

    assert model["name"] == "fast"
    with Image.open(tmp_path / "a.pxz") as again:
        assert again.info == {}
    with pytest.raises(OSError, match="no model 'none'"):
        photo().save(tmp_path / "b.pxz", model="none")
    assert not (tmp_path / "b.pxz").exists()


def test_options_take_the_place_of_what_an_image_has() -> None:
    shown = photo()
    shown.info |= {"icc_profile": ICC, "dpi": (10, 10)}
    again = opened(saved(shown, icc_profile=SRGB, exif=exif(), xmp=XMP, dpi=(300, 300)))

    assert again.info["icc_profile"] == SRGB
    assert again.info["xmp"] == XMP
    assert again.info["dpi"] == pytest.approx((300, 300), rel=1e-4)
    assert dict(again.getexif()) == dict(exif())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_metadata_of_other_formats_come_through(form: str) -> None:
    options: dict[str, Any] = {"icc_profile": SRGB, "dpi": (72, 96), "exif": exif()}
    if form == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Title", "Été")
        options["pnginfo"].add_itxt("Comment", "日本", "ja", "注釈")
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif form == "TIFF":
        del options["exif"]
        options["tiffinfo"] = {700: XMP}
    else:
        options |= {"xmp": XMP}
    if form == "JPEG":
        options["comment"] = "a comment"
    source = opened(saved(photo(), form, **options))
    again = opened(saved(source))

    assert same_pixels(again, source)
    assert again.info["icc_profile"] == SRGB
    assert again.info["xmp"] == XMP
    assert again.info.get("dpi") == (pytest.approx((72, 96), rel=1e-3) if form != "WEBP" else None)
    assert dict(again.getexif()) == (dict(exif()) if form != "TIFF" else {})
    texts = {key: value for key, value in again.info.items() if isinstance(value, str) and "XML" not in key}
    expected = {"PNG": {"Title": "Été", "Comment": "日本"}, "JPEG": {"Comment": "a comment"}}
    assert texts == expected.get(form, {})
    if form == "PNG":
        assert again.info["Comment"].lang == "ja"


def test_the_bytes_are_those_of_the_api() -> None:
    assert saved(photo()) == pixzip.encode(photo(), "fast") == pixzip.encode(np.asarray(photo()), "fast")
