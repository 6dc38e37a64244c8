"""Pages of TIFF files and frames of animations on the command line, in Pillow and in Python."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

import pixzip
from pixzip import image
from tests.helpers.page_files import recoded_frames
from tests.helpers.shell import bad, good, names
from tests.image.test_pages import RGB, animated, load, tiff, with_thumbnails

FILES = {
    "scan.tif": tiff(*(x.samples for x in RGB), photometric="rgb", resolution=(300, 300)),
    "thumbs.tiff": with_thumbnails(),
    "a.png": animated("PNG", RGB, duration=[30, 40, 1000], loop=2),
    "b.webp": animated("WEBP", RGB, duration=[30, 40, 1000], loop=2, lossless=True),
    "c.gif": animated("GIF", RGB, duration=[30, 40, 1000], loop=2),
}


@pytest.fixture
def files(shipped: Path) -> Path:
    for name, data in FILES.items():
        (shipped / name).write_bytes(data)
    return shipped


def test_pages_come_back_as_a_file_of_their_kind(files: Path) -> None:
    result = good("compress", *FILES, "--json")
    rows = {row.get("name"): row for row in map(json.loads, result.stdout.splitlines())}
    assert rows["scan.tif"]["pixels"] == 3 * 120
    assert all(rows[name]["warnings"] == [] and rows[name]["byte_for_byte"] for name in FILES)
    checked = [
        json.loads(line) for line in good("verify", *(f"{name}.pxz" for name in FILES), "--json").stdout.splitlines()
    ]
    assert [row["byte_for_byte"] for row in checked[:-1]] == [True] * len(FILES)
    for name in FILES:
        (files / name).unlink()
    good("decompress", *(f"{name}.pxz" for name in FILES))
    for name, data in FILES.items():
        assert (files / name).read_bytes() == data


def test_names_of_outputs_follow_the_kind_of_the_pages(files: Path) -> None:
    good("compress", "scan.tif", "-o", "x.pxz")
    good("compress", "c.gif", "-o", "y.pxz")
    good("decompress", "x.pxz", "y.pxz", "-o", "out")
    assert names(files / "out") == ["x.tif", "y.gif"]
    good("decompress", "x.pxz", "-o", "pages/")
    assert names(files / "pages") == ["0001.png", "0002.png", "0003.png"]
    for i, x in enumerate(RGB, 1):
        assert np.array_equal(image.load(files / "pages" / f"000{i}.png").picture.samples, x.samples)
    result = good("decompress", "y.pxz", "-o", "frames/")
    assert "single PNGs do not hold durations, number of loops" in result.stderr
    bad("decompress", "x.pxz", "-o", "x.png", words=".png does not hold these pages, .tif does, and -o DIR/")
    bad("decompress", "x.pxz", "-o", "x.bmp", words=".bmp holds one image")
    bad("decompress", "x.pxz", "--region", "0,0,2,2", "-o", "part.tif", words="decompressed as a whole")
    assert good("decompress", "y.pxz", "-o", "-").stdout_bytes[:4] == b"GIF8"


def test_originals_of_pages_go_when_they_come_back_byte_for_byte(files: Path) -> None:
    result = good("compress", "scan.tif", "--rm", "--json")
    assert not result.stderr
    entry = json.loads(result.stdout.splitlines()[0])
    assert (entry["byte_for_byte"], entry["why_not"], entry["original_removed"]) == (True, None, True)
    assert not (files / "scan.tif").exists()
    good("decompress", "scan.tif.pxz", "--rm")
    assert not (files / "scan.tif.pxz").exists()
    assert (files / "scan.tif").read_bytes() == FILES["scan.tif"]
    (files / "c.gif").write_bytes(FILES["c.gif"] + b"more")
    good("compress", "c.gif", "--rm")
    good("decompress", "c.gif.pxz")
    assert (files / "c.gif").read_bytes() == FILES["c.gif"] + b"more"


def test_originals_of_pages_stay_when_they_do_not_come_back(files: Path) -> None:
    (files / "x.png").write_bytes(recoded_frames(FILES["a.png"]))
    result = good("compress", "x.png", "--rm", "--json")
    why = "its deflate stream is of no known encoder"
    assert f"original kept: it would not come back byte for byte: {why}" in result.stderr
    entry = json.loads(result.stdout.splitlines()[0])
    assert (entry["byte_for_byte"], entry["why_not"]) == (False, why)
    assert f"the file is not kept: {why}" in good("info", "x.png.pxz").stdout
    good("verify", "x.png.pxz")
    good("decompress", "x.png.pxz", "--rm", "-f")
    assert not (files / "x.png.pxz").exists()
    assert load((files / "x.png").read_bytes()) == load(FILES["a.png"])
    good("compress", "scan.tif", "--no-original")
    result = good("decompress", "scan.tif.pxz", "--rm", "-f", "--json")
    assert json.loads(result.stdout.splitlines()[0])["byte_for_byte"] is None
    (files / "c.gif").write_bytes(FILES["c.gif"] + b"more")
    result = good("compress", "c.gif", "--rm=pixels")
    assert "original kept: 4 bytes behind the image would be lost" in result.stderr


def test_a_file_of_pages_stays_where_something_else_than_its_original_is_written(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good("compress", "scan.tif")
    result = good("decompress", "scan.tif.pxz", "-o", "again.tif")
    assert (files / "again.tif").read_bytes() == FILES["scan.tif"]
    monkeypatch.setattr("pixzip.originals.pages.tiff.forms.coded", lambda form, segment, *_: segment[::-1])
    bad("verify", "scan.tif.pxz", words="the original's bytes do not come back")
    result = good("decompress", "scan.tif.pxz", "--rm", "-f")
    assert "the original's bytes do not come back: SHA-256 is" in result.stderr
    assert ".tif is written anew" in result.stderr
    assert "kept: it gives back its original byte for byte, which what was written does not" in result.stderr
    assert load((files / "scan.tif").read_bytes()) == load(FILES["scan.tif"])


def test_strip_leaves_out_the_metadata_of_pages(files: Path) -> None:
    good("compress", "scan.tif", "--strip", "--verify")
    facts = pixzip.info((files / "scan.tif.pxz").read_bytes())
    assert [page["metadata"] for page in facts["pages"]] == [[], [], []]
    assert facts["original"] is None


def test_info_describes_pages(files: Path) -> None:
    good("compress", "a.png")
    facts = json.loads(good("info", "a.png.pxz", "--json").stdout)
    assert (facts["format_version"], facts["kind"], facts["loops"]) == (5, "PNG", 2)
    assert [page["duration"] for page in facts["pages"]] == [[3, 100], [1, 25], [1, 1]]
    digest = hashlib.sha256(FILES["a.png"]).hexdigest()
    assert (facts["original"]["byte_for_byte"], facts["original"]["sha256"]) == (True, digest)
    text = good("info", "a.png.pxz").stdout
    assert f"byte for byte: PNG, {len(FILES['a.png'])} bytes, SHA-256 {digest}" in text
    assert "3: 12x10 RGB, 12x10 RGB, 12x10 RGB" in text
    bad("heatmap", "a.png.pxz", words="file has format version 5, several pages or frames: `pixzip decompress`")
    bad("heatmap", "a.png", words="image has 3 frames, expected one")


def test_pillow_and_python_read_every_page(files: Path) -> None:
    good("compress", "a.png", "scan.tif")
    for name in ("a.png", "scan.tif"):
        data = (files / f"{name}.pxz").read_bytes()
        pages = load(FILES[name]).pages
        assert [x.tolist() for x in pixzip.decode_pages(data)] == [p.picture.samples.tolist() for p in pages]
        pixzip.verify(data)
        assert pixzip.decompress(data) == FILES[name]
        again = pixzip.decompress(pixzip.compress(FILES[name], original=False))
        assert (load(again) == load(FILES[name]), again == FILES[name]) == (True, False)
        with pixzip.open(files / f"{name}.pxz") as opened:
            assert (opened.n_frames, opened.is_animated, opened.tell()) == (3, True, 0)
            opened.seek(2)
            assert np.array_equal(np.array(opened), pages[2].picture.samples)
            if name == "a.png":
                assert (opened.info["duration"], opened.info["loop"]) == (1000, 2)
            seen = [np.array(frame) for frame in ImageSequence.Iterator(opened)]
            assert all(np.array_equal(x, p.picture.samples) for x, p in zip(seen, pages, strict=True))
            with pytest.raises(EOFError):
                opened.seek(3)
        with Image.open(io.BytesIO(data)) as opened:
            opened.verify()
        with pytest.raises(pixzip.BitstreamError, match="decode_pages"):
            pixzip.decode(data)
    whole: Any = (files / "rgb.png").read_bytes()
    with pytest.raises(pixzip.BitstreamError, match="not a file of pages"):
        pixzip.decode_pages(whole)
    with pytest.raises(pixzip.BitstreamError, match="more pixels than the limit of 359"):
        pixzip.decode_pages(data, max_pixels=359)


def test_a_folder_of_pages_is_compressed_and_comes_back(files: Path) -> None:
    (files / "tree").mkdir()
    for name in ("scan.tif", "c.gif"):
        (files / name).rename(files / "tree" / name)
    good("compress", "-r", "tree", "-o", "packed")
    good("decompress", "-r", "packed", "-o", "back")
    assert {"c.gif", "scan.tif"} <= set(names(files / "back"))
    for name in ("scan.tif", "c.gif"):
        assert (files / "back" / name).read_bytes() == FILES[name]
    assert not pixzip.compress_tree("tree", "by-python").failed
    for name in ("scan.tif.pxz", "c.gif.pxz"):
        assert (files / "by-python" / name).read_bytes() == (files / "packed" / name).read_bytes()
    again = good("decompress", "-r", "packed", "-o", "back", "-v")
    assert again.stderr.count("is up to date") == 2
