"""Images in folders, tars and lists: which files are taken, in which order, and under which names."""

import io
import os
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image
from pixcodecs.errors import PixzipError

from pixzip.image.sources import any_name, folder_suffixes, is_image_name, members, sources, walk
from pixzip.train.data import read_images, split_held_out

#: Files in the order of a walk; "a-b" precedes "a/" as a string, but follows it as a part.
SHOWN = ["a/2.PNG", "a/x/1.tif", "a-b/3.png", "c.jpg", "notes.txt"]
HIDDEN = [".cache/4.png", "a/.5.png"]


def image_bytes(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((3, 4, 3), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of `SHOWN` and `HIDDEN`, each containing its own name, and links."""
    for name in (*SHOWN, *HIDDEN):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(name.encode())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "6.png").write_bytes(b"")
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "tree"


def packed(path: Path, contents: dict[str, bytes]) -> Path:
    """A tar of these files in this order, of a folder, and of a link."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, kind in {"folder.png": tarfile.DIRTYPE, "link.png": tarfile.SYMTYPE}.items():
            member = tarfile.TarInfo(name)
            member.type = kind
            tar.addfile(member)
    return path


def test_a_walk_is_sorted_by_parts_and_passes_over_hidden_files_and_links_to_folders(tree: Path) -> None:
    assert [path.as_posix() for path in walk(tree)] == SHOWN
    assert [path.as_posix() for path in walk(tree, hidden=True)] == [HIDDEN[0], HIDDEN[1], *SHOWN]


def test_only_what_is_wanted_is_taken(tree: Path) -> None:
    assert [path.as_posix() for path in walk(tree, is_image_name)] == SHOWN[:4]
    assert [
        path.as_posix() for path in walk(tree, lambda p: p.suffix.lower() in folder_suffixes() - {".jpg"})
    ] == SHOWN[:3]
    assert walk(tree, lambda p: False) == []


def test_pipes_are_passed_over_and_links_to_nowhere_are_for_the_reader_to_complain_of(tree: Path) -> None:
    os.mkfifo(tree / "pipe.png")
    (tree / "gone.png").symlink_to("nowhere")
    (tree / "there.png").symlink_to("c.jpg")
    assert {path.name for path in walk(tree)} - {Path(name).name for name in SHOWN} == {"gone.png", "there.png"}
    read = {source.name: source.read for source in sources([tree])}
    assert read["there.png"]() == b"c.jpg"
    with pytest.raises(FileNotFoundError):
        read["gone.png"]()


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_is_taken(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refusing(path: str) -> object:
        if Path(path).name == "x":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    errors: list[OSError] = []
    assert [path.as_posix() for path in walk(tree, failed=errors.append)] == [SHOWN[0], *SHOWN[2:]]
    assert [Path(e.filename).name for e in errors] == ["x"]
    assert len(walk(tree)) == len(SHOWN) - 1


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_members_are_plain_files_sorted_by_name_or_in_the_order_of_the_tar(tmp_path: Path, suffix: str) -> None:
    contents = {name: name.encode() for name in reversed([*HIDDEN, *SHOWN])}
    tar = packed(tmp_path / f"set{suffix}", contents)
    found = {source.name: source.read() for source in members(tar)}
    assert list(found) == sorted(SHOWN)
    assert all(data == name.encode() for name, data in found.items())
    assert [s.name for s in members(tar, hidden=True, by_name=False)] == list(contents)
    assert [s.place for s in members(tar, is_image_name)] == [f"set{suffix}/{name}" for name in sorted(SHOWN[:4])]
    assert [s.name for s in members(tar, lambda p: p.parent == PurePosixPath("a"))] == ["a/2.PNG"]


def test_members_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tar = packed(tmp_path / "set.tar", {f"{i}.png": bytes(1000) for i in range(3)})
    extract, taken = tarfile.TarFile.extractfile, list[str]()

    def extractfile(self: tarfile.TarFile, member: tarfile.TarInfo) -> object:
        taken.append(member.name)
        return extract(self, member)

    monkeypatch.setattr(tarfile.TarFile, "extractfile", extractfile)
    for i, source in enumerate(members(tar)):
        assert len(taken) == i
        assert source.read() == bytes(1000)


def test_a_list_is_files_folders_and_tars_in_its_order(tree: Path, tmp_path: Path) -> None:
    tar = packed(tmp_path / "set.tar", {"d/7.png": b"7", "notes.txt": b""})
    alone = tree / "notes.txt"
    found = list(sources([alone, tar, tree / "a"], is_image_name))  # a single file is taken whatever its name
    assert [source.name for source in found] == ["notes.txt", "d/7.png", "2.PNG", "x/1.tif"]
    assert [source.place for source in found] == [
        str(alone), "set.tar/d/7.png", str(tree / "a" / "2.PNG"), str(tree / "a" / "x" / "1.tif"),
    ]  # fmt: skip
    assert [s.read() for s in sources([alone, tree / "a"], is_image_name)] == [b"notes.txt", b"a/2.PNG", b"a/x/1.tif"]


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(PixzipError, match=r"nowhere\.png does not exist"):
        list(sources([tmp_path / "nowhere.png"], any_name))


def test_training_has_the_places_as_names_and_the_order_of_tars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice of held-out images depends on these names, and the crops depend on this order."""
    monkeypatch.chdir(tmp_path)
    packed(Path("photos.tar"), {"set/b.png": image_bytes(1), "set/a.bin": image_bytes(2), "notes.txt": b"none"})
    for name, value in {"b.png": 3, "a-b/x.png": 4, "a/x.png": 5, ".hidden/x.png": 6}.items():
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).write_bytes(image_bytes(value))
    Path("data", "gone.png").symlink_to("nowhere")
    found = list(read_images([Path("photos.tar"), Path("data"), Path("data/b.png")], 3))
    assert [(name, int(x[0, 0, 0])) for name, x in found] == [
        ("photos.tar/set/b.png", 1), ("photos.tar/set/a.bin", 2), ("data/.hidden/x.png", 6), ("data/a/x.png", 5),
        ("data/a-b/x.png", 4), ("data/b.png", 3), ("data/b.png", 3),
    ]  # fmt: skip
    assert {x.shape for _, x in found} == {(3, 4, 3)}
    assert {x.shape for _, x in read_images([Path("data")], 1)} == {(3, 4, 1)}
    _, held_out = split_held_out(found, 7)
    first = min(found, key=lambda named: zlib.crc32(named[0].encode()))
    assert len(held_out) == 1
    assert held_out[0] is first[1]
