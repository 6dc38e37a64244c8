"""Outputs: without a name until they are complete, and what systems without such files get."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pixcodecs.errors import PixzipError

from pixzip.io import files, folders
from pixzip.io.folders import write_folder

#: Kills processes that write.  Only a file that replaces another one has a second name, when it is complete.
TRIALS = """
import json, os, random, signal, sys, time
from pathlib import Path
from pixzip.io import files
folder, moments = Path(sys.argv[1]), random.Random(1)
data = bytes(range(256)) * 2000
left = []
for trial in range(25):
    place = folder / str(trial)
    place.mkdir()
    (place / "old").write_bytes(b"older")
    overwrite = trial % 3 == 0
    ready, written = os.pipe()
    child = os.fork()
    if not child:
        for i in range(100_000):
            files.write(str(place / ("old" if overwrite else str(i))), data, overwrite)
            if not i:
                os.write(written, b"1")
    os.read(ready, 1)
    time.sleep(moments.uniform(0.001, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = {path.name: path.read_bytes() for path in place.iterdir()}
    left += [name for name, found in found.items() if found not in (data, b"older")]
    left += [name for name in found if name.endswith(".tmp") and not overwrite]
print(json.dumps(left))
"""


def has_unnamed(folder: Path) -> bool:
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR))
    except (OSError, AttributeError):
        return False
    return Path("/proc/self/fd").exists()


def named(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["unnamed", "not supported", "not linked"])
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A system with unnamed files, one without, and one that cannot give them names."""
    way = str(request.param)
    if way == "unnamed" and not has_unnamed(tmp_path):
        pytest.skip("needs O_TMPFILE")
    opened, link = os.open, os.link

    def unsupported(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return opened(path, flags, *args, **options)

    def unlinked(source: Any, *args: Any, **options: Any) -> None:
        if str(source).startswith("/proc/"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        link(source, *args, **options)

    if way == "not supported":
        monkeypatch.setattr(os, "open", unsupported)
    if way == "not linked":
        monkeypatch.setattr(os, "link", unlinked)
    return way


@pytest.mark.usefixtures("way")
def test_a_file_is_written_with_the_times_and_permissions_of_its_source_or_of_the_umask(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")
    source.chmod(0o604)
    os.utime(source, ns=(10**18, 10**18 + 5))
    files.write(str(tmp_path / "a"), b"content", False, source.stat())
    found = (tmp_path / "a").stat()
    assert (found.st_mode & 0o777, found.st_mtime_ns) == (0o604, source.stat().st_mtime_ns)
    before = os.umask(0o027)
    try:
        files.write(str(tmp_path / "b"), b"content", False)
    finally:
        os.umask(before)
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"content"
    assert named(tmp_path) == ["a", "b", "source"]


@pytest.mark.usefixtures("way")
def test_an_output_without_its_sources_time_has_its_permissions(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")
    source.chmod(0o600)
    os.utime(source, ns=(10**18, 10**18))
    files.write(str(tmp_path / "a"), b"content", False, source.stat(), dated=False)
    found = (tmp_path / "a").stat()
    assert found.st_mode & 0o777 == 0o600
    assert found.st_mtime_ns > 10**18
    write_folder(str(tmp_path / "made"), {"b/c": b"content"}, False, source.stat())
    assert (tmp_path / "made" / "b" / "c").stat().st_mode & 0o777 == 0o600


class Status(NamedTuple):
    """What of a source's status decides on access."""

    st_mode: int
    st_uid: int
    st_gid: int


@pytest.mark.parametrize(("mode", "left"), [(0o640, 0o600), (0o644, 0o644), (0o664, 0o644), (0o751, 0o711)])
def test_a_group_that_cannot_be_given_gets_no_more_than_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, left: int
) -> None:
    asked: list[tuple[int, int]] = []

    def refused(descriptor: int, owner: int, group: int) -> None:
        asked.append((owner, group))
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refused)
    with (tmp_path / "a").open("wb") as file:
        now = os.fstat(file.fileno())
        files.give_access(file, Status(mode, now.st_uid + 1, now.st_gid + 1))  # type: ignore[arg-type]
        assert asked == [(-1, now.st_gid + 1), (now.st_uid + 1, -1)]
        assert os.fstat(file.fileno()).st_mode & 0o777 == left
        files.give_access(file, Status(mode, now.st_uid, now.st_gid))  # type: ignore[arg-type]
        assert os.fstat(file.fileno()).st_mode & 0o777 == mode
    assert len(asked) == 2


def test_an_output_of_many_files_has_the_access_that_all_have() -> None:
    def status(mode: int, owner: int, group: int) -> Any:
        return os.stat_result((0o100000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))

    def found(*sources: Any) -> Any:
        access = files.narrowest(sources)
        return access and (access.st_mode & 0o777, *access[1:])

    assert found() is None
    assert found(None) is None
    assert found(None, status(0o640, 1, 2)) == (0o640, 1, 2)
    assert found(status(0o640, 1, 2), status(0o604, 1, 2)) == (0o600, 1, 2)
    assert found(status(0o664, 1, 2), status(0o664, 3, 4)) == (0o644, -1, -1)


@pytest.mark.usefixtures("way")
def test_the_owner_and_group_of_a_source_are_kept_where_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")
    try:
        os.chown(source, 12345, 4321)
    except PermissionError:
        pytest.skip("only root gives files away")
    source.chmod(0o640)
    files.write(str(tmp_path / "a"), b"content", False, source.stat())
    found = (tmp_path / "a").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 4321, 0o640)


@pytest.mark.usefixtures("way")
def test_a_file_is_replaced_only_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"older")
    with pytest.raises(PixzipError, match="exists: -f overwrites it"):
        files.write(str(target), b"newer", False)
    with monkeypatch.context() as patch:  # it appears after the check
        patch.setattr(files, "check_writable", lambda *args: None)
        with pytest.raises(PixzipError, match="exists: -f overwrites it"):
            files.write(str(target), b"newer", False)
    assert target.read_bytes() == b"older"
    files.write(str(target), b"newer", True)
    assert target.read_bytes() == b"newer"
    assert named(tmp_path) == ["a"]


@pytest.mark.usefixtures("way")
def test_a_failed_write_leaves_nothing_and_not_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "old").write_bytes(b"older")
    monkeypatch.setattr(os, "fsync", full)
    for name in ("old", "new"):
        with pytest.raises(OSError, match="No space left"):
            files.write(str(tmp_path / name), b"newer", True)
    assert named(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"older"


@pytest.mark.usefixtures("way")
def test_a_link_is_replaced_and_what_it_names_stays(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"older")
    (tmp_path / "link").symlink_to("there")
    files.write(str(tmp_path / "link"), b"newer", True)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"older"


def test_sigkill_leaves_whole_files_and_nothing_else(tmp_path: Path, child_env: dict[str, str]) -> None:
    if not has_unnamed(tmp_path):
        pytest.skip("needs O_TMPFILE")
    done = subprocess.run(
        [sys.executable, "-c", TRIALS, str(tmp_path)], env=child_env, capture_output=True, text=True, check=True,
        timeout=300,
    )  # fmt: skip
    assert json.loads(done.stdout) == []
    assert sum(1 for _ in tmp_path.glob("*/*")) > 25


@pytest.mark.parametrize("name", ["nodir/", "folder/"])
def test_an_output_that_ends_like_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PixzipError, match="folder"):
        files.check_writable(f"{tmp_path}/{name}", True)


def test_a_new_folder_may_end_like_one(tmp_path: Path) -> None:
    folders.write_folder(f"{tmp_path}/new/", {"a": b"1"}, False)
    assert named(tmp_path / "new") == ["a"]
