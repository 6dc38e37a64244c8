"""Files of several pages or frames come back byte for byte from their pages and records."""

import io
from dataclasses import replace

import numpy as np
import png
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs.errors import UnsupportedImageError

from pixzip import image, originals
from pixzip.image.pages import Kind, Pages
from pixzip.originals import Family, Reason
from pixzip.originals import pages as whole
from tests.helpers import image_files, page_files
from tests.helpers.page_files import FRAMES, pillow, tiff

TIFFS, ANIMATIONS = dict(page_files.tiffs()), dict(page_files.animations())


def load(file: bytes) -> Pages:
    found = image.load_pages(file)
    assert found is not None
    return found.pages


def record_of(file: bytes, thoroughness: int = 2) -> originals.Record:
    """The record of a file, after it was packed and rebuilt."""
    pages = load(file)
    record = whole.make(io.BytesIO(file), pages, thoroughness)
    if record.is_kept:
        again, out = originals.unpack(record.pack()), io.BytesIO()
        assert again == record
        whole.rebuild(record, pages, out, seconds=60)
        assert out.getvalue() == file
    return record


@pytest.mark.parametrize("name", TIFFS)
def test_a_tiff_of_several_pages_comes_back(name: str) -> None:
    file = TIFFS[name]()
    record = record_of(file)
    assert record.family is Family.PAGES, record.why_not
    assert len(record.pack()) < 200 + 50 * len(load(file).pages)


@pytest.mark.parametrize("name", ANIMATIONS)
def test_an_animation_comes_back(name: str) -> None:
    file = ANIMATIONS[name]()
    record = record_of(file)
    assert record.is_kept, record.why_not
    assert len(record.pack()) < 420


def test_bytes_before_between_and_behind_the_pages_come_back() -> None:
    file = pillow(FRAMES, "GIF", comment=b"hello")
    assert record_of(file + b"more").is_kept
    chunks = [(bytes(kind), bytes(body)) for kind, body in png.Reader(bytes=pillow(FRAMES, "PNG")).chunks()]
    at = next(i for i, (kind, _) in enumerate(chunks) if kind == b"fdAT")
    chunks[at:at] = [(b"tEXt", b"Title\0between")]
    out = io.BytesIO()
    png.write_chunks(out, [chunks[0], (b"vpAg", bytes(9)), *chunks[1:]])
    assert record_of(out.getvalue()).is_kept


def moved(file: bytes, page: int, strip: int, offset: int, size: int) -> bytes:
    """A TIFF file whose directory points to another place for a strip."""
    stream = io.BytesIO(file)
    with tifffile.TiffFile(stream, mode="r+") as parsed:
        tags = parsed.pages[page].tags  # type: ignore[union-attr]
        for name, new in (("StripOffsets", offset), ("StripByteCounts", size)):
            values = [*tags[name].value]
            values[strip] = new
            tags[name].overwrite(values)
        return stream.getvalue()


def places(file: bytes, page: int) -> list[tuple[int, int]]:
    """Offset and length of each strip."""
    with tifffile.TiffFile(io.BytesIO(file)) as parsed:
        found = parsed.pages[page]
        return [*zip(found.dataoffsets, found.databytecounts, strict=True)]


def test_segments_come_back_wherever_they_are() -> None:
    file = tiff([FRAMES[0], FRAMES[0]], rowsperstrip=20)
    (first, size), (second, _) = places(file, 0)[0], places(file, 1)[0]
    shared = moved(file, 1, 0, first, size)
    crossed = moved(shared, 0, 0, second, size)
    assert [places(crossed, page)[0][0] for page in (0, 1)] == [second, first]
    for odd in (shared, crossed):
        assert load(odd) == load(file)
        assert record_of(odd).is_kept


def test_a_strip_that_nobody_writes_is_kept_as_it_is() -> None:
    file = tiff(FRAMES, rowsperstrip=10, compression="zlib")
    strip = image_files.flushed(FRAMES[1][10:20].tobytes())
    odd = moved(file + strip, 1, 1, len(file), len(strip))
    assert load(odd) == load(file)
    record = record_of(odd)
    assert record.is_kept
    assert len(record.pack()) > len(strip)


def test_other_pages_do_not_give_the_original() -> None:
    file = tiff(FRAMES, rowsperstrip=20, compression="lzw")
    pages = load(file)
    record = whole.make(io.BytesIO(file), pages)
    with pytest.raises(originals.RebuildError, match="do not come back"):
        whole.rebuild(record, replace(pages, pages=pages.pages[::-1]), io.BytesIO())


def test_pages_of_no_known_form_are_named() -> None:
    unknown = page_files.recoded_frames(pillow(FRAMES, "PNG"))
    assert record_of(unknown).reason is Reason.DEFLATE
    photo = tiff([FRAMES[0]] * 2, compression="jpeg")
    assert record_of(photo).reason is Reason.FORM


def test_many_thumbnails_and_pages_take_little() -> None:
    small = [np.full((8, 8), i, np.uint8) for i in range(30)]
    file = tiff(small, thumbnails=True)
    record = record_of(file)
    assert len(record.pack()) < 40 * 90


@settings(max_examples=30)
@given(
    sides=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=2, max_size=4), seed=st.integers(0, 9),
    mode=st.sampled_from(("L", "RGB", "RGBA", "P", "1")), form=st.sampled_from(("PNG", "TIFF", "GIF", "WEBP")),
    coding=st.sampled_from(("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate")), levels=st.sampled_from((2, 256)),
)  # fmt: skip
def test_any_pages_come_back_or_it_is_said_why(
    sides: list[tuple[int, int]], seed: int, mode: str, form: str, coding: str, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    same = sides if form == "TIFF" else [sides[0]] * len(sides)
    arrays = [rng.integers(0, levels, (*size, 4), dtype=np.uint8) for size in same]
    options = {"TIFF": {"compression": coding}, "WEBP": {"lossless": True}}.get(form, {})
    try:
        file = pillow(arrays, form, mode, **options)
        if image.load_pages(file) is None:  # equal frames are one
            return
    except (OSError, ValueError, UnsupportedImageError):  # the format, or Pillow, has no such frames
        return
    record = record_of(file)
    assert record.is_kept or form == "WEBP", record.why_not


def test_every_kind_of_pages_has_its_family() -> None:
    for kind in Kind:
        assert originals.suffixes_of(Family[kind.name])
