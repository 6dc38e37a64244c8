"""JPEGs on the command line: the files come back byte for byte, and their pixels where these are asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import kept as container
from pixcodecs.container.kept import Method

from pixzip.codec import kept
from pixzip.io import files
from tests.helpers import jpegs
from tests.helpers.shell import bad, good, names, read, run

PHOTO = jpegs.jpeg(exif=jpegs.EXIF, icc_profile=jpegs.profile())
CMYK = jpegs.FILES["CMYK"]()


@pytest.fixture
def photo(shipped: Path) -> Path:
    """The folder, with photo.jpg and its `.pxz` file."""
    (shipped / "photo.jpg").write_bytes(PHOTO)
    good("compress", "photo.jpg")
    return shipped


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def test_a_jpeg_comes_back_under_its_name(photo: Path) -> None:
    assert (photo / "photo.jpg.pxz").stat().st_size < 0.9 * len(PHOTO)
    (photo / "photo.jpg").unlink()
    good("decompress", "photo.jpg.pxz")
    assert (photo / "photo.jpg").read_bytes() == PHOTO


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.JPG.pxz", "a.JPG"), ("a.pxz", "a.jpg"), ("a.mpo.pxz", "a.mpo"), ("a.png.pxz", "a.png.jpg"), ("a", "a.jpg")],
)
def test_the_default_name_is_that_of_a_jpeg(photo: Path, name: str, expected: str) -> None:
    (photo / "photo.jpg.pxz").rename(name)
    good("decompress", name)
    assert (photo / expected).read_bytes() == PHOTO


def test_the_suffix_of_the_output_says_whether_the_file_or_its_pixels_are_wanted(photo: Path) -> None:
    pixels = pixels_of(photo / "photo.jpg")
    for suffix in (".png", ".tif", ".bmp", ".ppm", ".webp", ".PNG"):
        good("decompress", "photo.jpg.pxz", "-o", f"x{suffix}")
        assert (read(photo / f"x{suffix}") == pixels).all()
    for suffix in (".jpg", ".jpeg", ".JPE", ".jfif"):
        good("decompress", "photo.jpg.pxz", "-o", f"y{suffix}")
        assert (photo / f"y{suffix}").read_bytes() == PHOTO
    before = names(photo)
    bad("decompress", "photo.jpg.pxz", "-o", "x.gif", words="output format '.gif' is not one of .png")
    bad("decompress", "photo.jpg.pxz", "-o", "x.pgm", words=".pgm does not hold RGB")
    bad("decompress", "photo.jpg.pxz", "-o", "x", words="output format 'without a suffix'")
    assert names(photo) == before


def test_pixels_keep_profile_and_orientation_as_those_of_an_image_do(photo: Path) -> None:
    (photo / "photo.jpg").write_bytes(jpegs.small())
    good("compress", "photo.jpg", "-f")
    good("compress", "--pixels", "photo.jpg", "-o", "pixels.pxz")
    good("decompress", "photo.jpg.pxz", "-o", "file.png")
    good("decompress", "pixels.pxz", "-o", "pixels.png")
    assert (photo / "file.png").read_bytes() == (photo / "pixels.png").read_bytes()
    with Image.open(photo / "file.png") as opened, Image.open(photo / "photo.jpg") as jpeg:
        assert opened.getexif()[274] == jpeg.getexif()[274] == 6
        assert opened.info["icc_profile"] == jpeg.info["icc_profile"]
    bad("decompress", "pixels.pxz", "-o", "pixels.jpg", words="output format '.jpg' is not one of")


def test_a_region_is_a_part_of_the_pixels(photo: Path) -> None:
    whole = pixels_of(photo / "photo.jpg")
    good("decompress", "photo.jpg.pxz", "--region", "30,20,50,40")
    good("decompress", "photo.jpg.pxz", "--region", "30,20,50,40", "-o", "part.ppm")
    for name in ("photo.jpg.png", "part.ppm"):
        assert (pixels_of(photo / name) == whole[20:60, 30:80]).all()
    bad(
        "decompress",
        "photo.jpg.pxz",
        "--region",
        "250,0,50,1",
        "-o",
        "y.png",
        words="is not inside the image of 261x203",
    )
    bad("decompress", "photo.jpg.pxz", "--region", "0,0,5,5", "-o", "y.jpg", words="a region is pixels")
    assert not [*photo.glob("y.*")]


def test_pipes_give_the_file(photo: Path) -> None:
    packed = good("compress", "-", data=PHOTO).stdout_bytes
    assert packed == (photo / "photo.jpg.pxz").read_bytes() == good("compress", "photo.jpg", "-o", "-").stdout_bytes
    assert good("decompress", "-", data=packed).stdout_bytes == PHOTO
    good("decompress", "-", "-o", "x.png", data=packed)
    assert (read(photo / "x.png") == pixels_of(photo / "photo.jpg")).all()
    part = good("decompress", "-", "--region", "0,0,9,7", data=packed).stdout_bytes
    assert read(part).shape == (7, 9, 3)


def test_a_folder_of_jpegs_comes_back_and_is_up_to_date(shipped: Path) -> None:
    contents = {"a.jpg": PHOTO, "b/c.JPEG": CMYK, "b/d.mpo": jpegs.many(), "b/e.jfif": PHOTO[:-99]}
    for name, data in contents.items():
        (shipped / "tree" / name).parent.mkdir(exist_ok=True, parents=True)
        (shipped / "tree" / name).write_bytes(data)
    good("compress", "-r", "tree", "-o", "packed", "--rm")
    assert not [path for path in (shipped / "tree").rglob("*") if path.is_file()]
    assert [json.loads(line).get("status") for line in run("verify", "-r", "packed", "--json").stdout.splitlines()][
        :4
    ] == ["done"] * 4
    listed = good("decompress", "-r", "packed", "-o", "back", "--dry-run").stdout
    assert listed.splitlines()[0] == "packed/a.jpg.pxz -> back/a.jpg"
    good("decompress", "-r", "packed", "-o", "back")
    assert {
        p.relative_to(shipped / "back").as_posix(): p.read_bytes()
        for p in (shipped / "back").rglob("*.[jJm]*")
        if p.suffix != ".jsonl"
    } == contents
    assert "up to date" in good("decompress", "-r", "packed", "-o", "back", "-v").stderr


def test_originals_are_removed_once_the_bytes_are_compared(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "photo.jpg", "--rm", "-f")
    assert not (photo / "photo.jpg").exists()
    result = good("decompress", "photo.jpg.pxz", "-o", "x.png", "--rm")
    assert "original kept: it keeps a JPEG, whose own bytes would be lost" in result.stderr
    good("decompress", "photo.jpg.pxz", "--rm")
    assert (photo / "photo.jpg").read_bytes() == PHOTO
    assert not (photo / "photo.jpg.pxz").exists()
    (photo / "link.jpg").symlink_to("photo.jpg")
    assert "original kept: it is a link" in good("compress", "link.jpg", "--rm").stderr
    write = files.write

    def wrong(target: str, data: bytes, *args: object, **options: object) -> None:
        write(target, data[:-1] + bytes([data[-1] ^ 1]), *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "write", wrong)
    bad("compress", "photo.jpg", "--rm", words="verification failed: ")
    assert not (photo / "photo.jpg.pxz").exists()
    assert (photo / "photo.jpg").read_bytes() == PHOTO
    (photo / "good.pxz").write_bytes(kept.keep(PHOTO))
    bad("decompress", "good.pxz", "--rm", words="verification failed: what was written gives other bytes")
    assert not (photo / "good.jpg").exists()
    assert (photo / "good.pxz").exists()


def test_pixels_of_a_jpeg_are_kept_with_the_original(photo: Path) -> None:
    (photo / "photo.jpg").write_bytes(jpegs.small())
    result = good("compress", "--pixels", "photo.jpg", "--rm", "-o", "x.pxz")
    assert "original kept: it is a JPEG, whose own bytes do not come back" in result.stderr
    assert not container.is_kept((photo / "x.pxz").read_bytes())


def test_metadata_is_not_kept_against_the_will(photo: Path) -> None:
    (photo / "photo.jpg").write_bytes(jpegs.small())
    bad("compress", "--strip", "photo.jpg", "-o", "x.pxz", words="--strip needs --pixels")
    assert not (photo / "x.pxz").exists()
    good("compress", "--strip", "--pixels", "photo.jpg", "-o", "x.pxz")
    good("decompress", "x.pxz", "-o", "x.png")
    with Image.open(photo / "x.png") as opened:
        assert not opened.getexif()


def test_info_says_how_and_how_much(photo: Path) -> None:
    facts = json.loads(good("info", "photo.jpg.pxz", "--json").stdout)
    size = (photo / "photo.jpg.pxz").stat().st_size
    assert facts | {"sha256": ""} == {
        "file": "photo.jpg.pxz", "format_version": 4, "content": "JPEG", "restores": "byte for byte",
        "method": "JPEG_XL", "file_bytes": size, "header_bytes": 48, "original_bytes": len(PHOTO),
        "saving": 1 - size / len(PHOTO), "sha256": "",
    }  # fmt: skip
    lines = dict(line.split(None, 1) for line in good("info", "photo.jpg.pxz").stdout.splitlines())
    assert lines["restores"] == "byte for byte"
    assert lines["saving"] == f"{100 * facts['saving']:.1f} %"
    (photo / "noise.jpg").write_bytes(jpegs.FILES["noise"]())
    good("compress", "noise.jpg")
    facts = json.loads(good("info", "noise.jpg.pxz", "--json").stdout)
    assert facts["method"] == "STORED"
    assert -24 <= facts["saving"] * facts["original_bytes"] < 0
    (photo / "noise.jpg.pxz").write_bytes((photo / "noise.jpg.pxz").read_bytes()[:-1])
    bad("info", "noise.jpg.pxz", words="the checksum of its body does not match")


def test_damage_leaves_no_output(photo: Path) -> None:
    data = (photo / "photo.jpg.pxz").read_bytes()
    for i in range(0, len(data), 997):
        (photo / "bad.pxz").write_bytes(data[:i] + bytes([data[i] ^ 0x20]) + data[i + 1 :])
        bad("decompress", "bad.pxz", "-o", "x.jpg", words="bad.pxz: ")
        bad("verify", "bad.pxz", words="bad.pxz: ")
        (photo / "bad.pxz").write_bytes(data[:i])
        bad("decompress", "bad.pxz", "-o", "x.jpg", words="bad.pxz: ")
    assert not (photo / "x.jpg").exists()


def test_a_damaged_stored_file_is_salvaged(photo: Path) -> None:
    noise = jpegs.FILES["noise"]()
    data = bytearray(kept.keep(noise))
    assert container.read_header(bytes(data)).method is Method.STORED
    data[-1] ^= 1
    (photo / "n.pxz").write_bytes(data)
    bad("decompress", "n.pxz", "--salvage", words=f"{len(noise)} bytes that may be right are written")
    assert (photo / "n.jpg").read_bytes() == noise[:-1] + bytes([noise[-1] ^ 1])
    good("decompress", "photo.jpg.pxz", "--salvage", "-f")
    assert (photo / "photo.jpg").read_bytes() == PHOTO


def test_maps_and_models_say_why_they_have_no_jpeg(photo: Path) -> None:
    (photo / "photo.jpg").write_bytes(jpegs.small())
    bad(
        "heatmap",
        "photo.jpg",
        words="photo.jpg: a JPEG is kept as a file, byte for byte: no bits belong to single pixels",
    )
    bad("heatmap", "photo.jpg.pxz", words="photo.jpg.pxz: a JPEG is kept as a file, byte for byte")
    bad("eval", "photo.jpg", words="a JPEG is kept as a file, no model codes it: --pixels takes its pixels")
    good("eval", "--pixels", "photo.jpg", "-q")
    good("heatmap", "--pixels", "photo.jpg", "-o", "map.npy")
    assert np.load(photo / "map.npy").shape == (16, 24)


def test_a_stack_takes_pixels(photo: Path) -> None:
    (photo / "photo.jpg").write_bytes(jpegs.small())
    bad("compress", "--stack", "photo.jpg", "-o", "s.pxz", words="a stack holds samples alone: --strip drops it")
    good("compress", "--stack", "--strip", "photo.jpg", "-o", "s.pxz")
    good("decompress", "s.pxz", "-o", "out")
    assert (read(photo / "out" / "photo.jpg.png") == pixels_of(photo / "photo.jpg")).all()


def test_a_jpeg_whose_pixels_are_not_read_is_kept_all_the_same(photo: Path) -> None:
    (photo / "c.jpg").write_bytes(CMYK)
    good("compress", "c.jpg", "--rm")
    bad("decompress", "c.jpg.pxz", "-o", "c.png", words="c.jpg.pxz: image mode CMYK (CMYK) is not supported")
    good("decompress", "c.jpg.pxz")
    assert (photo / "c.jpg").read_bytes() == CMYK


def test_a_jpeg_by_another_name_is_kept_and_its_name_tells_what_it_is(photo: Path) -> None:
    (photo / "x.png").write_bytes(PHOTO)
    good("compress", "x.png", "--rm")
    good("decompress", "x.png.pxz")
    assert (photo / "x.png.jpg").read_bytes() == PHOTO
