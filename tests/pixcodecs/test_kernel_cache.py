"""Compiled kernels on disk: damaged, foreign, unwritable or dangerous caches neither fail nor run anything."""

import errno
import hashlib
import importlib.util
import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
from pixcodecs import kernel_cache, trusted

import pixzip
from tests.conftest import ROOT
from tests.helpers.support import photo

SOURCE = """
from pixcodecs.compiled import compiled

@compiled
def twice(x):
    return 2 * x
"""
needs_modes = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has other permissions")


class Places:
    """A package with one kernel, and the three folders for compiled kernels, none of which exists."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "package" / "twice.py"
        self.source.parent.mkdir(parents=True)
        self.source.write_text(SOURCE)
        self.package = self.source.parent / "__pycache__"
        self.user, self.temporary, self.chosen = folder / "user", folder / "temporary", folder / "chosen"
        self.temporary.mkdir()

    def kernel(self) -> Any:
        """The kernel in a new process, so to speak."""
        spec = importlib.util.spec_from_file_location("twice", self.source)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.twice

    def run(self, argument: Any = 21) -> bool:
        """Run the kernel; whether it came from a cache."""
        kernel = self.kernel()
        assert kernel(argument) == 2 * argument
        return bool(kernel.stats.cache_hits)

    def file(self, suffix: str) -> Path:
        (found,) = self.package.glob(f"twice.twice-*{suffix}")
        return found


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    found = Places(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(found.user))
    monkeypatch.setattr(tempfile, "tempdir", str(found.temporary))
    monkeypatch.setattr(kernel_cache, "_warned", False)
    return found


def unusable(folder: Path) -> None:
    """Put a file in the folder's place, where not even root can make a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file")


def flipped(at: float) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        i = int(at * (len(data) - 1))
        return data[:i] + bytes([data[i] ^ 0x10]) + data[i + 1 :]

    return damage


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    **{f"first {n} bytes": lambda data, n=n: data[:n] for n in (0, 31, 32, 60)},  # type: ignore[misc]
    "all but one byte": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "zeros": lambda data: bytes(len(data)),
    "numba's own form": lambda data: data[32:],
    "another object": lambda data: hashlib.sha256(pickle.dumps(7)).digest() + pickle.dumps(7),
    "no object": lambda data: hashlib.sha256(b"nothing").digest() + b"nothing",
    **{f"a bit at {at}": flipped(at) for at in (0, 0.3, 0.9)},
}


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_file_is_made_anew(suffix: str, places: Places) -> None:
    assert not places.run()
    assert places.run()
    data = places.file(suffix).read_bytes()
    for name, damage in DAMAGES.items():
        places.file(suffix).write_bytes(damage(data))
        assert not places.run(), name
        assert places.run(), name
    places.file(suffix).unlink()
    assert [places.run(), places.run()] == [False, True]


def test_a_folder_in_place_of_a_file_is_passed_by(places: Places) -> None:
    places.run()
    file = places.file(".nbc")
    file.unlink()
    file.mkdir()
    assert [places.run(), places.run()] == [False, True]
    assert list(places.user.rglob("*.nbc"))


def test_kernels_of_a_changed_source_are_compiled_anew(places: Places) -> None:
    places.run()
    places.source.write_text(SOURCE.replace("2 * x", "x + x"))
    assert [places.run(), places.run()] == [False, True]


def test_a_subpackage_names_the_packages_whose_changes_matter() -> None:
    def folders(module: str) -> set[Path]:
        return {Path(folder) for folder in kernel_cache._sources_of(module)}

    whole = Path(pixzip.__file__).parent
    assert folders("pixzip.engine.backends.numba.loop") == {whole / "engine", whole / "models"}
    assert folders("pixzip.codec.encoder") == {whole}
    assert folders("pixcodecs.coders.rans_numba") == {Path(kernel_cache.__file__).parent}
    assert not folders("twice")


def test_a_file_of_another_overload_is_not_taken(places: Places) -> None:
    """Two processes that compile at the same time may give their files the same name."""
    places.run(21)
    other = places.file(".nbc").read_bytes()
    shutil.rmtree(places.package)
    places.run(0.5)
    places.file(".nbc").write_bytes(other)
    assert [places.run(0.5), places.run(0.5)] == [False, True]


@needs_modes
def test_folders_are_used_in_order(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.run()
    assert places.file(".nbc")
    unusable(places.package)
    assert [places.run(), places.run()] == [False, True]
    assert list(places.user.rglob("*.nbc"))

    unusable(places.user)
    with pytest.warns(
        RuntimeWarning, match="compiled kernels are kept in .*temporary.*: Not a directory.*: set NUMBA_CACHE"
    ):
        assert not places.run()
    assert not places.run(0.5), "a second warning"
    assert places.run()
    (folder,) = (places.temporary / f"pixzip-{os.geteuid()}").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755

    monkeypatch.setattr(kernel_cache, "_warned", False)
    unusable(places.temporary)
    with pytest.warns(
        RuntimeWarning, match="compiled kernels cannot be kept: every start of pixzip compiles them .*File"
    ):
        assert not places.run()
    assert not places.run()


def test_the_folder_of_the_variable_is_the_only_one(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.run()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(places.chosen))
    assert [places.run(), places.run()] == [False, True]
    assert list(places.chosen.rglob("*.nbc"))

    unusable(places.chosen)
    assert places.run(), "the package's"
    with pytest.warns(RuntimeWarning, match="compiled kernels are kept in .*package.*chosen.*Not a directory"):
        assert not places.run(0.5)


def test_a_full_disk_is_no_error(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.warns(RuntimeWarning, match=f"cannot be kept.*{os.strerror(errno.EFBIG)}"):
            assert not places.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(places.source.parent.parent.rglob("*.nb*")), "what was begun is removed"
    assert [places.run(), places.run()] == [False, True]


class Attack:
    """Leaves a file where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def dangers(places: Places) -> dict[str, Callable[[], None]]:
    """Ways in which another user could have put a file there, with an index that fits its digest."""
    package, top = places.package, places.source.parent
    found = {
        "folder of the world": lambda: package.chmod(0o777),
        "sticky folder of the world": lambda: package.chmod(0o1777),
        "folder of the group": lambda: package.chmod(0o775),
        "folder above": lambda: top.chmod(0o777),
        "index of the world": lambda: places.file(".nbi").chmod(0o666),
        "index of the group": lambda: places.file(".nbi").chmod(0o664),
    }
    if os.geteuid() == 0:
        found["owner of the folder"] = lambda: os.chown(package, 1234, -1)
        found["owner of the index"] = lambda: os.chown(places.file(".nbi"), 1234, -1)
        found["owner of the folder above"] = lambda: os.chown(top, 1234, -1)
    return found


@needs_modes
def test_files_that_others_can_write_are_not_unpickled(places: Places, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    attack = pickle.dumps(Attack(trace))
    names = list(dangers(places))
    places.run()
    places.file(".nbi").write_bytes(hashlib.sha256(attack).digest() + attack)
    places.run()
    assert trace.exists(), "the attack works where this user put it"
    trace.unlink()
    for name in names:
        shutil.rmtree(places.package)
        shutil.rmtree(places.user, ignore_errors=True)
        places.source.parent.chmod(0o755)
        os.chown(places.source.parent, os.geteuid(), -1)
        places.run()
        places.file(".nbi").write_bytes(hashlib.sha256(attack).digest() + attack)
        dangers(places)[name]()
        assert not places.run(), name
        assert places.run(), f"{name}: nothing was kept elsewhere"
        assert not trace.exists(), name


@needs_modes
def test_a_shared_group_above_is_trusted_only_if_it_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "above" / "cache"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o775)
    monkeypatch.setattr(trusted, "_is_private", lambda gid: True)
    assert trusted.is_trusted(folder.resolve())
    monkeypatch.setattr(trusted, "_is_private", lambda gid: False)
    assert not trusted.is_trusted(folder.resolve())
    folder.parent.chmod(0o1777)  # as /tmp is
    assert trusted.is_trusted(folder.resolve())


@needs_modes
def test_folders_do_not_depend_on_the_umask(places: Places) -> None:
    unusable(places.package)
    before = os.umask(0)
    try:
        assert [places.run(), places.run()] == [False, True]
    finally:
        os.umask(before)


def test_processes_can_write_the_same_cache_at_once(
    places: Places, child_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(places.source.parent)  # their kernels name the module
    program = "import sys, twice; x = eval(sys.argv[1]); assert twice.twice(x) == 2 * x"
    env = child_env | {"PYTHONPATH": os.pathsep.join([str(places.source.parent), child_env["PYTHONPATH"]])}
    arguments = ["1", "0.5", "1"]
    running = [subprocess.Popen([sys.executable, "-W", "error", "-c", program, x], env=env) for x in arguments]
    assert [process.wait(timeout=200) for process in running] == [0] * len(running)
    places.run(1)
    places.run(0.5)
    assert [places.run(1), places.run(0.5)] == [True, True]


@pytest.mark.skipif(bool(numba.config.CACHE_DIR), reason="kernels are kept elsewhere")
def test_commands_work_on_a_full_disk_with_one_line(tmp_path: Path, child_env: dict[str, str]) -> None:
    pytest.importorskip("resource")
    pixzip.decode(pixzip.encode(photo(3), "fast"))  # so that the kernels are there
    for folder in ("pixzip", "codecs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    cache = tmp_path / "codecs" / "pixcodecs" / "coders" / "__pycache__"
    for kernel in ("finish", "is_exhausted"):  # one of the encoder's, one of the decoder's
        for file in cache.glob(f"range_numba.{kernel}-*.nb[ic]"):
            file.unlink()
    (tmp_path / "x.ppm").write_bytes(b"P6 32 24 255\n" + photo(3).tobytes())
    path = os.pathsep.join([str(tmp_path), str(tmp_path / "codecs")])
    env = child_env | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "user"), "TMPDIR": str(tmp_path)}
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))"
    start = "import runpy, sys; sys.argv[0] = 'pixzip'; runpy.run_module('pixzip', run_name='__main__')"

    for args in ("compress", "--model", "fast", "x.ppm", "-o", "x.pxz"), ("decompress", "x.pxz", "-o", "y.ppm"):
        command = [sys.executable, "-c", f"{limit}; {start}", *args, "-q"]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith(
            "pixzip: warning: compiled kernels cannot be kept: every start of pixzip compiles them ("
        )
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "y.ppm").read_bytes().endswith(photo(3).tobytes())
