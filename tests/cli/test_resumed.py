"""`-r` on one machine: outputs and lines of the manifest as files are finished; runs that are taken up again."""

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixzip import codec, image
from pixzip.cli.options import Manner
from pixzip.cli.work import queue
from pixzip.cli.work.relay import OnShard
from pixzip.io import files
from pixzip.trees import manifest
from pixzip.trees.shards import Task
from tests.helpers.shell import bad, good, pixels, run

NAMES = ["a.png", "b/c.png", "b/d.png", "e.png"]


@pytest.fixture
def tree(shipped: Path) -> Path:
    (shipped / "tree" / "b").mkdir(parents=True)
    for i, name in enumerate(NAMES):
        (shipped / "tree" / name).write_bytes(image.write(codec.as_picture(pixels(6, 7, 3, seed=i))))
    return shipped


def lines(folder: Path, name: str = "pixzip-manifest.jsonl") -> list[dict[str, Any]]:
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def outputs(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.pxz"))}


def total(*args: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(good(*args, "--json").stdout.splitlines()[-1])["total"]
    return found


def test_the_manifest_names_each_input_and_proves_each_output(tree: Path) -> None:
    (tree / "tree" / "bad.png").write_bytes(b"no image")
    bad("compress", "-r", "tree", "-o", "out", words="bad.png: not an image")
    found = {line["input"]: line for line in lines(tree / "out")}
    assert set(found) == {*NAMES, "bad.png"}
    for name in NAMES:
        data, source = (tree / "out" / f"{name}.pxz").read_bytes(), (tree / "tree" / name).stat()
        assert found[name] == {
            "version": 1, "input": name, "size": source.st_size, "mtime_ns": source.st_mtime_ns,
            "output": f"{name}.pxz", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "state": "done",
        }  # fmt: skip
    failed = found["bad.png"]
    assert (failed["state"], failed["bytes"], failed["sha256"]) == ("failed", None, None)
    assert failed["error"].startswith("not an image")


def test_a_second_run_does_what_is_missing_changed_or_of_another_size(tree: Path) -> None:
    good("compress", "-r", "tree", "-o", "out")
    for path in (tree / "out").rglob("*.pxz"):
        os.utime(path)  # as a copy that keeps no times
    assert total("compress", "-r", "tree", "-o", "out")["skipped"] == len(NAMES)
    before = outputs(tree / "out")
    (tree / "out" / "a.png.pxz").unlink()
    assert total("compress", "-r", "tree", "-o", "out")["done"] == 1
    (tree / "out" / "e.png.pxz").write_bytes(b"short")
    bad("compress", "-r", "tree", "-o", "out", words="e.png.pxz exists: -f overwrites it")
    assert total("compress", "-r", "tree", "-o", "out", "-f")["done"] == len(NAMES)
    assert outputs(tree / "out") == before
    os.utime(tree / "tree" / "a.png", (1e9, 1e9))
    bad("compress", "-r", "tree", "-o", "out", words="a.png.pxz exists: -f overwrites it")


def test_outputs_that_a_killed_run_could_not_enter_are_entered_by_the_next(tree: Path) -> None:
    good("compress", "-r", "tree", "-o", "out")
    path = tree / "out" / "pixzip-manifest.jsonl"
    whole = path.read_text().splitlines()
    path.write_text("\n".join(whole[:2]) + "\n" + whole[2][:20])
    assert total("compress", "-r", "tree", "-o", "out")["skipped"] == len(NAMES)
    assert sorted(record.output for record in manifest.read(path)) == sorted(f"{name}.pxz" for name in NAMES)
    assert sorted(path.read_text().splitlines())[-4:] == sorted(whole)


def test_only_a_folder_of_outputs_has_a_manifest(tree: Path) -> None:
    good("compress", "-r", "tree")
    good("compress", "tree/a.png", "tree/e.png", "-o", ".")
    good("compress", "-r", "tree", "-o", "dry", "--dry-run")
    good("verify", "-r", "tree")
    assert not list(tree.rglob("*.jsonl"))
    good("decompress", "-r", "tree", "-o", "back")
    assert [line["output"] for line in lines(tree / "back")] == NAMES


def test_the_parts_of_a_job_array_do_each_file_once_and_read_each_others_manifests(tree: Path) -> None:
    good("compress", "-r", "tree", "-o", "whole")
    done = [total("compress", "-r", "tree", "-o", "out", "--shard", f"{i}/3")["done"] for i in (3, 1, 2)]
    assert sum(done) == len(NAMES)
    assert max(done) == 2
    assert outputs(tree / "out") == outputs(tree / "whole")
    entered = [[line["output"] for line in lines(tree / "out", f"pixzip-manifest-{i}-of-3.jsonl")] for i in (1, 2, 3)]
    assert [name for part in entered for name in part] == list(outputs(tree / "out"))
    again = total("compress", "-r", "tree", "-o", "out")
    assert (again["skipped"], lines(tree / "out")) == (len(NAMES), [])
    assert sum(total("verify", "-r", "out", "--shard", f"{i}/2")["done"] for i in (1, 2)) == len(NAMES)


def test_the_parts_of_a_job_array_remove_their_own_originals_and_do_each_file_once(tree: Path) -> None:
    for i in range(6):
        (tree / "tree" / f"{i}.png").write_bytes(image.write(codec.as_picture(pixels(6, 7, 3, seed=i))))
    good("compress", "-r", "tree", "-o", "whole")
    count, left = len(outputs(tree / "whole")), len(outputs(tree / "whole"))
    for i in (3, 1, 2):
        found = total("compress", "-r", "tree", "-o", "out", "--shard", f"{i}/3", "--rm")
        assert 0 < found["done"] == found["files"]
        assert found["originals_kept"] == found["failed"] == 0
        left -= found["done"]
        assert len(list((tree / "tree").rglob("*.png"))) == left
        if left:  # begun again, as after it was killed
            assert total("compress", "-r", "tree", "-o", "out", "--shard", f"{i}/3", "--rm")["files"] == 0
    assert left == 0
    assert outputs(tree / "out") == outputs(tree / "whole")
    entered = [line["output"] for i in (1, 2, 3) for line in lines(tree / "out", f"pixzip-manifest-{i}-of-3.jsonl")]
    assert sorted(entered) == sorted(outputs(tree / "out"))
    parts = [total("decompress", "-r", "out", "--shard", f"{i}/2", "--rm")["done"] for i in (2, 1)]
    assert sum(parts) == count
    assert not outputs(tree / "out")


def test_a_part_of_an_array_that_is_none_is_wrong_usage(tree: Path) -> None:
    for part in ("0/3", "4/3", "1", "1/x", "-1/3", "1/99999999", ""):
        assert run("compress", "-r", "tree", "--shard", part).exit_code == 2
    for args, why in {
        ("--workers", "2", "--scheduler", "tcp://x"): "each says where the workers are",
        ("--workers", "2", "-j", "2"): "each worker has one thread",
        ("--workers", "2", "-o", "-"): "workers open files by their names",
        ("--workers", "2", "--stack", "-o", "x"): "all inputs become one file",
    }.items():
        result = run("compress", "tree/a.png", *args)
        assert result.exit_code == 2
        assert why in result.stderr


def test_a_full_disk_ends_the_run_and_the_next_one_does_the_rest(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = files._fill
    left = [True]

    def full(*args: Any) -> None:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left.pop()
        fill(*args)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_fill", full)
        result = bad("compress", "-r", "tree", "-o", "out", words="b/c.png: No space left on device")
    assert result.stderr.splitlines()[1:] == ["pixzip: no space was left: 2 of 4 files were not tried"]
    assert list(outputs(tree / "out")) == ["a.png.pxz"]
    assert total("compress", "-r", "tree", "-o", "out")["done"] == 3


def test_outputs_appear_before_all_inputs_are_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "SOON_PIXELS", 40)
    compress, batches = codec.compress, []

    def counting(pictures: Any, *args: Any) -> list[bytes]:
        batches.append((len(pictures), len(outputs(tree / "out"))))
        return compress(pictures, *args)

    monkeypatch.setattr(codec, "compress", counting)
    good("compress", "-r", "tree", "-o", "out", "-j", "2")
    assert batches == [(2, 0), (2, 2)]
    batches.clear()
    good("compress", "-r", "tree", "-o", "out", "-j", "1", "-f")
    assert [n for n, _ in batches] == [1, 1, 1, 1]


def test_a_shard_that_is_begun_again_tells_what_is_written_and_does_the_rest(tree: Path) -> None:
    tried: list[str] = []

    def work(ledger: Any, names: list[str]) -> None:
        for name in names:
            tried.append(name)
            ledger.write(name, Path(name).read_bytes(), Path(name).stat())
            ledger.done(name)

    tasks = [Task(str(tree / "tree" / n), str(tree / "out" / f"{n}.pxz"), None, 42) for n in NAMES]
    first: list[dict[str, Any]] = []
    again: list[dict[str, Any]] = []
    OnShard(work, Manner(quiet=True))(tasks[:2], first.append)
    OnShard(work, Manner(quiet=True))(tasks, again.append)
    assert tried == [task.name for task in tasks]
    assert [event["name"] for event in again] == tried
    assert [event["proof"] for event in again[:2]] == [event["proof"] for event in first]
    assert {event["status"] for event in again} == {"done"}


@pytest.mark.parametrize("where", ["disk", "store"])
def test_a_worker_that_dies_after_it_removed_an_original_has_done_the_file(tree: Path, memory: str, where: str) -> None:
    out = str(tree / "out") if where == "disk" else f"{memory}/out"
    good("compress", "-r", "tree", "-o", out, "--rm")
    again: list[dict[str, Any]] = []
    tasks = [Task(str(tree / "tree" / n), f"{out}/{n}.pxz", None, 42) for n in NAMES]
    OnShard(lambda ledger, names: None, Manner(quiet=True, remove="bytes"))(tasks, again.append)
    assert [(event["status"], event["original_removed"]) for event in again] == [("done", True)] * len(NAMES)
    failed: list[dict[str, Any]] = []
    OnShard(read, Manner(quiet=True))(tasks[:1], failed.append)
    assert [event["status"] for event in failed] == ["failed"]


def read(ledger: Any, names: list[str]) -> None:
    for name in names:
        try:
            Path(name).read_bytes()
        except OSError as e:
            ledger.fail(name, e)


def test_python_takes_up_what_the_command_began(tree: Path) -> None:
    import pixzip

    good("compress", "-r", "tree", "-o", "out", "--shard", "1/2")
    begun = len(outputs(tree / "out"))
    found = pixzip.compress_tree("tree", "out")
    assert (found.done, found.skipped) == (len(NAMES) - begun, begun)
    good("compress", "-r", "tree", "-o", "whole")
    assert outputs(tree / "out") == outputs(tree / "whole")
    Image.new("RGB", (30, 20), "teal").save(tree / "tree" / "kept.jpg")
    (tree / "tree" / "other.jxl").write_bytes(b"\xff\x0a")
    more = pixzip.compress_tree("tree", "out")
    assert (more.done, more.skipped, list(more.left)) == (1, len(NAMES), ["other.jxl"])
    kept = (tree / "out" / "kept.jpg.pxz").read_bytes()
    assert pixzip.restore(kept) == (tree / "tree" / "kept.jpg").read_bytes()
    good("compress", "-r", "tree", "-o", "whole")
    assert outputs(tree / "out") == outputs(tree / "whole")
    for shard in ((0, 2), (3, 2)):
        with pytest.raises(ValueError, match="expected"):
            pixzip.compress_tree("tree", "out", shard=shard)
    wrong: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"workers": 0}, ValueError, "workers is 0, expected 1 to 1024"),
        ({"workers": 2.0}, TypeError, "workers is float"),
        ({"shard": (1.5, 2)}, TypeError, "a number of shard is float"),
        ({"shard": 3}, TypeError, "shard is int 3, expected"),
        ({"force": "no"}, TypeError, "force is str 'no', expected True or False"),
        ({"client": 5}, TypeError, "client is int, expected a distributed.Client"),
    ]
    for arguments, error, words in wrong:
        with pytest.raises(error, match=words):
            pixzip.compress_tree("tree", "out", **arguments)  # type: ignore[arg-type]
    with pytest.raises(pixzip.PixzipError, match="is not a folder"):
        pixzip.compress_tree("nowhere", "out")
    with pytest.raises(TypeError, match="src is int"):
        pixzip.compress_tree(3, "out")  # type: ignore[arg-type]
    assert not np.any([p.name.endswith(".tmp") for p in (tree / "out").rglob("*")])


@pytest.mark.usefixtures("large")
def test_python_and_the_command_write_the_same_files_of_images_that_are_coded_by_rows(tree: Path) -> None:
    import pixzip

    good("compress", "-r", "tree", "-o", "whole")
    assert pixzip.compress_tree("tree", "out").done == len(NAMES)
    assert outputs(tree / "out") == outputs(tree / "whole")
