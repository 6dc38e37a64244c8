"""Folders on the command line: files that are taken, places of outputs, and files that are skipped."""

import json
import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from pixzip import codec, image
from pixzip.io.names import IMAGE_SUFFIXES, JPEG_SUFFIXES
from tests.helpers.shell import bad, good, names, pixels, read, run

FORMS = {"a.png": 0, "b/10.PNG": 1, "b/2.tif": 2, "b/c/d.webp": 3, "e.ppm": 4}


@pytest.fixture
def tree(shipped: Path) -> Path:
    """`FORMS` in tree/, beside files that are no images or must be skipped."""
    for name, seed in FORMS.items():
        path = shipped / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.write(codec.as_picture(pixels(5, 6, 3, seed=seed)), path.suffix))
    (shipped / "tree" / "notes.txt").write_text("no image")
    (shipped / "tree" / ".hidden").mkdir()
    (shipped / "tree" / ".hidden" / "x.png").write_text("no image")
    (shipped / "elsewhere").mkdir()
    (shipped / "elsewhere" / "y.png").write_text("no image")
    (shipped / "tree" / "link").symlink_to(shipped / "elsewhere")
    return shipped


def packed(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.pxz"))


def test_a_tree_is_compressed_in_place_and_comes_back(tree: Path) -> None:
    good("compress", "-r", "tree")
    assert packed(tree / "tree") == sorted(f"{name}.pxz" for name in FORMS)
    assert not list((tree / "elsewhere").glob("*.pxz"))
    for name in FORMS:
        (tree / "tree" / name).unlink()
    good("decompress", "-r", "tree")
    for name, seed in FORMS.items():
        assert (read(tree / "tree" / name) == pixels(5, 6, 3, seed=seed)).all()


def test_a_folder_needs_recursive_and_the_others_are_done(tree: Path) -> None:
    result = bad("compress", "tree", "rgb.png", words="tree: is a folder: -r takes the images in it")
    assert len(result.stderr.splitlines()) == 1
    assert packed(tree) == ["rgb.png.pxz"]
    bad("decompress", "tree", words="tree: is a folder: -r takes the .pxz files in it")


def test_an_output_folder_mirrors_each_tree_and_is_made(tree: Path) -> None:
    good("compress", "-r", "tree", "rgb.png", "-o", "new/out")
    assert packed(tree / "new" / "out") == sorted([*(f"{name}.pxz" for name in FORMS), "rgb.png.pxz"])
    good("decompress", "-r", "new/out", "-o", "back")
    assert (read(tree / "back" / "b" / "c" / "d.webp") == pixels(5, 6, 3, seed=3)).all()
    assert not packed(tree / "tree")


def test_an_output_folder_is_not_made_for_one_image_nor_of_a_file_name(tree: Path) -> None:
    good("compress", "rgb.png", "-o", "one")
    assert (tree / "one").is_file()
    bad("compress", "-r", "tree", "-o", "one", words="-o one is not a folder, -r needs one")
    bad("compress", "-r", "tree", "-o", "all.pxz", words="-o all.pxz is not a folder")
    bad("decompress", "one", "one", "-o", "all.png", words="-o all.png is not a folder, 2 inputs need one")
    bad("compress", "-r", "tree", "-o", "rgb.png/sub", words="rgb.png is not a folder")
    assert not packed(tree)


def test_a_folder_without_images_is_named_and_no_error(tree: Path) -> None:
    (tree / "empty").mkdir()
    assert good("compress", "-r", "empty").stderr == "pixzip: empty: warning: no images in this folder\n"


def test_files_are_taken_sorted_and_once(tree: Path) -> None:
    listed = good("compress", "-r", "tree", "tree/a.png", "./tree/b", "--dry-run").stdout.splitlines()
    assert [line.split(" -> ")[0] for line in listed] == [f"tree/{name}" for name in sorted(FORMS)]


def test_a_bad_file_and_a_link_to_nowhere_do_not_stop_the_rest(tree: Path) -> None:
    (tree / "tree" / "a.png").write_bytes(b"no image")
    (tree / "tree" / "b" / "1.png").symlink_to("nowhere")
    os.mkfifo(tree / "tree" / "pipe.png")  # must not block
    result = bad("compress", "-r", "tree", words="tree/a.png: not an image")
    assert "tree/b/1.png: No such file" in result.stderr
    assert len([line for line in result.stderr.splitlines() if "left alone" not in line]) == 2
    assert len(packed(tree)) == len(FORMS) - 1


def test_every_suffix_taken_in_a_folder_is_of_a_format_that_is_read(tmp_path: Path) -> None:
    x = pixels(5, 6, 3)
    for suffix in IMAGE_SUFFIXES:
        path, expected = tmp_path / f"x{suffix}", x
        if suffix in (".pgm", ".pbm"):
            expected = x[..., 0] if suffix == ".pgm" else (x[..., 0] > 20).astype(np.uint8)
            Image.fromarray(expected if suffix == ".pgm" else expected == 1).save(path, format="PPM")
        elif suffix in (".tif", ".tiff"):
            tifffile.imwrite(path, x)
        elif suffix == ".qoi":
            path.write_bytes(imagecodecs.qoi_encode(x))
        elif suffix == ".webp":
            Image.fromarray(x).save(path, lossless=True)
        elif suffix == ".gif":
            expected = (x[..., 0] // 10).astype(np.uint8)
            made = Image.fromarray(expected, "P")
            made.putpalette([i * 7 % 256 for i in range(768)])
            made.save(path, optimize=False)
        elif suffix in JPEG_SUFFIXES:
            Image.fromarray(x).save(path, format="JPEG")
            with Image.open(path) as opened:
                expected = np.asarray(opened)
        elif suffix in (".pnm", ".pam"):
            path.write_bytes(image.write(codec.as_picture(x), ".ppm" if suffix == ".pnm" else suffix))
        else:
            Image.fromarray(x).save(path)
        assert np.array_equal(read(path), expected), suffix


def test_what_is_up_to_date_is_skipped_and_other_outputs_are_errors(tree: Path) -> None:
    good("compress", "-r", "tree", "-o", "out")
    before = {p: p.read_bytes() for p in (tree / "out").rglob("*.pxz")}
    result = good("compress", "-r", "tree", "-o", "out", "-v")
    assert result.stderr.count("is up to date") == len(FORMS)
    os.utime(tree / "tree" / "a.png", (1e9, 1e9))
    bad("compress", "-r", "tree", "-o", "out", words="tree/a.png: out/a.png.pxz exists: -f overwrites it")
    assert {p: p.read_bytes() for p in before} == before
    good("compress", "-r", "tree", "-o", "out", "-f")
    assert (tree / "out" / "a.png.pxz").stat().st_mtime == 1e9
    good("compress", "rgb.png")
    bad("compress", "rgb.png", words="exists")  # a single named file is never skipped as up to date
    good("compress", "rgb.png", "grey.png")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_times_and_permissions_are_kept(tree: Path) -> None:
    os.utime(tree / "rgb.png", ns=(10**18 + 1, 10**18 + 123456789))
    (tree / "rgb.png").chmod(0o640)
    good("compress", "rgb.png")
    good("decompress", "rgb.png.pxz", "-o", "back.png")
    for name in ("rgb.png.pxz", "back.png"):
        stat = (tree / name).stat()
        assert (stat.st_mtime_ns, stat.st_mode & 0o777) == (10**18 + 123456789, 0o640)


def test_an_output_is_never_its_input(tree: Path) -> None:
    before = (tree / "rgb.png").read_bytes()
    (tree / "link.pxz").symlink_to("rgb.png")
    for out in ("rgb.png", "link.pxz"):
        bad("compress", "rgb.png", "-f", "--rm", "-o", out, words="it is the input itself")
    assert (tree / "rgb.png").read_bytes() == before


def test_a_dry_run_lists_what_would_be_done_and_does_nothing(tree: Path) -> None:
    good("compress", "rgb.png", "grey.png", "-o", ".")
    os.utime(tree / "grey.png", (1e9, 1e9))
    before = sorted(tree.rglob("*"))
    result = run("compress", "-r", "tree/b", "rgb.png", "grey.png", "-o", ".", "--dry-run")
    assert result.exit_code == 2  # as without --dry-run
    assert result.stdout.splitlines() == [
        "tree/b/10.PNG -> 10.PNG.pxz", "tree/b/2.tif -> 2.tif.pxz", "tree/b/c/d.webp -> c/d.webp.pxz",
    ]  # fmt: skip
    assert result.stderr == "pixzip: grey.png: grey.png.pxz exists: -f overwrites it\n"
    result = good("decompress", "rgb.png.pxz", "-o", "x.tif", "--dry-run")
    assert result.stdout == "rgb.png.pxz -> x.tif\n"
    good("compress", "-r", "tree", "-o", "new", "--dry-run")
    assert sorted(tree.rglob("*")) == before


def test_outputs_that_cannot_be_made_leave_nothing(tree: Path) -> None:
    (tree / "locked").mkdir(mode=0o500)
    if os.access(tree / "locked", os.W_OK):
        pytest.skip("this user may write everywhere")
    bad("compress", "-r", "tree", "-o", "locked/new", words="folder locked is not writable")
    assert names(tree / "locked") == []


def test_images_that_are_left_alone_are_counted_and_named(tree: Path) -> None:
    for name in ("1.jxl", "2.jxl", "b/c.NEF", "d.avif"):
        (tree / "tree" / name).write_bytes(b"")
    (tree / "tree" / "scan").write_bytes((tree / "rgb.png").read_bytes())
    lossy = tree / "tree" / "lossy.webp"
    Image.fromarray(pixels(5, 6, 3)).save(lossy, quality=50)
    result = good("compress", "-r", "tree", "tree/b", "--json")
    assert packed(tree / "tree") == sorted(f"{name}.pxz" for name in FORMS)
    lines = [line for line in result.stderr.splitlines() if "left alone" in line]
    larger = next(line for line in lines if "take more room" in line)
    assert "2 JPEG XL files" in larger
    assert "1 AVIF file" in larger
    assert "1 lossy WebP file" in larger
    assert "pixzip: 1 raw camera file left alone: pixzip does not read them" in lines
    assert any(line.startswith("pixzip: 1 PNG file left alone: their names do not end like") for line in lines)
    *rows, last = (json.loads(line) for line in result.stdout.splitlines())
    left = {row["name"]: row["warnings"] for row in rows if row["status"] == "left"}
    assert left["tree/b/c.NEF"] == ["raw camera file left alone: pixzip does not read them"]
    assert last["total"]["left"] == len(left)
    assert last["total"]["files"] == last["total"]["done"] == len(FORMS)
    assert good("compress", "-r", "tree", "-f", "-q").stderr == ""
    good("compress", lossy)  # named itself, its pixels are taken
