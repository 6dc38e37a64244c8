"""Image files a few rows at a time: a reader and a writer for every format that supports rows."""

from collections.abc import Sequence
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import Opened, Sink, one_error
from pixzip.image.picture import Frame, Samples


class RowReader:
    """Reads the rows of an image file from first to last; a context manager that closes the file.

    Attributes:
        frame: the picture without its samples.
    """

    def __init__(self, file: BinaryIO, opened: Opened, unknown: Sequence[str]) -> None:
        """
        Args:
            unknown: names of the file's bytes for which the format does not account.
        """
        self.frame, self._dropped, self._bands = opened
        self._file, self._unknown = file, unknown
        self._band = np.empty((0, self.frame.width, self.frame.layout.channels), self.frame.dtype)
        self._left = self.frame.height

    @property
    def dropped(self) -> list[str]:
        """The names of the file's content that a picture cannot hold; complete when the last row was read."""
        return [*dict.fromkeys([*self._dropped, *self._unknown])]

    def read(self, n: int) -> Samples:
        """The next rows.

        Args:
            n: number of rows, at least one.
        Returns:
            (n, W, C) like the samples of a `Picture`; fewer rows at the end of the image, and none after it.
        Raises:
            UnsupportedImageError: the file is damaged, or has content that a picture cannot hold.  Rows are verified
                only after the last one is read, because the checksum follows the samples.
        """
        if n < 1:
            raise ValueError(f"{n} rows are asked for, expected at least one")
        rows = np.empty((min(n, self._left), *self._band.shape[1:]), self._band.dtype)
        try:
            with one_error():
                self._fill(rows)
        except BaseException:  # the following rows would be the wrong ones
            self._stop()
            raise
        self._left -= len(rows)
        return rows

    def _fill(self, rows: Samples) -> None:
        filled = 0
        while filled < len(rows):
            if not len(self._band):
                self._band = self._next()
            some = self._band[: len(rows) - filled]
            rows[filled : filled + len(some)] = some
            filled += len(some)
            self._band = self._band[len(some) :]

    def _next(self) -> Samples:
        band = next(self._bands, None)
        if band is None:  # closed, or an earlier call has raised
            raise UnsupportedImageError("image is damaged: it has no more rows")
        self.frame.check_rows(band)
        return band

    def close(self) -> None:
        self._stop()
        self._file.close()

    def _stop(self) -> None:
        self._bands.close()
        self._band = self._band[:0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class RowWriter:
    """Writes an image file; a context manager that finishes the file but does not close it."""

    def __init__(self, frame: Frame, sink: Sink, done: str) -> None:
        """
        Args:
            done: what the sink does with the image, for the text of its errors, see `one_error`.
        """
        self._frame, self._sink, self._done = frame, sink, done
        self._left = frame.height

    def write(self, samples: Samples) -> None:
        """Write the next rows.

        Args:
            samples: (N, W, C), any number of rows, like the samples of a `Picture`.
        Raises:
            ValueError: they cannot be rows of the frame, or are too many.
            UnsupportedImageError: the format's library fails.
            OSError: the stream cannot be written.
        """
        self._frame.check_rows(samples)
        if len(samples) > self._left:
            raise ValueError(f"{len(samples)} rows are written, expected at most {self._left} more")
        with one_error(self._done, OSError):
            self._sink.write(samples)
        self._left -= len(samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        """
        Raises:
            ValueError: rows are missing.
            UnsupportedImageError, OSError: see `write`.
        """
        if kind is None:
            if self._left:
                raise ValueError(f"{self._left} rows are missing")
            with one_error(self._done, OSError):
                self._sink.finish()
