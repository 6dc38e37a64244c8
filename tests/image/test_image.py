"""Image files and pictures: no silent conversion.  PNG and TIFF have their own test files."""

import itertools
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.formats import exif
from pixzip.image.formats.metadata import Embedded, from_chunks
from pixzip.image.picture import Chunk, Layout, Picture
from tests.helpers.pictures import DEPTHS, EVERY, ICC, XMP, picture, saved, types

ALL = {layout: tuple(DEPTHS[layout]) for layout in Layout}
#: Format -> depths of every layout that it holds.
HELD: dict[str, dict[Layout, tuple[int, ...]]] = {
    ".png": ALL,
    ".tif": ALL,
    ".TIFF": ALL,
    ".bmp": {Layout.GREY: (1, 8), Layout.RGB: (8,), Layout.PALETTE: ALL[Layout.PALETTE]},
    ".ppm": {Layout.RGB: ALL[Layout.RGB]},
    ".pgm": {Layout.GREY: ALL[Layout.GREY]},
    ".pam": {layout: ALL[layout] for layout in Layout if layout is not Layout.PALETTE},
    ".webp": {Layout.RGB: (8,), Layout.RGBA: (8,)},
}
RGB = picture(Layout.RGB, 8)


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (3, 9)])
@pytest.mark.parametrize("suffix", HELD)
@pytest.mark.parametrize(("layout", "depth"), EVERY)
def test_written_pictures_read_back_or_are_refused(
    layout: Layout, depth: int, suffix: str, size: tuple[int, int]
) -> None:
    x = picture(layout, depth, *size)
    if depth not in HELD[suffix].get(layout, ()):
        for refusing in (lambda: image.write(x, suffix), lambda: image.check_suffix(suffix, layout, depth)):
            with pytest.raises(UnsupportedImageError, match=rf"{suffix} does not hold .* \.png does"):
                refusing()
        return
    image.check_suffix(suffix, layout, depth)
    back, dropped = image.load(image.write(x, suffix))
    assert np.array_equal(back.samples, x.samples)
    assert (back.layout, back.metadata, dropped) == (layout, (), [])
    assert back.palette[: len(x.palette)] == x.palette
    assert not any(back.palette[len(x.palette) :])  # a TIFF's palette has all entries
    if suffix not in (".png", ".bmp") and layout is not Layout.PALETTE:
        assert back.depth == depth


@pytest.mark.parametrize("suffix", [*HELD])
@pytest.mark.parametrize(("layout", "size"), [(Layout.GREY, 2), (Layout.RGB, 6), (Layout.PALETTE, 1)])
def test_transparent_colours_are_kept_by_png_alone(layout: Layout, size: int, suffix: str) -> None:
    x = picture(layout, 8, transparency=bytes(size))
    if suffix == ".png":
        assert image.load(image.write(x)).picture == x
        return
    for refusing in (lambda: image.write(x, suffix), lambda: image.check_suffix(suffix, layout, 8, True)):
        with pytest.raises(UnsupportedImageError, match=f"{suffix} does not hold"):
            refusing()


@pytest.mark.parametrize("suffix", [".jpg", "", ".gif", ".pxz"])
def test_lossy_and_unknown_output_formats_are_refused(suffix: str) -> None:
    with pytest.raises(UnsupportedImageError, match=r"is not one of \.png"):
        image.write(RGB, suffix)


def test_a_path_is_read_like_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(image.write(RGB))
    assert image.load(tmp_path / "a.png") == (RGB, [])


def test_webp_keeps_colours_under_transparent_pixels_and_refuses_what_it_would_drop() -> None:
    x = picture(Layout.RGBA, 8)
    x.samples[:3, :, 3] = 0
    assert image.load(image.write(x, ".webp")).picture == x
    x.samples[..., 3] = 255
    with pytest.raises(UnsupportedImageError, match="opaque"):
        image.write(x, ".webp")
    with pytest.raises(UnsupportedImageError, match="cannot be written as WEBP"):
        image.write(picture(Layout.RGB, 8, 1, 16384), ".webp")


@pytest.mark.parametrize(
    ("data", "layout", "depth", "samples"),
    [
        (b"P1\n# a comment\n2 2\n1 0\n0 1\n", Layout.GREY, 1, [0, 1, 1, 0]),
        (b"P1 3 1 100", Layout.GREY, 1, [0, 1, 1]),
        (b"P4\n9 1\n\x80\x80", Layout.GREY, 1, [0, 1, 1, 1, 1, 1, 1, 1, 0]),
        (b"P2 2 1 1023 1000 3", Layout.GREY, 10, [1000, 3]),
        (b"P3 1 1 7\n1 2 3", Layout.RGB, 3, [1, 2, 3]),
        (b"P5#c\r 2#c\n1 # c\n4095\n\x0f\xff\0\1", Layout.GREY, 12, [4095, 1]),
        (b"P6 1 1 65535\n\1\2\3\4\5\6", Layout.RGB, 16, [258, 772, 1286]),
        (b"P6\n1 1\n255\n\n# ", Layout.RGB, 8, [10, 35, 32]),
        (
            b"P7\n# c\n\nWIDTH 1\nHEIGHT  1\nDEPTH 2\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE_ALPHA\nENDHDR\n\1\0",
            Layout.GREY_ALPHA,
            1,
            [1, 0],
        ),
    ],
)
def test_netpbm_files_are_read(data: bytes, layout: Layout, depth: int, samples: list[int]) -> None:
    x = image.load(data).picture
    assert (x.layout, x.depth, x.samples.ravel().tolist()) == (layout, depth, samples)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"P5 2 1 100\n\x65\0", "up to 101"),
        (b"P2 2 1 100\n356 0", "out of bounds"),
        (b"P5 2 1 131071\n" + bytes(8), "up to 131071"),
        (b"P5 1 1 255\n" + bytes(3), "3 frames"),
        (b"P5 2 2 255\n" + bytes(3), "decoded"),
        (b"P2 1 1 15\n16", "up to 16"),
        (b"P5 60000 60000 255\n", "more than"),
        (b"P5 0 1 255\n", "0x1"),
        (b"P5 1", "damaged"),
        (b"P5 1 1 255", "damaged"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nTUPLTYPE X\nENDHDR\n" + bytes(5), "5 channels of X"),
        (b"P7" + b"\n" * 3000, "damaged"),
        (b"P7\n" + b"#" * 3000 + b"\n" * 900 + b"ENDHDR\n", "0x0"),
        (b"P5 " + b"#\r" * 2000, "damaged"),
    ],
)
def test_other_and_hostile_netpbm_files_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImageError, match=words):
        image.load(data)


def density(form: str) -> tuple[Chunk, ...]:
    """The resolution that Pillow writes by itself: 96 dots per inch into BMP, 100 into PCX."""
    per_metre = {"BMP": 3780, "DIB": 3780, "PCX": 3937}.get(form)
    return (Chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),) if per_metre else ()


@pytest.mark.parametrize("form", ["GIF", "BMP", "TGA"])
def test_palettes_are_read_in_their_order(form: str) -> None:
    x = Picture(np.arange(4, dtype=np.uint8).repeat(3).reshape(4, 3, 1), Layout.PALETTE, 2, bytes(range(9, 21)))
    pillow = Image.fromarray(x.samples[..., 0])
    pillow.putpalette(x.palette)
    assert image.load(saved(pillow, form)) == (replace(x, metadata=density(form)), [])
    if form == "GIF":
        clear = image.load(saved(pillow, form, transparency=2, comment=b"c")).picture
        assert (clear.transparency, clear.metadata) == (b"\xff\xff\0", (Chunk(b"tEXt", b"Comment\0c"),))


@pytest.mark.parametrize(
    ("form", "layout"),
    [
        *itertools.product(["BMP", "TGA", "PCX", "SGI"], [Layout.GREY, Layout.RGB]),
        *itertools.product(["TGA", "QOI", "SGI"], [Layout.RGB, Layout.RGBA]),
        ("TGA", Layout.GREY_ALPHA),
        ("DIB", Layout.RGB),
    ],
)
def test_other_lossless_formats_are_read(form: str, layout: Layout) -> None:
    x = picture(layout, 8)
    pillow = Image.merge(
        {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[layout.channels],
        [Image.fromarray(np.ascontiguousarray(x.samples[..., i])) for i in range(layout.channels)],
    )
    assert image.load(saved(pillow, form)) == (replace(x, metadata=density(form)), [])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(Image.new("CMYK", (4, 3)), "JPEG"), r"mode CMYK \(CMYK\)"),
        (b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0\2\0\0\0\2\0\0\0\1\0\x10" + bytes(26), "enough rows"),
        (b"\1\xda\0\2\0\3\0\2\0\2\0\3" + bytes(600), "16 bits"),
    ],
)
def test_other_modes_are_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImageError, match=words):
        image.load(data)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "GIF"])
def test_several_frames_are_refused(form: str) -> None:
    frames = [Image.fromarray(picture(Layout.RGB, 8, seed=i).samples) for i in range(3)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImageError, match="3 frames"):
        image.load(data)


@pytest.mark.parametrize("suffix", HELD)
def test_the_pixel_limit_holds_before_decoding_and_can_be_lifted(suffix: str) -> None:
    layout = Layout.GREY if suffix == ".pgm" else Layout.RGB
    data = image.write(picture(layout, 8, 10, 10), suffix)
    limit = Image.MAX_IMAGE_PIXELS
    for most in (99, 49, 10):
        with pytest.raises(UnsupportedImageError, match=f"more than {most} pixels"):
            image.load(data, max_pixels=most)
    assert image.load(data, max_pixels=100) == image.load(data, max_pixels=None)
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm", ".bmp"])
def test_sides_beyond_the_format_are_refused(suffix: str) -> None:
    with pytest.raises(UnsupportedImageError, match="65535"):
        image.load(image.write(picture(Layout.GREY, 8, 1, 65536), suffix))


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"II*\0", b"P6"])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError) as caught:
        image.load(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".bmp", ".webp", ".ppm", ".pam"])
def test_every_truncation_is_refused_or_loses_no_pixel(suffix: str) -> None:
    data = image.write(RGB, suffix)
    for end in range(len(data)):
        try:
            found = image.load(data[:end])
        except UnsupportedImageError:
            continue
        assert found.picture == RGB


def metadata_options(**others: Any) -> dict[str, Any]:
    exif = Image.Exif()
    exif[274] = 6
    return {"icc_profile": ICC, "exif": exif, "xmp": XMP, **others}


def same_metadata(x: Picture) -> dict[bytes, Any]:
    """The content of metadata, whatever chunk it is in: the tags of EXIF, the resolution in EXIF or in pHYs, ..."""
    embedded, _ = from_chunks(x.metadata, Embedded._fields)
    tags, form = exif.first_tags(embedded.exif)
    density = exif.density_of(tags, form)
    phys = embedded.resolution or (density.body if density else b"")
    others = {tag.code: tag.data for tag in tags if tag.code not in exif.RESOLUTION}
    found = {b"iCCP": embedded.icc, b"pHYs": phys, b"eXIf": others, b"iTXt": embedded.xmp, b"tEXt": embedded.comment}
    return {name: value for name, value in found.items() if value}


def test_metadata_of_jpeg_and_webp_becomes_chunks_that_every_other_format_takes_its_part_of() -> None:
    pillow = Image.fromarray(RGB.samples)
    x, dropped = image.load(saved(pillow, "JPEG", **metadata_options(dpi=(300, 150), comment=b"c")))
    assert types(x.metadata) == [b"iCCP", b"pHYs", b"eXIf", b"iTXt", b"tEXt"]
    assert dropped == []
    assert image.load(image.write(x)).picture == x
    y, dropped = image.load(saved(pillow, "WEBP", **metadata_options(lossless=True)))
    assert (types(y.metadata), dropped) == ([b"iCCP", b"eXIf", b"iTXt"], [])
    assert set(y.metadata) < set(x.metadata)
    held = {
        ".tif": [b"iCCP", b"pHYs", b"eXIf", b"iTXt"],
        ".webp": [b"iCCP", b"pHYs", b"eXIf", b"iTXt"],
        ".bmp": [b"pHYs"],
        ".ppm": [b"tEXt"],
    }
    for suffix, kept in held.items():
        assert image.lost(x, suffix) == sorted(kind.decode() for kind in types(x.metadata) if kind not in kept)
        again = image.load(image.write(x, suffix)).picture
        assert same_metadata(again) == {name: value for name, value in same_metadata(x).items() if name in kept}
    assert image.lost(x, ".png") == []


def test_metadata_of_jpeg_that_no_picture_holds_is_named() -> None:
    data = saved(Image.fromarray(RGB.samples), "JPEG", progressive=True)
    assert image.load(data) == (image.load(data).picture, [])
    segment = b"\xff\xeb\0\x08JUMBF\0"
    assert image.load(data[:2] + segment + data[2:]).dropped == ["APP11"]


def test_profiles_that_grow_without_end_are_left() -> None:
    bomb = Chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(1 << 25)))
    x = picture(Layout.RGB, 8, metadata=(bomb,))
    assert image.lost(x, ".tif") == ["iCCP"]
    assert image.load(image.write(x)).picture == x
    assert image.load(image.write(x, ".tif")).picture.metadata == ()
