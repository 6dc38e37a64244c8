"""Writers have room for every image, refuse what is too large for their format, and fail with one kind of error."""

import io
import struct
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import pytest
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image import formats
from pixzip.image.formats import libpng
from pixzip.image.formats.account import Account
from pixzip.image.formats.base import Format, Loaded, Sink
from pixzip.image.picture import Frame, Layout, Picture, Samples
from tests.helpers.image_rows import by_rows
from tests.helpers.pictures import picture

#: Lengths of the long side at which encoders had too little room, and others.
LENGTHS = (86, 106, 128, 150, 400)
NARROW = [(length, width) for length in LENGTHS for width in (1, 2, 3, 4)] + [(1, 128), (4, 150)]


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm", ".pgm", ".pam", ".bmp", ".webp"])
def test_noise_of_every_narrow_shape_is_written_at_once_and_by_rows(suffix: str, layout: Layout) -> None:
    for depth in (1, 8, 12, 16):
        try:
            image.check_suffix(suffix, layout, depth)
        except (UnsupportedImageError, ValueError):
            continue
        for shape in NARROW if suffix == ".png" else NARROW[::4]:
            x = picture(layout, depth, *shape, seed=sum(shape))
            assert np.array_equal(image.load(image.write(x, suffix)).picture.samples, x.samples)
            if image.create_rows(io.BytesIO(), x.frame, suffix):
                assert np.array_equal(image.load(by_rows(x, suffix, 1, 50)).picture.samples, x.samples)


@pytest.mark.parametrize("level", [None, 0, 1, 6, 9])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1, 1), (30_000, 1, 1), (1, 30_000, 1), (5000, 2, 3), (300, 400, 4)])
def test_libpng_has_room_for_noise_at_every_level(level: int | None, dtype: Any, shape: tuple[int, int, int]) -> None:
    x = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    found = imagecodecs.png_decode(libpng.encode(x, level))
    assert np.array_equal(found.reshape(shape), x)


@pytest.mark.parametrize(
    ("suffix", "sides", "layout", "depth", "words"),
    [
        (".webp", (16384, 1), Layout.RGB, 8, "written as WEBP: it is 16384x1 pixels, sides are at most 16383: .png"),
        (".webp", (1, 16384), Layout.RGBA, 8, "written as WEBP: it is 1x16384 pixels"),
        (".webp", (16383, 16383), Layout.RGB, 8, ""),
        (".bmp", (65535, 65535), Layout.RGB, 8, "written as BMP: its rows take 12884705280 bytes, at most"),
        (".bmp", (65535, 65535), Layout.GREY, 8, ""),
        (".bmp", (65535, 65535), Layout.GREY, 1, ""),
        (".tif", (65535, 65535), Layout.RGBA, 16, ""),
    ],
)
def test_what_is_too_large_for_a_format_is_refused_by_its_frame_alone(
    suffix: str, sides: tuple[int, int], layout: Layout, depth: int, words: str
) -> None:
    frame = Frame(*sides, layout, depth)
    if not words:
        assert image.lost(frame, suffix) == []
        return
    for refusing in (image.check_frame, image.lost):
        with pytest.raises(UnsupportedImageError, match=words):
            refusing(frame, suffix)
    with pytest.raises(UnsupportedImageError, match=words):
        image.create_rows(io.BytesIO(), frame, suffix)


class Failing(Format):
    """A format whose writers raise an error at one of their steps."""

    name, suffixes, depths = "FAIL", frozenset({".fail"}), {Layout.GREY: (8,)}

    def __init__(self, error: Exception, step: str) -> None:
        self.error, self.step = error, step

    def at(self, step: str) -> None:
        if step == self.step:
            raise self.error

    def accepts(self, head: bytes) -> bool:
        return False

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        raise NotImplementedError

    def account(self, file: BinaryIO) -> Account:
        raise NotImplementedError

    def write(self, picture: Picture) -> bytes:
        raise self.error

    def create_rows(self, stream: BinaryIO, frame: Frame) -> Sink:
        self.at("create")
        return FailingSink(self.at)


class FailingSink:
    def __init__(self, at: Any) -> None:
        self.at = at

    def write(self, samples: Samples) -> None:
        self.at("write")

    def finish(self) -> None:
        self.at("finish")


ERRORS = [
    RuntimeError("two\nlines"), ValueError("no"), KeyError("a"), struct.error("no"), AssertionError(),
    imagecodecs.PngError("small"), OverflowError("no"), StopIteration(), SyntaxError("no"),
]  # fmt: skip
X = picture(Layout.GREY, 8)


@pytest.mark.parametrize("error", [*ERRORS, OSError("encoder error -2")], ids=lambda error: type(error).__name__)
def test_any_error_of_a_writer_is_one_error_in_one_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (Failing(error, ""),))
    with pytest.raises(UnsupportedImageError, match="image cannot be written as FAIL: ") as caught:
        image.write(X, ".fail")
    assert "\n" not in str(caught.value)


def _write_rows() -> None:
    writer = image.create_rows(io.BytesIO(), X.frame, ".fail")
    assert writer is not None
    with writer:
        writer.write(X.samples)


@pytest.mark.parametrize("step", ["create", "write", "finish"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_error_of_a_row_writer_is_one_error_in_one_line(
    error: Exception, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "FORMATS", (Failing(error, step),))
    with pytest.raises(UnsupportedImageError, match="image cannot be written as FAIL: ") as caught:
        _write_rows()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("step", ["create", "write", "finish"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_a_full_disk_and_a_full_memory_stay_what_they_are(
    error: Exception, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "FORMATS", (Failing(error, step),))
    with pytest.raises(type(error)) as caught:
        _write_rows()
    assert caught.value is error
