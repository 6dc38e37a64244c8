"""Pillow opens and saves `.pxz` files as it does its own formats, and shows what it would show of the PNG."""

import io
import itertools
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError
from pixcodecs.container import Layout

import pixzip
from pixzip import codec, image, library
from pixzip.stack import compress_stack
from tests.pictures import ICC, XMP, picture
from tests.support import scene

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(shown: Image.Image, form: str = "PXZ", **options: Any) -> bytes:
    out = io.BytesIO()
    shown.save(out, form, **({"model": "fast"} if form == "PXZ" else {}), **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def same_pixels(found: Image.Image, expected: Image.Image) -> bool:
    return (found.mode, found.size, found.tobytes()) == (expected.mode, expected.size, expected.tobytes())


def photo(height: int = 32, width: int = 40) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(scene(3, height, width, seed=1).transpose(1, 2, 0)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A photograph's file."""
    photo().save(tmp_path / "photo.pxz", model="fast")
    return tmp_path / "photo.pxz"


# What Pillow shows of a PNG.


def png_file(channels: int, depth: int, interlace: bool, **options: Any) -> bytes:
    """Noise of 9 x 5 pixels; a palette of as many entries as fit, up to 200."""
    rng = np.random.default_rng(100 * channels + depth)
    greys = {"greyscale": channels < 3} if "palette" not in options else {}
    writer = png.Writer(9, 5, alpha=channels in (2, 4), bitdepth=depth, interlace=interlace, **greys, **options)
    top = min(2**depth, len(options["palette"])) if "palette" in options else 2**depth
    out = io.BytesIO()
    writer.write(out, rng.integers(0, top, (5, 9 * channels)).tolist())
    return out.getvalue()


def palette_of(depth: int, alphas: int) -> list[tuple[int, ...]]:
    """Random colours, the first few of them with an alpha."""
    rng = np.random.default_rng(depth)
    colours = [tuple(map(int, rng.integers(0, 256, 4))) for _ in range(min(2**depth, 200))]
    return [c if i < alphas else c[:3] for i, c in enumerate(colours)]


def png_files() -> dict[str, bytes]:
    files = {}
    for interlace in (False, True):
        of = "interlaced " if interlace else ""
        for channels, depth in [*itertools.product([1], [1, 2, 4, 8, 16]), (2, 8), (3, 8), (4, 8)]:
            files[f"{of}{channels}x{depth}"] = png_file(channels, depth, interlace)
        for depth, alphas in itertools.product([1, 2, 4, 8], [0, 1, 2]):
            palette = palette_of(depth, alphas)
            files[f"{of}palette {depth} {alphas} alphas"] = png_file(1, depth, interlace, palette=palette)
    for depth in (1, 2, 4, 8, 16):
        files[f"grey {depth} transparent"] = png_file(1, depth, False, transparent=2**depth - 1)
    files["RGB transparent"] = png_file(3, 8, False, transparent=(1, 2, 3))
    opaque = [(7, 8, 9, 255), (1, 2, 3, 0), (4, 5, 6)]
    files["palette, one entry transparent"] = png_file(1, 2, False, palette=opaque)
    extras = {"gamma": 0.45, "background": (1, 2, 3), "x_pixels_per_unit": 3000, "y_pixels_per_unit": 2000}
    files["gamma and resolution"] = png_file(3, 8, False, unit_is_meter=True, **extras)
    files["aspect"] = png_file(3, 8, False, unit_is_meter=False, **extras)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "Été")
    texts.add_text("Long", "x" * 5000, zip=True)
    texts.add_itxt("Comment", "日本", "ja", "注釈")
    shown = opened(files["3x8"])
    files["metadata"] = saved(shown, "PNG", pnginfo=texts, icc_profile=SRGB, exif=exif(), dpi=(72, 96))
    return files


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010F] = 6, "a camera"
    return found


@pytest.fixture(scope="module")
def shown_as() -> dict[str, tuple[bytes, bytes]]:
    """Name -> a PNG, and the `.pxz` file of its picture."""
    files = png_files()
    pictures = [image.load(data).picture for data in files.values()]
    compressed = codec.compress(pictures, lambda channels: library.resolve("fast", channels))
    return {name: (files[name], data) for name, data in zip(files, compressed, strict=True)}


@pytest.mark.parametrize("name", png_files())
def test_a_file_is_shown_as_the_png_that_it_was_made_of(name: str, shown_as: dict[str, tuple[bytes, bytes]]) -> None:
    expected, found = map(opened, shown_as[name])

    def facts(of: Image.Image) -> list[Any]:
        told = {key: value for key, value in of.info.items() if key != "interlace"}
        palette = of.palette and (of.palette.mode, bytes(of.palette.palette))
        return [of.mode, of.size, told, palette, dict(of.getexif())]

    assert facts(found) == facts(expected)
    assert same_pixels(found, expected)
    assert facts(found) == facts(expected)
    assert same_pixels(found.convert("RGBA"), expected.convert("RGBA"))
    assert found.getpalette("RGBA") == expected.getpalette("RGBA")


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.RGBA, Layout.GREY_ALPHA])
def test_deep_colour_that_pillow_has_no_mode_for_is_refused_by_name(layout: Layout) -> None:
    data = pixzip.encode(picture(layout, 16), "fast")
    with pytest.raises(OSError, match=rf"no mode for {layout.name} of 16 bits a sample: pixzip\.decode"):
        opened(data)


# Opening.


def test_a_file_shows_its_header_without_pytorch(path: Path, child_env: dict[str, str]) -> None:
    code = """
import sys, pixzip
from PIL import Image
shown = Image.open(sys.argv[1])
assert (shown.mode, shown.size, shown.format) == ("RGB", (40, 32), "PXZ")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, path], env=child_env, check=True)


def test_pixels_come_once_and_the_file_is_closed_then(path: Path) -> None:
    shown = Image.open(path)
    file = shown.fp
    assert file is not None
    assert not file.closed
    shown.load()
    path.unlink()

    assert file.closed
    assert same_pixels(shown, photo())
    assert shown.copy().tobytes() == shown.tobytes()
    shown.putpixel((0, 0), (1, 2, 3))
    assert shown.getpixel((0, 0)) == (1, 2, 3)


def test_noise_larger_than_its_pixels_comes_back_from_a_path(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    noise.save(tmp_path / "noise.pxz", model="fast")

    assert (tmp_path / "noise.pxz").stat().st_size > 64 * 64
    with Image.open(tmp_path / "noise.pxz") as again:
        assert same_pixels(again, noise)


def test_a_context_closes_the_file_and_its_pixels_are_gone_unless_loaded(path: Path) -> None:
    with Image.open(path) as shown:
        file = shown.fp
    with Image.open(path) as loaded:
        loaded.load()

    assert file is not None
    assert file.closed
    assert shown.size == (40, 32)
    with pytest.raises(ValueError, match="closed"):
        shown.load()
    assert same_pixels(loaded, photo())


def test_close_takes_file_and_pixels(path: Path) -> None:
    shown = Image.open(path)
    file = shown.fp
    assert file is not None
    shown.close()

    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        shown.load()


def test_streams_stay_open(path: Path) -> None:
    stream = io.BytesIO(path.read_bytes())
    with Image.open(stream) as shown:
        assert same_pixels(shown, photo())
    assert not stream.closed
    with path.open("rb") as file:
        assert same_pixels(Image.open(file), photo())
        assert not file.closed


def test_a_file_saved_over_itself_is_read_first(path: Path) -> None:
    Image.open(path).save(path, model="fast")
    assert same_pixels(Image.open(path), photo())


def test_a_file_that_changes_after_it_was_opened_is_an_error(path: Path) -> None:
    with Image.open(path) as shown:
        photo(20, 20).save(path, model="fast")
        with pytest.raises(OSError, match="has changed since it was opened"):
            shown.load()


def test_a_removed_file_that_is_open_still_has_its_pixels(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("open files cannot be removed")
    shown = Image.open(path)
    path.unlink()
    assert same_pixels(shown, photo())


def test_a_file_has_one_frame(path: Path) -> None:
    with Image.open(path) as shown:
        assert shown.tell() == 0
        shown.seek(0)
        with pytest.raises(EOFError):
            shown.seek(1)


def test_images_can_be_pickled_whether_loaded_or_not(path: Path) -> None:
    again = pickle.loads(pickle.dumps(Image.open(path)))  # noqa: S301 (made here)
    assert same_pixels(again, photo())


def test_the_format_has_its_name_suffix_and_mime_type(path: Path) -> None:
    assert Image.registered_extensions()[".pxz"] == "PXZ"
    assert Image.MIME["PXZ"] == "image/x-pxz"
    with Image.open(path) as shown:
        assert (shown.format, shown.get_format_mimetype()) == ("PXZ", "image/x-pxz")
        assert shown.format_description == "pixzip lossless image"


def test_headers_of_any_length_are_read(tmp_path: Path) -> None:
    shown = photo()
    shown.info["icc_profile"] = np.random.default_rng(0).bytes(20_000)
    shown.save(tmp_path / "a.pxz", model="fast")
    with Image.open(tmp_path / "a.pxz") as again:
        assert again.info["icc_profile"] == shown.info["icc_profile"]


# Damage.


def test_whole_files_verify_and_every_damaged_block_does_not(path: Path) -> None:
    data = path.read_bytes()
    opened(data).verify()
    for at in range(len(data) - 30, len(data)):
        damaged = opened(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(OSError, match="damaged"):
            damaged.verify()


def test_every_truncation_is_an_oserror(path: Path) -> None:
    data = path.read_bytes()
    for size in [*range(3, 60), len(data) // 2, len(data) - 1]:
        with pytest.raises(OSError, match=r"ends|truncated|damaged"):
            opened(data[:size]).load()


def test_a_damaged_header_is_told_when_opening(path: Path) -> None:
    data = path.read_bytes()
    for at in range(3, 20):
        with pytest.raises(OSError, match=r"not a \.pxz file that can be shown"):
            opened(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])


def test_other_files_are_left_to_other_plugins(tmp_path: Path) -> None:
    (tmp_path / "no.pxz").write_bytes(b"nothing of the kind")
    with pytest.raises(UnidentifiedImageError):
        Image.open(tmp_path / "no.pxz")


def test_a_stack_is_refused_as_one() -> None:
    stacked = compress_stack([np.zeros((4, 4, 3), np.uint8)] * 2, library.resolve("fast", 3))
    with pytest.raises(OSError, match="a stack of images"):
        opened(stacked)


# Saving.


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
