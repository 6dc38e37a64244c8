"""Pillow's `open` and `save` raise OSError, and nothing else, whatever metadata and palettes hold."""

import contextlib
import io
import zlib
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from pixcodecs.errors import UnsupportedImageError

import pixzip
from pixzip.image.picture import NOT_METADATA, Chunk, Layout
from tests.helpers.pictures import picture
from tests.helpers.pillow_images import opened, saved

#: Chunks that Pillow parses, others of the standard, and unknown ones.
PARSED = {name.removeprefix("chunk_").encode() for name in dir(PngImagePlugin.PngStream) if name.startswith("chunk_")}
OTHERS = {b"bKGD", b"hIST", b"sBIT", b"sPLT", b"tIME", b"cICP", b"mDCV", b"cLLI", b"caNv", b"zzZz"}
KINDS = sorted(kind for kind in PARSED | OTHERS if kind[:1].islower() and kind not in NOT_METADATA)
XMP = b"XML:com.adobe.xmp\0"
BODIES = [
    b"", b"\0", b"\1", b"ab", b"a\0", b"a\0b", b"a\0\0", b"a\0\0x", b"a\0\1x", b"a\0\5x", b"\xff" * 9, bytes(8) + b"\1",
    bytes(31), bytes(32), b"\xff" * 32, bytes(8), b"icc\0\1" + zlib.compress(b"a"),
    b"a\0\0" + zlib.compress(bytes(1 << 21)),
    XMP + bytes(4) + b"\xff\xfe", XMP + b"\1\0\0\0x", XMP + b"\1\5\0\0x", XMP, b"II*\0" + b"\xff" * 4,
    b"MM\0*\0\0\0\x08" + b"\xff" * 40, b"Exif\0\0II*\0", b"Exif\0\0",
]  # fmt: skip


def bodies(kind: bytes) -> Iterator[bytes]:
    yield from BODIES
    rng = Random(kind)
    for size in (3, 4, 7, 9, 12, 33):
        yield rng.randbytes(size)


@pytest.mark.parametrize("kind", KINDS)
def test_images_with_any_metadata_open_or_are_an_oserror(kind: bytes) -> None:
    pictures = [picture(Layout.GREY, 8, 1, 2, metadata=(Chunk(kind, body),) * 2) for body in bodies(kind)]
    for i, data in enumerate(pixzip.encode_batch(pictures, "fast")):
        with contextlib.suppress(OSError):
            opened(data).verify()
            if i % 8 == 0:  # coding takes most of the time, and depends little on the metadata
                shown = opened(data)
                shown.load()
                saved(shown)


@pytest.mark.parametrize(
    ("kind", "body"), [(b"gAMA", b"ab"), (b"pHYs", b""), (b"sRGB", b""), (b"cHRM", bytes(31)), (b"iCCP", b"a\0\5x")]
)
def test_a_damaged_chunk_is_named_by_the_error(kind: bytes, body: bytes) -> None:
    data = pixzip.encode(picture(Layout.RGB, 8, metadata=(Chunk(kind, body),)), "fast")
    with pytest.raises(OSError, match=rf"not a \.pxz file that can be shown: .*{kind.decode()}"):
        opened(data)
    assert pixzip.decode(data).shape == (5, 7, 3)


def refused(shown: Image.Image, words: str, **options: Any) -> None:
    """Check that `save` and, without options, `encode` refuse an image in words, and that nothing is written."""
    out = io.BytesIO()
    with pytest.raises(OSError, match=f"cannot write image as PXZ: .*{words}"):
        shown.save(out, "PXZ", **options)
    assert not out.getvalue()
    if not options:
        with pytest.raises(UnsupportedImageError, match=words):
            pixzip.encode(shown)


@pytest.mark.parametrize("palette", [None, b""])
def test_a_palette_image_without_a_palette_is_refused_in_words(palette: bytes | None) -> None:
    shown = Image.new("P", (3, 3))
    if palette is not None:
        shown.putpalette(palette)
    refused(shown, "image mode P has no palette: putpalette gives one")


@pytest.mark.parametrize(
    ("mode", "key"),
    [("L", "x"), ("L", 1.5), ("RGB", ("a", "b", "c")), ("RGB", (1, 2)), ("1", [None]), ("I;16", {}), ("P", -1),
     ("P", 9), ("P", "x"), ("P", (1, 2)), ("RGBA", 1)],
)  # fmt: skip
def test_a_transparent_colour_of_a_wrong_kind_is_refused(mode: str, key: Any) -> None:
    shown = Image.new(mode, (3, 3))
    if mode == "P":
        shown.putpalette(bytes(9))
    shown.info["transparency"] = key
    refused(shown, "transparen")


@pytest.mark.parametrize(
    ("name", "value"),
    [("icc_profile", "x"), ("icc_profile", (1, 2)), ("icc_profile", 5), ("exif", "x"), ("exif", {1: 2}), ("xmp", 5),
     ("xmp", (1,)), ("dpi", 5), ("dpi", (1,)), ("dpi", ("a", "b")), ("dpi", (None, 1))],
)  # fmt: skip
def test_metadata_of_a_wrong_type_is_refused_by_its_name(name: str, value: Any) -> None:
    shown = Image.new("L", (3, 3))
    refused(shown, f"{name} of the image is .*expected", **{name: value})
    shown.info[name] = value
    refused(shown, f"{name} of the image is .*expected")


@pytest.mark.parametrize(("name", "value"), [("Title", "\ud800"), ("xmp", "\ud800")])
def test_texts_that_have_no_bytes_are_refused(name: str, value: str) -> None:
    shown = Image.new("L", (3, 3))
    shown.info[name] = value
    refused(shown, "surrogates")


@pytest.mark.parametrize("option", [{"model": 5}, {"effort": 10}, {"effort": "5"}, {"device": "gpu"}, {"device": None}])
def test_options_that_do_not_exist_are_an_oserror(option: dict[str, Any]) -> None:
    refused(Image.new("L", (3, 3)), "|".join(option), **option)
