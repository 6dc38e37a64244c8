"""Image files a few rows at a time: a reader and a writer for every format that gives or takes rows."""

from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import Opened, Sink, one_error
from pixzip.image.picture import Frame, Samples


class RowReader:
    """The rows of an image file, from the first to the last; a context manager, which closes the file.

    Attributes:
        frame: all that the picture is but its samples.
        dropped: the names of what else the file held.
    """

    def __init__(self, file: BinaryIO, opened: Opened) -> None:
        self.frame, self.dropped, self._bands = opened
        self._file = file
        self._band = np.empty((0, self.frame.width, self.frame.layout.channels), self.frame.dtype)
        self._left = self.frame.height

    def read(self, n: int) -> Samples:
        """The next rows.

        Args:
            n: how many, at least one.
        Returns:
            (n, W, C), fewer rows at the end of the image and none behind it; as the samples of a `Picture`.
        Raises:
            UnsupportedImageError: the file turns out to be damaged, or to hold what a picture has no place for.
                A sum over all samples comes behind them: only once the last row is there, all are right.
        """
        if n < 1:
            raise ValueError(f"{n} rows are asked for, expected at least one")
        rows = np.empty((min(n, self._left), *self._band.shape[1:]), self._band.dtype)
        try:
            with one_error():
                self._fill(rows)
        except BaseException:  # what follows would be other rows than the next
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
        if band is None:  # closed, or it has raised before
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
    """An image file in the making; a context manager, which finishes the file but does not close it."""

    def __init__(self, frame: Frame, sink: Sink) -> None:
        self._frame, self._sink = frame, sink
        self._left = frame.height

    def write(self, samples: Samples) -> None:
        """The next rows.

        Args:
            samples: (N, W, C), any number of rows, as the samples of a `Picture`.
        Raises:
            ValueError: they are no rows of the frame, or more than it has.
        """
        self._frame.check_rows(samples)
        if len(samples) > self._left:
            raise ValueError(f"{len(samples)} rows are written, expected at most {self._left} more")
        self._sink.write(samples)
        self._left -= len(samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        """
        Raises:
            ValueError: rows are missing.
        """
        if kind is None:
            if self._left:
                raise ValueError(f"{self._left} rows are missing")
            self._sink.finish()
