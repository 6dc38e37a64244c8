"""Files that are looked for in a folder of a store, and in the folders above it."""

import io
from functools import lru_cache

from pixcodecs.errors import PixzipError

from pixzip.io import stores

#: Larger files are read anew each time.
_KEPT_BYTES = 8 << 20


class StoreFolder:
    """A folder below a URL, see `codec.carried.Folder`; what is found for one file is not asked for by the next."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: of the folder, without "/" at its end.
        """
        self.url = url

    def find(self, name: str, most: int) -> str | None:
        """The URL of a file of this name, in this folder or in the nearest one above; None if there is none.

        Args:
            most: folders in which it is looked for.
        """
        try:
            return _found(self.url, name, most)
        except FileNotFoundError:
            return None

    def read(self, url: str, most: int) -> bytes:
        """A file that `find` has found.

        Args:
            most: bytes that are read; of a larger file one more.
        Raises:
            PixzipError, OSError: it cannot be read.
        """
        try:
            return _kept(url, most)
        except _TooLarge:
            return stores.head(url, most + 1)

    def forget(self) -> None:
        """Ask anew, because what was found is no good."""
        _found.cache_clear()
        _kept.cache_clear()


def folder_of(url: str) -> StoreFolder | None:
    """The folder of a file at a URL; None for one in an archive that is in a store, such as zip://a::s3://b/c.zip."""
    parent = _parent(url)
    return StoreFolder(parent) if parent else None


class Whole(io.BytesIO):
    """A whole file of a store, in memory, that knows where it is from."""

    def __init__(self, url: str) -> None:
        """
        Raises:
            PixzipError, OSError: see `stores.read`.
        """
        super().__init__(stores.read(url))
        self.url = url


class _TooLarge(Exception):  # noqa: N818 (no error: it is read otherwise)
    """A file is not kept in memory."""


@lru_cache(maxsize=4096)
def _found(folder: str, name: str, most: int) -> str:
    """
    Raises:
        FileNotFoundError: there is none; this is not remembered, because it may come.
    """
    place: str | None = folder
    for _ in range(most):
        if place is None:
            break
        try:
            if stores.exists(f"{place}/{name}"):
                return f"{place}/{name}"
        except (OSError, PixzipError):  # such as a bucket that shows only what is below a folder
            pass
        place = _parent(place)
    raise FileNotFoundError(name)


@lru_cache(maxsize=8)
def _kept(url: str, most: int) -> bytes:
    """
    Raises:
        _TooLarge: the file is not to be kept.
        PixzipError, OSError: it cannot be read.
    """
    data = stores.head(url, min(most, _KEPT_BYTES) + 1)
    if len(data) > _KEPT_BYTES:
        raise _TooLarge
    return data


def _parent(url: str) -> str | None:
    """The URL of the folder of a file or folder; None for BUCKET in SCHEME://BUCKET, and in chains of paths."""
    scheme, mark, path = url.rpartition("://")
    folder = path.rstrip("/").rpartition("/")[0]
    is_chain_of_paths = "://" in scheme
    return f"{scheme}{mark}{folder}" if folder and not is_chain_of_paths else None
