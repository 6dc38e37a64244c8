"""TIFF files by bands of rows: strips or rows of tiles, coded one at a time.

Uncompressed images, which often are one strip, are read in parts.  Of other images, one strip or one row of tiles
is in memory at a time, so the whole image if it is a single compressed strip.
"""

import io
import os
from collections.abc import Generator, Iterator, Sequence
from itertools import accumulate
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats import exif, tiff_tags
from pixzip.image.formats.base import Opened
from pixzip.image.formats.ifd import Tag
from pixzip.image.formats.metadata import from_chunks
from pixzip.image.formats.tiff_pages import JPEG, describe, heard, options, white_is_zero
from pixzip.image.picture import Frame, Samples

_BAND_BYTES = 1 << 20
_STRIP_BYTES = 1 << 18
_NOT_COMPRESSED = 1
#: Largest image and metadata, in bytes, for a file with 32-bit offsets.
_CLASSIC_BYTES = 2**32 - 2**25


def open_rows(file: BinaryIO, max_pixels: int | None) -> Opened | None:
    """The picture in a TIFF file; None if its strip is a single JPEG file, which tifffile treats as tiles.

    Raises:
        UnsupportedImageError: see `Tiff.read`.
        Exception: any error of tifffile on a damaged file.
    """
    with heard() as complaints:
        parsed = tifffile.TiffFile(file)
        page, frame, dropped = describe(parsed, file, max_pixels)
        if page.jpegheader is not None:
            return None
        starts = _plain_planes(page, frame, file.seek(0, os.SEEK_END))
        bands = _segments(page, file, frame) if starts is None else _parts(page, file, frame, starts)
        complaints.check()
    return Opened(frame, dropped, _finished(page, frame, bands))


def _finished(page: Any, frame: Frame, bands: Iterator[Samples]) -> Generator[Samples, None, None]:
    """Yield the bands in the form of a picture; refuse bands about which tifffile only logs an error."""
    while True:
        with heard() as complaints:
            band = next(bands, None)
            complaints.check()
        if band is None:
            return
        band = np.ascontiguousarray(band, frame.dtype)
        if white_is_zero(page):
            band[..., 0] = 2**frame.depth - 1 - band[..., 0]
        yield band


def _planes(page: Any, frame: Frame) -> tuple[int, int]:
    """The number of planes in a file, and of channels per plane."""
    channels = frame.layout.channels
    return (channels, 1) if page.planarconfig == 2 else (1, channels)


def _segments(page: Any, file: BinaryIO, frame: Frame) -> Iterator[Samples]:
    """Yield a band for every row of strips or tiles."""
    planes, channels = _planes(page, frame)
    across = -(-frame.width // page.tilewidth) if page.is_tiled else 1
    height = page.tilelength if page.is_tiled else min(page.rowsperstrip, frame.height)
    down = -(-frame.height // height)
    tables = {"jpegtables": page.jpegtables} if page.compression == JPEG else {}
    for i in range(down):
        top = i * height
        band = np.empty((min(height, frame.height - top), frame.width, planes * channels), frame.dtype)
        for plane in range(planes):
            for at in range((plane * down + i) * across, (plane * down + i + 1) * across):
                file.seek(page.dataoffsets[at])
                data = file.read(page.databytecounts[at])
                segment, (_, _, y, x, _), shape = page.decode(data, at, _fullsize=False, **tables)
                part = segment[0, : frame.height - y, : frame.width - x]  # DHWC -> HWC
                place = band[: shape[1], x : x + shape[2], plane * channels :][..., :channels]
                if part.shape != place.shape:
                    raise UnsupportedImageError("TIFF is damaged: a strip or tile does not fill its place")
                place[:] = part
        yield band


def _plain_planes(page: Any, frame: Frame, end: int) -> list[int] | None:
    """The offset of each plane in the file; None if its rows are not stored uncompressed and contiguously."""
    planes, channels = _planes(page, frame)
    size = frame.height * _row_bytes(frame, channels)
    first = page.dataoffsets[0]
    if page.is_final:
        if first + planes * size > end:
            raise UnsupportedImageError("TIFF is damaged: strips or tiles are missing")
        return [first + plane * size for plane in range(planes)]
    plain = page.compression == _NOT_COMPRESSED and page.fillorder == 1 and page.predictor == 1
    one_strip = not page.is_tiled and page.rowsperstrip >= frame.height and min(page.databytecounts[:planes]) >= size
    packed = frame.depth not in (8, 16)
    return list(page.dataoffsets[:planes]) if plain and one_strip and packed and not page.is_subsampled else None


def _row_bytes(frame: Frame, channels: int) -> int:
    return -(-frame.width * channels * frame.depth // 8)


def _parts(page: Any, file: BinaryIO, frame: Frame, starts: list[int]) -> Iterator[Samples]:
    """Yield bands of the planes at these offsets."""
    planes, channels = _planes(page, frame)
    row_bytes = _row_bytes(frame, channels)
    most = max(1, _BAND_BYTES // (planes * row_bytes))
    dtype = frame.dtype.newbyteorder(page.parent.byteorder)
    for top in range(0, frame.height, most):
        rows = min(most, frame.height - top)
        parts = []
        for start in starts:
            file.seek(start + top * row_bytes)
            data = file.read(rows * row_bytes)
            x = (
                np.frombuffer(data, dtype)
                if frame.depth in (8, 16)
                else imagecodecs.packints_decode(data, frame.dtype, frame.depth, runlen=frame.width * channels)
            )
            parts.append(x.reshape(rows, frame.width, channels))
        yield np.concatenate(parts, 2)


def tags_of(frame: Frame) -> Sequence[Tag]:
    """The tags in a picture's EXIF."""
    return exif.first_tags(from_chunks(frame.metadata, {"exif"})[0].exif)[0]


class TiffRowWriter:
    """Writes a file of strips, each as soon as it is full; the head, which tifffile makes twice, is written last.

    The first head, for strips of one byte each, shows where the strips will start.  After they are written, a
    copy with their offsets and sizes is put before them.
    """

    def __init__(self, stream: BinaryIO, frame: Frame) -> None:
        self._stream, self._frame, self._options = stream, frame, options(frame)
        channels = frame.layout.channels
        row_bytes = frame.width * channels * frame.dtype.itemsize
        self._rows = max(1, _STRIP_BYTES // row_bytes)
        self._waiting = np.empty((0, frame.width, channels), frame.dtype)
        self._head = io.BytesIO()
        tifffile.imwrite(
            self._head,
            (b"\0" for _ in range(-(-frame.height // self._rows))),
            shape=(frame.height, frame.width) if channels == 1 else (frame.height, frame.width, channels),
            dtype=frame.dtype,
            rowsperstrip=self._rows,
            bigtiff=frame.height * row_bytes + sum(len(chunk.data) for chunk in frame.metadata) > _CLASSIC_BYTES,
            **self._options,
        )
        self._head.seek(0)
        with tifffile.TiffFile(self._head) as head:
            self._start = self._page(head).dataoffsets[0]
        # the directories of EXIF come before the strips, where 32 bits tell their place
        even = self._start + self._start % 2
        self._inner = bytes(even - self._start) + tiff_tags.place(tags_of(frame), self._head, even)
        self._sizes: list[int] = []
        stream.write(bytes(self._start) + self._inner)

    def write(self, samples: Samples) -> None:
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= self._rows:
            self._strip(self._waiting[: self._rows])
            self._waiting = self._waiting[self._rows :]
        self._waiting = self._waiting.copy()  # releases the earlier strips

    def _strip(self, x: Samples) -> None:
        if "bitspersample" in self._options:
            data = imagecodecs.packints_encode(x, self._frame.depth, runlen=self._frame.width * x.shape[2])
        else:
            differences = imagecodecs.delta_encode(x, axis=-2) if self._options["predictor"] else x
            ordered = differences.astype(differences.dtype.newbyteorder(self._options["byteorder"]), copy=False)
            data = imagecodecs.deflate_encode(ordered.tobytes())
        self._stream.write(data)
        self._sizes.append(len(data))

    def finish(self) -> None:
        if len(self._waiting):
            self._strip(self._waiting)
        offsets = [*accumulate(self._sizes[:-1], initial=self._start + len(self._inner))]
        self._head.seek(0)
        with tifffile.TiffFile(self._head, mode="r+") as head:
            tags = self._page(head).tags
            tags["StripOffsets"].overwrite(offsets)
            tags["StripByteCounts"].overwrite(self._sizes)
        end = self._stream.tell()
        self._stream.seek(0)
        self._stream.write(self._head.getvalue()[: self._start])
        self._stream.seek(end)

    @staticmethod
    def _page(file: tifffile.TiffFile) -> Any:
        return file.pages.first
