"""PNG files and pictures, compared with pypng's own coder, which shares no code with the one in use."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import png
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.picture import Chunk, Layout, Picture
from tests.helpers.pictures import picture, saved, types

MODES = [
    *((Layout.GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((Layout.PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((layout, depth) for layout in (Layout.GREY_ALPHA, Layout.RGB, Layout.RGBA) for depth in (8, 16)),
]
BEFORE_PALETTE = [b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"mDCV", b"cLLI"]
AFTER_PALETTE = [b"bKGD", b"hIST"]
ANYWHERE = [b"eXIf", b"iTXt", b"tEXt", b"zTXt", b"pHYs", b"sPLT", b"tIME", b"prVt", b"prVT"]


def chunks_of(data: bytes) -> list[Chunk]:
    return [Chunk(bytes(kind), bytes(body)) for kind, body in png.Reader(bytes=data).chunks()]


def joined(chunks: list[Chunk]) -> bytes:
    out = io.BytesIO()
    png.write_chunks(out, chunks)
    return out.getvalue()


def by_pypng(x: Picture, **options: Any) -> bytes:
    """The PNG file of a picture, written by another encoder."""
    if x.layout is Layout.PALETTE:
        alphas = x.transparency + b"\xff" * (len(x.palette) // 3 - len(x.transparency))
        colours = np.frombuffer(x.palette, np.uint8).reshape(-1, 3).tolist()
        entries = [(*rgb, a) if x.transparency else tuple(rgb) for rgb, a in zip(colours, alphas, strict=True)]
        options["palette"] = entries
    else:
        options |= {
            "greyscale": x.layout in (Layout.GREY, Layout.GREY_ALPHA),
            "alpha": x.layout in (Layout.GREY_ALPHA, Layout.RGBA),
        }
    out = io.BytesIO()
    png.Writer(x.width, x.height, bitdepth=x.depth, **options).write(out, x.samples.reshape(x.height, -1).tolist())
    return out.getvalue()


def seen_by_pypng(data: bytes) -> tuple[list[list[int]], int]:
    _, _, rows, facts = png.Reader(bytes=data).read()
    return [list(row) for row in rows], facts["bitdepth"]


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 9), (11, 2)])
@pytest.mark.parametrize(("layout", "depth"), MODES)
def test_every_mode_is_read_and_written_as_pypng_has_it(
    layout: Layout, depth: int, size: tuple[int, int], interlace: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    x = picture(layout, depth, *size)
    loaded = image.load(by_pypng(x, interlace=interlace))
    assert loaded == (x, [])
    assert seen_by_pypng(image.write(x)) == (x.samples.reshape(x.height, -1).tolist(), depth)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("depth", "stored"), [(1, 8), (3, 8), (10, 16), (12, 16)])
@pytest.mark.parametrize("layout", [Layout.RGB, Layout.GREY_ALPHA, Layout.RGBA])
def test_depths_that_png_lacks_keep_their_numbers(layout: Layout, depth: int, stored: int) -> None:
    x = picture(layout, depth)
    back = image.load(image.write(x)).picture
    assert back.depth == stored
    assert np.array_equal(back.samples, x.samples)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Draw any picture that PNG holds, with metadata in an order that it allows."""
    layout, depth = draw(st.sampled_from(MODES))
    body = st.binary(max_size=20)
    middle = draw(st.lists(st.tuples(st.sampled_from(BEFORE_PALETTE + ANYWHERE), body), max_size=4))
    late = draw(st.lists(st.tuples(st.sampled_from(AFTER_PALETTE + ANYWHERE), body), max_size=4))
    x = picture(layout, depth, draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(0, 99)))
    sizes = {Layout.GREY: (0, 2), Layout.RGB: (0, 6), Layout.PALETTE: range(len(x.palette) // 3 + 1)}
    size = draw(st.sampled_from(sizes.get(layout, (0,))))
    transparency = draw(st.binary(min_size=size, max_size=size))
    return Picture(x.samples, layout, depth, x.palette, transparency, tuple(Chunk(*c) for c in [*middle, *late]))


@given(pictures())
def test_whole_pictures_round_trip(x: Picture) -> None:
    assert image.load(image.write(x)) == (x, [])


def test_palettes_come_between_the_chunks_that_png_wants_before_and_after_them() -> None:
    metadata = tuple(Chunk(kind, b"") for kind in (b"tEXt", b"hIST", b"gAMA", b"tIME", b"bKGD"))
    x = picture(Layout.PALETTE, 2, transparency=b"\0", metadata=metadata)
    found = [c.type for c in chunks_of(image.write(x))]
    expected = [b"IHDR", b"tEXt", b"gAMA", b"PLTE", b"tRNS", b"hIST", b"tIME", b"bKGD", b"IDAT", b"IEND"]
    assert found == expected


def test_indices_behind_the_end_of_a_palette_stay() -> None:
    x = Picture(np.full((2, 2, 1), 9, np.uint8), Layout.PALETTE, 4, bytes(6))
    assert image.load(image.write(x)).picture == x


def test_colours_under_transparent_pixels_stay() -> None:
    x = picture(Layout.RGBA, 8)
    x.samples[..., 3] = 0
    assert image.load(image.write(x)).picture == x


def test_what_no_picture_holds_is_named() -> None:
    head, idat, end = chunks_of(image.write(picture(Layout.RGB, 8)))
    suggestion = [Chunk(b"PLTE", bytes(6)), Chunk(b"hIST", bytes(4))]
    loaded = image.load(joined([head, *suggestion, Chunk(b"tEXt", b"a\0b"), idat, end]) + b"more")
    assert loaded.dropped == ["suggested palette", "4 bytes behind the image"]
    assert types(loaded.picture.metadata) == [b"tEXt"]
    alone = saved(Image.new("RGB", (2, 2)), "PNG", save_all=True)
    control = [Chunk(b"acTL", struct.pack(">II", 1, 0)), Chunk(b"fcTL", bytes(26))]
    first, *rest = chunks_of(alone)
    assert image.load(joined([first, *control, *rest])).dropped == ["animation control"]


HEAD, IDAT, END = chunks_of(image.write(picture(Layout.GREY, 8, 2, 2)))
TEXT, PALETTE = Chunk(b"tEXt", b"a\0b"), Chunk(b"PLTE", bytes(3))


@pytest.mark.parametrize(
    "chunks",
    [
        [HEAD, END],
        [IDAT, HEAD, END],
        [TEXT, HEAD, IDAT, END],
        [HEAD, HEAD, IDAT, END],
        [HEAD, IDAT, TEXT, IDAT, END],
        [HEAD, IDAT, PALETTE, END],
        [HEAD, PALETTE, PALETTE, IDAT, END],
        [HEAD, Chunk(b"NEWS", b""), IDAT, END],
        [Chunk(b"IHDR", HEAD.data + b"\0"), IDAT, END],
        [HEAD, Chunk(b"tRNS", b"abc"), IDAT, END],
        [HEAD, Chunk(b"tRNS", b"ab"), Chunk(b"tRNS", b"ab"), IDAT, END],
        [HEAD, Chunk(b"IDAT", b""), END],
        [HEAD, Chunk(b"IDAT", zlib.compress(bytes(5))), END],
        [HEAD, Chunk(b"IDAT", zlib.compress(b"\7" + bytes(5))), END],
        [HEAD, Chunk(b"IDAT", IDAT.data[:-1]), END],
        [HEAD, Chunk(b"IDAT", IDAT.data[:-1] + b"x"), END],
    ],
)
def test_damaged_structures_are_refused(chunks: list[Chunk]) -> None:
    with pytest.raises(UnsupportedImageError) as caught:
        image.load(joined(chunks))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("depth", "colour"), [(8, 1), (8, 5), (8, 7), (0, 2), (3, 0), (4, 2), (16, 3), (4, 4), (99, 6), (32, 0)]
)
def test_modes_that_png_lacks_are_refused(depth: int, colour: int) -> None:
    head = HEAD.data[:8] + bytes([depth, colour, 0, 0, 0])
    with pytest.raises(UnsupportedImageError, match=f"colour type {colour} with {depth} bits"):
        image.load(joined([Chunk(b"IHDR", head), IDAT, END]))


def test_every_flipped_byte_and_every_truncation_is_refused() -> None:
    data = image.write(picture(Layout.RGB, 16, 3, 3, metadata=(Chunk(b"tEXt", b"a\0b"), Chunk(b"gAMA", b"abcd"))))
    for at in range(len(data)):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]):
            with pytest.raises(UnsupportedImageError):
                image.load(damaged)


def test_nothing_is_allocated_for_a_large_picture_that_is_not_there() -> None:
    head = struct.pack(">IIBBBBB", 60000, 60000, 16, 6, 0, 0, 0)
    with pytest.raises(UnsupportedImageError, match="more than"):
        image.load(joined([Chunk(b"IHDR", head), IDAT, END]))
