"""How much work a file is: the pixels that its first bytes declare."""

import io
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pixcodecs.container.image import read_header
from pixcodecs.container.signature import SIGNATURE, Buffer
from pixcodecs.errors import BitstreamError, PixzipError

from pixzip import image
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.io import heads, stores
from pixzip.io.buffers import FileBuffer

#: Errors that all parts of a job array find.
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError)


#: Files in stores that are asked what they are, some half a minute; the sizes of more are much alike in sum.
MOST_ASKED = 30_000


class Given(NamedTuple):
    """What is known of a file.

    Attributes:
        name: path or URL.
        size_bytes: None if it is not known.
        pixels: what its head declares; None if nobody has looked.
    """

    name: str
    size_bytes: int | None = None
    pixels: int | None = None


def work(files: Sequence[Given], *, all_agree: bool = False) -> list[int]:
    """How much work files are, in about pixels.

    Files in stores are asked for their first bytes, many at once.  They count as their bytes if a store answers one
    question after another, as SFTP does, if there are more than `MOST_ASKED`, or if their first bytes do not tell.

    Args:
        all_agree: the parts of a job array ask, too, and must find the same: a file that cannot be read for a reason
            that may pass, such as a store that is busy, is an error.
    Raises:
        PixzipError, OSError: a store does not answer.
    """
    asked = [file for file in files if file.pixels is None and file.size_bytes and stores.is_url(file.name)]
    found: dict[str, int] = {}
    if len(asked) <= MOST_ASKED:
        for _, group in groupby(asked, lambda file: heads.store_of(file.name)):
            found |= _in_store([*group], all_agree)
    return [_work(file, found) for file in files]


def _work(file: Given, found: dict[str, int]) -> int:
    if file.pixels is not None:
        return file.pixels
    return found.get(file.name, file.size_bytes or 0) if stores.is_url(file.name) else pixels(file.name)


def _in_store(files: list[Given], all_agree: bool) -> dict[str, int]:
    if not heads.at_once(files[0].name):
        return {}
    found = {}
    for i in range(0, len(files), heads.FILES_AT_ONCE):
        some = files[i : i + heads.FILES_AT_ONCE]
        for file, head in zip(some, heads.read([file.name for file in some]), strict=True):
            if isinstance(head, bytes):
                found[file.name] = of_head(head, file.size_bytes or 0)
            elif all_agree and not isinstance(head, _LASTING):
                raise PixzipError(f"{file.name} cannot be read, and the parts of --shard are cut by what it is: {head}")
    return found


def of_head(head: bytes, size_bytes: int) -> int:
    """The pixels that the first bytes of an image or `.pxz` file declare; its bytes if they do not."""
    try:
        is_packed = head.startswith(SIGNATURE)
        found = _packed(head) if is_packed else image.declared_pixels(io.BytesIO(head))
    except OSError:
        found = -1
    return found if found >= 0 else size_bytes


def pixels(path: str | Path) -> int:
    """The pixels of an image or `.pxz` file, without decoding it; of a stack or an unreadable file its bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # a million calls
        try:
            head = os.read(descriptor, HEAD_BYTES)
            found = _packed(FileBuffer(descriptor)) if head.startswith(SIGNATURE) else image.pixels_in(head)
        finally:
            os.close(descriptor)
        if found < 0 and not head.startswith(SIGNATURE):
            with Path(path).open("rb") as file:
                found = image.declared_pixels(file)
        return found if found >= 0 else Path(path).stat().st_size
    except OSError:
        return 0  # the error is reported when the file is worked on


def _packed(buffer: Buffer) -> int:
    try:
        header = read_header(buffer)
    except BitstreamError:
        return -1
    return header.width * header.height
