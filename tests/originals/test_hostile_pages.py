"""Damaged and forged records of pages end in an error, in little time; none gives other bytes as the original."""

import io
import time
from random import Random

import numpy as np
import pytest
from pixcodecs.container.pages import Kind as FileKind
from pixcodecs.errors import BitstreamError, PixzipError

from pixzip import image, originals
from pixzip.codec import as_picture
from pixzip.image.pages import Page, Pages
from pixzip.originals import Family, Record, patch
from pixzip.originals import pages as whole
from pixzip.originals.deflaters import Kind, Spec
from pixzip.originals.forms import Coding, Flag, Form
from pixzip.originals.pages.animations import Written
from pixzip.originals.pages.cuts import Cut
from pixzip.originals.pages.png import Stream
from pixzip.originals.pages.recipe import Recipe, Run
from pixzip.originals.pages.tiff import Strips
from pixzip.originals.png_recipe import Recipe as PngRecipe
from tests.helpers.page_files import DEEP, FRAMES, PARTS, pillow, tiff

FILES = {
    "strips": tiff(FRAMES, rowsperstrip=9, compression="zlib"),
    "tiles": tiff(DEEP, tile=(16, 32), compression="lzw"),
    "png": pillow(PARTS, "PNG", "RGBA"),
    "gif": pillow(PARTS, "GIF"),
    "webp": pillow(PARTS, "WEBP", lossless=True),
}
MOST_S = 5.0


def refused_or_right(body: bytes, pages: Pages, good: originals.Record, file: bytes) -> str:
    """Rebuild by a record that may be damaged; return the name of the outcome."""
    began = time.process_time()
    try:
        record = originals.unpack(body)
        if record is None or record.family is not Family.PAGES:
            return "none"
        out = io.BytesIO()
        whole.rebuild(record, pages, out, seconds=MOST_S)
    except (BitstreamError, originals.RebuildError) as e:
        return type(e).__name__
    finally:
        assert time.process_time() - began < MOST_S
    assert (out.getvalue() == file) == (record.sha256 == good.sha256)
    return "right"


@pytest.mark.parametrize("name", FILES)
def test_no_damaged_record_gives_other_bytes(name: str) -> None:
    file, rng = FILES[name], Random(name)
    found = image.load_pages(file)
    assert found is not None
    good = whole.make(io.BytesIO(file), found.pages)
    body, outcomes = good.pack(), set()
    for size in range(0, len(body), 3):
        assert refused_or_right(body[:size], found.pages, good, file) != "right", size
    for _ in range(150):
        damaged = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.choice((0, 36))
            damaged[rng.randrange(at, min(len(damaged), at + 60))] = rng.randrange(256)
        outcomes.add(refused_or_right(bytes(damaged), found.pages, good, file))
    assert {"BitstreamError", "RebuildError"} <= outcomes


def rebuilt(kind: FileKind, cut: Cut, size: int, side: int, seconds: float = 1.0, segments: int = 1) -> None:
    canvas = (side, side, 0, bytes(4)) if kind.animated else ()
    page = Page(as_picture(np.zeros((side, side), np.uint8)))
    pages = Pages(kind, (page, page), *canvas)  # type: ignore[arg-type]
    recipe = Recipe(0, (cut, cut), (Run(0, 0, segments),), 0, patch.make(b"", b""))
    whole.rebuild(Record(Family.PAGES, size, bytes(32), recipe.pack()), pages, io.BytesIO(), seconds)


def test_work_beyond_the_limit_is_refused_before_it_is_done() -> None:
    zopfli = PngRecipe(False, b"\x78\xda", Spec(Kind.ZOPFLI), 0, bytes(120), b"", b"")
    strips = Form(Flag(0), 8, coding=Coding.DEFLATE, header=b"\x78\xda", spec=Spec(Kind.ZOPFLI))
    for kind, cut in (
        (FileKind.PNG, Stream(0, zopfli)), (FileKind.TIFF, Strips(strips)), (FileKind.WEBP, Written(37)),
    ):  # fmt: skip
        with pytest.raises(BitstreamError, match=r"takes more than 1 s of processor time"):
            rebuilt(kind, cut, 1000, 120)


def test_time_is_measured_while_segments_are_written() -> None:
    with pytest.raises(BitstreamError, match=r"takes more than 0 s of processor time"):
        rebuilt(FileKind.TIFF, Strips(Form(Flag(0), 8, height=1)), 8 * 10**6, 1000, seconds=0.001, segments=900)


def test_streams_stay_within_the_length_of_the_original() -> None:
    stored = PngRecipe(False, b"\x78\x01", Spec(Kind.STORED, block=1), 1, bytes(1000), b"", b"")
    began = time.process_time()
    with pytest.raises(originals.RebuildError, match="they become more than they were"):
        rebuilt(FileKind.PNG, Stream(0, stored), 100_000, 1000, seconds=60.0)
    assert time.process_time() - began < 1


def test_segments_and_tiles_out_of_proportion_are_refused() -> None:
    with pytest.raises(BitstreamError, match="original has 8820000 segments, expected at most 4194304"):
        rebuilt(FileKind.TIFF, Strips(Form(Flag(0), 8, width=1, height=1)), 1000, 2100)
    with pytest.raises(BitstreamError, match="in tiles of 1099511627776 bytes"):
        rebuilt(FileKind.TIFF, Strips(Form(Flag(0), 8, width=1 << 20, height=1 << 20)), 1000, 9)
    with pytest.raises(BitstreamError, match="bytes of samples in a strip or tile, expected at most 67108864"):
        rebuilt(FileKind.TIFF, Strips(Form(Flag(0), 8, coding=Coding.LZW)), 1000, 6000)
    with pytest.raises(BitstreamError, match="bytes of samples in a frame, expected at most 67108864"):
        rebuilt(FileKind.WEBP, Written(32), 1000, 8200)
    with pytest.raises(BitstreamError, match="declares 1000000000 bytes"):
        rebuilt(FileKind.TIFF, Strips(Form(Flag(0), 8)), 10**9, 9)


def test_a_record_of_one_image_gives_no_pages() -> None:
    found = image.load_pages(FILES["gif"])
    assert found is not None
    with pytest.raises(ValueError, match="none of an original of several pages"):
        whole.rebuild(Record(Family.GIF, 9, bytes(32)), found.pages, io.BytesIO())
    assert issubclass(BitstreamError, PixzipError)
