"""Damaged files read by rows: refused whenever `load` refuses them, at the last row at the latest."""

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.picture import Chunk, Layout
from tests.helpers.image_rows import SUFFIXES, by_rows, check_same
from tests.helpers.image_rows import small_bands as small_bands
from tests.helpers.pictures import picture, saved
from tests.image.test_png import chunks_of, joined
from tests.image.test_tiff import grey_by_hand, written

RGB = picture(Layout.RGB, 8, 37, 41)
RESOLUTION = Chunk(b"pHYs", b"\0\0\x2e\x23\0\0\x17\x12\1")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_truncation_is_refused_or_loses_no_pixel(suffix: str, tmp_path: Path) -> None:
    x = picture(Layout.GREY if suffix == ".pgm" else Layout.RGB, 8, 11, 13, metadata=(RESOLUTION,))
    data = by_rows(x, suffix)
    for end in range(1, len(data), 3 if suffix == ".tif" else 1):
        path = tmp_path / "image"
        path.write_bytes(data[:end])
        if end < 8:
            continue  # may be a file of another format
        assert not check_same(data[:end], tmp_path)


def test_every_flipped_byte_of_png_samples_is_refused_with_or_without_its_checksum(tmp_path: Path) -> None:
    x = picture(Layout.RGB, 8, 9, 11)
    head, idat, end = chunks_of(image.write(x))
    data = joined([head, idat, end])
    for at in range(len(idat.data)):
        flipped = Chunk(b"IDAT", idat.data[:at] + bytes([idat.data[at] ^ 0x20]) + idat.data[at + 1 :])
        check_same(joined([head, flipped, end]), tmp_path)
        raw = data.index(idat.data) + at
        assert not check_same(data[:raw] + bytes([data[raw] ^ 0x20]) + data[raw + 1 :], tmp_path)


def test_damaged_png_streams_are_refused_and_what_follows_them_is_left(tmp_path: Path) -> None:
    head, idat, end = chunks_of(image.write(picture(Layout.GREY, 8, 20, 30)))
    content = zlib.decompress(idat.data)
    for bodies, whole in (
        ([idat.data + b"more"], True),
        ([idat.data, b"more"], True),
        ([b"", idat.data[:9], b"", idat.data[9:]], True),
        ([zlib.compress(content + bytes(31))], True),
        ([zlib.compress(content[:-1])], False),
        ([zlib.compress(content[:-31])], False),
        ([idat.data[:-1]], False),
        ([idat.data[:-4]], False),
        ([idat.data[:-1] + bytes([idat.data[-1] ^ 1])], False),
        ([zlib.compress(b"\5" + content[1:])], False),
        ([zlib.compress(content[:-31] + b"\5" + content[-30:])], False),
        ([b""], False),
    ):
        data = joined([head, *(Chunk(b"IDAT", body) for body in bodies), end])
        assert check_same(data, tmp_path) is whole


def test_damaged_tiffs_are_refused(tmp_path: Path) -> None:
    data = saved(Image.fromarray(RGB.samples), "TIFF", compression="packbits")
    assert check_same(data, tmp_path)
    assert not check_same(data[:-3], tmp_path)
    assert check_same(grey_by_hand(4, 4, 1, bytes(16)), tmp_path)
    for file in (
        grey_by_hand(4, 4, 1, b""),
        grey_by_hand(4, 4, 1, bytes(15)),
        grey_by_hand(90, 90, 8, zlib.compress(bytes(9))),
        written(np.zeros((2, 4, 4), np.uint8), photometric="minisblack"),
        written(np.zeros((2, 2), np.float32)),
    ):
        assert not check_same(file, tmp_path)
    noise = image.write(picture(Layout.RGB, 8, 11, 13), ".tif")
    with tifffile.TiffFile(io.BytesIO(noise)) as file:
        page: Any = file.pages.first
        start, n = page.dataoffsets[0], page.databytecounts[0]
    for at in range(start, start + n, 3):
        check_same(noise[:at] + bytes([noise[at] ^ 0x20]) + noise[at + 1 :], tmp_path)


def test_after_an_error_no_more_rows_come(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"P5 2 300 7\n" + bytes(400) + b"\x08" + bytes(199))
    reader = image.open_rows(path)
    assert reader is not None
    with reader:
        assert not reader.read(50).any()
        with pytest.raises(UnsupportedImageError, match="up to 8"):
            reader.read(250)
        with pytest.raises(UnsupportedImageError, match="no more rows"):
            reader.read(1)
