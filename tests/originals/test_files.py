"""Image files of many encoders come back byte for byte from their pictures and records."""

import io
import zlib
from itertools import product

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs.deflate.encoder import Encoder
from pixcodecs.errors import UnsupportedImageError

from pixzip import image, originals
from pixzip.originals import Family, Reason, deflaters, png_recipe
from pixzip.originals import png as png_family
from pixzip.originals.deflate_hints import Hints
from pixzip.originals.deflaters import Kind, Spec
from pixzip.originals.source import Output
from tests.helpers import image_files
from tests.helpers.image_files import pillow
from tests.helpers.support import scene

PNGS, ODD, OTHERS = (dict(made()) for made in (image_files.pngs, image_files.odd_pngs, image_files.others))


def record_of(file: bytes, thoroughness: int = 2) -> originals.Record:
    """The record of a file, after it was packed and rebuilt."""
    source = originals.of_picture(image.load(file).picture)
    record = originals.make(io.BytesIO(file), source, thoroughness)
    if record.is_kept:
        again, out = originals.unpack(record.pack()), io.BytesIO()
        assert again == record
        originals.rebuild(again, source, out, seconds=60)
        assert out.getvalue() == file
    return record


@pytest.mark.parametrize("name", PNGS)
def test_a_png_of_every_encoder_and_level_comes_back(name: str) -> None:
    record = record_of(PNGS[name]())
    assert record.family is Family.PNG, record.why_not
    assert len(record.pack()) < 120


@pytest.mark.parametrize("name", ODD)
def test_a_png_with_unusual_parts_comes_back(name: str) -> None:
    assert record_of(ODD[name]()).family is Family.PNG


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_every_other_format_comes_back(name: str) -> None:
    file = OTHERS[name]()
    record = record_of(file)
    assert record.is_kept, record.why_not
    assert len(record.pack()) < 700


def test_zopfli_is_found_only_by_a_thorough_search() -> None:
    file = image_files.recoded(image_files.pillow(image_files.RGB, "PNG"), image_files.zopfli)
    assert record_of(file, 1).reason is Reason.DEFLATE
    assert record_of(file, 400).is_kept


def far(data: bytes) -> bytes:
    """A zlib stream by zlib as pngcrush builds it."""
    coder = Encoder(9)
    return b"\x78\xda" + coder.compress(data) + coder.flush() + zlib.adler32(data).to_bytes(4)


def test_files_of_pngcrush_come_back() -> None:
    file = image_files.recoded(pillow(scene(3, 160, 212, 2), "PNG"), far)
    record = record_of(file, 1)
    assert record.is_kept, record.why_not
    assert png_recipe.read(record.recipe, image.load(file).picture.frame).spec == Spec(Kind.ZLIB_FAR, 9, 0, 8, 15)


def test_a_search_goes_on_behind_an_encoder_that_was_wrong() -> None:
    """zlib-ng, whose first block is larger than the beginning that zlib was once compared to, is found behind zlib."""
    data = scene(3, 160, 212, 2)
    encode = lambda rows: bytes(imagecodecs.zlibng_encode(rows, 9))  # noqa: E731
    assert record_of(image_files.recoded(pillow(data, "PNG"), encode), 1).is_kept


@pytest.mark.parametrize("kind", [Kind.ZLIB, Kind.ZLIB_NG, Kind.ZLIB_FAR])
def test_hints_never_rule_out_the_encoder_of_a_stream(kind: Kind) -> None:
    rows = scene(3, 160, 212, 2).reshape(160, -1)
    data = np.diff(rows, axis=0, prepend=rows[:1]).tobytes() + rows.tobytes()
    for level, strategy, memory in product(range(1, 10), range(5), (2, 8)):
        spec = Spec(kind, level, strategy, memory, 15)
        if kind is Kind.ZLIB_FAR and (level < 4 or strategy or memory < 8):  # small blocks have no far match
            continue
        coder = deflaters.encoder(spec)
        hints = Hints(data, coder.compress(data) + coder.flush())
        assert hints.allow(spec), spec
        if size := hints.trial_bytes(spec):
            assert hints.agrees(spec, size), spec


def test_a_wrong_recipe_is_left_at_its_first_wrong_byte() -> None:
    small, quick = (pillow(image_files.RGB, "PNG", compress_level=level) for level in (9, 1))
    for original, other in ((small, quick), (quick, small)):
        out = Output(io.BytesIO(), len(original), None, io.BytesIO(original))
        recipe = record_of(other).recipe
        with pytest.raises(originals.RebuildError, match="other bytes are written"):
            png_family.write(recipe, originals.of_picture(image.load(small).picture), out)
        lengths = slice(33, 37)  # of the IDAT chunk, which is written last
        assert original[: out.agreed] == other[: lengths.start] + original[lengths] + other[lengths.stop : out.agreed]
        assert out.agreed > lengths.stop


def test_a_stream_of_an_unknown_encoder_is_named() -> None:
    record = record_of(image_files.recoded(pillow(image_files.RGB, "PNG"), image_files.flushed))
    assert record.why_not == "its deflate stream is of no known encoder"


def test_a_stream_that_differs_in_little_is_patched() -> None:
    def twice(data: bytes) -> bytes:
        """A zlib stream with a flush near its end."""
        coder = zlib.compressobj(6, zlib.DEFLATED, 15, 9)
        return coder.compress(data[:-9]) + coder.flush(zlib.Z_FULL_FLUSH) + coder.compress(data[-9:]) + coder.flush()

    rows = scene(3, 160, 212, 2)
    record = record_of(image_files.recoded(pillow(rows, "PNG"), twice))
    assert record.is_kept
    assert record.recipe[0] == 2
    small = image_files.recoded(pillow(image_files.RGB[:9, :9], "PNG"), image_files.flushed)
    assert record_of(small).recipe[0] == 2


@pytest.mark.parametrize("setting", [(80, 4), (75, 4), (0, 0), (20, 1), (25, 2), (50, 4), (75, 6), (90, 5), (100, 5)])
def test_lossless_webp_of_common_settings_comes_back(setting: tuple[int, int]) -> None:
    quality, method = setting
    file = pillow(scene(3, 60, 80, 1), "WEBP", lossless=True, quality=quality, method=method)
    assert record_of(file, 40).is_kept


def test_a_jpeg_is_not_rebuilt() -> None:
    assert record_of(pillow(image_files.RGB, "JPEG")).reason is Reason.FORM


def test_a_large_image_is_rebuilt_by_rows_if_its_format_is() -> None:
    png, bmp = pillow(image_files.RGB, "PNG"), pillow(image_files.RGB, "BMP")
    samples = image.load(png).picture.samples
    parts = originals.Source(
        image.load(png).picture.frame, lambda: iter([samples[:7], samples[7:8], samples[8:]]), True
    )
    record = originals.make(io.BytesIO(png), parts)
    out = io.BytesIO()
    originals.rebuild(record, parts, out)
    assert out.getvalue() == png
    assert originals.make(io.BytesIO(bmp), parts).reason is Reason.LARGE


@settings(max_examples=40)
@given(
    sides=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 9), levels=st.sampled_from((1, 256)),
    mode=st.sampled_from(("L", "RGB", "RGBA", "LA", "P", "1", "I;16")),
    form=st.sampled_from(("PNG", "BMP", "PPM", "TIFF", "TGA", "GIF")), options=st.data(),
)  # fmt: skip
def test_any_picture_of_any_mode_comes_back_or_says_why(
    sides: tuple[int, int], seed: int, levels: int, mode: str, form: str, options: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    chosen = {
        "PNG": {"compress_level": options.draw(st.integers(0, 9))},
        "TIFF": {"compression": options.draw(st.sampled_from((None, "tiff_lzw", "packbits", "tiff_adobe_deflate")))},
        "TGA": {"compression": options.draw(st.sampled_from((None, "tga_rle")))},
    }.get(form, {})
    array = rng.integers(0, levels, (*sides, 4), dtype=np.uint8)
    try:
        if mode == "I;16":
            file = pillow(array[..., 0].astype(np.uint16) * 250, form, **chosen)
        else:
            file = pillow(array, form, mode, **chosen)
        image.load(file)
    except (OSError, KeyError, UnsupportedImageError):  # the format has no such mode
        return
    record = record_of(file)
    assert record.is_kept or form in ("BMP", "GIF"), record.why_not
