"""GIF files of any encoder that takes the longest match come back, wherever it clears its table."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pixcodecs import lzw
from pixcodecs.errors import BitstreamError

from pixzip import image, originals
from pixzip.image.formats.gif_blocks import XMP_TAIL
from pixzip.originals import Family
from pixzip.originals.gif import GifData
from pixzip.originals.imitations import Imitation
from tests.helpers.image_files import GREY


def gif(samples: np.ndarray, bits: int, clears: list[int], part: int = 255, extension: bytes = b"") -> bytes:
    """A GIF by an encoder of this habit."""
    height, width = samples.shape
    table = np.arange(3 * 256, dtype=np.uint8)[: 3 << bits].tobytes()
    head = b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + bytes([0x80 | bits - 1, 0, 0])
    stream = lzw.encode(samples.ravel(), bits, clears)
    parts = [stream[at : at + part] for at in range(0, len(stream), part)]
    body = b"".join(bytes([len(p)]) + p for p in parts)
    return head + table + extension + b"," + bytes(4) + head[6:10] + bytes([0, bits]) + body + b"\0;"


def again(file: bytes) -> originals.Record:
    source = originals.of_picture(image.load(file).picture)
    record = originals.make(io.BytesIO(file), source, 1)
    out = io.BytesIO()
    assert record.is_kept, record.why_not
    originals.rebuild(record, source, out)
    assert out.getvalue() == file
    return record


@settings(max_examples=25)
@given(
    sides=st.tuples(st.integers(1, 90), st.integers(1, 90)), bits=st.integers(2, 8), levels=st.integers(1, 256),
    seed=st.integers(0, 99), clears=st.lists(st.sampled_from((0, 1, 2, 30, 509, 3838, 4000, 9000)), max_size=5),
)  # fmt: skip
def test_a_stream_tells_where_its_table_is_cleared_and_decodes(
    sides: tuple[int, int], bits: int, levels: int, seed: int, clears: list[int]
) -> None:
    pixels = np.random.default_rng(seed).integers(0, min(levels, 1 << bits), sides, np.uint8)
    stream = lzw.encode(pixels.ravel(), bits, [0, *clears])
    found = lzw.parse(stream, bits)
    assert found is not None
    assert found.size_bytes == len(stream)
    assert found.clears == [0, *clears][: len(found.clears)]
    assert lzw.encode(pixels.ravel(), bits, found.clears) == stream
    if len(clears) < 2 or clears[0] > 2:  # Pillow is no judge of tables that are cleared for nothing
        with Image.open(io.BytesIO(gif(pixels, bits, [0, *clears]))) as file:
            assert np.array_equal(np.array(file), pixels)


def test_files_of_every_habit_come_back_in_few_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 128, (200, 200), np.uint8)
    for clears, part in (([0] + 40 * [700], 255), ([0], 254), ([0, 3966, 5000, 11], 100), ([0] + 10 * [3965], 1)):
        assert len(again(gif(noise, 7, clears, part)).pack()) < 120


def test_xmp_costs_no_more_than_its_bytes() -> None:
    xmp = b"<x:xmpmeta>" + bytes(range(40, 100)) + b"</x:xmpmeta>"
    plain, extension = gif(GREY >> 1, 7, [0]), b"\x21\xff\x0bXMP DataXMP" + xmp + XMP_TAIL
    record = again(gif(GREY >> 1, 7, [0], extension=extension))
    assert len(record.recipe) < len(again(plain).recipe) + 60


def test_records_of_gif_that_lie_are_refused() -> None:
    source = originals.of_picture(image.load(gif(GREY >> 1, 7, [0])).picture)
    wide = originals.of_picture(image.load(png()).picture)
    for data, of, words in (
        (GifData(False, 7, 255, ((0, 1 << 30),)), source, "clear codes"),
        (GifData(False, 3, 255, ()), source, "expected less than 2"),
        (GifData(False, 7, 255, ()), wide, "of 3 channels"),
        (GifData(False, 7, 0, ()), source, "sub-blocks of 0 bytes"),
        (GifData(False, 9, 255, ()), source, "GIF of 9 bits"),
    ):
        record = originals.Record(Family.GIF, 1000, bytes(32), Imitation(data).pack())
        with pytest.raises(BitstreamError, match=words):
            originals.rebuild(record, of, io.BytesIO(), 5)


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (3, 2)).save(out, "PNG")
    return out.getvalue()
