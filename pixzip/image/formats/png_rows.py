"""PNG files by bands of rows; only one band is in memory.

zlib compresses and decompresses the stream piece by piece.  libpng (imagecodecs) applies the filters, on small
files: the filtered rows of a band, stored, after the last row of the previous band, to which the filters refer.
Filters treat packed rows as bytes.
"""

import os
import zlib
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import png
from numpy.typing import NDArray
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats import libpng
from pixzip.image.formats.base import Opened
from pixzip.image.formats.png_chunks import (
    COLOURS,
    HEAD,
    SIGNATURE,
    before_samples,
    behind_samples,
    describe,
    file_depth,
    inside_idat,
    join,
)  # fmt: skip
from pixzip.image.picture import Chunk, Frame, Layout, Samples, sample_dtype

_BAND_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16
#: Compression level for filtered samples; higher levels take several times as long and save about 1%.
_FILTERED_LEVEL = 5
_UNFILTERED_LEVEL = 6


def open_rows(file: BinaryIO, max_pixels: int | None) -> Opened | None:
    """The picture in a PNG file; None if it is interlaced.  The CRCs of all chunks are checked first.

    Raises:
        UnsupportedImageError: see `Png.read`.
        Exception: any error of pypng on a damaged file.
    """
    chunks, spans = [], []
    for kind, body in png.Reader(file=file).chunks():
        if kind == b"IDAT":
            spans.append((file.tell() - 4 - len(body), len(body)))  # 4: the CRC
        chunks.append(Chunk(bytes(kind), b"" if kind in (b"IDAT", b"fdAT") else bytes(body)))
    frame, coding, dropped = describe(chunks, max_pixels)
    if any(coding):
        return None
    dropped.sort()
    return Opened(frame, dropped, _bands(file, spans, frame, dropped))


def _bands(
    file: BinaryIO, spans: list[tuple[int, int]], frame: Frame, dropped: list[str]
) -> Generator[Samples, None, None]:
    """Yield the rows from the chunks with bodies at these (offset, size); `dropped` gets what the rows do not need."""
    stream, filters = _Inflated(file, spans), _Filters(frame)
    for top in range(0, frame.height, filters.rows):
        rows = min(filters.rows, frame.height - top)
        filtered = stream.read(rows * filters.row_bytes)
        if top + rows == frame.height:
            dropped += inside_idat(*stream.check_end())
        yield filters.inverse(filtered, rows)


class _Inflated:
    """The content of the IDAT chunks."""

    def __init__(self, file: BinaryIO, spans: list[tuple[int, int]]) -> None:
        self._inflater = zlib.decompressobj()
        self._pieces = _pieces(file, spans)

    def read(self, size: int) -> bytes:
        out = bytearray()
        while len(out) < size:
            out += self._some(size - len(out))
        return bytes(out)

    def check_end(self) -> tuple[int, int]:
        """Check the Adler-32 sum, and read all that follows, which libpng ignores.

        Returns:
            The numbers of bytes behind the stream, and of bytes that it inflates to beyond those read.
        """
        more = 0
        while not self._inflater.eof:
            more += len(self._some(_PIECE_BYTES))
        return len(self._inflater.unused_data) + sum(map(len, self._pieces)), more

    def _some(self, most: int) -> bytes:
        """At most `most` bytes, perhaps none.

        Raises:
            UnsupportedImageError: the data has ended.
        """
        piece = self._inflater.unconsumed_tail or next(self._pieces, b"")
        found = self._inflater.decompress(piece, most)
        if not (piece or found):
            raise UnsupportedImageError("image cannot be decoded: PNG has not enough image data")
        return found


def _pieces(file: BinaryIO, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    for start, size in spans:
        file.seek(start, os.SEEK_SET)
        while size and (piece := file.read(min(size, _PIECE_BYTES))):
            size -= len(piece)
            yield piece


class _Filters:
    """PNG's filters in both directions, band after band."""

    def __init__(self, frame: Frame) -> None:
        self._width, self._channels, self._dtype = frame.width, frame.layout.channels, frame.dtype
        self._depth = file_depth(frame)
        self._packed = self._depth < 8
        #: Palettes and packed samples are not filtered, because their differences are meaningless.
        self.unfiltered = self._packed or frame.layout is Layout.PALETTE
        #: Bytes per row: the filter's number, then the samples.
        self.row_bytes = 1 + -(-frame.width * self._channels * self._depth // 8)
        #: Rows per band.
        self.rows = max(1, _BAND_BYTES // self.row_bytes)
        self._colour = 0 if self.unfiltered else COLOURS[frame.layout]
        self._above: NDArray[Any] | None = None  # (1, W, C) in libpng's form

    def inverse(self, filtered: bytes, rows: int) -> Samples:
        """The samples (rows, W, C) of filtered rows."""
        width, depth = (self.row_bytes - 1, 8) if self._packed else (self._width, self._depth)
        above = b""
        if self._above is not None:
            above = b"\0" + self._above.astype(self._above.dtype.newbyteorder(">"), copy=False).tobytes()
        head = HEAD.pack(width, rows + bool(above), depth, self._colour, 0, 0, 0)
        coded = join([Chunk(b"IHDR", head), Chunk(b"IDAT", zlib.compress(above + filtered, 0)), Chunk(b"IEND", b"")])
        decoded = imagecodecs.png_decode(coded)
        self._above = decoded[-1:]
        x = decoded[bool(above) :]
        if self._packed:
            x = imagecodecs.packints_decode(x.tobytes(), np.uint8, self._depth, runlen=self._width)
        return x.reshape(rows, self._width, self._channels)

    def forward(self, samples: Samples) -> bytes:
        """The filtered rows of samples (N, W, C)."""
        if self.unfiltered:
            packed = imagecodecs.packints_encode(samples, self._depth, runlen=self._width) if self._packed else samples
            rows = np.frombuffer(packed, np.uint8).reshape(len(samples), -1)
            return np.pad(rows, ((0, 0), (1, 0))).tobytes()
        x = samples.astype(sample_dtype(self._depth), copy=False)
        band = x if self._above is None else np.concatenate([self._above, x])
        filtered = zlib.decompress(b"".join(libpng.idat(libpng.encode(band, level=0))))
        skipped = 0 if self._above is None else self.row_bytes
        self._above = x[-1:].copy()
        return filtered[skipped:]


class PngRowWriter:
    """Writes the chunks of a PNG file as rows arrive."""

    def __init__(self, stream: BinaryIO, frame: Frame) -> None:
        self._stream, self._filters = stream, _Filters(frame)
        self._deflater = (
            zlib.compressobj(_UNFILTERED_LEVEL)
            if self._filters.unfiltered
            else zlib.compressobj(_FILTERED_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
        )
        self._waiting, self._behind = bytearray(), behind_samples(frame)
        stream.write(SIGNATURE)
        for chunk in before_samples(frame):
            png.write_chunk(stream, *chunk)

    def write(self, samples: Samples) -> None:
        for top in range(0, len(samples), self._filters.rows):
            filtered = self._filters.forward(samples[top : top + self._filters.rows])
            self._waiting += self._deflater.compress(filtered)
            if len(self._waiting) >= _PIECE_BYTES:
                self._flush()

    def finish(self) -> None:
        self._waiting += self._deflater.flush()
        self._flush()
        for chunk in self._behind:
            png.write_chunk(self._stream, *chunk)
        png.write_chunk(self._stream, b"IEND")

    def _flush(self) -> None:
        png.write_chunk(self._stream, b"IDAT", self._waiting)
        self._waiting.clear()
