"""Files in stores that have URLs, such as s3://bucket/key, memory://key and file:///path, through fsspec.

A path without `SCHEME://` is never given to fsspec.  Credentials and endpoints are those of fsspec's own configuration
and of each store's environment variables.
"""

import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from pixcodecs.errors import PixzipError

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_LOCAL = re.compile(r"(?:file|local)://", re.IGNORECASE)


def is_url(name: str) -> bool:
    """Whether a name is a URL: SCHEME://..., or fsspec's chains such as simplecache::s3://..."""
    return _URL.match(name) is not None


def plain(name: str) -> str:
    """The path of a file:// or local:// URL, which is written and read like any other path; other names as they are.

    Raises:
        PixzipError: fsspec is not installed.
    """
    return str(_located(name)[1]) if _LOCAL.match(name) else name


class Stored(NamedTuple):
    """A file below a URL.

    Attributes:
        url: of the file.
        inner: path below the URL, with "/" between its parts.
        size_bytes: None if the store does not say it.
    """

    url: str
    inner: str
    size_bytes: int | None


def read(url: str, most: int | None = None) -> bytes:
    """A whole file.

    Args:
        most: refuse to read more bytes; None for no limit.
    Raises:
        PixzipError: fsspec or the store's package is missing, there is no such kind of store, or the file is too large.
        OSError: the file cannot be read.
    """
    fs, path = _located(url)
    with _as_oserror(url):
        data: bytes = fs.cat_file(path) if most is None else fs.cat_file(path, start=0, end=most + 1)
    if most is not None and len(data) > most:
        raise PixzipError(f"{url} has more than {most} bytes: save it to a file first")
    return data


def head(url: str, size: int) -> bytes:
    """The first bytes of a file; fewer if there are no more.

    Raises:
        PixzipError, OSError: see `read`.
    """
    fs, path = _located(url)
    with _as_oserror(url):
        data: bytes = fs.cat_file(path, start=0, end=size)
    return data


def exists(url: str) -> bool:
    """Whether there is a file.

    Raises:
        PixzipError, OSError: see `read`.
    """
    fs, path = _located(url)
    with _as_oserror(url):
        return bool(fs.exists(path))


def write(url: str, data: bytes | BinaryIO) -> None:
    """Write a file, replacing one that exists; it appears when it is complete, wherever the store's class can do so.

    Raises:
        PixzipError: see `read`.
        OSError: the file cannot be written.
    """
    fs, path = _located(url)
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    source.seek(0)
    with _as_oserror(url):
        if fs.protocol == "memory":  # it does not heed `autocommit`, and stores bytes at once
            fs.pipe_file(path, source.read())
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
    fs, path = _located(url)
    with _as_oserror(url), contextlib.suppress(FileNotFoundError):
        fs.rm_file(path)


def below(url: str) -> list[Stored]:
    """The files below a URL, sorted by the parts of their paths; without those that have a part that starts with a dot.

    Raises:
        PixzipError: see `read`.
        OSError: the store cannot list them.
    """
    fs, path = _located(url)
    with _as_oserror(url):
        root = str(path).rstrip("/")
        found = fs.find(root, detail=True)
    listed = [(name.removeprefix(root).lstrip("/"), facts) for name, facts in found.items()]
    shown = [(inner, facts) for inner, facts in listed if inner and not any(p[0] == "." for p in inner.split("/") if p)]
    base = url.rstrip("/")
    return [
        Stored(f"{base}/{inner}", inner, facts.get("size"))
        for inner, facts in sorted(shown, key=lambda item: item[0].split("/"))
    ]


def _located(url: str) -> tuple[Any, str]:
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
        with _as_oserror(url):
            fs, path = url_to_fs(url)
    except ImportError as e:
        raise PixzipError(f"{url}: {e}") from None
    return fs, str(path)


@contextlib.contextmanager
def _as_oserror(url: str) -> Iterator[None]:
    """Turn what a store's library raises into an OSError; a scheme that fsspec does not know into a PixzipError."""
    try:
        yield
    except (OSError, ImportError, MemoryError, PixzipError):
        raise
    except ValueError as e:
        raise PixzipError(f"{url}: {e}") from None
    except Exception as e:
        raise OSError(f"{url}: {' '.join(str(e).split()) or type(e).__name__}") from e
