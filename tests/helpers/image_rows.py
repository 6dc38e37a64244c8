"""Helpers that write and read whole files by rows, for comparison."""

import io
from pathlib import Path

import numpy as np
import pytest
from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.formats import png_rows, pnm, tiff_rows
from pixzip.image.formats.base import Loaded
from pixzip.image.picture import Picture, Samples

SUFFIXES = [".png", ".tif", ".ppm", ".pgm", ".pam"]


@pytest.fixture(autouse=True)
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands and strips of few rows, so that small images have several."""
    monkeypatch.setattr(png_rows, "_BAND_BYTES", 300)
    monkeypatch.setattr(png_rows, "_PIECE_BYTES", 100)
    monkeypatch.setattr(pnm, "_BAND_BYTES", 300)
    monkeypatch.setattr(tiff_rows, "_BAND_BYTES", 300)
    monkeypatch.setattr(tiff_rows, "_STRIP_BYTES", 300)


def by_rows(x: Picture, suffix: str, *bands: int) -> bytes:
    """The file written in bands of n rows, and a last band of the remaining rows."""
    out, top = io.BytesIO(), 0
    writer = image.create_rows(out, x.frame, suffix)
    assert writer is not None
    with writer:
        for n in (*bands, x.height):
            writer.write(x.samples[top : top + n])
            top += n
    return out.getvalue()


def rows_of(data: bytes, folder: Path, n: int = 7, max_pixels: int | None = None) -> Loaded:
    """The result of `load`, read n rows at a time."""
    path = folder / "image"
    path.write_bytes(data)
    reader = image.open_rows(path, max_pixels)
    assert reader is not None
    bands: list[Samples] = []
    with reader:
        frame = reader.frame
        while not bands or len(bands[-1]):
            bands.append(reader.read(n))
            assert bands[-1].flags.c_contiguous
        assert [len(band) for band in bands[:-2]] == [n] * (len(bands) - 2)
        samples = np.concatenate(bands)
        x = Picture(samples, frame.layout, frame.depth, frame.palette, frame.transparency, frame.metadata)
        assert x.frame == frame
        return Loaded(x, reader.dropped)


def check_same(data: bytes, folder: Path) -> bool:
    """Check that rows equal those of `load`, or that both refuse the file; return whether it is read."""
    try:
        expected = image.load(data)
    except UnsupportedImageError:
        with pytest.raises(UnsupportedImageError) as caught:
            rows_of(data, folder, max_pixels=MAX_PIXELS)
        assert "\n" not in str(caught.value)
        return False
    assert rows_of(data, folder) == expected
    return True
