"""Damaged and forged records end in an error of pixzip, in little time; none gives other bytes as the original."""

import io
import time
from random import Random

import numpy as np
import pytest
from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import varint

from pixzip import image, originals
from pixzip.codec import as_picture
from pixzip.originals import Family, RebuildError, Record, png_recipe
from pixzip.originals.deflaters import Kind, Spec
from pixzip.originals.forms import Coding, Flag, Form
from pixzip.originals.imitations import Imitation
from pixzip.originals.png_recipe import Recipe
from tests.helpers import image_files
from tests.helpers.image_files import pillow

FILES = {
    "png": pillow(image_files.RGB, "PNG"),
    "interlaced": dict(image_files.pngs())["interlaced"](),
    "odd": dict(image_files.odd_pngs())["IDAT of many sizes"](),
    "bmp": pillow(image_files.RGB, "BMP", "P"),
    "lzw": pillow(image_files.RGB, "TIFF", compression="tiff_lzw"),
    "tiles": dict(image_files.others())["tifffile-rgb-zlib-tiles"](),
    "text": dict(image_files.others())["plain PGM"](),
    "gif": pillow(image_files.GREY, "GIF"),
}
MOST_S = 5.0


def refused_or_right(body: bytes, source: originals.Source, file: bytes) -> str:
    """Rebuild by a record that may be damaged; return the name of the outcome."""
    began = time.process_time()
    try:
        record = originals.unpack(body)
        if record is None or not record.is_kept:
            return "none"
        out = io.BytesIO()
        originals.rebuild(record, source, out, seconds=MOST_S)
    except PixzipError as e:
        return type(e).__name__
    finally:
        assert time.process_time() - began < MOST_S
    assert (out.getvalue() == file) == (record.sha256 == originals.make(io.BytesIO(file), source).sha256)
    return "right"


@pytest.mark.parametrize("name", FILES)
def test_no_damaged_record_gives_other_bytes(name: str) -> None:
    file, rng = FILES[name], Random(name)
    source = originals.of_picture(image.load(file).picture)
    body = originals.make(io.BytesIO(file), source).pack()
    for size in range(len(body)):
        assert refused_or_right(body[:size], source, file) != "right", size
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 5))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        outcomes.add(refused_or_right(bytes(damaged), source, file))
    assert {"BitstreamError", "RebuildError"} <= outcomes


def rebuilt(family: Family, recipe: bytes, size: int, side: int, seconds: float = 1.0) -> None:
    source = originals.of_picture(as_picture(np.zeros((side, side), np.uint8)))
    originals.rebuild(Record(family, size, bytes(32), recipe), source, io.BytesIO(), seconds)


def test_work_beyond_the_limit_is_refused_before_it_is_done() -> None:
    chunks = bytes([png_recipe.HEADER, png_recipe.SAMPLES, png_recipe.END])
    recipe = Recipe(False, b"\x78\xda", Spec(Kind.ZOPFLI), 0, bytes(120), b"", b"", chunks, b"")
    with pytest.raises(BitstreamError, match=r"takes more than 1 s of processor time"):
        rebuilt(Family.PNG, recipe.pack(), 1000, 120)
    with pytest.raises(BitstreamError, match=r"takes more than 1 s of processor time"):
        rebuilt(Family.WEBP, b"\2\x0b", 1000, 150)


def test_time_is_measured_while_a_stream_is_written() -> None:
    chunks = bytes([png_recipe.HEADER, png_recipe.SAMPLES, png_recipe.END])
    recipe = Recipe(False, b"\x78\xda", Spec(Kind.STORED, block=1), 0, bytes(3000), b"", b"", chunks, b"")
    with pytest.raises(BitstreamError, match=r"takes more than 0 s of processor time"):
        rebuilt(Family.PNG, recipe.pack(), 10**7, 3000, seconds=0.01)


def test_forms_of_much_memory_are_refused() -> None:
    for form, words in {
        Form(Flag(0), 8, width=1 << 20, height=1 << 20): "in tiles of",
        Form(Flag(0), 8, coding=Coding.TEXT): "samples as text",
    }.items():
        with pytest.raises(BitstreamError, match=words):
            rebuilt(Family.NETPBM, Imitation(form).pack(), 1000, 2100)
    with pytest.raises(BitstreamError, match="bytes of samples, expected at most"):
        rebuilt(Family.BMP, Imitation(Form(Flag(0), 8)).pack(), 1000, 8200)


def test_a_length_out_of_proportion_is_refused() -> None:
    with pytest.raises(BitstreamError, match="declares 1000000000 bytes"):
        rebuilt(Family.PNG, b"", 10**9, 9)


def test_records_of_later_versions_are_skipped() -> None:
    assert originals.unpack(b"\2") is None
    assert originals.unpack(b"\1\xc8" + varint(9) + bytes(32)) is None
    assert originals.unpack(b"\1\0\xc8").why_not
    with pytest.raises(BitstreamError):
        originals.unpack(b"\1\1\5")
    assert issubclass(RebuildError, PixzipError)
