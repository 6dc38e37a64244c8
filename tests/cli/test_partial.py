"""Outputs that have a part of their files, regions and what was salvaged, are never taken for up to date."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pixcodecs.errors import PixzipError

from pixzip import codec, image
from pixzip.codec import kept
from pixzip.trees import places
from tests.helpers import jpegs
from tests.helpers.shell import bad, good, pixels

WHOLE = pixels(50, 70, 3, seed=1)


def damaged_tiles(packed: Path) -> None:
    found = bytearray(packed.read_bytes())
    found[-300] ^= 1
    packed.write_bytes(found)


@pytest.fixture
def archive(shipped: Path) -> Path:
    """The current folder, with `archive`, in which is the file of `whole.png` in tiles."""
    (shipped / "tree").mkdir()
    (shipped / "tree" / "whole.png").write_bytes(image.write(codec.as_picture(WHOLE)))
    good("compress", "-r", "tree", "-o", "archive", "--tile", "32", "--models-only")
    return shipped


def make_region(place: Path) -> None:
    good("decompress", "-r", "archive", "-o", "back", "--region", "3,4,5,6")


def make_salvaged(place: Path) -> None:
    damaged_tiles(place / "archive" / "whole.png.pxz")
    bad("decompress", "-r", "archive", "-o", "back", "--salvage", words="zeros in place")


def test_a_worker_may_write_the_same_part_twice_and_no_other(tmp_path: Path) -> None:
    """As after the death of a worker that had written it, but could not tell."""
    source, target = tmp_path / "a", str(tmp_path / "b")
    source.write_bytes(b"source")
    os.utime(source, (1e9, 1e9))
    for _ in range(2):
        places.write(str(source), target, b"part", False, source.stat(), whole=False)
    with pytest.raises(PixzipError, match="exists"):
        places.write(str(source), target, b"another part", False, source.stat(), whole=False)
    assert Path(target).read_bytes() == b"part"
    assert Path(target).stat().st_mtime > 1e9


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("make", [make_region, make_salvaged])
def test_a_later_run_does_not_pass_over_a_part(archive: Path, make: Callable[[Path], None], listed: bool) -> None:
    before = (archive / "archive" / "whole.png.pxz").read_bytes()
    make(archive)
    part = (archive / "back" / "whole.png").read_bytes()
    if not listed:
        (archive / "back" / "pixzip-manifest.jsonl").unlink()
    for _ in range(2):
        bad("decompress", "-r", "archive", "-o", "back", words="back/whole.png exists: -f overwrites it")
    assert (archive / "back" / "whole.png").read_bytes() == part
    (archive / "archive" / "whole.png.pxz").write_bytes(before)
    good("decompress", "-r", "archive", "-o", "back", "-f")
    assert (archive / "back" / "whole.png").read_bytes() == (archive / "tree" / "whole.png").read_bytes()
    assert "is up to date" in good("decompress", "-r", "archive", "-o", "back", "-v").stderr


def test_what_was_salvaged_is_an_error_of_verify(archive: Path) -> None:
    make_salvaged(archive)
    bad("verify", "-r", "back", words="back/whole.png: may be wrong: a manifest says that it failed: damaged tile of")


def test_what_is_salvaged_without_damage_is_whole(archive: Path) -> None:
    good("decompress", "-r", "archive", "-o", "back", "--salvage")
    assert "is up to date" in good("decompress", "-r", "archive", "-o", "back", "-v").stderr


def test_a_region_in_a_manifest_is_held_against_its_digest(archive: Path) -> None:
    make_region(archive)
    (line,) = (archive / "back" / "pixzip-manifest.jsonl").read_text().splitlines()
    assert (json.loads(line)["size"], json.loads(line)["mtime_ns"]) == (-1, -1)
    good("verify", "-r", "back")
    (archive / "back" / "whole.png").write_bytes(b"another")
    bad("verify", "-r", "back", words="is not the file that its manifest names")


def test_a_jpeg_of_which_not_all_is_right_is_not_up_to_date(shipped: Path) -> None:
    (shipped / "in").mkdir()
    found = bytearray(kept.keep(jpegs.FILES["noise"]()))
    found[-1] ^= 1
    (shipped / "in" / "a.jpg.pxz").write_bytes(found)
    bad("decompress", "-r", "in", "-o", "back", "--salvage", words="that may be right are written")
    bad("decompress", "-r", "in", "-o", "back", words="back/a.jpg exists: -f overwrites it")
