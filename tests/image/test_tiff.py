"""Pictures from TIFF files of all kinds that tifffile and Pillow write."""

import io
import logging
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.picture import Layout, Picture
from tests.helpers.pictures import ICC, XMP, picture, saved, types


def written(samples: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, metadata=None, **{"software": False, **options})
    return out.getvalue()


def by_hand(*tags: tuple[int, int], data: bytes) -> bytes:
    """A little-endian file of one page with one segment, which replaces the value -1."""
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    start = len(head) + 12 * len(tags) + 4
    entries = [struct.pack("<HHII", tag, 4, 1, start if value == -1 else value) for tag, value in sorted(tags)]
    return head + b"".join(entries) + bytes(4) + data


def grey_by_hand(width: int, height: int, compression: int, data: bytes) -> bytes:
    strips = ((273, -1), (278, height), (279, len(data)))
    return by_hand((256, width), (257, height), (258, 8), (259, compression), (262, 1), (277, 1), *strips, data=data)


RGB = picture(Layout.RGB, 8, 37, 41)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 32)}, {"rowsperstrip": 5}], ids=["strip", "tiles", "strips"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(("layout", "depth"), [(layout, d) for layout in Layout for d in (8, 16)][:-2])
def test_every_arrangement_of_samples_is_read(
    layout: Layout, depth: int, byteorder: Any, compression: str, options: dict[str, Any]
) -> None:
    x = picture(layout, depth, 37, 41)
    samples = x.samples[..., 0] if layout is Layout.GREY else x.samples
    kind = "rgb" if layout in (Layout.RGB, Layout.RGBA) else "minisblack"
    extras = ["unassalpha"] if layout in (Layout.RGBA, Layout.GREY_ALPHA) else None
    planar = None if layout is Layout.GREY else "contig"
    kinds: dict[str, Any] = {"photometric": kind, "extrasamples": extras, "planarconfig": planar}
    predictor = compression not in (None, "packbits")
    data = written(samples, **kinds, byteorder=byteorder, compression=compression, predictor=predictor, **options)
    assert image.load(data) == (x, [])


def test_separate_planes_and_big_tiffs_are_read() -> None:
    planes = np.ascontiguousarray(RGB.samples.transpose(2, 0, 1))
    for options in ({}, {"bigtiff": True}, {"compression": "zlib", "tile": (16, 16)}):
        data = written(planes, photometric="rgb", planarconfig="separate", **options)
        assert image.load(data) == (RGB, [])


def test_where_white_is_zero_it_becomes_the_highest_value() -> None:
    for depth in (1, 4, 8, 12):
        x = picture(Layout.GREY, depth)
        inverted = (2**depth - 1 - x.samples[..., 0]).astype(x.samples.dtype)
        data = written(inverted, photometric="miniswhite", bitspersample=None if depth == 8 else depth)
        assert image.load(data) == (x, [])


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_adobe_deflate", "packbits"])
def test_bilevel_images_are_read_as_pillow_has_them(compression: str) -> None:
    x = picture(Layout.GREY, 1, 20, 33)
    data = saved(Image.fromarray(x.samples[..., 0] * 255).convert("1"), "TIFF", compression=compression)
    assert image.load(data) == (x, [])


def test_jpegs_inside_are_decoded() -> None:
    smooth = np.repeat(np.arange(0, 240, 6, dtype=np.uint8)[:, None, None], 40, 1).repeat(3, 2)
    data = saved(Image.fromarray(smooth), "TIFF", compression="jpeg", quality=95)
    with Image.open(io.BytesIO(data)) as opened:
        seen = np.array(opened).astype(int)
    assert np.abs(image.load(data).picture.samples - seen).max() <= 2


def test_palettes_keep_their_order() -> None:
    x = picture(Layout.PALETTE, 8)
    pillow = Image.fromarray(x.samples[..., 0])
    pillow.putpalette(x.palette)
    back = image.load(saved(pillow, "TIFF")).picture
    assert back.palette[: len(x.palette)] == x.palette
    assert np.array_equal(back.samples, x.samples)
    for deep in (np.full((3, 256), 0x1234, np.uint16), np.arange(768, dtype=np.uint16).reshape(3, 256) * 77):
        data = written(x.samples[..., 0], photometric="palette", colormap=deep)
        found = image.load(data).picture
        assert found.palette == (deep >> 8).T.astype(np.uint8).tobytes()
        with tifffile.TiffFile(io.BytesIO(image.write(found, ".tif"))) as again:
            assert np.array_equal(again.pages.first.colormap, deep)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (written(np.zeros((2, 2), np.int16)), "signed"),
        (written(np.zeros((2, 2), np.float32)), "floating"),
        (written(np.zeros((2, 2), np.uint32)), "32 bits"),
        (written(np.zeros((2, 2, 4), np.uint8), photometric="separated", planarconfig="contig"), "SEPARATED"),
        (written(np.zeros((2, 2, 3), np.uint8), photometric="cielab", planarconfig="contig"), "CIELAB"),
        (written(np.zeros((2, 2, 4), np.uint8), photometric="rgb", extrasamples=["assocalpha"]), "multiplied"),
        (written(np.zeros((2, 2, 4), np.uint8), photometric="rgb", extrasamples=["unspecified"]), "extra channel"),
        (written(np.zeros((2, 2, 5), np.uint8), photometric="rgb", planarconfig="contig"), "extra channel"),
        (written(np.zeros((2, 4, 4), np.uint8), photometric="minisblack"), "2 frames"),
        (written(np.zeros((2, 2), np.uint8), compression="lzma"), "LZMA"),
        (written(np.zeros((16, 16, 16), np.uint8), volumetric=True, tile=(16, 16, 16)), "16 layers"),
    ],
)
def test_other_samples_are_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImageError, match=words):
        image.load(data)


def test_descriptions_and_private_tags_become_exif() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[34665] = {0x9003: "2020:01:01 00:00:00", 0x927C: b"a maker's"}
    tags[34853] = {1: "N"}
    tags.update({270: "a picture", 274: 6, 700: XMP, 34675: ICC, 51234: "private"})
    x, dropped = image.load(saved(Image.fromarray(RGB.samples), "TIFF", tiffinfo=tags, dpi=(300, 150)))
    assert types(x.metadata) == [b"iCCP", b"pHYs", b"eXIf", b"iTXt"]
    assert x.metadata[1].data == struct.pack(">IIB", 11811, 5906, 1)
    assert dropped == []
    exif = Image.Exif()
    exif.load(x.metadata[2].data)
    assert (exif[270], exif[274], exif[51234]) == ("a picture", 6, "private")
    assert dict(exif.get_ifd(34665)) == {0x9003: "2020:01:01 00:00:00", 0x927C: b"a maker's"}
    assert dict(exif.get_ifd(34853)) == {1: "N"}


def test_profile_xmp_and_resolution_are_written() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.update({700: XMP, 34675: ICC})
    x = image.load(saved(Image.fromarray(RGB.samples), "TIFF", tiffinfo=tags, dpi=(300, 150))).picture
    assert types(x.metadata) == [b"iCCP", b"pHYs", b"iTXt"]
    assert image.load(image.write(x, ".tif")) == (x, [])


def test_every_truncation_is_refused() -> None:
    for data in (image.write(RGB, ".tif"), saved(Image.fromarray(RGB.samples), "TIFF", compression="packbits")):
        for end in range(0, len(data), 7 if len(data) > 999 else 1):
            with pytest.raises(UnsupportedImageError):
                image.load(data[:end])


def test_segments_that_are_not_there_are_refused() -> None:
    whole = grey_by_hand(4, 4, 1, bytes(16))
    assert image.load(whole) == (Picture(np.zeros((4, 4, 1), np.uint8), Layout.GREY, 8), [])
    for part in (b"", bytes(15)):
        with pytest.raises(UnsupportedImageError):
            image.load(grey_by_hand(4, 4, 1, part))
    with pytest.raises(UnsupportedImageError, match="corrupted strip"):
        image.load(grey_by_hand(9000, 9000, 8, imagecodecs.zlib_encode(bytes(9))))


def test_segments_that_decode_to_more_than_the_page_are_refused() -> None:
    large = np.zeros((999, 999), np.uint8)
    for compression, data in ((7, imagecodecs.jpeg_encode(large)), (34933, imagecodecs.png_encode(large))):
        with pytest.raises(UnsupportedImageError, match=r"damaged: a JPEG of 999x999|PNG is not supported"):
            image.load(grey_by_hand(9, 9, compression, data))
    tiles = ((322, 60000), (323, 60000), (324, -1), (325, 4))
    head = ((256, 9), (257, 9), (258, 8), (259, 1), (262, 1), (277, 1))
    with pytest.raises(UnsupportedImageError, match="tiles of 60000x60000"):
        image.load(by_hand(*head, *tiles, data=bytes(4)))


def test_damage_that_tifffile_only_logs_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    data = saved(Image.fromarray(RGB.samples), "TIFF", compression="packbits")
    with caplog.at_level(logging.CRITICAL, "tifffile"), pytest.raises(UnsupportedImageError, match="TIFF is damaged"):
        image.load(data[:-3])
    tags = [(51234, 4, 1, 1, True), (33723, 7, 4, b"iptc", True)]
    data = written(np.zeros((4, 4), np.uint8), extratags=tags)  # tifffile treats a short IPTC value as an offset
    x, dropped = image.load(data)
    assert dropped == []
    assert b"iptc" in x.metadata[0].data
