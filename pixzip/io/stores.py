"""Files in stores that have URLs, such as s3://bucket/key, memory://key and file:///path, through fsspec.

A path without `SCHEME://` is never given to fsspec.  Credentials and endpoints are those of fsspec's own configuration
and of each store's environment variables.
"""

import contextlib
import errno
import io
import os
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, BinaryIO, NamedTuple

from pixcodecs.errors import PixzipError

from pixzip.io.ranges import Ranges

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_LOCAL = re.compile(r"(?:file|local)://", re.IGNORECASE)
_OF_THIS_PROCESS = re.compile(r"memory://", re.IGNORECASE)
#: Stores of objects, to which bytes go by one request.
_AT_ONCE = frozenset({"s3", "gs", "abfs"})
#: Larger files are written in parts.
_SMALL_BYTES = 5 << 20
#: What stores call the time of a file's last change.
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")


def is_url(name: str) -> bool:
    """Whether a name is a URL: SCHEME://..., or fsspec's chains such as simplecache::s3://..."""
    return "://" in name and _URL.match(name) is not None


def plain(name: str) -> str:
    """The path of a file:// or local:// URL, which is written and read like any other path; other names as they are.

    Raises:
        PixzipError: fsspec is not installed.
    """
    return str(located(name)[1]) if _LOCAL.match(name) else name


def is_of_this_process(name: str) -> bool:
    """Whether a name is a URL of this process's memory, which no other process reaches."""
    return _OF_THIS_PROCESS.match(name) is not None


class Status(NamedTuple):
    """What a store says of a file, in the words of `os.stat_result`.

    Attributes:
        st_size: bytes.
        st_mtime_ns: time of the last change in nanoseconds; 0 if the store does not say it.
    """

    st_size: int
    st_mtime_ns: int


class Stored(NamedTuple):
    """A file below a URL.

    Attributes:
        url: of the file.
        inner: path below the URL, with "/" between its parts.
        size_bytes: None if the store does not say it.
        mtime_ns: see `Status`.
    """

    url: str
    inner: str
    size_bytes: int | None
    mtime_ns: int = 0

    @property
    def status(self) -> Status:
        return Status(self.size_bytes or 0, self.mtime_ns)


def read(url: str, most: int | None = None) -> bytes:
    """A whole file.

    Args:
        most: refuse to read more bytes; None for no limit.
    Raises:
        PixzipError: fsspec or the store's package is missing, there is no such kind of store, or the file is too large.
        OSError: the file cannot be read.
    """
    fs, path = located(url)
    with as_oserror(url):
        data: bytes = fs.cat_file(path) if most is None else fs.cat_file(path, start=0, end=most + 1)
    if most is not None and len(data) > most:
        raise PixzipError(f"{url} has more than {most} bytes: save it to a file first")
    return data


def head(url: str, size: int) -> bytes:
    """The first bytes of a file; fewer if there are no more.

    Raises:
        PixzipError, OSError: see `read`.
    """
    fs, path = located(url)
    with as_oserror(url):
        data: bytes = fs.cat_file(path, start=0, end=size)
    return data


def opened(url: str, block_bytes: int = 1 << 16, head: bytes = b"") -> BinaryIO:
    """A file that can seek, of which only parts are read; to be closed by the caller.

    Args:
        block_bytes: what is asked for at once.
        head: the first bytes, as far as they are known, which are not asked for again.
    Raises:
        PixzipError, OSError: see `read`.
    """
    fs, path = located(url)

    def size() -> int:
        with as_oserror(url):
            return int(fs.size(path))

    def read(start: int, end: int) -> bytes:
        with as_oserror(url):
            found: bytes = fs.cat_file(path, start=start, end=end)
        return found

    return io.BufferedReader(Ranges(size, read, head), block_bytes)


def exists(url: str) -> bool:
    """Whether there is a file.

    Raises:
        PixzipError, OSError: see `read`.
    """
    fs, path = located(url)
    with as_oserror(url):
        return bool(fs.exists(path))


def write(url: str, data: bytes | BinaryIO) -> None:
    """Write a file, replacing one that exists; it appears when it is complete, wherever the store's class can do so.

    Raises:
        PixzipError: see `read`.
        OSError: the file cannot be written.
    """
    fs, path = located(url)
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    source.seek(0)
    with as_oserror(url):
        if fs.protocol == "memory":  # it does not heed `autocommit`, and stores bytes at once
            fs.pipe_file(path, source.read())
            return
        kinds = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
        if isinstance(data, bytes) and len(data) <= _SMALL_BYTES and kinds & _AT_ONCE:
            fs.pipe_file(path, data)
            return
        file = fs.open(path, "wb", autocommit=False)
        try:
            with file:
                shutil.copyfileobj(source, file, 1 << 20)
            file.commit()
        except BaseException:
            with contextlib.suppress(Exception):  # the first error counts
                file.discard()
            raise


def remove(url: str) -> None:
    """Remove a file, if there is one.

    Raises:
        PixzipError: see `read`.
        OSError: the file cannot be removed.
    """
    fs, path = located(url)
    with as_oserror(url), contextlib.suppress(FileNotFoundError):
        fs.rm_file(path)


def below(url: str) -> list[Stored]:
    """The files below a URL, sorted by the parts of their paths; without those that have a part that starts with a dot.

    Objects that stand for folders, whose names end with "/", are none.

    Raises:
        PixzipError: see `read`.
        OSError: the store cannot list them.
    """
    fs, path = located(url)
    with as_oserror(url):
        root = str(path).rstrip("/")
        found = fs.find(root, detail=True)
    listed = [(name.removeprefix(root).lstrip("/"), facts) for name, facts in found.items() if name[-1:] != "/"]
    shown = [(inner, facts) for inner, facts in listed if inner and not any(p[0] == "." for p in inner.split("/") if p)]
    base = url.rstrip("/")
    return [
        Stored(f"{base}/{inner}", inner, facts.get("size"), _mtime_ns(facts))
        for inner, facts in sorted(shown, key=lambda item: item[0].split("/"))
    ]


def matching(url: str, pattern: str) -> list[str]:
    """The URLs of the files in a folder, not below it, whose names match a shell's pattern, sorted; none if there is
    no such folder.

    Raises:
        PixzipError, OSError: see `below`.
    """
    fs, path = located(url)
    with as_oserror(url):
        root = str(path).rstrip("/")
        try:
            names = [str(facts["name"]).removeprefix(root).strip("/") for facts in fs.ls(root, detail=True)]
        except FileNotFoundError:
            return []
    return sorted(f"{url.rstrip('/')}/{name}" for name in names if fnmatchcase(name, pattern))


def _mtime_ns(facts: dict[str, Any]) -> int:
    """The time of a file's last change among what its store says, in whole microseconds; 0 if it says none."""
    said = next((facts[name] for name in _TIMES if facts.get(name)), 0)
    try:
        at = datetime.fromisoformat(said) if isinstance(said, str) else said
        return round(1e6 * (at.timestamp() if isinstance(at, datetime) else float(at))) * 1000
    except (ValueError, TypeError):
        return 0


def located(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path there.

    Raises:
        PixzipError: fsspec or the store's package is missing, or there is no such kind of store.
        OSError: the store cannot be reached.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise PixzipError(
            f"{url} is a URL, which takes fsspec: `pip install fsspec` and the package of its store, such as s3fs;"
            f" a file of that name is ./{url}"
        ) from None
    try:
        with as_oserror(url):
            fs, path = url_to_fs(url)
            fs.invalidate_cache()  # listings that fsspec keeps do not know what other processes write
    except ImportError as e:
        raise PixzipError(f"{url}: {e}") from None
    return fs, str(path)


@contextlib.contextmanager
def as_oserror(url: str) -> Iterator[None]:
    """Turn what a store's library raises into an OSError; a scheme that fsspec does not know into a PixzipError."""
    try:
        yield
    except FileNotFoundError as e:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from e
    except (OSError, ImportError, MemoryError, PixzipError):
        raise
    except ValueError as e:
        raise PixzipError(f"{url}: {e}") from None
    except Exception as e:
        raise OSError(f"{url}: {' '.join(str(e).split()) or type(e).__name__}") from e
