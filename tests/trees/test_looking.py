"""First bytes of files in stores: asked for together, once, and enough for names and shards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import pixzip
from pixzip import codec, image
from pixzip.io import heads, stores, streams
from pixzip.trees import compressing, looking, sizes
from tests.helpers.shell import bad, good, pixels

COUNT = 20


def png(height: int, width: int = 20, *, noise: bool = False) -> bytes:
    """A PNG of few bytes or of many."""
    samples = pixels(height, width, 3) if noise else np.zeros((height, width, 3), np.uint8)
    return image.write(codec.as_picture(samples))


def planned(*args: object) -> list[str]:
    """The lines of a dry run."""
    return good(*args, "--dry-run").stdout.splitlines()


def asked_of(slow: Any) -> list[str]:
    """The files whose first bytes were asked for, each time."""
    return [path.removeprefix("shelf/") for path, start, _ in slow.asked if start == 0 and path != "shelf"]


@pytest.fixture
def packed(shipped: Path, slow: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files in slow://shelf, packed from PNGs and JPEGs."""
    monkeypatch.setattr(heads, "FILES_AT_ONCE", 8)
    file = pixzip.compress(png(5, 6))
    Image.fromarray(pixels(8, 8, 3)).save("a.jpg")
    jpeg = pixzip.encode("a.jpg")
    names = [f"{i:02}.pxz" for i in range(COUNT)]
    slow.files |= {f"shelf/{name}": jpeg if i % 5 == 0 else file for i, name in enumerate(names)}
    slow.files["shelf/empty.pxz"] = b""
    return names


def test_decompress_asks_for_heads_together_and_for_each_once(packed: list[str], slow: Any) -> None:
    lines = planned("decompress", "-r", "slow://shelf", "-o", "out")
    assert asked_of(slow) == packed
    assert slow.at_once == 8
    suffixes = [".jpg" if i % 5 == 0 else ".png" for i in range(COUNT)]
    stems = [name.removesuffix(".pxz") for name in packed]
    expected = [f"out/{stem}{suffix}" for stem, suffix in zip(stems, suffixes, strict=True)]
    assert [line.split(" -> ")[1] for line in lines] == [*expected, "out/empty.png"]


def test_headers_longer_than_a_head_are_asked_for_again_together(packed: list[str], slow: Any) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("noise", np.random.default_rng(0).bytes(5000).hex())
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save("long.png", pnginfo=text)
    file = pixzip.compress(Path("long.png").read_bytes())
    slow.files = {f"shelf/{i}.png.pxz": file for i in range(5)}
    lines = planned("decompress", "-r", "slow://shelf", "-o", "out")
    assert lines == [f"slow://shelf/{i}.png.pxz -> out/{i}.png" for i in range(5)]
    ends = [end for path, start, end in slow.asked if start == 0 and path != "shelf"]
    assert ends == [heads.HEAD_BYTES] * 5 + [streams.PEEK_BYTES] * 5
    assert slow.at_once == 5


def test_a_file_whose_head_cannot_be_had_fails_alone(packed: list[str], slow: Any) -> None:
    slow.refused["shelf/03.pxz"] = ConnectionError("the store is busy")
    found = bad("decompress", "-r", "slow://shelf", "-o", "out", "--dry-run", words="03.pxz: the store is busy")
    assert len(found.stdout.splitlines()) == COUNT


def test_compress_asks_only_for_heads_that_decide_whether_a_file_is_taken(slow: Any, shipped: Path) -> None:
    lossy, exact = Path("lossy.webp"), Path("exact.webp")
    Image.fromarray(pixels(50, 50, 3)).save(lossy, quality=50)
    Image.fromarray(pixels(50, 50, 3)).save(exact, lossless=True)
    for i in range(6):
        slow.files[f"shelf/{i}.png"] = png(4)
        slow.files[f"shelf/{i}.png.pxz"] = b"what an earlier run wrote"
        slow.files[f"shelf/{i}.webp"] = (exact if i % 2 else lossy).read_bytes()
        slow.files[f"shelf/{i}.txt"] = png(4) if i % 3 == 0 else b"text"
    lines = planned("compress", "-r", "slow://shelf", "-o", "out")
    assert asked_of(slow) == [f"{i}.{suffix}" for i in range(6) for suffix in ("txt", "webp")]
    assert slow.at_once == 12
    assert [line.split(" -> ")[0].removeprefix("slow://shelf/") for line in lines] == [
        name for i in range(6) for name in ([f"{i}.png", f"{i}.webp"] if i % 2 else [f"{i}.png"])
    ]
    slow.asked.clear()
    found = pixzip.compress_tree("slow://shelf", "out")
    assert found.done == 9
    assert sorted(found.left) == ["0.txt", "0.webp", "2.webp", "3.txt", "4.webp"]
    assert len([name for name in asked_of(slow) if name.endswith(".txt")]) == 6


def uneven() -> dict[str, bytes]:
    """Files whose pixels are in another proportion than their bytes."""
    return {f"{i:02}.png": png(4, noise=True) if i % 2 else png(400) for i in range(10)} | {"x.png": png(40) * 2}


def test_shards_in_a_store_are_those_of_a_disk(shipped: Path, slow: Any) -> None:
    Path("tree").mkdir()
    for name, data in uneven().items():
        Path("tree", name).write_bytes(data)
        slow.files[f"shelf/{name}"] = data
    for i in (1, 2, 3):
        there, here = (
            [line.split(" -> ")[1] for line in planned("compress", "-r", place, "-o", "out", "--shard", f"{i}/3")]
            for place in ("slow://shelf", "tree")
        )
        assert here == there
        assert here
    assert len(slow.asked) == 3 * len(uneven())
    slow.asked.clear()
    parts = [planned("compress", "-r", "one://shelf", "-o", "out", "--shard", f"{i}/3") for i in (1, 2, 3)]
    assert sum(map(len, parts)) == len(uneven())
    assert not slow.asked  # it would answer one question after another


def test_a_shard_is_not_cut_by_an_error_that_other_parts_may_not_see(shipped: Path, slow: Any) -> None:
    slow.files |= {f"shelf/{name}": data for name, data in uneven().items()}
    command = ("compress", "-r", "slow://shelf", "-o", "out", "--dry-run", "--shard")
    slow.refused["shelf/03.png"] = ConnectionError("the store is busy")
    bad(*command, "1/3", words="slow://shelf/03.png cannot be read, and the parts of --shard are cut by what it is")
    with pytest.raises(pixzip.PixzipError, match="the store is busy"):
        pixzip.compress_tree("slow://shelf", "out", shard=(1, 3))
    slow.refused["shelf/03.png"] = PermissionError("no")
    assert sum(len(good(*command, f"{i}/3").stdout.splitlines()) for i in (1, 2, 3)) == len(uneven())


def test_work_is_what_heads_declare_unless_there_are_too_many_files(slow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.files |= {"shelf/a.png": png(30), "shelf/b.txt": b"no image", "shelf/c.pxz": pixzip.encode(pixels(7, 9))}
    given = [sizes.Given(f"slow://{path}", len(data)) for path, data in slow.files.items()]
    known = [sizes.Given("slow://shelf/d", 5, 77), sizes.Given("slow://shelf/e")]
    assert sizes.work([*given, *known]) == [600, 8, 63, 77, 0]
    monkeypatch.setattr(sizes, "MOST_ASKED", 2)
    assert sizes.work([*given, *known]) == [*map(len, slow.files.values()), 77, 0]


def test_a_head_that_is_known_is_not_asked_for_again(slow: Any) -> None:
    data = bytes(range(256)) * 64
    slow.files["shelf/a"] = data
    for size in (0, 1, 100, 4096, len(data)):
        with stores.opened("slow://shelf/a", 512, head=data[:size]) as file:
            assert file.read(50) + file.read(100) == data[:150]
            assert file.seek(5000) == 5000
            assert file.read() == data[5000:]
            file.seek(90)
            assert file.read(5000) == data[90:5090]
    slow.asked.clear()
    with stores.opened("slow://shelf/a", head=data[:4096]) as file:
        file.read(4096)
    assert not slow.asked


def test_batches_count_what_is_to_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "FILES_AT_ONCE", 3)
    found = list(looking.batched(range(12), lambda n: n % 2 == 0))
    assert found == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10], [11]]
    assert [*looking.batched([], bool)] == []


def test_a_process_holds_no_more_images_of_a_store_than_it_codes_at_once(
    shipped: Path, slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.files |= {f"shelf/{i}.png": png(10, 10) for i in range(5)}
    monkeypatch.setattr(compressing, "SOON_PIXELS", 200 // compressing.threads.get_threads())
    compress, batch_sizes = codec.compress, []

    def counted(pictures: list[Any], *args: Any) -> list[bytes]:
        batch_sizes.append(len(pictures))
        return compress(pictures, *args)

    monkeypatch.setattr(codec, "compress", counted)
    assert pixzip.compress_tree("slow://shelf", "out").done == 5
    assert batch_sizes == [2, 2, 1]
