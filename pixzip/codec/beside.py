"""Model files in the folder of a file, on a disk or elsewhere, and in the folders above it."""

import stat
from pathlib import Path
from typing import Protocol

from pixcodecs.container import models
from pixcodecs.errors import ModelMismatchError, PixzipError

from pixzip.models import files

#: Most folders in which a model file is looked for: that of the file, and those above.
MOST_FOLDERS = 64


class Folder(Protocol):
    """A folder in which and above which model files may be."""

    def find(self, name: str, most: int) -> str | None:
        """Where a file of this name is, in this folder or in the nearest one above; None if there is none.

        Args:
            most: folders in which it is looked for.
        """

    def read(self, place: str, most: int) -> bytes:
        """A file that `find` has found.

        Args:
            most: bytes that are read; of a larger file one more.
        Raises:
            PixzipError, OSError: it cannot be read.
        """

    def forget(self) -> None:
        """Ask anew, because what was found is no good."""


#: A folder of a disk, or another one.
AnyFolder = Path | Folder


class _OnDisk:
    """A `Folder` of a disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, name: str, most: int) -> str | None:
        folder = self._path.absolute()
        for place in [folder, *folder.parents][:most]:
            path = place / name
            try:
                found = path.stat()
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                return str(path)
        return None

    def read(self, place: str, most: int) -> bytes:
        return files.read(Path(place))

    def forget(self) -> None:
        pass


def as_folder(folder: AnyFolder | None) -> Folder | None:
    """Any folder as a `Folder`."""
    return _OnDisk(folder) if isinstance(folder, Path) else folder


def read(folder: Folder, place: str, model_id: bytes, max_pixels: int | None) -> tuple[bytes, int]:
    """The packed weights in a model file, and how many bytes they may have unpacked.

    Args:
        place: where `folder` has found it.
    Raises:
        ModelMismatchError: the file cannot be read, is damaged, or names another model.
    """
    try:
        data = folder.read(place, files.MAX_FILE_BYTES)
    except OSError as e:
        raise ModelMismatchError(f"{place} cannot be read: {e}") from None
    except ModelMismatchError:
        raise
    except PixzipError as e:
        raise ModelMismatchError(str(e)) from None
    found, body = files.body(data, place)
    if found != model_id:
        raise ModelMismatchError(f"{place} is model {found.hex()}, expected {model_id.hex()}")
    return body, models.limit(len(data), max_pixels)
