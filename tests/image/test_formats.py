"""A format is one class and a line in `FORMATS`: files of an added format are read, written, found and compressed."""

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from pixcodecs.errors import UnsupportedImageError

from pixzip import codec, image
from pixzip.image import formats, sources
from pixzip.image.formats.account import Account
from pixzip.image.formats.base import Format, Loaded, Unrecognised, check_size
from pixzip.image.picture import Chunk, Layout, Picture
from pixzip.io import names
from tests.helpers.pictures import picture
from tests.helpers.shell import bad, good, pixels, read

HEAD = struct.Struct(">4sHH")


class Toy(Format):
    """An 8-bit grey format: a magic number, the width, the height, the samples."""

    name = "TOY"
    suffixes = frozenset({".toy"})
    depths = {Layout.GREY: (8,)}  # noqa: RUF012

    def accepts(self, head: bytes) -> bool:
        return head.startswith(b"TOY")

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        magic, width, height = HEAD.unpack_from(data)
        if magic != b"TOY\n":
            raise Unrecognised
        check_size(width, height, max_pixels)
        samples = np.frombuffer(data, np.uint8, offset=HEAD.size).reshape(height, width, 1)
        return Loaded(Picture(samples, Layout.GREY, 8), [])

    def account(self, file: BinaryIO) -> Account:
        _, width, height = HEAD.unpack(file.read(HEAD.size))
        return Account.of((0, HEAD.size), (HEAD.size, width * height))

    def write(self, picture: Picture) -> bytes:
        return HEAD.pack(b"TOY\n", picture.width, picture.height) + picture.samples.tobytes()


class LossyToy(Toy):
    """A lossy, read-only format."""

    name = "LOSSY"
    suffixes = frozenset({".lossy"})
    depths = {}  # noqa: RUF012

    def lossy_kind(self, file: BinaryIO) -> str:
        return "a broken toy" if file.read(4) == b"TOY\n" else ""


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, Toy()))


@pytest.mark.usefixtures("toy")
def test_a_format_that_is_added_is_written_and_read(tmp_path: Path) -> None:
    x = picture(Layout.GREY, 8)
    for suffix in (".toy", ".TOY"):
        assert image.load(image.write(x, suffix)) == (x, [])
    (tmp_path / "x.toy").write_bytes(image.write(x, ".toy"))
    assert image.open_rows(tmp_path / "x.toy") is None
    assert image.open_large(tmp_path / "x.toy", 1) is None
    assert image.create_rows(io.BytesIO(), x.frame, ".toy") is None
    assert image.lossy_kind(tmp_path / "x.toy") == ""
    with pytest.raises(UnsupportedImageError, match="more than 3 pixels"):
        image.load(tmp_path / "x.toy", 3)


@pytest.mark.usefixtures("toy")
def test_a_format_refuses_and_loses_by_what_it_says_of_itself() -> None:
    for x, words in [
        (picture(Layout.RGB, 8), "^.toy does not hold RGB images as such, .png does$"),
        (picture(Layout.GREY, 4), "^.toy does not hold grey images of 4 bits a sample, only of 8: .png does$"),
        (picture(Layout.GREY, 8, transparency=b"\0\1"), "^.toy does not hold transparent colours of grey images"),
    ]:
        with pytest.raises(UnsupportedImageError, match=words):
            image.write(x, ".toy")
    texts = (Chunk(b"tEXt", b"a\0b"), Chunk(b"pHYs", bytes(9)), Chunk(b"tEXt", b"a\0c"))
    assert image.lost(picture(Layout.GREY, 8, metadata=texts), ".toy") == ["pHYs", "tEXt"]


@pytest.mark.usefixtures("toy")
def test_messages_name_every_format() -> None:
    with pytest.raises(UnsupportedImageError, match=r"'.gif' is not one of .png .* .webp .toy$"):
        image.write(picture(Layout.GREY, 8), ".gif")
    with pytest.raises(UnsupportedImageError, match=r"read here \(PNG, TIFF, PBM, PGM, .* QOI, TOY\)$"):
        image.load(b"TOY, but for the end of its magic number")
    with pytest.raises(UnsupportedImageError, match="cannot be decoded"):
        image.load(HEAD.pack(b"TOY\n", 5, 5))


@pytest.mark.usefixtures("toy")
def test_the_command_line_takes_a_format_that_is_added(shipped: Path) -> None:
    x = pixels(7, 10)
    (shipped / "tree" / "sub").mkdir(parents=True)
    for name in ("x.toy", "tree/a.toy", "tree/sub/b.TOY"):
        (shipped / name).write_bytes(image.write(codec.as_picture(x), ".toy"))
    good("compress", "x.toy", "--rm=pixels")
    assert not (shipped / "x.toy").exists()
    good("decompress", "x.toy.pxz", "-o", "y.toy", "--rm=pixels")
    assert np.array_equal(read(shipped / "y.toy"), x)
    good("compress", "-r", "tree")
    assert sorted(p.name for p in shipped.rglob("tree/**/*.pxz")) == ["a.toy.pxz", "b.TOY.pxz"]
    good("compress", "rgb.png")
    bad("decompress", "rgb.png.pxz", "-o", "z.toy", words=".toy does not hold RGB images as such")
    bad("decompress", "-r", "tree", "-o", "all.toy", words="-o all.toy is not a folder")


def test_a_lossy_format_is_taken_and_its_files_stay(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, LossyToy()))
    (shipped / "x.lossy").write_bytes(Toy().write(codec.as_picture(pixels(7, 10))))
    result = good("compress", "x.lossy", "--rm=pixels")
    assert "original kept: it is a broken toy, whose own bytes do not come back" in result.stderr
    assert (shipped / "x.lossy").exists()
    assert ".lossy" in sources.folder_suffixes()
    assert sources.is_image_name(Path("a/x.LOSSY"))
    bad("decompress", "x.lossy.pxz", "-o", "y.lossy", words="output format '.lossy' is not one of .png")


def test_the_suffixes_in_the_help_are_those_of_the_formats() -> None:
    readable = frozenset[str]().union(*(form.suffixes for form in formats.FORMATS))
    (jpeg,) = (form for form in formats.FORMATS if form.name == "JPEG")
    assert jpeg.suffixes == names.JPEG_SUFFIXES
    assert sources.folder_suffixes() == readable == names.IMAGE_SUFFIXES


def test_names_and_suffixes_are_of_one_format_each() -> None:
    names = [form.name for form in formats.FORMATS]
    suffixes = [suffix for form in formats.FORMATS for suffix in form.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


@pytest.mark.parametrize("form", [form for form in formats.FORMATS if form.depths], ids=lambda form: form.name)
def test_a_format_accepts_what_it_writes_and_no_other_takes_it_first(form: Format) -> None:
    layout = next(iter(form.depths))
    x = picture(layout, 8)
    data = form.write(x)
    assert next(f for f in formats.FORMATS if f.accepts(data[:64])) is form
    assert np.array_equal(form.read(data, None).picture.samples, x.samples)
    assert form.refuses(layout, 8, transparent=False) == ""


@pytest.mark.parametrize("form", [form for form in formats.FORMATS if not form.depths], ids=lambda form: form.name)
def test_a_format_that_is_only_read_refuses_every_picture(form: Format) -> None:
    assert all(form.refuses(layout, 8, transparent=False) for layout in Layout)
