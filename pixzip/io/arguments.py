"""Arguments of public functions: what is not accepted raises a `TypeError` that says what to pass instead."""

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixcodecs.errors import UnsupportedImageError

from pixzip.io.names import JPEG_SUFFIXES

#: Bytes of a `.pxz` file in memory.
FileBytes = bytes | bytearray | memoryview | mmap.mmap
#: The largest effort of `codec.efforts`, which this module does not import, so that metadata of arrays loads quickly.
MOST_EFFORT = 9
MOST_WORKERS = 1024
_MOST_SAID = 60
_JPEG_START = b"\xff\xd8\xff"


def _said(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= _MOST_SAID else text[: _MOST_SAID - 3] + '...'}"


def text(value: Any, what: str) -> str:
    """A name or path as text.

    Args:
        value: str, or a path-like object of text.
        what: the argument, for the error.
    Raises:
        TypeError: it is something else.
    """
    found = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(found, str):
        raise TypeError(f"{what} is {_said(value)}, expected a str or a path")
    return found


def file_bytes(data: Any, what: str = "a .pxz file") -> bytes:
    """The bytes of a file, copied unless they are `bytes`: they cannot change while they are decoded.

    Args:
        data: bytes, bytearray, mmap, or anything else with a one-dimensional buffer of bytes, such as a uint8 array.
        what: the file, for the error.
    Raises:
        TypeError: it is something else, such as a path or an open file.
    """
    if type(data) is bytes:
        return data
    if isinstance(data, str | os.PathLike):
        raise TypeError(f"data is {_said(data)}, expected the bytes of {what}: pass Path(...).read_bytes()")
    if hasattr(data, "read") and not isinstance(data, mmap.mmap):
        raise TypeError(f"data is {_said(data)}, expected the bytes of {what}: pass what its read() returns")
    try:
        view = memoryview(data)
    except (TypeError, BufferError):
        raise TypeError(f"data is {_said(data)}, expected the bytes of {what}") from None
    if view.ndim != 1 or view.format not in ("B", "b", "c"):
        found = f"{type(data).__name__} of shape {view.shape} and format {view.format!r}"
        raise TypeError(f"data is {found}, expected the bytes of {what}")
    return view.tobytes()


def is_file_bytes(value: Any) -> bool:
    """Whether a value that may also be an image stands for the bytes of a file, as an array of uint8 with one axis."""
    is_array = getattr(value, "ndim", 0) == 1 and getattr(value, "dtype", "") == "uint8"
    return is_array or isinstance(value, FileBytes)


def jpeg_bytes(value: Any) -> bytes | None:
    """The JPEG file that bytes or a path stand for; None for everything else, such as an image.

    Raises:
        OSError: the path is named like a JPEG, and cannot be read.
        UnsupportedImageError: it is named like a JPEG, and is none.
    """
    if isinstance(value, str | os.PathLike):
        path = Path(os.fsdecode(value))
        if path.suffix.lower() not in JPEG_SUFFIXES:
            return None
        data = path.read_bytes()
        if not data.startswith(_JPEG_START):
            raise UnsupportedImageError(f"{path} is no JPEG: pixzip.compress takes the bytes of other image files")
        return data
    if not is_file_bytes(value):
        return None
    data = file_bytes(value)
    return data if data.startswith(_JPEG_START) else None


def pixel_limit(value: Any) -> int | None:
    """A limit of pixels; None for no limit.

    Raises:
        TypeError: it is neither None nor an integer.
    """
    return None if value is None else _integer(value, "max_pixels")


def flag(value: Any, what: str) -> bool:
    """A choice between two.

    Raises:
        TypeError: it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{what} is {_said(value)}, expected True or False")
    return value


def effort(value: Any) -> int:
    """An effort of encoding, 1 to 9.

    Raises:
        TypeError: it is no integer.
        ValueError: it is out of range.
    """
    return _within(value, "effort", 1, MOST_EFFORT)


def workers(value: Any) -> int:
    """A number of processes, 1 to 1024.

    Raises:
        TypeError: it is no integer.
        ValueError: it is out of range.
    """
    return _within(value, "workers", 1, MOST_WORKERS)


def part(value: Any) -> tuple[int, int]:
    """A part of a job array: its number, from 1, and the number of parts.

    Raises:
        TypeError: it is no pair of integers.
        ValueError: there is no such part.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or len(value) != 2:
        raise TypeError(f"shard is {_said(value)}, expected (i, n)")
    index, count = (_integer(number, "a number of shard") for number in value)
    if not 1 <= index <= count:
        raise ValueError(f"shard is {value}, expected (i, n) with i from 1 to n")
    return index, count


def side(value: Any, least: int, most: int) -> int:
    """A side of a tile in pixels.

    Raises:
        TypeError: it is no integer.
        ValueError: it is out of range.
    """
    return _within(value, "tile", least, most)


def region(value: Any) -> tuple[int, int, int, int]:
    """A region as x, y, width, height.

    Raises:
        TypeError: it is no sequence of integers.
        ValueError: it has another length than four.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise TypeError(f"region is {_said(value)}, expected (x, y, width, height)")
    if len(value) != 4:
        raise ValueError(f"region is {_said(value)}, expected (x, y, width, height)")
    x, y, width, height = (_integer(side, "a number of the region") for side in value)
    return x, y, width, height


def _within(value: Any, what: str, least: int, most: int) -> int:
    found = _integer(value, what)
    if not least <= found <= most:
        raise ValueError(f"{what} is {found}, expected {least} to {most}")
    return found


def _integer(value: Any, what: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{what} is {_said(value)}, expected an integer")
    return int(value)
