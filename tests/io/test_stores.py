"""Files given as URLs: in fsspec's memory, on the disk, and on a server of S3's dialect on the loopback address."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pixcodecs.errors import PixzipError

import pixzip
from pixzip import codec, image
from pixzip.io import stores
from tests.helpers.shell import run
from tests.helpers.support import photo

pytest.importorskip("fsspec")


@pytest.mark.parametrize("name", ["s3://a/b", "memory://a", "FILE:///a", "simplecache::s3://a/b", "gs://a", "a+b://c"])
def test_urls_are_told_from_paths(name: str) -> None:
    assert stores.is_url(name)


@pytest.mark.parametrize("name", ["-", "a.png", "/a/b", "C:\\a", "c://a", "s3:/a", "./s3://a", "IMG::1.png", "a b://c"])
def test_paths_are_no_urls(name: str) -> None:
    assert not stores.is_url(name)


def round_trip(url: str) -> None:
    """Save, replace and open a file."""
    grey, colour = photo(1)[..., 0], photo(3)
    pixzip.save(grey, url, "fast")
    pixzip.save(colour, url, "fast")
    with pixzip.open(url) as found:
        assert found.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(found), colour)
    assert stores.read(url) == pixzip.encode(colour, "fast")
    with pytest.raises(FileNotFoundError):
        pixzip.open(url + ".none")


def test_images_are_saved_to_memory_and_opened(memory: str) -> None:
    round_trip(f"{memory}/a/b.pxz")


def test_images_are_saved_to_an_s3_server_and_opened(bucket: str) -> None:
    round_trip(f"{bucket}/a/b.pxz")
    with pytest.raises(OSError, match="bucket"):
        pixzip.save(photo(3), "s3://no-such-bucket/a.pxz", "fast")


def test_file_urls_are_paths_and_written_as_such(tmp_path: Path) -> None:
    round_trip(f"file://{tmp_path}/a.pxz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pxz"]
    with pytest.raises(PixzipError, match="does not exist"):
        pixzip.save(photo(3), f"local://{tmp_path}/none/a.pxz", "fast")


class _Broken:
    """A source that fails after its first part."""

    def __init__(self, part: bytes) -> None:
        self.parts = [part]

    def seek(self, at: int) -> None: ...

    def read(self, size: int = -1) -> bytes:
        if not self.parts or size < 0:
            raise KeyboardInterrupt
        return self.parts.pop()


def test_an_output_is_not_seen_before_it_is_complete(store: str) -> None:
    stores.write(f"{store}/old", b"before")
    part = bytes(6 << 20)  # more than s3fs keeps in memory, so that it begins an upload in parts
    for name in ("old", "new"):
        broken: Any = _Broken(part)
        with pytest.raises(KeyboardInterrupt):
            stores.write(f"{store}/{name}", broken)
    assert stores.read(f"{store}/old") == b"before"
    assert [found.inner for found in stores.below(store)] == ["old"]


def test_files_below_a_url_are_listed_in_order_with_their_sizes_and_times(store: str) -> None:
    began = time.time()
    for name in ("b/2", "b/10", "a", ".hidden", "b/.c/d"):
        stores.write(f"{store}/in/{name}", name.encode())
    stores.write(f"{store}/in2/a", b"beside")
    found = stores.below(f"{store}/in/")
    assert [(f.inner, f.size_bytes) for f in found] == [("a", 1), ("b/10", 4), ("b/2", 3)]
    assert [stores.read(f.url).decode() for f in found] == ["a", "b/10", "b/2"]
    assert all(abs(f.mtime_ns / 1e9 - began) < 60 for f in found)
    assert stores.below(f"{store}/none") == []


def test_what_another_process_does_in_a_store_is_seen(bucket: str, server: dict[str, str]) -> None:
    import boto3

    stores.write(f"{bucket}/in/b/old", b"1")
    assert [f.inner for f in stores.below(f"{bucket}/in")] == ["b/old"]
    other = boto3.client("s3", endpoint_url=server["AWS_ENDPOINT_URL"])  # not through fsspec, which keeps listings
    other.put_object(Bucket="shelf", Key="in/b/new", Body=b"22")
    assert stores.exists(f"{bucket}/in/b/new")
    assert stores.opened(f"{bucket}/in/b/new").seek(0, 2) == 2
    assert [f.inner for f in stores.below(f"{bucket}/in")] == ["b/new", "b/old"]
    other.delete_object(Bucket="shelf", Key="in/b/old")
    assert not stores.exists(f"{bucket}/in/b/old")
    assert stores.matching(f"{bucket}/in/b", "*") == [f"{bucket}/in/b/new"]


def test_the_times_of_stores_that_say_them_otherwise_are_understood() -> None:
    for said in (1e9, 10**9, datetime.fromtimestamp(1e9, UTC), "2001-09-09T01:46:40+00:00"):
        assert stores._mtime_ns({"mtime": said}) == 10**18
    for nothing in ({}, {"mtime": None}, {"mtime": "yesterday"}, {"mtime": []}):
        assert stores._mtime_ns(nothing) == 0


def test_a_missing_package_or_store_is_named_with_the_way_out(
    memory: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(PixzipError, match=r"nostore://a: Protocol not known: nostore"):
        pixzip.open("nostore://a")
    stores.write(f"{memory}/a", b"four")
    with pytest.raises(PixzipError, match="has more than 3 bytes"):
        stores.read(f"{memory}/a", 3)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(PixzipError, match=r"gs://a/b: Please install gcsfs"):
        pixzip.save(photo(3), "gs://a/b", "fast")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(PixzipError, match=r"takes fsspec: `pip install fsspec` and the package of its store"):
        pixzip.open(f"{memory}/a")
    monkeypatch.chdir(tmp_path)
    pixzip.save(photo(3), "plain.pxz", "fast")


def test_plain_paths_do_not_import_fsspec(tmp_path: Path, child_env: dict[str, str]) -> None:
    code = (
        "import sys, numpy as np, pixzip\n"
        "pixzip.save(np.zeros((4, 4), np.uint8), 'a.pxz'); pixzip.open('a.pxz')\n"
        "assert not any(name.startswith('fsspec') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], env=child_env, cwd=tmp_path, check=True)


def test_commands_read_and_write_urls(shipped: Path, memory: str) -> None:
    png = (shipped / "rgb.png").read_bytes()
    stores.write(f"{memory}/rgb.png", png)
    for words in (
        ("compress", f"{memory}/rgb.png"),
        ("verify", f"{memory}/rgb.png.pxz"),
        ("info", f"{memory}/rgb.png.pxz"),
        ("decompress", f"{memory}/rgb.png.pxz", "-o", f"{memory}/again.png"),
        ("compress", "--rm", "rgb.png", "-o", f"{memory}/moved.pxz"),
        ("compress", "--stack", "grey.png", "-o", f"{memory}/stack.pxz"),
        ("decompress", f"{memory}/stack.pxz", "-o", "stack"),
        ("decompress", f"{memory}/moved.pxz", "-o", f"file://{shipped}/file.png"),
    ):
        result = run(*words)
        assert result.exit_code == 0, (words, result.output)
    assert image.load(stores.read(f"{memory}/again.png"), None).picture == image.load(png, None).picture
    assert not (shipped / "rgb.png").exists()
    assert (shipped / "file.png").exists()
    assert (shipped / "stack").is_dir()

    for code, words, why in (
        (2, ("compress", f"{memory}/rgb.png"), "exists: -f overwrites it"),
        (0, ("compress", "-f", f"{memory}/rgb.png"), ""),
        (2, ("compress", f"{memory}/none.png"), "none.png"),
        (2, ("decompress", f"{memory}/stack.pxz", "-o", f"{memory}/stack"), "go into a folder on a disk"),
    ):
        result = run(*words)
        assert result.exit_code == code
        assert why in result.stderr
    assert not list(shipped.glob("memory*"))
    np.testing.assert_array_equal(
        codec.as_array(codec.decompress([stores.read(f"{memory}/moved.pxz")])[0]),
        codec.as_array(image.load(png, None).picture),
    )
