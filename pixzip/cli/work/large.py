"""Images that are too large for memory: one at a time, band by band."""

from collections.abc import Callable
from typing import BinaryIO

from pixzip import codec, image
from pixzip.cli.progress import FilesBar
from pixzip.codec import by_rows
from pixzip.io import files, streams


class Phases:
    """Progress callbacks for the phases of work on one file; each call gives the next one."""

    def __init__(self, bar: FilesBar, size_bytes: int, pixels: int, phases: int) -> None:
        self._bar, self._done, self._phases = bar, 0, phases
        self._size, self._pixels = size_bytes, pixels

    def __call__(self) -> Callable[[int, int], None]:
        before, self._done = self._done, self._done + 1
        report = self._bar.part(self._size, self._pixels)
        return lambda done, total: report(before * total + done, self._phases * total)


def reader(source: streams.Input, max_pixels: int | None) -> image.RowReader | None:
    """The rows of an image file, if it is large and its format supports rows; None for what is not a regular file.

    Raises:
        UnsupportedImageError, OSError: the file cannot be read.
    """
    if source.stat is None:
        return None
    return image.open_large(source.file(), by_rows.LARGE_PIXELS, max_pixels)


def compare(
    picture: BinaryIO, opening: codec.Opening, options: codec.Options, progress: Callable[[int, int], None]
) -> None:
    """Decode a `.pxz` file and compare it with an image file whose format supports rows.

    Args:
        picture: the image file, open at its start; is closed.
    Raises:
        PixzipError: the files differ, or one of them cannot be decoded.
    """
    rows = image.open_rows(picture, None)
    if rows is None:
        raise ValueError("the image file does not give rows")
    with rows:
        by_rows.check_rows(opening, rows, options, progress)


def decompress(
    opening: codec.Opening, target: str, suffix: str, options: codec.Options, *,
    write: Callable[[BinaryIO], None], progress: Callable[[int, int], None],
) -> bool:  # fmt: skip
    """Decompress a file by rows; return False if the format of the suffix does not support rows.

    Raises:
        PixzipError, OSError: any error; nothing is written in this case.
    """
    files.make_folder(target)
    with files.spool(target) as spool:
        writer = image.create_rows(spool, opening.frame, suffix)
        if writer is None:
            return False
        with writer:
            for rows in by_rows.decompress_rows(opening, options, progress):
                writer.write(rows)
        write(spool)
    return True
