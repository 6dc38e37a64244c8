"""The first bytes of many files in stores, asked for together: a store answers many questions in the time of one."""

import os
from collections.abc import Sequence
from itertools import groupby

from pixcodecs.errors import PixzipError

from pixzip.io import stores

#: First bytes that are asked of each file.
HEAD_BYTES = 1 << 12
#: Files that are asked at once.
FILES_AT_ONCE = 256

#: The first bytes of a file, or why they cannot be read.
Head = bytes | OSError


def at_once(url: str) -> bool:
    """Whether the store of a URL answers many questions at once: S3, Google Cloud, Azure, HTTP, memory; not SFTP.

    Raises:
        PixzipError, OSError: see `stores.read`.
    """
    fs, _ = stores.located(url)
    return bool(fs.async_impl) or fs.protocol == "memory"


def read(urls: Sequence[str], size: int | None = HEAD_BYTES) -> list[Head]:
    """The first bytes of files, fewer if there are no more; asked for at once where the store's class can do so.

    Args:
        urls: at most some `FILES_AT_ONCE`, because all answers are in memory together.
        size: None for whole files.
    Raises:
        PixzipError: fsspec or a store's package is missing.
        OSError: a store cannot be reached.
    """
    found: list[Head] = []
    for _, group in groupby(urls, store_of):
        found += _of_one_store([*group], size)
    return found


def store_of(url: str) -> str:
    """SCHEME://BUCKET of a URL."""
    scheme, mark, path = url.partition("://")
    return scheme + mark + path.partition("/")[0]


def _of_one_store(urls: list[str], size: int | None) -> list[Head]:
    base = os.path.commonprefix(urls).rpartition("/")[0] if len(urls) > 1 else urls[0]  # noqa: RUF071 (URLs)
    fs, root = stores.located(base)
    paths = [root.rstrip("/") + url.removeprefix(base) for url in urls]
    with stores.as_oserror(base):
        answers = fs.cat_ranges(paths, None if size is None else 0, size, on_error="return")
    return [_head(url, answer, size) for url, answer in zip(urls, answers, strict=True)]


def _head(url: str, answer: bytes | BaseException, size: int | None) -> Head:
    if not isinstance(answer, BaseException):
        return answer[:size]  # a web server may send the whole file
    try:
        with stores.as_oserror(url):
            raise answer
    except OSError as e:
        return e.with_traceback(None)
    except PixzipError as e:
        return OSError(str(e))
