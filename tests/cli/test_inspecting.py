"""`verify -r` holds the files of a folder against its manifests."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from pixzip import codec, image
from pixzip.io import stores
from pixzip.trees import manifest
from pixzip.trees.inventory import NOTHING_KNOWN, Inventory
from pixzip.trees.manifest import Manifest, Record, Shard
from tests.helpers.shell import bad, good, pixels, run

NAMES = ["a.png", "b/c.bmp", "b/d.png", "e.png"]


@pytest.fixture
def archive(shipped: Path) -> Path:
    """The folder `archive` in the current one, of the images in `tree`."""
    (shipped / "tree" / "b").mkdir(parents=True)
    for i, name in enumerate(NAMES):
        (shipped / "tree" / name).write_bytes(image.write(codec.as_picture(pixels(6, 7, 3, seed=i)), Path(name).suffix))
    good("compress", "-r", "tree", "-o", "archive")
    return shipped / "archive"


def told(result: Result) -> tuple[dict[str, str | None], dict[str, Any]]:
    """The error of each file, and the totals."""
    *lines, last = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["name"]: line["error"] for line in lines}, last["total"]


def test_what_the_manifest_names_is_all_there(archive: Path) -> None:
    result = good("verify", "-r", "archive", "--json")
    errors, total = told(result)
    assert errors == {f"archive/{name}.pxz": None for name in NAMES}
    assert (total["done"], total["failed"], total["unlisted"]) == (len(NAMES), 0, 0)
    assert result.stderr == ""


@pytest.mark.parametrize("where", ["disk", "store"])
def test_missing_and_other_files_are_errors_and_unlisted_ones_are_counted(
    archive: Path, memory: str, where: str
) -> None:
    (archive / "a.png.pxz").unlink()
    (archive / "new.pxz").write_bytes((archive / "e.png.pxz").read_bytes())
    (archive / "b" / "d.png.pxz").write_bytes((archive / "e.png.pxz").read_bytes())
    place = "archive"
    if where == "store":
        place = f"{memory}/archive"
        for path in filter(Path.is_file, archive.rglob("*")):
            stores.write(f"{place}/{path.relative_to(archive).as_posix()}", path.read_bytes())
    result = bad("verify", "-r", place, "--json", words="1 file is in no manifest")
    errors, total = told(result)
    assert {name for name, error in errors.items() if error is None} == {
        f"{place}/{name}" for name in ("b/c.bmp.pxz", "e.png.pxz", "new.pxz")
    }
    assert errors[f"{place}/a.png.pxz"] == "is missing: a manifest names it"
    assert str(errors[f"{place}/b/d.png.pxz"]).startswith("is not the file that its manifest names: its SHA-256 is ")
    assert (total["done"], total["failed"], total["unlisted"]) == (3, 2, 1)


def test_a_damaged_file_is_one_error(archive: Path) -> None:
    path = archive / "a.png.pxz"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    result = bad("verify", "-r", "archive", words="archive/a.png.pxz: ")
    assert len(result.stderr.splitlines()) == 1
    assert "manifest" not in result.stderr


def test_what_decompress_wrote_is_checked_by_its_digest(archive: Path) -> None:
    good("decompress", "-r", "archive", "-o", "back")
    result = good("verify", "-r", "back", "--json", "-q")
    assert told(result)[0] == {f"back/{name}": None for name in NAMES}
    (archive.parent / "back" / "e.png").write_bytes(b"edited")
    (archive.parent / "back" / "a.png").unlink()
    errors, total = told(run("verify", "-r", "back", "--json"))
    assert {name for name, error in errors.items() if error} == {"back/a.png", "back/e.png"}
    assert (total["done"], total["failed"], total["unlisted"]) == (2, 2, 0)


def test_the_parts_of_a_job_array_report_each_missing_file_once(archive: Path) -> None:
    for name in ("a.png.pxz", "b/d.png.pxz", "e.png.pxz"):
        (archive / name).unlink()
    found = [told(run("verify", "-r", "archive", "--shard", f"{i}/3", "--json"))[0] for i in (1, 2, 3)]
    names = [name for errors in found for name in errors]
    assert sorted(names) == [f"archive/{name}.pxz" for name in NAMES]


def test_without_r_or_a_manifest_files_are_decoded_and_nothing_is_counted(archive: Path) -> None:
    (archive / "a.png.pxz").write_bytes((archive / "e.png.pxz").read_bytes())
    assert "unlisted" not in told(good("verify", "archive/a.png.pxz", "--json"))[1]
    (archive / "pixzip-manifest.jsonl").unlink()
    (archive / "e.png.pxz").unlink()
    assert "unlisted" not in told(good("verify", "-r", "archive", "--json"))[1]


def test_what_failed_and_is_not_there_is_an_error_until_it_is_written(archive: Path) -> None:
    (archive.parent / "tree" / "b" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    bad("compress", "-r", "tree", "-o", "archive", words="tree/b/cut.png: ")
    result = bad("verify", "-r", "archive", words="archive/b/cut.png.pxz: is missing: a manifest says that it failed: ")
    assert len(result.stderr.splitlines()) == 1
    _, total = told(run("verify", "-r", "archive", "--json"))
    assert (total["done"], total["failed"]) == (len(NAMES), 1)
    (archive.parent / "tree" / "b" / "cut.png").write_bytes(image.write(codec.as_picture(pixels(3, 4, 3))))
    good("compress", "-r", "tree", "-o", "archive")
    good("verify", "-r", "archive")


def test_a_file_that_failed_is_written_by_another_command(archive: Path) -> None:
    (archive.parent / "tree" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    bad("compress", "-r", "tree", "-o", "archive", words="tree/cut.png: ")
    (archive / "cut.png.pxz").write_bytes((archive / "e.png.pxz").read_bytes())
    good("verify", "-r", "archive")
    for part in ("1/3", "2/3", "3/3"):
        good("verify", "-r", "archive", "--shard", part)


def test_a_file_about_which_manifests_disagree_has_to_be_there(archive: Path) -> None:
    (line, *_) = (archive / "pixzip-manifest.jsonl").read_text().splitlines()
    found = json.loads(line)
    (archive / "pixzip-manifest-1-of-2.jsonl").write_text(json.dumps(found | {"sha256": "ab" * 32}) + "\n")
    good("verify", "-r", "archive")
    (archive / found["output"]).unlink()
    bad("verify", "-r", "archive", words=f"archive/{found['output']}: is missing: a manifest names it")


def test_only_a_folder_without_a_manifest_is_said_to_be_empty(archive: Path) -> None:
    good("decompress", "-r", "archive", "-o", "back")
    assert good("verify", "-r", "back").stderr == ""
    (archive.parent / "none").mkdir()
    assert "none: warning: no .pxz files in this folder" in good("verify", "-r", "none", "back").stderr


def record(output: str, digest: str = "ab" * 32, state: str = manifest.DONE) -> Record:
    done = state == manifest.DONE
    return Record("x", 5, 10**18, output, 3 if done else None, digest if done else None, state)


def test_an_inventory_keeps_what_manifests_agree_on_and_no_path_outside(tmp_path: Path) -> None:
    assert not Inventory(str(tmp_path)).is_kept
    first, second = Manifest(manifest.path_in(tmp_path)), Manifest(manifest.path_in(tmp_path, Shard(1, 2)))
    for found in (record("same"), record("other"), record("twice"), record("twice", "cd" * 32), record("x", "no")):
        first.append(found)
    for outside in ("../up", "/etc/passwd", "a/../../b", "", "a\0b"):
        first.append(record(outside))
    for found in (record("same"), record("other", "cd" * 32), record("failed", state=manifest.FAILED)):
        second.append(found)
    first.close()
    second.close()
    found = Inventory(str(tmp_path))
    assert found.is_kept
    known = {"same": bytes.fromhex("ab" * 32), "twice": bytes.fromhex("cd" * 32)}
    assert dict(found.items()) == {**known, "other": NOTHING_KNOWN, "x": NOTHING_KNOWN}
    assert all(name in found for name in ("other", "failed", "x"))
    assert set(found.failed) == {"failed"}
    assert "../up" not in found
    assert not NOTHING_KNOWN
