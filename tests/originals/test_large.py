"""Originals of large pictures come back from a few rows at a time, in every format whose rows are stored plainly."""

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import varint

from pixzip import image, originals
from pixzip.image.picture import Picture, Samples
from pixzip.originals import Family, Reason, RebuildError, forms, imitations, pieces
from pixzip.originals.forms import Flag, Form
from pixzip.originals.imitations import Imitation
from tests.helpers import image_files
from tests.helpers.image_files import pillow

FILES = {
    name: make
    for name, make in image_files.others()
    if name.startswith(("tifffile", "libtiff", "PPM", "BMP", "TGA")) and name not in ("TGA-rle", "tifffile-planar")
}


def by_rows(picture: Picture, height: int) -> originals.Source:
    """A picture that must not be read as a whole."""

    def parts() -> Iterator[Samples]:
        return (picture.samples[top : top + height] for top in range(0, picture.height, height))

    return originals.Source(picture.frame, parts, True, lambda: (part[::-1] for part in [*parts()][::-1]))


def make(file: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[originals.Record, Picture]:
    """The record of a file as if it were large."""
    picture = image.load(file).picture
    monkeypatch.setattr(imitations, "_MUCH_BYTES", 0)
    monkeypatch.setattr(imitations, "FEW_BYTES", 0)  # no patch
    monkeypatch.setattr(forms, "_BAND_BYTES", 500)
    monkeypatch.setattr(forms, "_PART_BYTES", 300)
    return originals.make(io.BytesIO(file), originals.of_picture(picture)), picture


@pytest.mark.parametrize("name", FILES)
def test_a_large_file_comes_back_by_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FILES[name]()
    record, picture = make(file, monkeypatch)
    assert record.is_kept, record.why_not
    assert len(record.pack()) < 700
    for height in (1, 7, 40):
        out = io.BytesIO()
        originals.rebuild(record, by_rows(picture, height), out, seconds=60)
        assert out.getvalue() == file


def test_a_large_file_with_strips_apart_and_bytes_of_no_meaning_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = image_files.RGB[:, :39]
    bmp = pillow(rows, "BMP")  # 117 bytes a row, and 3 that are zero
    start, size = int.from_bytes(bmp[10:14], "little"), 120
    dirty = bytearray(bmp)
    for y in range(40):
        dirty[start + size * (y + 1) - 3 : start + size * (y + 1)] = bytes([y, 7, 9])
    record, picture = make(bytes(dirty), monkeypatch)
    assert record.is_kept, record.why_not
    out = io.BytesIO()
    originals.rebuild(record, by_rows(picture, 9), out)
    assert out.getvalue() == dirty


def test_what_needs_all_samples_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QOI", "GIF-grey", "SGI", "tifffile-planar"):
        record, _ = make(dict(image_files.others())[name](), monkeypatch)
        assert record.reason is Reason.LARGE
    big = dict(image_files.others())["tifffile-rgb-lzw-strips"]()
    monkeypatch.setattr(forms, "FEW_BYTES", 100)
    assert make(big, monkeypatch)[0].reason is Reason.LARGE


@given(st.binary(max_size=300), st.integers(1, 50), st.lists(st.tuples(st.integers(0, 299), st.binary(max_size=40))))
def test_a_script_gives_the_file_whatever_is_between_pieces(
    data: bytes, step: int, added: list[tuple[int, bytes]]
) -> None:
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    file = data
    for at, more in added:
        file = file[:at] + more + file[at:]
    script = pieces.find(io.BytesIO(file), parts)
    if script is not None:
        assert b"".join(pieces.apply(script, iter(parts), bool)) == file
    assert script is not None or added


@given(st.binary(max_size=60))
def test_any_script_ends_in_bytes_or_an_error(script: bytes) -> None:
    def parts() -> Iterator[bytes]:
        yield from (b"part" for _ in range(1000))

    try:
        for size, _ in enumerate(pieces.apply(script, parts(), bool)):
            assert size < 5000
    except (BitstreamError, RebuildError):
        pass


def test_records_of_pieces_that_lie_are_refused() -> None:
    source = originals.of_picture(image.load(pillow(image_files.RGB, "BMP")).picture)
    plain = bytes([4]) + Imitation(Form(Flag(0), 8)).pack()[1:]

    def scripted(*numbers: int, more: bytes = b"") -> bytes:
        script = b"".join(map(varint, numbers)) + more
        return plain + varint(len(script)) + imitations.patch.make(script, imitations._known(source.frame))

    cases: dict[str, tuple[bytes, type[PixzipError]]] = {
        "all: expected at most": (bytes([4]) + Imitation(Form(Flag.PLANAR, 8)).pack()[1:], BitstreamError),
        "script of 268435455 bytes": (plain + varint((1 << 28) - 1), BitstreamError),
        "has 9 pieces": (scripted(9), BitstreamError),
        "behind its end": (scripted(1, 0, 0, 100, more=b"more"), BitstreamError),
        "bytes between pieces": (scripted(1, 100, 0, 0), BitstreamError),
        "become more": (scripted(1, 0, 0, 2000), RebuildError),
        "become fewer": (scripted(1, 0, 6300, 100), RebuildError),
        "SHA-256 is": (scripted(1, 0, 0, 1000), RebuildError),
    }
    for words, (recipe, error) in cases.items():
        with pytest.raises(error, match=words):
            originals.rebuild(originals.Record(Family.BMP, 1000, bytes(32), recipe), source, io.BytesIO(), 5)


def test_time_counts_without_that_of_decoding() -> None:
    """Rows that take long to decode have their own limit."""
    file = FILES["PPM-rgb"]()
    picture = image.load(file).picture
    record = originals.make(io.BytesIO(file), originals.of_picture(picture))

    def slow() -> Iterator[Samples]:
        sum(range(3_000_000))
        yield picture.samples

    originals.rebuild(record, originals.Source(picture.frame, slow), io.BytesIO(), seconds=0.02)
