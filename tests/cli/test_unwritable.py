"""Files whose picture cannot be written: an error of the file, and the others of the batch are done."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixzip import codec, image
from pixzip.image.formats.png import PNG
from pixzip.image.formats.png_rows import PngRowWriter
from pixzip.image.picture import Layout, Picture
from tests.helpers.pictures import picture
from tests.helpers.shell import bad, good, names, pixels, read

#: Height of the image that the broken writer refuses.
HEIGHT = 7
ERRORS = [RuntimeError("stream too small"), ValueError("a\nb"), KeyError("k"), struct.error("x"), AssertionError()]


@pytest.fixture
def three(shipped: Path) -> Path:
    """tree/a.png.pxz, tree/bad.png.pxz and tree/z.png.pxz; the second is HEIGHT rows high."""
    (shipped / "tree").mkdir()
    for name, height in (("a", 6), ("bad", HEIGHT), ("z", 8)):
        (shipped / "tree" / f"{name}.png").write_bytes(image.write(codec.as_picture(pixels(height, 10, 3))))
    good("compress", "-r", "tree", "--rm=pixels", "--no-original")
    assert names(shipped / "tree") == ["a.png.pxz", "bad.png.pxz", "z.png.pxz"]
    return shipped


def break_writers(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both writers of PNG raise an error for images of HEIGHT rows, the one by rows at the end."""
    write, finish, init = type(PNG).write, PngRowWriter.finish, PngRowWriter.__init__

    def broken_write(self: Any, found: Picture) -> bytes:
        if found.height == HEIGHT:
            raise error
        return write(self, found)

    def remembering_init(self: Any, stream: Any, frame: Any) -> None:
        init(self, stream, frame)
        self.height = frame.height

    def broken_finish(self: Any) -> None:
        if self.height == HEIGHT:
            raise error
        finish(self)

    monkeypatch.setattr(type(PNG), "write", broken_write)
    monkeypatch.setattr(PngRowWriter, "__init__", remembering_init)
    monkeypatch.setattr(PngRowWriter, "finish", broken_finish)


def check_only_bad_failed(folder: Path, *args: object) -> None:
    result = bad("decompress", *args, words="bad.png.pxz: image cannot be written as PNG: ")
    assert len(result.stderr.splitlines()) == 1
    for name, height in (("a", 6), ("z", 8)):
        assert np.array_equal(read(folder / f"{name}.png"), pixels(height, 10, 3))
    assert not [name for name in names(folder) if name.startswith(".") or name == "bad.png"]
    assert (folder.parent / "tree" / "bad.png.pxz").exists()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_error_of_a_writer_costs_only_its_file(
    error: BaseException, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_writers(error, monkeypatch)
    (three / "out").mkdir()
    check_only_bad_failed(three / "out", *(f"tree/{name}.png.pxz" for name in ("a", "bad", "z")), "-o", "out")
    check_only_bad_failed(three / "tree", "-r", "tree", "--rm")


@pytest.mark.usefixtures("large")
def test_any_error_of_a_row_writer_costs_only_its_file(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_writers(ERRORS[0], monkeypatch)
    check_only_bad_failed(three / "tree", "-r", "tree", "--rm")
    assert names(three / "tree") == ["a.png", "bad.png.pxz", "z.png"]


def test_a_stack_that_cannot_be_written_is_an_error_of_its_own(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(three / "stack.npy", pixels(3, HEIGHT, 10))
    good("compress", "--stack", "stack.npy", "-o", "s.pxz")
    break_writers(ERRORS[0], monkeypatch)
    bad("decompress", "s.pxz", "-o", "folder", words="s.pxz: image cannot be written as PNG: stream too small")
    assert not (three / "folder").exists()
    assert not [name for name in names(three) if name.startswith(".")]


def test_narrow_noise_comes_back_as_png_and_so_do_the_others(shipped: Path) -> None:
    narrow = {
        "1x128": picture(Layout.GREY, 8, 128, 1), "2x86": picture(Layout.GREY, 8, 86, 2),
        "3x106": picture(Layout.GREY, 8, 106, 3), "4x150": picture(Layout.GREY, 8, 150, 4),
        "rgb": picture(Layout.RGB, 8, 400, 1), "deep": picture(Layout.GREY, 16, 130, 1),
    }  # fmt: skip
    for name, x in narrow.items():
        (shipped / f"{name}.tif").write_bytes(image.write(x, ".tif"))
    good("compress", *(f"{name}.tif" for name in narrow), "--no-original")
    (shipped / "out").mkdir()
    good("decompress", *(f"{name}.tif.pxz" for name in narrow), "-o", "out")
    for name, x in narrow.items():
        assert np.array_equal(image.load(shipped / "out" / f"{name}.tif.png").picture.samples, x.samples)


def test_what_is_too_large_for_a_format_is_refused_before_it_is_decoded_and_a_part_of_it_is_not(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = codec.as_picture(np.zeros((1, 16384, 3), np.uint8))
    (shipped / "wide.png").write_bytes(image.write(wide))
    good("compress", "wide.png")
    good("decompress", "wide.png.pxz", "-o", "part.webp", "--region", "9,0,16000,1")
    assert read(shipped / "part.webp").shape == (1, 16000, 3)
    monkeypatch.setattr(codec, "decompress", None)
    bad("decompress", "wide.png.pxz", "-o", "x.webp", words="it is 16384x1 pixels, sides are at most 16383: .png")
    bad("decompress", "wide.png.pxz", "-o", "x.webp", "--region", "0,0,99999,1", words="is not inside the image")
    assert not (shipped / "x.webp").exists()
