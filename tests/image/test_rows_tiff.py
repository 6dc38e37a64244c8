"""TIFF files by rows: equal to `load` for all arrangements of strips and tiles."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixzip import image
from pixzip.image.formats import tiff_rows
from pixzip.image.picture import Layout
from tests.helpers.image_rows import by_rows, check_same, rows_of
from tests.helpers.image_rows import small_bands as small_bands
from tests.helpers.pictures import picture, saved
from tests.image.test_tiff import by_hand, written

ARRANGEMENTS: list[dict[str, Any]] = [{}, {"tile": (16, 32)}, {"rowsperstrip": 5}]


@pytest.mark.parametrize("options", ARRANGEMENTS, ids=["strip", "tiles", "strips"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("separate", [False, True])
def test_rows_of_every_tiff_arrangement_are_read(
    depth: int, byteorder: Any, compression: str, options: dict[str, Any], separate: bool, tmp_path: Path
) -> None:
    x = picture(Layout.RGBA, depth, 37, 41)
    samples = np.ascontiguousarray(x.samples.transpose(2, 0, 1)) if separate else x.samples
    kinds: dict[str, Any] = {"photometric": "rgb", "extrasamples": ["unassalpha"], "compression": compression}
    kinds |= {"planarconfig": "separate" if separate else "contig", "byteorder": byteorder}
    predictor = compression not in (None, "packbits")
    assert rows_of(written(samples, predictor=predictor, **kinds, **options), tmp_path) == (x, [])


@pytest.mark.parametrize("options", ARRANGEMENTS, ids=["strip", "tiles", "strips"])
@pytest.mark.parametrize("depth", [1, 2, 4, 5, 7, 8, 12, 16])
def test_rows_of_packed_and_inverted_samples_are_read(depth: int, options: dict[str, Any], tmp_path: Path) -> None:
    x = picture(Layout.GREY, depth, 37, 41)
    for kind in ("minisblack", "miniswhite"):
        bits = None if depth in (8, 16) else depth
        assert check_same(written(x.samples[..., 0], photometric=kind, bitspersample=bits, **options), tmp_path)
    colours = np.zeros((3, 256), np.uint16)
    if depth == 8:
        data = written(x.samples[..., 0], photometric="palette", colormap=colours, **options)
        assert check_same(data, tmp_path)


def test_rows_of_coded_and_reversed_bits_are_read(tmp_path: Path) -> None:
    bilevel = Image.fromarray(picture(Layout.GREY, 1, 20, 33).samples[..., 0] * 255).convert("1")
    for compression in ("group3", "group4", "tiff_adobe_deflate", "packbits"):
        assert check_same(saved(bilevel, "TIFF", compression=compression), tmp_path)
    smooth = Image.fromarray(np.repeat(np.arange(0, 240, 6, dtype=np.uint8)[:, None, None], 40, 1).repeat(3, 2))
    assert check_same(saved(smooth, "TIFF", compression="jpeg", quality=95), tmp_path)
    tags = ((256, 8), (257, 9), (258, 1), (259, 1), (262, 1), (266, 2), (273, -1), (277, 1), (278, 9), (279, 9))
    assert check_same(by_hand(*tags, data=bytes(range(1, 10))), tmp_path)


def test_images_too_large_for_short_offsets_are_written_with_long_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    x = picture(Layout.RGB, 8, 37, 41)
    assert by_rows(x, ".tif").startswith((b"II*\0", b"MM\0*"))
    monkeypatch.setattr(tiff_rows, "_CLASSIC_BYTES", x.samples.nbytes - 1)
    data = by_rows(x, ".tif", 10, 20)
    assert data.startswith((b"II+\0", b"MM\0+"))
    assert image.load(data) == rows_of(data, tmp_path) == (x, [])
