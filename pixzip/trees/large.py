"""Compress an image that is too large for memory, band by band, from a file to a file."""

import dataclasses
from collections.abc import Callable
from typing import Any, BinaryIO

from pixcodecs.errors import PixzipError

from pixzip import codec, image, originals
from pixzip.codec import by_rows
from pixzip.codec import original as original_files
from pixzip.engine.base import Progress
from pixzip.image.picture import Frame
from pixzip.io import files, streams
from pixzip.io.buffers import FileBuffer
from pixzip.originals import Record


@dataclasses.dataclass
class _Stripped:
    """Rows without metadata."""

    source: by_rows.RowSource

    @property
    def frame(self) -> Frame:
        return dataclasses.replace(self.source.frame, metadata=())

    def read(self, n: int) -> Any:
        return self.source.read(n)


def compress(
    original: streams.Input, rows: image.RowReader, target: str, options: codec.Options, *,
    strip: bool, thoroughness: int, write: Callable[[BinaryIO], None],
    progress: Callable[[], Progress | None] = lambda: None,
) -> Record | None:  # fmt: skip
    """Compress the rows of a file.

    Args:
        strip: leave out metadata.
        thoroughness: see `originals.make`; 0 for a file without a record of the original.
        write: called with the whole file.
        progress: gives the progress callback of each phase.
    Returns:
        The record that was written.
    Raises:
        PixzipError, OSError: any error; nothing is written in this case.
    """
    files.make_folder(target)
    with rows, files.spool(target) as spool:
        source = _Stripped(rows) if strip else rows
        by_rows.compress_rows(source, spool, options, folder=files.folder_of(target), progress=progress())
        original.check_unchanged()
        again = image.open_rows(original.file(), None) if options.verify else None
        if again:
            spool.flush()
            opening = codec.Opening(FileBuffer(spool.fileno()), None)
            try:
                with again:
                    by_rows.check_rows(opening, _Stripped(again) if strip else again, options, progress())
            except PixzipError as e:
                raise PixzipError(f"verification failed: {e}; nothing was written") from e
        if not thoroughness:
            write(spool)
            return None
        again_rows = original_files.rows_of(lambda: image.open_rows(original.file(), None), rows.frame)
        with files.spool(target) as scratch, files.spool(target) as whole:
            record = originals.make(original.file(), again_rows, thoroughness, scratch)
            original.check_unchanged()
            spool.flush()
            file = FileBuffer(spool.fileno())
            record = original_files.copy_with_record(file, spool, whole, record, original.size_bytes, options)
            write(whole)
        return record
