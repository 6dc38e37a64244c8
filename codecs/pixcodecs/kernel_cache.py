"""Compiled kernels on disk, for the next process.

This is numba's cache [1], an index and files of machine code for each function, with these differences:

- A folder or file that another user can write is not used; see `trusted`.
- Every file begins with the SHA-256 of the rest, which is compared before anything is unpickled.  A damaged file is
  thrown away and made anew.
- A kernel is out of date when any module of its package, or of this one, has changed: it contains the functions that
  it calls and the numbers that it uses, wherever they are defined.  A subpackage whose modules import no others may
  name in `KERNEL_SOURCES` the packages that they import instead of the whole package.
- Kernels are read from all of the `places`, and written to the first that can be written.  If there is none, every
  process compiles what it needs; a warning says so, once.  If NUMBA_CACHE_DIR can be written, no other is read.

[1] numba.core.caching, https://numba.readthedocs.io/en/stable/developer/caching.html
"""

import contextlib
import hashlib
import importlib
import inspect
import os
import pickle
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import Cache, CompileResultCacheImpl
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from pixcodecs import trusted

_DIGEST_BYTES = hashlib.sha256().digest_size


@lru_cache
def _digest_of(folders: tuple[str, ...]) -> str:
    """SHA-256 of all modules in some folders and below.

    Raises:
        OSError: a module cannot be read.
    """
    files = sorted(file for folder in folders for file in Path(folder).rglob("*.py"))
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def _sources_of(module: str) -> tuple[str, ...]:
    """The folders whose modules a kernel of `module` may contain; none if the module is in no package."""
    parts = module.split(".")
    for n in range(len(parts) - 1, 0, -1):
        named = getattr(sys.modules.get(".".join(parts[:n])), "KERNEL_SOURCES", None)
        if named is not None:
            return tuple(folder for package in named for folder in importlib.import_module(package).__path__)
    return tuple(getattr(sys.modules.get(parts[0]), "__path__", ()))


def _state_of(module: str, source: Path) -> tuple[str, str]:
    """Of what a kernel was compiled: the digest of this package, and that of the kernel's sources or lone module.

    Raises:
        OSError: a module cannot be read.
    """
    own, other = _sources_of(__name__), _sources_of(module)
    return _digest_of(own), _digest_of(other) if other else hashlib.sha256(source.read_bytes()).hexdigest()


def places(source: Path) -> dict[str, Path]:
    """The folders for kernels of a source file, the preferred one first.

    Returns:
        What chose the folder ("NUMBA_CACHE_DIR", "package", "user" or "temporary") -> its path; it need not exist.
    """
    below = f"{source.parent.name}_{hashlib.sha256(os.fsencode(source.parent)).hexdigest()[:40]}"
    chosen = vars(numba.config).get("CACHE_DIR")  # the variable's value, which a program may change
    found = {"NUMBA_CACHE_DIR": Path(chosen) / below} if chosen else {}
    found["package"] = source.parent / "__pycache__"
    found["user"] = Path(AppDirs("pixzip", appauthor=False).user_cache_dir) / below
    with contextlib.suppress(OSError):  # no folder for temporary files
        temporary = Path(tempfile.gettempdir())
        own = temporary / f"pixzip-{os.geteuid() if hasattr(os, 'geteuid') else 'kernels'}"
        if temporary != Path.cwd() and not own.is_symlink():  # the current folder is Python's last resort
            found["temporary"] = own / below
    return found


def _make(folder: Path) -> None:
    """Make a folder, and those above it, so that only this user can write to them.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.parent.exists():
        _make(folder.parent)
    folder.mkdir(mode=0o755, exist_ok=True)


def _opened(folder: Path) -> Path:
    """The folder without symbolic links.

    Raises:
        OSError: there is no such folder, or other users can write to it.
    """
    real = folder.resolve(strict=True)
    if not trusted.is_trusted(real):
        raise PermissionError("other users can write to it, or to a folder above")
    return real


def _read(path: Path) -> bytes:
    """The bytes of a file behind its digest.

    Raises:
        OSError: there is no such file.
        ValueError: the file has other bytes than those written, or another user can write to it.
    """
    with path.open("rb") as file:
        if not trusted.is_owned(os.fstat(file.fileno())):
            raise ValueError("file of another user")
        data = file.read()
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("damaged")
    return content


def _write(path: Path, content: bytes) -> None:
    """Write a file with its digest, in one piece for those who read it.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(f"{path.name}.tmp.{uuid.uuid4().hex[:16]}")
    try:
        with open(new, "xb", opener=lambda name, flags: os.open(name, flags, 0o644)) as file:
            file.write(hashlib.sha256(content).digest())
            file.write(content)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


class _Store:
    """The kernels of one function in one folder."""

    def __init__(self, folder: Path, base: str, stamp: object) -> None:
        """
        Args:
            base: the names of files begin with it.
            stamp: kernels with another stamp are out of date.
        Raises:
            OSError: see `_opened`.
        """
        self.folder, self._base, self._stamp = _opened(folder), base, stamp
        self._index_path = self.folder / f"{base}.nbi"

    def _index(self) -> dict[Any, str]:
        """Overload -> name of its file."""
        try:
            stamp, index = pickle.loads(_read(self._index_path))  # noqa: S301 (only this user or root wrote it)
        except FileNotFoundError:
            return {}
        return index if stamp == self._stamp else {}

    def load(self, key: object) -> Any | None:
        """A kernel, as numba reduced it; None if there is none for the overload.

        Raises:
            Exception: a file is damaged.
        """
        name = self._index().get(key)
        if name is None:
            return None
        stamp, found, kernel = pickle.loads(_read(self.folder / name))  # noqa: S301 (only this user or root wrote it)
        return kernel if (stamp, found) == (self._stamp, key) else None

    def save(self, key: object, kernel: object) -> None:
        """
        Raises:
            OSError: the folder cannot be written.
        """
        try:
            index = self._index()
        except Exception:  # noqa: BLE001 (a damaged index is replaced)
            index = {}
        # named after the overload, so that processes that write at the same time name two overloads differently
        name = f"{self._base}.{hashlib.sha256(repr(key).encode()).hexdigest()[:12]}.nbc"
        _write(self.folder / name, dumps((self._stamp, key, kernel)))
        _write(self._index_path, dumps((self._stamp, index | {key: name})))

    def discard(self) -> None:
        """Throw all kernels of the function away."""
        for path in (self._index_path, *self.folder.glob(f"{self._base}.*.nbc")):
            with contextlib.suppress(OSError):  # it stays, and is not used
                path.unlink()


class _Forms(CompileResultCacheImpl):
    """numba's form of kernels in files, and the names of files, without numba's choice of folders."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._lineno, self._py_file = function.__code__.co_firstlineno, inspect.getfile(function)
        self._locator = self
        full_name = f"{Path(self._py_file).stem}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(full_name, getattr(sys, "abiflags", ""))

    def get_disambiguator(self) -> str:
        return str(self._lineno)


class KernelCache(Cache):
    """The cache of one function; `numba`'s dispatcher calls it with its compiler's lock held."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name, self._py_func = repr(function), function
        self._impl = _Forms(function)
        self._source = Path(inspect.getfile(function))
        self.enable()

    @property
    def cache_path(self) -> str:
        """The preferred folder, which numba's statistics show."""
        return str(next(iter(places(self._source).values())))

    def _store(self, folder: Path, make: bool = False) -> _Store:
        """
        Args:
            make: whether to make the folder if there is none.
        Raises:
            OSError: the folder is no place for kernels, or the source cannot be read.
        """
        if make:
            _make(folder)
        stamp = numba.__version__, _state_of(self._py_func.__module__, self._source)
        return _Store(folder, self._impl.filename_base, stamp)

    def flush(self) -> None:
        for folder in places(self._source).values():
            with contextlib.suppress(OSError):
                self._store(folder).discard()

    def _load_overload(self, sig: object, target_context: Any) -> Any | None:
        if not self._enabled:
            return None
        key = self._index_key(sig, target_context.codegen())
        for chosen_by, folder in places(self._source).items():
            by_user = chosen_by == "NUMBA_CACHE_DIR"
            try:
                store = self._store(folder, make=by_user)
            except OSError:
                continue
            try:
                kernel = store.load(key)
                if kernel is not None:
                    return self._impl.rebuild(target_context, kernel)
            except OSError:
                pass  # not to be read
            except Exception:  # noqa: BLE001 (of pickle or LLVM, about a damaged file)
                store.discard()
            if by_user and os.access(store.folder, os.W_OK):
                break
        return None

    def _save_overload(self, sig: object, data: Any) -> None:
        if not self._enabled or not self._impl.check_cachable(data):
            return
        key, kernel = self._index_key(sig, data.codegen), self._impl.reduce(data)
        refused: dict[str, str] = {}
        for chosen_by, folder in places(self._source).items():
            try:
                self._store(folder, make=True).save(key, kernel)
            except OSError as e:
                refused[chosen_by] = f"{folder}: {e.strerror or e}"
                continue
            if chosen_by == "temporary" or "NUMBA_CACHE_DIR" in refused:
                _warn(f"compiled kernels are kept in {folder}", refused)
            return
        _warn("compiled kernels cannot be kept: every start of pixzip compiles them", refused)


_warned = False


def _warn(found: str, refused: dict[str, str]) -> None:
    """Say once where kernels are kept, and which folders were refused."""
    global _warned
    if not _warned:
        _warned = True
        reasons = "; ".join(refused.values())
        way_out = "set NUMBA_CACHE_DIR to a folder that only you can write"
        warnings.warn(f"{found} ({reasons}): {way_out}", RuntimeWarning, stacklevel=2)
