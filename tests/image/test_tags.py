"""Tags of TIFF and EXIF travel as the bytes they were, through pictures and other formats."""

import io
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixzip import image
from pixzip.image.formats import exif, ifd
from pixzip.image.formats.ifd import EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD, Form, Source, Tag
from pixzip.image.formats.metadata import Embedded, from_chunks
from pixzip.image.picture import Chunk, Layout, Picture
from tests.helpers.image_rows import by_rows
from tests.helpers.pictures import ICC, XMP, picture, saved, types

RGB = picture(Layout.RGB, 8, 9, 8)
GREY_16 = picture(Layout.GREY, 16, 9, 8)
FORMS = [Form(order, big) for order in "<>" for big in (False, True)]


def ascii_tag(code: int, text: bytes) -> Tag:
    return Tag(code, 2, len(text) + 1, text + b"\0")


INTEROPERABILITY = Tag(INTEROPERABILITY_IFD, 4, 1, bytes(4), (ascii_tag(1, b"R98"), Tag(2, 7, 4, b"0100")))
INNER = (
    Tag(EXIF_IFD, 4, 1, bytes(4), (Tag(0x9000, 7, 4, b"0231"), Tag(0x927C, 7, 11, b"maker's own"), INTEROPERABILITY)),
    Tag(GPS_IFD, 4, 1, bytes(4), (ascii_tag(1, b"N"), Tag(2, 5, 3, bytes(range(24))))),
)
TEXTS = (
    ascii_tag(270, "<OME PhysicalSizeXUnit='µm'/>".encode()),
    ascii_tag(315, b"\xa9 in Latin-1"),
    Tag(65000, 7, 5, b"\0\1\2\3\xff"),
)


def tiff(tags: Sequence[Tag], form: Form, samples: Any = RGB.samples, behind: bytes = b"") -> bytes:
    """A TIFF file of one strip, with more tags, whose directory comes first."""
    height, width, channels = samples.shape
    own = {256: width, 257: height, 259: 1, 262: 2 if channels == 3 else 1, 273: 0, 277: channels, 278: height}
    data = samples.astype(samples.dtype.newbyteorder(form.order)).tobytes()
    own[279] = len(data)
    depth = Tag(258, 3, channels, form.pack(f"{channels}H", *[8 * samples.dtype.itemsize] * channels))
    start = 16 if form.big else 8

    def packed(strip: int) -> bytes:
        plain = [Tag(code, 4, 1, form.pack("I", value)) for code, value in (own | {273: strip}).items()]
        return ifd.pack([*plain, depth, *tags], form, start)

    body = packed(start + len(packed(0)))
    mark = b"II" if form.order == "<" else b"MM"
    head = form.pack("HHHQ", 43, 8, 0, 16) if form.big else form.pack("HI", 42, 8)
    return mark + head + body + data + behind


def read_tags(data: bytes) -> tuple[tuple[Tag, ...], Form]:
    source = Source.of(data)
    return source.tags(source.first), source.form


def exif_of(x: Picture) -> bytes:
    return from_chunks(x.metadata, Embedded._fields)[0].exif


def plain(tags: Sequence[Tag]) -> dict[int, Any]:
    """Code -> bytes of the value, or such a dictionary; without what says where samples are, and how large pixels."""
    left = exif.RESOLUTION | {254, 305} | set(range(256, 260)) | {262, 273, 277, 278, 279, 284, 317, 320, 339}
    return {tag.code: plain(tag.inner) if tag.inner else tag.data for tag in tags if tag.code not in left}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_tags_of_tiff_come_back_with_their_bytes(form: Form) -> None:
    tags = (Tag(274, 3, 1, form.pack("H", 6)), *TEXTS, *INNER, Tag(281, 3, 1, form.pack("H", 4095)))
    x, dropped = image.load(tiff(tags, form))
    assert (np.array_equal(x.samples, RGB.samples), types(x.metadata), dropped) == (True, [b"eXIf"], [])
    found, order = exif.first_tags(exif_of(x))
    assert (plain(found), order.order) == (plain(tags), form.order)
    for data in (image.write(x, ".tif"), by_rows(x, ".tif", 4)):
        again, now = read_tags(data)
        assert (plain(again), now.order) == (plain(tags), form.order)
        assert image.load(data) == (x, [])
    assert image.lost(x, ".tif") == []
    for suffix in (".png", ".webp"):  # the picture must not turn on the way
        with Image.open(io.BytesIO(image.write(x, suffix))) as shown:
            assert shown.getexif()[274] == 6
            assert shown.getexif().get_ifd(EXIF_IFD)[0x927C] == b"maker's own"


@pytest.mark.parametrize("order", "<>")
def test_samples_of_16_bits_keep_the_byte_order_of_their_tags(order: str) -> None:
    x, dropped = image.load(tiff(TEXTS, Form(order), GREY_16.samples))
    assert (np.array_equal(x.samples, GREY_16.samples), dropped) == (True, [])
    for data in (image.write(x, ".tif"), by_rows(x, ".tif", 4)):
        assert data[:2] == (b"II" if order == "<" else b"MM")
        assert image.load(data) == (x, [])
        with Image.open(io.BytesIO(data)) as shown:
            assert np.array_equal(np.array(shown), GREY_16.samples[..., 0])


def density_of(data: bytes) -> Any:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return file.pages.first.tags[282].value  # type: ignore[union-attr]


def density(x: tuple[int, int], y: tuple[int, int], unit: int) -> tuple[Tag, ...]:
    form = Form()
    values = form.pack("II", *x), form.pack("II", *y)
    return Tag(282, 5, 1, values[0]), Tag(283, 5, 1, values[1]), Tag(296, 3, 1, form.pack("H", unit))


@pytest.mark.parametrize(
    ("tags", "body"),
    [
        (density((1_000_000, 65_000), (1_000_000, 65_000), 1), b""),  # ImageJ's: 0.065 units a pixel
        (density((300, 1), (300, 1), 2), struct.pack(">IIB", 11811, 11811, 1)),
        (density((72, 1), (144, 1), 2), struct.pack(">IIB", 2835, 5669, 1)),
        (density((11811, 100), (11811, 100), 3), struct.pack(">IIB", 11811, 11811, 1)),
        (density((123457, 1000), (123457, 1000), 2), struct.pack(">IIB", 4861, 4861, 1)),
        (density((1, 1), (2, 1), 1), struct.pack(">IIB", 1, 2, 0)),
        (density((1, 1), (1, 1), 1), b""),
    ],
)
def test_the_size_of_pixels_keeps_its_unit_and_its_exact_value(tags: tuple[Tag, ...], body: bytes) -> None:
    x, dropped = image.load(tiff(tags, Form()))
    assert dropped == []
    assert [chunk.data for chunk in x.metadata if chunk.type == b"pHYs"] == ([body] if body else [])
    through_png = image.load(image.write(x)).picture
    wanted = exif.density_of(tags, Form())
    assert wanted
    for data in (image.write(through_png, ".tif"), by_rows(through_png, ".tif", 4)):
        found = exif.density_of(*read_tags(data))
        assert wanted.same(found)
        assert image.load(data).picture.metadata == x.metadata
    if not wanted.square:
        webp = image.load(image.write(through_png, ".webp")).picture
        shown = exif.density_of(*exif.first_tags(exif_of(webp)))
        assert shown
        assert wanted.same(shown) or (body and shown.body == body)


@pytest.mark.parametrize("dpi", [1, 72, 96, 100, 150, 254, 300, 600, 1200])
def test_whole_dots_per_inch_survive_the_metres_of_png(dpi: int) -> None:
    data = saved(Image.fromarray(RGB.samples), "PNG", dpi=(dpi, dpi))
    tif = image.write(image.load(data).picture, ".tif")
    assert exif.density_of(*read_tags(tif)) == ((dpi, 1), (dpi, 1), 2)
    with Image.open(io.BytesIO(image.write(image.load(data).picture, ".webp"))) as shown:
        assert shown.getexif()[282] == dpi


def test_a_resolution_is_added_to_exif_and_moves_nothing() -> None:
    for form in (Form("<"), Form(">")):
        block = ifd.block((*TEXTS, *INNER), form)
        longer = exif.with_resolution(block, struct.pack(">IIB", 11811, 11811, 1))
        assert longer[8 : len(block)] == block[8:]
        tags, order = exif.first_tags(longer)
        assert plain(tags) == plain((*TEXTS, *INNER))
        assert exif.density_of(tags, order) == ((300, 1), (300, 1), 2)
        assert exif.with_resolution(longer, struct.pack(">IIB", 1, 1, 1)) == longer
    assert exif.with_resolution(b"damaged", struct.pack(">IIB", 1, 1, 1)) == b"damaged"
    assert exif.with_resolution(b"", b"") == b""


@pytest.mark.parametrize("compressed", [False, True])
def test_xmp_of_any_compression_and_profiles_go_to_every_format_that_has_them(compressed: bool) -> None:
    from PIL import PngImagePlugin

    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode(), lang="en", tkey="metadata", zip=compressed)
    texts.add_itxt("Comment", "über", zip=compressed)
    x = image.load(saved(Image.fromarray(RGB.samples), "PNG", pnginfo=texts, icc_profile=ICC)).picture
    for suffix in (".tif", ".webp"):
        again = image.load(image.write(x, suffix)).picture
        embedded, _ = from_chunks(again.metadata, Embedded._fields)
        assert (embedded.xmp, embedded.icc) == (XMP, ICC)
        assert image.lost(x, suffix) == ["iTXt"]  # the comment
    assert "#über\n".encode() in image.write(x, ".ppm")


def test_what_a_tiff_cannot_take_of_exif_is_named() -> None:
    thumbnail = ifd.block(TEXTS, Form())
    end = thumbnail.index(bytes(4), 8 + 2 + 12 * len(TEXTS))
    assert end == 8 + 2 + 12 * len(TEXTS)
    linked = thumbnail[:end] + struct.pack("<I", 8) + thumbnail[end + 4 :]
    for block, lost in [(linked, ["thumbnail of eXIf"]), (b"damaged", ["eXIf"]), (thumbnail, [])]:
        x = replace(RGB, metadata=(Chunk(b"eXIf", block),))
        assert image.lost(x, ".tif") == lost
        assert np.array_equal(image.load(image.write(x, ".tif")).picture.samples, RGB.samples)


def test_damaged_and_hostile_tags_are_named_and_cost_little() -> None:
    form = Form()
    outside = tiff([Tag(65001, 7, 8, b"12345678")], form)
    at = outside.index(form.pack("HHI", 65001, 7, 8)) + 8
    far = outside[:at] + form.pack("I", 1 << 30) + outside[at + 4 :]
    assert "damaged tag 65001" in image.load(far).dropped
    loop = tiff([INNER[0]], form)
    at = loop.index(form.pack("HHI", EXIF_IFD, 4, 1)) + 8
    assert image.load(loop[:at] + form.pack("I", 8) + loop[at + 4 :]).dropped[0].startswith("tags (directories")
    entries = [Tag(50000 + i, 7, 60_000, bytes(60_000)) for i in range(3)]
    block = bytearray(ifd.block(entries, form)[: 8 + 2 + 36 + 4 + 60_000])
    for i in range(3):
        block[10 + 12 * i + 8 : 10 + 12 * i + 12] = form.pack("I", 50)
    with pytest.raises(ValueError, match="more bytes than the file"):
        read_tags(bytes(block))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_no_damage_of_a_block_of_exif_raises_anything_else(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(FORMS[::2]))
    block = bytearray(ifd.block((*TEXTS, *INNER), form))
    for _ in range(data.draw(st.integers(1, 4))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    x = replace(RGB, metadata=(Chunk(b"eXIf", bytes(block[: data.draw(st.integers(0, len(block)))])),))
    image.lost(x, ".tif")
    for suffix in (".tif", ".webp"):
        assert np.array_equal(image.load(image.write(x, suffix)).picture.samples, RGB.samples)


def test_bigtiff_numbers_of_64_bits_are_kept_where_they_fit() -> None:
    form = Form("<", big=True)
    tags = [Tag(65001, 16, 2, form.pack("2Q", 1, 2)), Tag(65002, 16, 1, form.pack("Q", 1 << 40))]
    x, dropped = image.load(tiff(tags, form))
    assert dropped == ["tag 65002 (private)"]
    found, _ = exif.first_tags(exif_of(x))
    assert found == (Tag(65001, 4, 2, struct.pack("<2I", 1, 2)),)


def test_pages_written_by_others_have_a_whole_account() -> None:
    out = io.BytesIO()
    tifffile.imwrite(
        out, GREY_16.samples[..., 0], imagej=True, resolution=(1 / 0.065, 1 / 0.065), metadata={"unit": "um"}
    )
    x, dropped = image.load(out.getvalue())
    assert dropped == []
    assert b"unit=um" in exif_of(x)
    with tifffile.TiffFile(io.BytesIO(image.write(x, ".tif"))) as again:
        page: Any = again.pages.first
        assert (page.tags[282].value, int(page.tags[296].value)) == (density_of(out.getvalue()), 1)


def test_texts_of_png_become_tags() -> None:
    from PIL import PngImagePlugin

    texts = PngImagePlugin.PngInfo()
    texts.add_text("Description", "caf\xe9")  # Latin-1
    texts.add_text("Author", "somebody", zip=True)
    texts.add_itxt("Title", "\u00fcber \u03bc", zip=True)
    texts.add_text("Author", "somebody else")
    texts.add_text("Weather", "fine")
    x = image.load(saved(Image.fromarray(RGB.samples), "PNG", pnginfo=texts)).picture
    wanted = {269: "\u00fcber \u03bc", 270: "caf\xe9", 315: "somebody"}
    for suffix in (".tif", ".webp"):
        assert image.lost(x, suffix) == ["tEXt"]  # a second author, and the weather
        again = image.load(image.write(x, suffix)).picture
        found = {tag.code: tag.data for tag in exif.first_tags(exif_of(again))[0]}
        assert {code: found[code] for code in wanted} == {c: text.encode() + b"\0" for c, text in wanted.items()}
    assert image.load(by_rows(x, ".tif", 4)) == image.load(image.write(x, ".tif"))
    own = replace(x, metadata=(*x.metadata, Chunk(b"eXIf", ifd.block((ascii_tag(270, b"own"),), Form(">")))))
    assert image.lost(own, ".tif") == ["tEXt"]
    tags = {tag.code: tag.data for tag in exif.first_tags(exif_of(image.load(image.write(own, ".webp")).picture))[0]}
    assert (tags[270], tags[315]) == (b"own\0", b"somebody\0")
