"""What `install-desktop` writes is understood by the desktop's own programs, and its thumbnailer's command works."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixzip
from pixzip.cli.work import desktop
from tests.conftest import ROOT
from tests.helpers.shell import bad, good, run
from tests.helpers.support import photo


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's data."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path / "share"


def entry(home: Path) -> configparser.SectionProxy:
    found = configparser.ConfigParser(interpolation=None)
    found.read(home / "thumbnailers" / "pixzip.thumbnailer")
    return found["Thumbnailer Entry"]


@pytest.mark.skipif(not shutil.which("update-mime-database"), reason="shared-mime-info is not installed")
@pytest.mark.skipif(not shutil.which("xdg-mime") or not shutil.which("gio"), reason="xdg-utils or gio is not installed")
def test_xdg_mime_knows_files_by_their_names_and_their_first_bytes(home: Path, tmp_path: Path) -> None:
    files = [tmp_path / "a.pxz", tmp_path / "nameless", tmp_path / "other"]
    for file in files[:2]:
        pixzip.save(photo(1)[..., 0], file, "fast", effort=1)
    files[2].write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(8))
    env = {
        **os.environ,
        "XDG_CURRENT_DESKTOP": "GNOME",
        "DISPLAY": ":0",
    }  # generic desktops ask `file`, not the database

    def types() -> list[str]:
        commands = (["xdg-mime", "query", "filetype", str(file)] for file in files)
        return [subprocess.run(c, env=env, capture_output=True, text=True, check=True).stdout.strip() for c in commands]

    before = types()
    assert "image/x-pxz" not in before
    assert "pixzip.xml: written" in good("install-desktop", "--user").stderr
    assert types() == ["image/x-pxz", "image/x-pxz", before[2]]
    good("install-desktop", "--user")  # again
    good("install-desktop", "--user", "--remove", "-q")
    assert types() == before
    assert not (home / "thumbnailers" / "pixzip.thumbnailer").exists()


def test_the_thumbnailers_command_makes_a_thumbnail(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child_env: dict[str, str]
) -> None:
    monkeypatch.setattr(desktop.shutil, "which", lambda name: None)
    odd = tmp_path / 'a "b" $c %d'
    odd.mkdir()
    (odd / "python").symlink_to(sys.executable)
    real = sys.executable
    monkeypatch.setattr(sys, "executable", str(odd / "python"))
    assert "update-mime-database is not there" in good("install-desktop", "--user").stderr

    found = entry(home)
    assert found["MimeType"] == "image/x-pxz;"
    assert found["TryExec"] == str(odd / "python")
    pixzip.save(photo(3, 30, 60), tmp_path / "x y.pxz", "fast", effort=1)
    (tmp_path / "thumb.png").write_bytes(b"")  # a file manager's temporary file
    values = {"%s": "20", "%i": str(tmp_path / "x y.pxz"), "%o": str(tmp_path / "thumb.png"), "%%": "%"}
    unescaped = found["Exec"].replace("\\\\", "\\")  # of a value of type string; then quotes, as of a shell
    shell = subprocess.run(["sh", "-c", f"printf '%s\\n' {unescaped}"], capture_output=True, text=True, check=True)
    words = [values.get(word, word.replace("%%", "%")) for word in shell.stdout.splitlines()]
    assert words[0] == str(odd / "python")
    words[0] = real
    done = subprocess.run(words, env=child_env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Image.open(tmp_path / "thumb.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (20, 10))


def test_thumbnails_of_every_kind_of_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    deep = photo(4, 16, 24).astype(np.uint16) * 257
    palette = Image.fromarray(photo(3, 16, 24)).quantize(7)
    for picture, mode in ((deep, "RGBA"), (photo(1, 16, 24)[..., 0], "RGB"), (palette, "RGB")):
        pixzip.save(picture, "a.pxz", "fast", effort=1)
        good("thumbnail", "a.pxz", "-o", "a.png", "--size", 12, "-f")
        with Image.open("a.png") as image:
            assert (image.mode, image.size) == (mode, (12, 8))
    Image.fromarray(photo(3, 16, 24)).save("kept.jpg")
    good("compress", "kept.jpg")
    good("thumbnail", "kept.jpg.pxz", "-o", "kept.png", "--size", 6)
    with Image.open("kept.png") as image:
        assert image.size == (6, 4)
    good("thumbnail", "a.pxz", "-o", "same.png", "-v")
    with Image.open("same.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(palette.convert("RGB")))
    bad("thumbnail", "a.pxz", "-o", "a.png", words="exists: -f overwrites it")
    Path("s.pxz").write_bytes(pixzip.encode_stack([photo(1)[..., 0]], "fast"))
    bad("thumbnail", "s.pxz", "-o", "s.png", words="a stack of images has no thumbnail")
    Path("cut.pxz").write_bytes(Path("a.pxz").read_bytes()[:-1])
    bad("thumbnail", "cut.pxz", "-o", "s.png", words="cut.pxz: ")
    assert not Path("s.png").exists()


def test_the_whole_system_is_left_to_its_packages() -> None:
    result = run("install-desktop")
    assert result.exit_code == 2
    assert "--user is missing" in result.stderr
