"""Originals on the command line: files come back byte for byte, or it is said that they do not."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pixzip.codec import original
from pixzip.originals import deflaters, imitations
from tests.helpers import image_files
from tests.helpers.image_files import pillow, recoded
from tests.helpers.shell import bad, good, names, run


@pytest.fixture
def files(shipped: Path) -> dict[str, bytes]:
    """Image files in the folder, by their names."""
    made = {
        "a.png": pillow(image_files.RGB, "PNG", compress_level=9) + b"more",
        "b.bmp": pillow(image_files.GREY, "BMP"),
        "c.tga": pillow(image_files.RGB, "TGA", compression="tga_rle"),
        "d.tif": pillow(image_files.GREY, "TIFF", compression="packbits"),
    }
    for name, data in made.items():
        (shipped / name).write_bytes(data)
    return made


#: A PNG whose deflate stream no known encoder writes.
UNKNOWN = recoded(pillow(image_files.RGB, "PNG"), image_files.flushed)


def test_files_come_back_under_their_names(shipped: Path, files: dict[str, bytes]) -> None:
    result = good("compress", *files, "-o", "packed", "--json")
    assert not result.stderr  # nothing is lost, the bytes behind the image neither
    good("decompress", "-r", "packed", "-o", "again")
    assert {name: (shipped / "again" / name).read_bytes() for name in files} == files
    checked = [json.loads(line) for line in good("verify", "-r", "packed", "--json").stdout.splitlines()[:-1]]
    assert [entry["byte_for_byte"] for entry in checked] == [True] * len(files)
    entries = [json.loads(line) for line in result.stdout.splitlines()[:-1]]
    assert all(entry["byte_for_byte"] and entry["why_not"] is None for entry in entries)


@pytest.mark.usefixtures("large")
def test_large_files_come_back(shipped: Path, files: dict[str, bytes]) -> None:
    good("compress", "a.png", "--verify")
    good("decompress", "a.png.pxz", "-o", "again.png")
    assert (shipped / "again.png").read_bytes() == files["a.png"]
    good("verify", "a.png.pxz")
    good("compress", "a.png", "-f", "--rm")
    assert "a.png" not in names(shipped)


@pytest.mark.usefixtures("large")
def test_large_files_of_other_formats_come_back(
    shipped: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imitations, "FEW_BYTES", 1000)  # BMP is not read by rows: its record is of pieces nevertheless
    monkeypatch.setattr(imitations, "_MUCH_BYTES", 1000)
    result = good("compress", "b.bmp", "c.tga", "d.tif", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()[:-1]]
    reasons = {Path(entry["name"]).name: entry["why_not"] for entry in found}
    assert reasons == {"b.bmp": None, "c.tga": "it is too large for that in its format", "d.tif": None}
    for name in ("b.bmp", "d.tif"):
        good("decompress", f"{name}.pxz", "-o", f"again-{name}")
        assert (shipped / f"again-{name}").read_bytes() == files[name]
        good("verify", f"{name}.pxz")


def test_standard_streams_give_the_original(shipped: Path, files: dict[str, bytes]) -> None:
    packed = good("compress", "-", data=files["b.bmp"]).stdout_bytes
    assert good("decompress", "-", data=packed).stdout_bytes == files["b.bmp"]


def test_another_format_a_region_and_a_stripped_file_are_made_anew(shipped: Path, files: dict[str, bytes]) -> None:
    good("compress", "b.bmp")
    good("decompress", "b.bmp.pxz", "-o", "x.png")
    good("decompress", "b.bmp.pxz", "-o", "part.bmp", "--region", "0,0,9,9")
    with Image.open("part.bmp") as part:
        assert part.size == (9, 9)
    for option in ("--strip", "--no-original"):
        good("compress", "b.bmp", option, "-f")
        assert "not recorded" in good("info", "b.bmp.pxz").stdout
        good("decompress", "b.bmp.pxz", "-f")
        assert "b.bmp.png" in names(shipped)


def test_info_says_whether_and_why_not(shipped: Path, files: dict[str, bytes]) -> None:
    (shipped / "u.png").write_bytes(UNKNOWN)
    good("compress", "a.png", "u.png")
    assert "byte for byte: PNG, " in good("info", "a.png.pxz").stdout
    why = "pixels exact; the file is not kept: its deflate stream is of no known encoder"
    assert why in good("info", "u.png.pxz").stdout
    facts = json.loads(good("info", "--json", "a.png.pxz").stdout)["original"]
    assert facts["byte_for_byte"]
    assert facts["bytes"] == len(files["a.png"])


def test_a_machine_whose_encoder_writes_other_bytes_gets_the_pixels_and_a_warning(
    shipped: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    good("compress", "a.png", "c.tga")
    real = deflaters.encoder
    monkeypatch.setattr(deflaters, "encoder", lambda spec: real(spec._replace(level=1)))
    result = good("decompress", "a.png.pxz", "-o", "x.png", "--json")
    assert "the original's bytes do not come back" in result.stderr
    assert not json.loads(result.stdout.splitlines()[0])["byte_for_byte"]
    with Image.open("x.png") as again, Image.open("a.png") as before:
        assert again.tobytes() == before.tobytes()
    bad("verify", "a.png.pxz", words="the original's bytes do not come back")


def test_rm_keeps_what_does_not_come_back(shipped: Path, files: dict[str, bytes]) -> None:
    (shipped / "u.png").write_bytes(UNKNOWN)
    result = good("compress", "a.png", "b.bmp", "u.png", "--rm", "-v")
    assert {"a.png", "b.bmp", "u.png"} & set(names(shipped)) == {"u.png"}
    assert "u.png: warning: original kept: it would not come back byte for byte: its deflate stream" in result.stderr
    assert "originals kept" in result.stderr
    good("compress", "u.png", "--rm=pixels", "-f")
    assert "u.png" not in names(shipped)


def test_rm_with_json_counts_what_is_kept(shipped: Path, files: dict[str, bytes]) -> None:
    (shipped / "u.png").write_bytes(UNKNOWN)
    lines = [json.loads(line) for line in good("compress", "a.png", "u.png", "--rm", "--json").stdout.splitlines()]
    assert lines[-1]["total"]["originals_kept"] == 1
    entries = {entry["name"]: entry for entry in lines[:-1]}
    assert {name: entry["original_removed"] for name, entry in entries.items()} == {"a.png": True, "u.png": False}
    assert entries["u.png"]["original_kept"].startswith("it would not come back")


def test_rm_does_not_go_without_what_it_promises(shipped: Path, files: dict[str, bytes]) -> None:
    assert run("compress", "a.png", "--rm", "--no-original").exit_code == 2
    good("compress", "b.bmp", "--rm=pixels", "--no-original")
    assert "b.bmp" not in names(shipped)
    assert run("compress", "a.png", "--rm=other").exit_code == 2


def test_decompress_keeps_a_file_whose_original_was_not_written(shipped: Path, files: dict[str, bytes]) -> None:
    good("compress", "b.bmp")
    result = good("decompress", "b.bmp.pxz", "-o", "x.png", "--rm")
    assert "it gives back its original byte for byte" in result.stderr
    assert "b.bmp.pxz" in names(shipped)
    good("decompress", "b.bmp.pxz", "-o", "y.png", "--rm=pixels")
    assert "b.bmp.pxz" not in names(shipped)


def test_rm_checks_the_original_that_is_in_the_written_file(
    shipped: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(original, "check", lambda *args: (_ for _ in ()).throw(original.originals.RebuildError("x")))
    bad("compress", "a.png", "--rm", words="the original's bytes do not come back")
    assert "a.png" in names(shipped)
    assert "a.png.pxz" not in names(shipped)
