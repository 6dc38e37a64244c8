"""Images that are too large for memory: one at a time, a band of rows after another."""

import dataclasses
import mmap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from pixcodecs.container import image as container
from pixcodecs.container import signature

from pixzip import image
from pixzip.cli.progress import FilesBar
from pixzip.codec import by_rows
from pixzip.image.picture import Frame, frame_of
from pixzip.io import files, streams
from pixzip.models import library
from pixzip.models.registry import Weights

ById = Callable[[bytes], Weights]


class Phases:
    """The progress callbacks of what is done with one file, a new one for each call."""

    def __init__(self, bar: FilesBar, size_bytes: int, pixels: int, phases: int) -> None:
        self._bar, self._done, self._phases = bar, 0, phases
        self._size, self._pixels = size_bytes, pixels

    def __call__(self) -> Callable[[int, int], None]:
        before, self._done = self._done, self._done + 1
        report = self._bar.part(self._size, self._pixels)
        return lambda done, total: report(before * total + done, self._phases * total)


@dataclasses.dataclass
class _Stripped:
    """Rows without metadata."""

    source: by_rows.Source

    @property
    def frame(self) -> Frame:
        return dataclasses.replace(self.source.frame, metadata=())

    def read(self, n: int) -> Any:
        return self.source.read(n)


def reader(name: str, max_pixels: int | None) -> image.RowReader | None:
    """The rows of an image file, if it is large and of a format that gives rows.

    Raises:
        UnsupportedImageError, OSError: it cannot be read.
    """

    if name == streams.STANDARD:
        return None
    return image.open_large(Path(name), by_rows.LARGE_PIXELS, max_pixels)


def compress(
    name: str, rows: image.RowReader, target: str, model: str, device: str, *,
    by_id: ById, graphics: Any, strip: bool, verify: bool, models_only: bool, coder: Any,
    write: Callable[[BinaryIO], None], progress: Phases,
) -> None:  # fmt: skip
    """Compress the rows of a file.

    Raises:
        PixzipError, OSError: whatever goes wrong; nothing was written then.
    """

    files.make_folder(target)
    with rows, files.spool(target) as spool:
        source = _Stripped(rows) if strip else rows
        folder = None if target == streams.STANDARD else Path(target).parent
        by_rows.compress_rows(
            source, spool, partial(library.resolve, model), device, graphics=graphics, models_only=models_only,
            coder=coder, folder=folder, progress=progress(),
        )  # fmt: skip
        again = image.open_rows(Path(name), None) if verify else None
        if again:
            spool.flush()
            with again, mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) as file:
                by_rows.check_rows(file, _Stripped(again) if strip else again, by_id, device, progress=progress())
        write(spool)


def compare(picture: str, packed: str, by_id: ById, device: str, progress: Callable[[int, int], None]) -> None:
    """Decode a `.pxz` file and compare it with an image file that gives rows.

    Raises:
        PixzipError: they differ, or one does not decode.
    """

    rows = image.open_rows(Path(picture), None)
    if rows is None:
        raise ValueError(f"{picture} does not give rows")
    with rows, Path(packed).open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as file:
        by_rows.check_rows(file, rows, by_id, device, progress=progress)


def decompress(
    file: signature.Buffer, target: str, suffix: str, weights_for: ById, device: str, *,
    max_pixels: int | None, write: Callable[[BinaryIO], None], progress: Callable[[int, int], None],
) -> Frame | None:  # fmt: skip
    """Decompress a file into rows; None if the format that the suffix names does not take them.

    Raises:
        PixzipError, OSError: whatever goes wrong; nothing was written then.
    """

    frame = frame_of(container.read_header(file, max_pixels))
    files.make_folder(target)
    with files.spool(target) as spool:
        writer = image.create_rows(spool, frame, suffix)
        if writer is None:
            return None
        with writer:
            for rows in by_rows.decompress_rows(file, weights_for, device, max_pixels=max_pixels, progress=progress):
                writer.write(rows)
        write(spool)
    return frame
