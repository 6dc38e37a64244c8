"""Trees of files in stores, by URL: the same outputs as on a disk, and a manifest that is written in parts."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pixzip
from pixzip import codec, image
from pixzip.io import files, stores
from pixzip.trees import manifest, parts
from pixzip.trees.manifest import Record
from pixzip.trees.parts import Parts
from tests.helpers.shell import bad, good, pixels
from tests.helpers.workers import set_environment

pytest.importorskip("fsspec")

NAMES = ["a.png", "b/c.bmp", "b/d.jpg", "e.png"]


@pytest.fixture
def tree(shipped: Path) -> Path:
    """The current folder, with images in `tree`, and what one run makes of them in `out`."""
    (shipped / "tree" / "b").mkdir(parents=True)
    for i, name in enumerate(NAMES):
        picture = codec.as_picture(pixels(6, 7, 3, seed=i))
        if name.endswith(".jpg"):
            Image.fromarray(picture.samples).save(shipped / "tree" / name)
        else:
            (shipped / "tree" / name).write_bytes(image.write(picture, Path(name).suffix))
    good("compress", "-r", "tree", "-o", "out")
    return shipped


def below(place: Path | str) -> dict[str, bytes]:
    """All files of a folder or at a URL but manifests."""
    if isinstance(place, Path):
        found = {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()}
    else:
        found = {f.inner: stores.read(f.url) for f in stores.below(place)}
    return {name: data for name, data in found.items() if not name.endswith(".jsonl")}


def copied(folder: Path, url: str) -> str:
    for name, data in below(folder).items():
        stores.write(f"{url}/{name}", data)
    return url


def total(*args: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(good(*args, "--json").stdout.splitlines()[-1])["total"]
    return found


def records(place: str) -> list[Record]:
    return [record for history in manifest.histories(place) for record in history]


def test_a_tree_goes_to_a_store_and_back_as_it_was(tree: Path, store: str) -> None:
    source, packed = copied(tree / "tree", f"{store}/tree"), f"{store}/out"
    assert total("compress", "-r", source, "-o", packed)["done"] == len(NAMES)
    assert below(packed) == below(tree / "out")
    found = {record.output: record for record in records(packed)}
    assert found.keys() == below(packed).keys()
    for name, data in below(packed).items():
        assert (found[name].input, found[name].state) == (name.removesuffix(".pxz"), "done")
        assert (found[name].bytes, found[name].sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert total("compress", "-r", source, "-o", packed)["skipped"] == len(NAMES)
    assert total("verify", "-r", packed)["done"] == len(NAMES)
    assert total("decompress", "-r", packed, "-o", "back")["done"] == len(NAMES)
    assert total("decompress", "-r", packed, "-o", f"{store}/back")["done"] == len(NAMES)
    assert below(tree / "back") == below(f"{store}/back") == below(tree / "tree")
    assert total("decompress", "-r", packed, "-o", "back")["skipped"] == len(NAMES)


def test_python_and_the_command_take_up_each_others_work_in_a_store(tree: Path, store: str) -> None:
    packed = f"{store}/out"
    assert sum(total("compress", "-r", "tree", "-o", packed, "--shard", f"{i}/2")["done"] for i in (1, 2)) == len(NAMES)
    assert pixzip.compress_tree("tree", packed).skipped == len(NAMES)
    stores.remove(f"{packed}/b/c.bmp.pxz")
    found = pixzip.compress_tree("tree", packed)
    assert (found.done, found.skipped, found.failed) == (1, len(NAMES) - 1, {})
    assert total("compress", "-r", "tree", "-o", packed)["skipped"] == len(NAMES)
    assert below(packed) == below(tree / "out")
    source = copied(tree / "tree", f"{store}/tree")
    stores.write(f"{source}/x.jxl", b"\xff\x0a")
    stores.write(f"{source}/lossy.webp", saved_lossy())
    moved = pixzip.compress_tree(source, tree / "again")
    assert (moved.done, list(moved.left)) == (len(NAMES), ["lossy.webp", "x.jxl"])
    assert below(tree / "again") == below(tree / "out")
    assert pixzip.compress_tree(source, tree / "again").skipped == len(NAMES)
    with pytest.raises(pixzip.PixzipError, match="nowhere is not a folder"):
        pixzip.compress_tree(f"{store}/nowhere", "out")


def saved_lossy() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 8), "teal").save(out, "WEBP", quality=50)
    return out.getvalue()


@pytest.mark.parametrize("target", ["memory://shelf/out", "again"])
def test_what_a_killed_run_did_not_enter_is_found_by_the_next_and_others_are_not_overwritten(
    tree: Path, memory: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = copied(tree / "tree", f"{memory}/tree")
    with monkeypatch.context() as killed:
        for kind in (Parts, manifest.Manifest):
            killed.setattr(kind, "append", lambda self, record: None)
        good("compress", "-r", source, "-o", target)
    assert records(target) == []
    written = f"{tree}/{target}" if target == "again" else target
    files.write(f"{written}/e.png.pxz", b"another's", force=True)
    bad("compress", "-r", source, "-o", target, words="e.png.pxz exists: -f overwrites it")
    done = [record.output for record in records(target) if record.state == "done"]
    assert sorted(done) == [f"{name}.pxz" for name in NAMES[:3]]
    good("compress", "-r", source, "-o", target, "-f")
    assert total("compress", "-r", source, "-o", target)["skipped"] == len(NAMES)
    stores.write(f"{source}/e.png", (tree / "tree" / "a.png").read_bytes())
    bad("compress", "-r", source, "-o", target, words="e.png.pxz exists: -f overwrites it")


def test_workers_are_not_sent_to_the_memory_of_this_process(tree: Path, memory: str) -> None:
    source, packed = copied(tree / "tree", f"{memory}/tree"), copied(tree / "out", f"{memory}/out")
    for args in (("compress", "tree", "-o", f"{memory}/new"), ("compress", source, "-o", "new"), ("verify", packed)):
        bad(*args, "-r", "--workers", "2", words="which workers do not reach")
    with pytest.raises(pixzip.PixzipError, match="memory of this process, which workers do not reach"):
        pixzip.compress_tree("tree", f"{memory}/new", workers=2)


def test_worker_processes_read_from_a_store_and_write_to_it(
    tree: Path, bucket: str, server: dict[str, str], two_workers: Any
) -> None:
    two_workers.run(set_environment, server)
    model = str(tree / "shipped" / "base.safetensors")
    good("compress", "-r", "tree", "-o", "mine", "--model", model)
    source, packed = copied(tree / "tree", f"{bucket}/tree"), f"{bucket}/out"
    stores.write(f"{packed}/a.png.pxz", (tree / "mine" / "a.png.pxz").read_bytes())  # as a worker that was killed
    workers = ("--scheduler", two_workers.scheduler.address, "--model", model)
    assert total("compress", "-r", source, "-o", packed, *workers)["done"] == len(NAMES)
    assert below(packed) == below(tree / "mine")
    stores.remove(f"{packed}/b/c.bmp.pxz")
    found = pixzip.compress_tree(source, packed, two_workers, model=model)
    assert (found.done, found.skipped, found.failed) == (1, len(NAMES) - 1, {})
    assert below(packed) == below(tree / "mine")
    stores.write(f"{packed}/a.png.pxz", stores.read(f"{packed}/e.png.pxz"))
    bad("verify", "-r", packed, *workers, words="a.png.pxz: is not the file that its manifest names")


def test_large_images_are_coded_by_rows_into_a_store(tree: Path, store: str, large: None) -> None:
    good("compress", "-r", "tree", "-o", "rows")
    good("compress", "-r", "tree", "-o", f"{store}/rows")
    assert below(f"{store}/rows") == below(tree / "rows")


def record(output: str) -> Record:
    return Record(output.removesuffix(".pxz"), 5, 10**18, output, 3, "ab" * 32, manifest.DONE)


def test_parts_grow_until_they_are_full_and_are_read_in_their_order(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PAUSE_S", 0.0)
    monkeypatch.setattr(parts, "PART_BYTES", 3 * len(record("0").line()))
    made = [record(f"{i}") for i in range(8)]
    run = Parts(store)
    for i, found in enumerate(made):
        run.append(found)
        assert records(store) == made[: i + 1]
        assert len(stores.below(store)) == i // 3 + 1
    run.close()
    later = Parts(store)
    later.append(record("0")._replace(size=6))
    later.close()
    assert records(store) == [*made, record("0")._replace(size=6)]
    done = manifest.read_all(store)
    assert done.holds("0", 6, 10**18, 3)
    assert not done.holds("0", 5, 10**18, 3)


def test_a_part_waits_for_more_and_one_that_a_store_refuses_is_tried_again(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Parts(memory)
    run.append(record("a"))
    assert records(memory) == []
    with monkeypatch.context() as broken:
        broken.setattr(parts, "PAUSE_S", 0.0)
        broken.setattr(stores, "write", refused)
        with pytest.raises(OSError, match="no answer"):
            run.append(record("b"))
    run.close()
    assert records(memory) == [record("a"), record("b")]
    run.close()
    assert len(stores.below(memory)) == 1


def refused(url: str, data: bytes) -> None:
    raise OSError("no answer")


def test_a_copy_of_a_manifest_from_a_disk_is_read_in_a_store_and_the_other_way_round(tree: Path, memory: str) -> None:
    for path in (tree / "out").rglob("*"):
        if path.is_file():
            stores.write(f"{memory}/out/{path.relative_to(tree / 'out').as_posix()}", path.read_bytes())
    assert total("compress", "-r", "tree", "-o", f"{memory}/out")["skipped"] == len(NAMES)
    assert len(records(f"{memory}/out")) == len(NAMES)
    good("compress", "-r", "tree", "-o", f"{memory}/made")
    for found in stores.below(f"{memory}/made"):
        (tree / "down" / found.inner).parent.mkdir(parents=True, exist_ok=True)
        (tree / "down" / found.inner).write_bytes(stores.read(found.url))
    assert total("compress", "-r", "tree", "-o", "down")["skipped"] == len(NAMES)


def test_a_folder_in_a_store_needs_a_folder_of_outputs_which_may_be_itself(tree: Path, store: str) -> None:
    source = copied(tree / "tree", f"{store}/tree")
    bad("compress", "-r", f"{store}/nothing", "-o", "new", words=f"{store}/nothing: No such file or directory")
    for command in ("compress", "decompress"):
        told = bad(command, "-r", source, words=f"-o {source} writes beside the inputs")
        assert f"pixzip: {source}: is in a store, where outputs do not have the times of their inputs" in told.stderr
    assert below(source) == below(tree / "tree")
    assert total("compress", "-r", source, "-o", source)["done"] == len(NAMES)
    assert total("compress", "-r", source, "-o", source)["skipped"] == len(NAMES)
    written = {name: data for name, data in below(source).items() if name.endswith(".pxz")}
    assert written == below(tree / "out")
    assert total("verify", "-r", source)["done"] == len(NAMES)
    good("compress", f"{source}/a.png", "-o", f"{store}/one.pxz", "-r")  # a file needs none
