"""`pixzip verify`: intact files pass, any damage is found, and nothing is written."""

import json
from pathlib import Path

import pytest

from pixzip.codec import by_rows, tiles
from tests.helpers.shell import bad, good, names, run


@pytest.fixture
def packed(shipped: Path) -> Path:
    """A folder with two images and a stack."""
    (shipped / "all").mkdir()
    good("compress", "rgb.png", "grey.png", "-o", "all")
    good("compress", "--stack", "rgb.png", "-o", "all/stack.pxz")
    return shipped


def flip(path: Path, at: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_good_files_are_silent_and_verbose_lines(packed: Path) -> None:
    before = sorted(packed.rglob("*"))
    result = good("verify", "-r", "all")
    assert (result.stdout, result.stderr) == ("", "")
    lines = good("verify", "-r", "all", "-v").stderr.splitlines()
    for name, line in zip(("grey.png", "rgb.png", "stack"), sorted(lines[:3]), strict=True):
        path = packed / "all" / f"{name}.pxz"
        assert line.startswith(f"all/{name}.pxz: ok: {path.stat().st_size:,} bytes, ")
    assert lines[3].split() == ["files", "bytes", "seconds", "MP/s", "failed"]
    assert sorted(packed.rglob("*")) == before


@pytest.mark.parametrize("at", [3, 20, -1])
@pytest.mark.parametrize("name", ["rgb.png", "stack"])
def test_a_flipped_bit_is_found_and_the_others_are_checked(packed: Path, name: str, at: int) -> None:
    flip(packed / "all" / f"{name}.pxz", at)
    result = bad("verify", "-r", "all", "--json", words=f"all/{name}.pxz: ")
    *rows, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert {Path(row["name"]).stem for row in rows if row["status"] == "failed"} == {name}
    assert (last["total"]["done"], last["total"]["failed"]) == (2, 1)


def test_files_that_are_none_are_bad(packed: Path) -> None:
    bad("verify", "rgb.png", words="rgb.png: not a pixzip file")
    bad("verify", "nowhere", words="nowhere: No such file")
    bad("verify", "all", words="all: is a folder: -r takes the .pxz files in it")
    data = (packed / "all" / "rgb.png.pxz").read_bytes()
    bad("verify", "-", words="-: ", data=data[:-1])
    good("verify", "-", data=data)
    assert "No such option" in run("verify", "all", "--rm").output


def test_large_files_are_checked_by_bands(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 50)
    monkeypatch.setattr(tiles, "TILE_SIDE", 32)
    good("compress", "rgb.png", "-o", "tiled.pxz")
    monkeypatch.setattr(by_rows, "LARGE_PIXELS", 20)
    good("verify", "tiled.pxz")
    before = names(packed)
    flip(packed / "tiled.pxz")
    bad("verify", "tiled.pxz", words="tiled.pxz: ")
    assert names(packed) == before
