"""Files of several pages or frames are read to pictures with all that says how they are shown, and written again."""

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from PIL import Image, ImageSequence
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.pages import SUFFIXES, Kind, Page, Pages
from pixzip.image.picture import Chunk, Layout, Picture
from tests.helpers.pictures import ICC, XMP, picture, saved, types
from tests.image.test_tags import INNER, TEXTS

RGB = [picture(Layout.RGB, 8, 10, 12, seed=i) for i in range(3)]
RGBA = [picture(Layout.RGBA, 8, 10, 12, seed=i) for i in range(3)]
PALETTES = [picture(Layout.PALETTE, 4, 10, 12, seed=i) for i in range(3)]


def pillow(x: Picture) -> Image.Image:
    return Image.fromarray(x.samples if x.layout.channels > 1 else x.samples[..., 0])


def tiff(*samples: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for x in samples:
            writer.write(x, contiguous=False, metadata=None, software=False, **options)
    return out.getvalue()


def with_thumbnails() -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for x in RGB[:2]:
            options: dict[str, Any] = {"metadata": None, "software": False, "photometric": "rgb"}
            writer.write(x.samples, subifds=2, **options)
            for step in (2, 4):
                writer.write(x.samples[::step, ::step].copy(), subfiletype=1, **options)
    return out.getvalue()


def animated(form: str, frames: list[Picture], **options: Any) -> bytes:
    images = [pillow(x) for x in frames]
    return saved(images[0], form, save_all=True, append_images=images[1:], **options)


def shown(data: bytes) -> list[Any]:
    """The frames as Pillow composes them, with their durations."""
    with Image.open(io.BytesIO(data)) as opened:
        frames = [(np.array(f.convert("RGBA")), f.info.get("duration")) for f in ImageSequence.Iterator(opened)]
        return [opened.info.get("loop"), frames]


def same(a: list[Any], b: list[Any]) -> bool:
    return a[0] == b[0] and len(a[1]) == len(b[1]) and all(
        np.array_equal(x, y) and s == t for (x, s), (y, t) in zip(a[1], b[1], strict=True)
    )  # fmt: skip


def load(data: bytes) -> Pages:
    found = image.load_pages(data)
    assert found is not None
    assert found.dropped == []
    return found.pages


def test_pages_of_tiff_keep_their_kinds_and_tags() -> None:
    mixed = (
        RGB[0].samples,
        picture(Layout.GREY, 16, 5, 7).samples[..., 0],
        picture(Layout.GREY, 8, 3, 2).samples[..., 0],
    )
    pages = load(tiff(*mixed))
    assert [p.picture.samples.squeeze().tolist() for p in pages.pages] == [x.tolist() for x in mixed]
    assert (pages.kind, [p.picture.depth for p in pages.pages]) == (Kind.TIFF, [8, 16, 8])
    again = image.write_pages(pages, ".tif")
    assert load(again) == pages
    with tifffile.TiffFile(io.BytesIO(again)) as file:
        assert [page.asarray().tolist() for page in file.pages] == [x.tolist() for x in mixed]
    tags = [(tag.code, tag.kind, tag.n, tag.data, True) for tag in TEXTS]
    tagged = load(tiff(*(x.samples for x in RGB), photometric="rgb", extratags=tags, resolution=(300, 300)))
    assert [types(p.picture.metadata) for p in tagged.pages] == [[b"pHYs", b"eXIf"]] * 3
    assert load(image.write_pages(tagged, ".tiff")) == tagged


def test_directories_of_exif_are_kept_on_every_page() -> None:
    from pixzip.image.formats import exif, ifd

    blocks = [ifd.block((*TEXTS[:i], INNER[i % 2]), ifd.Form()) for i in range(3)]
    pages = Pages(
        Kind.TIFF, tuple(Page(replace(x, metadata=(Chunk(b"eXIf", b),))) for x, b in zip(RGB, blocks, strict=True))
    )
    again = load(image.write_pages(pages, ".tif"))
    for before, after in zip(pages.pages, again.pages, strict=True):
        assert exif.first_tags(after.picture.metadata[0].data) == exif.first_tags(before.picture.metadata[0].data)
    assert image.lost_of_pages(pages, ".tif") == []


def test_thumbnails_of_tiff_stay_with_their_page() -> None:
    pages = load(with_thumbnails())
    assert [p.thumbnail for p in pages.pages] == [False, True, True, False, True, True]
    assert np.array_equal(pages.pages[4].picture.samples, RGB[1].samples[::2, ::2])
    again = image.write_pages(pages, ".tif")
    assert load(again) == pages
    with tifffile.TiffFile(io.BytesIO(again)) as file:
        assert len(file.pages) == 2
        assert [inner.subfiletype for inner in file.pages[1].pages] == [1, 1]  # type: ignore[union-attr]
    single = io.BytesIO()
    with tifffile.TiffWriter(single) as writer:
        writer.write(RGB[0].samples, subifds=1, metadata=None)
        writer.write(RGB[0].samples[::2, ::2].copy(), subfiletype=1, metadata=None)
    assert len(load(single.getvalue()).pages) == 2


def test_animated_png_comes_back() -> None:
    for frames in (RGB, RGBA):
        data = animated("PNG", frames, duration=[30, 40, 1000], loop=3, disposal=[0, 1, 2], blend=[0, 1, 0])
        pages = load(data)
        assert (pages.kind, pages.width, pages.height, pages.loops) == (Kind.PNG, 12, 10, 3)
        assert [p.duration for p in pages.pages] == [(3, 100), (1, 25), (1, 1)]
        assert [(p.disposal, p.blend) for p in pages.pages] == [(0, False), (1, True), (2, False)]
        again = image.write_pages(pages, ".png")
        assert load(again) == pages
        assert same(shown(data), shown(again))
    data = animated("PNG", RGB, default_image=True, duration=20)
    pages = load(data)
    assert [p.aside for p in pages.pages] == [True, False, False]
    assert load(image.write_pages(pages, ".png")) == pages


def test_metadata_of_animated_png_belong_to_all_frames_in_their_order() -> None:
    chunks = [(bytes(k), bytes(b)) for k, b in png.Reader(bytes=animated("PNG", RGB, icc_profile=ICC)).chunks()]
    text, late = (b"tEXt", b"Title\0a"), (b"tIME", bytes(7))
    out = io.BytesIO()
    png.write_chunks(out, [chunks[0], text, *chunks[1:-1], late, chunks[-1]])
    pages = load(out.getvalue())
    assert types(pages.metadata) == [b"tEXt", b"iCCP", b"pxAd", b"tIME"]
    again = image.write_pages(pages, ".png")
    assert load(again) == pages
    assert [bytes(k) for k, _ in png.Reader(bytes=again).chunks()][-2:] == [b"tIME", b"IEND"]


def test_damaged_animations_of_png_are_refused() -> None:
    chunks = [(bytes(k), bytes(b)) for k, b in png.Reader(bytes=animated("PNG", RGB, duration=20)).chunks()]
    control = [i for i, (kind, _) in enumerate(chunks) if kind == b"fcTL"]

    def file(changed: list[tuple[bytes, bytes]]) -> bytes:
        out = io.BytesIO()
        png.write_chunks(out, changed)
        return out.getvalue()

    more = [(kind, struct.pack(">II", 4, 0) if kind == b"acTL" else body) for kind, body in chunks]
    out_of_order = [*chunks]
    out_of_order[control[1]] = (b"fcTL", struct.pack(">I", 9) + chunks[control[1]][1][4:])
    short = [*chunks]
    short[control[0]] = (b"fcTL", chunks[control[0]][1][:20])
    for data, words in [
        (more, "declares 4 frames and has 3"),
        (out_of_order, "out of order"),
        (short, "20 bytes of fcTL"),
    ]:
        with pytest.raises(UnsupportedImageError, match=words):
            image.load_pages(file(data))


@pytest.mark.parametrize("lossless", [True, False])
def test_animated_webp_comes_back(lossless: bool) -> None:
    for frames in (RGB, RGBA):
        options = {"lossless": lossless, "exact": True, "minimize_size": False, "background": (1, 2, 3, 4)}
        data = animated("WEBP", frames, duration=[30, 40, 1000], loop=3, xmp=XMP, icc_profile=ICC, **options)
        pages = load(data)
        assert (pages.kind, pages.width, pages.height, pages.loops) == (Kind.WEBP, 12, 10, 3)
        assert [p.duration for p in pages.pages] == [(30, 1000), (40, 1000), (1000, 1000)]
        assert types(pages.metadata) == [b"iCCP", b"iTXt"]
        assert pages.background == data[data.index(b"ANIM") + 8 :][:4]
        again = image.write_pages(pages, ".webp")
        assert load(again) == pages
        assert same(shown(data), shown(again))
        assert image.lost_of_pages(pages, ".webp") == []


def test_animated_gif_comes_back_with_the_indices_of_its_frames() -> None:
    images = []
    for i, x in enumerate(PALETTES):
        drawn = Image.fromarray(np.roll(x.samples[..., 0], i))
        drawn.putpalette([(c * (i + 1)) % 256 for c in range(48)])
        images.append(drawn)
    options: dict[str, Any] = {"duration": [30, 40, 1000], "loop": 2, "disposal": [1, 2, 3], "optimize": False}
    data = saved(images[0], "GIF", save_all=True, append_images=images[1:], comment=b"hello", **options)
    pages = load(data)
    assert (pages.kind, pages.width, pages.height, pages.loops) == (Kind.GIF, 12, 10, 3)
    assert [p.duration for p in pages.pages] == [(3, 100), (4, 100), (100, 100)]
    assert [p.disposal for p in pages.pages] == [1, 2, 3]
    assert pages.metadata == (Chunk(b"tEXt", b"Comment\0hello"),)
    again = image.write_pages(pages, ".gif")
    assert load(again) == pages
    assert same(shown(data), shown(again))
    moved = replace(
        pages, loops=0, pages=(pages.pages[0], replace(pages.pages[1], x=0, y=0, duration=None, disposal=0))
    )
    assert load(image.write_pages(moved, ".gif")) == moved


def test_gif_with_a_transparent_colour_and_offsets_comes_back() -> None:
    base = np.full((20, 24, 4), 255, np.uint8)
    frames = []
    for i in range(3):
        x = base.copy()
        x[3 + i : 9 + i, 5 : 11 + i] = (200, 10 * i, 30, 255)
        frames.append(Image.fromarray(x))
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    pages = load(data)
    assert any(p.x or p.y for p in pages.pages)
    again = image.write_pages(pages, ".gif")
    assert load(again) == pages
    assert same(shown(data), shown(again))


def test_one_image_is_no_file_of_pages() -> None:
    for suffix in (".png", ".tif", ".webp", ".bmp"):
        assert image.load_pages(image.write(RGB[0], suffix)) is None
    assert image.load_pages(saved(pillow(RGB[0]), "GIF")) is None
    assert image.load_pages(b"no image") is None
    assert image.load_pages(b"") is None


@pytest.mark.parametrize("kind", Kind)
def test_the_limit_of_pixels_is_for_all_pages(kind: Kind) -> None:
    made = {
        Kind.TIFF: tiff(*(x.samples for x in RGB)), Kind.PNG: animated("PNG", RGB),
        Kind.WEBP: animated("WEBP", RGB, lossless=True), Kind.GIF: animated("GIF", RGB),
    }  # fmt: skip
    assert image.load_pages(made[kind], 400) is not None
    for most in (119, 299):
        with pytest.raises(UnsupportedImageError, match="more than"):
            image.load_pages(made[kind], most)
    with pytest.raises(UnsupportedImageError, match="3 frames"):
        image.load(made[kind])


def test_pages_are_refused_by_formats_that_do_not_hold_them() -> None:
    pages = load(tiff(*(x.samples for x in RGB)))
    with pytest.raises(UnsupportedImageError, match=r"\.png does not hold these pages, \.tif does, and -o DIR/"):
        image.write_pages(pages, ".png")
    with pytest.raises(UnsupportedImageError, match=r"\.bmp holds one image: \.gif \.png \.tif \.webp hold several"):
        image.write_pages(pages, ".bmp")
    assert set(SUFFIXES) == set(Kind)
    animation = load(animated("PNG", RGB, duration=10))
    odd = replace(animation, kind=Kind.WEBP, pages=(animation.pages[0], replace(animation.pages[1], x=1)))
    with pytest.raises(UnsupportedImageError, match="even places"):
        image.write_pages(odd, ".webp")
    with pytest.raises(UnsupportedImageError, match="only palettes"):
        image.write_pages(replace(animation, kind=Kind.GIF, background=bytes(4)), ".gif")
    mixed = replace(animation, pages=(*animation.pages, Page(RGBA[0], (1, 100))))
    with pytest.raises(UnsupportedImageError, match="one mode and palette"):
        image.write_pages(mixed, ".png")


def test_a_page_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UnsupportedImageError, match="page 2 of 2: TIFF of floating point is not supported"):
        image.load_pages(tiff(RGB[0].samples, np.zeros((4, 4), np.float32)))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "TIFF"])
def test_every_truncation_is_refused_or_names_what_is_missing(form: str) -> None:
    data = animated(form, RGB)
    whole = image.load_pages(data)
    for end in range(0, len(data), 7):
        try:
            found = image.load_pages(data[:end])
        except UnsupportedImageError:
            continue
        if found is None:  # one image, or none: `load` says so
            continue
        assert found.pages == whole.pages or form == "GIF"  # type: ignore[union-attr]
        assert found.pages.pages == whole.pages.pages[: len(found.pages.pages)]  # type: ignore[union-attr]
