"""Image files by rows: equal to `load` and `write`, with memory independent of the number of rows."""

import io
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.picture import Chunk, Frame, Layout, Picture, Samples
from tests.helpers.image_rows import SUFFIXES, by_rows, check_same, rows_of
from tests.helpers.image_rows import small_bands as small_bands
from tests.helpers.pictures import EVERY, ICC, XMP, picture
from tests.image.test_png import MODES, by_pypng, chunks_of, joined, pictures
from tests.image.test_tiff import written

RGB = picture(Layout.RGB, 8, 37, 41)
RESOLUTION = Chunk(b"pHYs", b"\0\0\x2e\x23\0\0\x17\x12\1")
PROFILE = Chunk(b"iCCP", b"icc\0\0" + zlib.compress(ICC, 9))
METADATA = (PROFILE, RESOLUTION, Chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))


@pytest.mark.parametrize("size", [(1, 1), (29, 31)])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("layout", "depth"), EVERY)
def test_files_written_by_rows_are_those_written_at_once(
    layout: Layout, depth: int, suffix: str, size: tuple[int, int], tmp_path: Path
) -> None:
    x = picture(layout, depth, *size)
    try:
        image.check_suffix(suffix, layout, depth)
    except UnsupportedImageError:
        with pytest.raises(UnsupportedImageError, match=f"{suffix} does not hold"):
            image.create_rows(io.BytesIO(), x.frame, suffix)
        return
    whole = image.write(x, suffix)
    data, expected = by_rows(x, suffix, 1, 2, 0, 17), image.load(whole)
    assert image.load(data) == expected
    assert suffix in (".png", ".tif") or data == whole
    for n in (1, 7, 1000):
        assert rows_of(data, tmp_path, n) == rows_of(whole, tmp_path, n) == expected


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("layout", Layout)
def test_metadata_is_written_as_at_once(layout: Layout, suffix: str, tmp_path: Path) -> None:
    x = picture(layout, 8, 37, 41, metadata=METADATA)
    data = by_rows(x, suffix)
    assert image.load(data) == image.load(image.write(x, suffix)) == rows_of(data, tmp_path)
    assert image.load(data).picture.metadata == METADATA


@pytest.mark.parametrize("size", [(5, 7), (1, 9), (31, 17)])
@pytest.mark.parametrize(("layout", "depth"), MODES)
def test_rows_of_every_png_mode_are_as_pypng_wrote_them(
    layout: Layout, depth: int, size: tuple[int, int], tmp_path: Path
) -> None:
    x = picture(layout, depth, *size)
    assert rows_of(by_pypng(x, chunk_limit=50), tmp_path) == (x, [])
    (tmp_path / "interlaced").write_bytes(by_pypng(x, interlace=True))
    assert image.open_rows(tmp_path / "interlaced") is None


@pytest.mark.parametrize("layout", [Layout.GREY, Layout.GREY_ALPHA, Layout.RGB, Layout.RGBA])
@pytest.mark.parametrize("depth", [8, 16])
def test_every_png_filter_looks_back_over_the_edge_of_a_band(layout: Layout, depth: int, tmp_path: Path) -> None:
    smooth = np.cumsum(picture(layout, depth, 40, 23).samples, axis=0, dtype=np.uint16) >> (16 - depth)
    x = Picture(smooth.astype(np.uint8 if depth == 8 else np.uint16), layout, depth)
    assert rows_of(image.write(x), tmp_path) == (x, [])
    assert rows_of(by_rows(x, ".png", 1, 1, 9), tmp_path) == (x, [])


@given(x=pictures(), n=st.integers(1, 10))
def test_whole_pictures_round_trip(tmp_path_factory: pytest.TempPathFactory, x: Picture, n: int) -> None:
    data = by_rows(x, ".png", n)
    assert image.load(data) == (x, [])
    assert rows_of(data, tmp_path_factory.getbasetemp(), n) == (x, [])


def test_what_no_picture_holds_is_named(tmp_path: Path) -> None:
    head, idat, end = chunks_of(image.write(RGB))
    suggestion = [Chunk(b"PLTE", bytes(6)), Chunk(b"hIST", bytes(4))]
    control = [Chunk(b"acTL", b"\0\0\0\1\0\0\0\0"), Chunk(b"fcTL", bytes(26))]
    data = joined([head, *control, *suggestion, idat, Chunk(b"tEXt", b"a\0b"), end]) + b"more"
    assert check_same(data, tmp_path)
    assert check_same(written(RGB.samples, extratags=[(51234, 4, 1, 1, True), (33723, 7, 4, b"iptc", True)]), tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"P4\n9 3\n\x80\x80\x40\0\1\2",
        b"P5#c\r 2#c\n1 # c\n4095\n\x0f\xff\0\1",
        b"P6 1 1 65535\n\1\2\3\4\5\6",
        b"P6\n1 1\n255\n\n# more",
        b"P5 1 2 7\n\7\x08",
        b"P5 1 1 255\n" + bytes(3),
        b"P5 2 2 255\n" + bytes(3),
        b"P5 2 1 100\n\0\0",
        b"P5 60000 60000 255\n",
        b"P5 0 1 255\n",
        b"P5 1 1 255",
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nTUPLTYPE X\nENDHDR\n" + bytes(5),
    ],
)
def test_netpbm_files_are_read_or_refused_as_at_once(data: bytes, tmp_path: Path) -> None:
    check_same(data, tmp_path)


@pytest.mark.parametrize("data", [image.write(RGB, ".bmp"), image.write(RGB, ".webp"), b"P2 1 1 7 3", b"", b"hello"])
def test_other_formats_are_left_to_load(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(data)
    assert image.open_rows(tmp_path / "image") is None


class Pipe(io.BytesIO):
    """A stream that is not seekable."""

    def seekable(self) -> bool:
        return False


def test_what_cannot_be_written_by_rows_is_left_to_write() -> None:
    for suffix in (".bmp", ".webp"):
        assert image.create_rows(io.BytesIO(), RGB.frame, suffix) is None
    assert image.create_rows(Pipe(), RGB.frame, ".tif") is None
    assert image.create_rows(Pipe(), RGB.frame, ".PNG") is not None
    for frame, suffix in ((RGB.frame, ".jpg"), (picture(Layout.GREY, 8, transparency=bytes(2)).frame, ".tif")):
        with pytest.raises(UnsupportedImageError):
            image.create_rows(io.BytesIO(), frame, suffix)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_pixel_limit_holds(suffix: str, tmp_path: Path) -> None:
    data = image.write(picture(Layout.GREY if suffix == ".pgm" else Layout.RGB, 8, 10, 10), suffix)
    assert rows_of(data, tmp_path, max_pixels=100) == image.load(data)
    with pytest.raises(UnsupportedImageError, match="more than 99 pixels"):
        rows_of(data, tmp_path, max_pixels=99)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        image.open_rows(tmp_path / "none.png")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_reading_can_stop_early(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(image.write(RGB, suffix))
    reader = image.open_rows(path)
    assert reader is not None
    with reader:
        assert np.array_equal(reader.read(3), RGB.samples[:3])
        with pytest.raises(ValueError, match="at least one"):
            reader.read(0)
    with pytest.raises(UnsupportedImageError, match="no more rows"):
        reader.read(30)
    path.unlink()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_writing_can_stop_early_but_not_end_so(suffix: str) -> None:
    def some(*bands: Samples, stop: bool = False) -> None:
        writer = image.create_rows(io.BytesIO(), RGB.frame, suffix)
        assert writer is not None
        with writer:
            for band in bands:
                writer.write(band)
            if stop:
                raise InterruptedError

    some(RGB.samples)
    with pytest.raises(InterruptedError):
        some(RGB.samples[:9], stop=True)
    with pytest.raises(ValueError, match="28 rows are missing"):
        some(RGB.samples[:9])
    with pytest.raises(ValueError, match="at most 28 more"):
        some(RGB.samples[:9], RGB.samples[:29])
    with pytest.raises(ValueError, match="40 pixels wide, expected 41"):
        some(np.ascontiguousarray(RGB.samples[:, 1:]))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full disk")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_a_full_disk_is_an_os_error(suffix: str) -> None:
    def attempt() -> None:
        stream: Any
        with Path("/dev/full").open("wb", buffering=0) as stream:
            writer = image.create_rows(stream, RGB.frame, suffix)
            assert writer is not None
            with writer:
                writer.write(RGB.samples)

    with pytest.raises(OSError, match="No space"):
        attempt()


def test_a_frame_has_a_size_and_a_picture_has_a_frame() -> None:
    x = picture(Layout.PALETTE, 4, metadata=METADATA, transparency=b"a")
    assert x.frame == Frame(7, 5, Layout.PALETTE, 4, x.palette, b"a", METADATA)
    for size in ((0, 5), (7, 0)):
        with pytest.raises(ValueError, match="at least one pixel"):
            Frame(*size, Layout.GREY, 8)
    assert image.lost(x.frame, ".png") == []


# A process's peak includes its parent's memory at the fork, so a small process is in between.
LAUNCHER = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(json.dumps([code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""
ROUND_TRIP = """
import sys
from pathlib import Path

import numpy as np

from pixzip import image
from pixzip.image.picture import Frame, Layout

path, side = Path(sys.argv[1]), int(sys.argv[2])
strip = (np.arange(128 * side * 3) // 50 % 251).astype(np.uint8).reshape(128, side, 3)
with path.open("wb") as file, image.create_rows(file, Frame(side, side, Layout.RGB, 8), path.suffix) as writer:
    for top in range(0, side, 128):
        writer.write(strip[:side - top])
with image.open_rows(path) as reader:
    for top in range(0, side, 128):
        assert np.array_equal(reader.read(128), strip[:side - top])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are in kilobytes on Linux")
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_memory_does_not_grow_with_the_image(suffix: str, tmp_path: Path, child_env: dict[str, str]) -> None:
    peaks = []
    for side in (1000, 5000):
        script = [sys.executable, "-c", ROUND_TRIP, str(tmp_path / f"image{suffix}"), str(side)]
        command = [sys.executable, "-c", LAUNCHER, *script]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=child_env)
        code, peak = json.loads(done.stdout)
        assert code == 0
        peaks.append(peak * 1024)
    assert peaks[1] - peaks[0] < 5000 * 5000 * 3 // 2
