"""Pillow opens and saves `.pxz` files like its own formats, and an image looks the same as its PNG."""

import io
import itertools
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from pixcodecs.container.image import Layout

import pixzip
from pixzip import codec, image
from pixzip.codec.stack import compress_stack
from pixzip.models import library
from tests.helpers.pictures import picture
from tests.helpers.pillow_images import SRGB, exif, opened, photo, same_pixels, saved
from tests.helpers.shell import pixels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a photograph's file."""
    photo().save(tmp_path / "photo.pxz", model="fast")
    return tmp_path / "photo.pxz"


# Pillow's view of a PNG.


def png_file(channels: int, depth: int, interlace: bool, **options: Any) -> bytes:
    """Noise of 9 x 5 pixels; a palette has as many entries as fit, up to 200."""
    rng = np.random.default_rng(100 * channels + depth)
    greys = {"greyscale": channels < 3} if "palette" not in options else {}
    writer = png.Writer(9, 5, alpha=channels in (2, 4), bitdepth=depth, interlace=interlace, **greys, **options)
    top = min(2**depth, len(options["palette"])) if "palette" in options else 2**depth
    out = io.BytesIO()
    writer.write(out, rng.integers(0, top, (5, 9 * channels)).tolist())
    return out.getvalue()


def palette_of(depth: int, alphas: int) -> list[tuple[int, ...]]:
    """Random colours; the first few have an alpha."""
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


@pytest.fixture(scope="module")
def shown_as() -> dict[str, tuple[bytes, bytes]]:
    """Name -> a PNG, and the `.pxz` file of its picture."""
    files = png_files()
    pictures = [image.load(data).picture for data in files.values()]
    compressed = codec.compress(pictures, codec.Options(partial(library.resolve, "fast")))
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


@pytest.mark.parametrize("limit", [1e9, float("inf"), None])
def test_any_limit_that_pillow_takes_is_taken(path: Path, monkeypatch: pytest.MonkeyPatch, limit: float | None) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with Image.open(path) as shown:
        shown.load()


def test_each_page_has_its_own_exif() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as out:
        for text in ("first", "second"):
            out.write(pixels(6, 7, 3), photometric="rgb", description=text, metadata=None)
    with opened(pixzip.compress(file.getvalue(), effort=1)) as shown:
        for page, text in ((0, "first"), (1, "second"), (0, "first")):
            shown.seek(page)
            assert shown.getexif()[0x010E] == text
