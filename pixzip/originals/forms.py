"""Samples as files without much of a structure store them: in rows or tiles, packed, and perhaps compressed.

A `Form` makes of a picture's samples the bytes that a file has of them.  What is around them, a patch adds.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint

from pixzip.image.picture import Frame, Samples
from pixzip.originals import deflaters, libtiff
from pixzip.originals.deflaters import Spec
from pixzip.originals.source import FEW_BYTES, Source

_MOST_BITS = 16
#: Most samples that are written as text.
_MOST_TEXT = 1 << 22
#: Bytes of samples that are handed on at once, where a strip may be cut; and those that are turned at once.
_BAND_BYTES, _PART_BYTES = 1 << 20, 1 << 23


class Flag(IntFlag):
    """Wire bits of how samples are stored."""

    BGR = 1
    BOTTOM_UP = 2
    LITTLE = 4
    INVERTED = 8
    PLANAR = 16
    PADDED = 32
    REPEATED_EDGE = 64
    PREDICTED = 128


class Coding(IntEnum):
    """Wire ids of what is done with the bytes of a strip or tile."""

    PLAIN = 0
    DEFLATE = 1
    LZW = 2
    LIBTIFF_LZW = 3
    PACKBITS = 4
    LIBTIFF_PACKBITS = 5
    TEXT = 6


@dataclass(frozen=True)
class Form:
    """
    Attributes:
        flags: BGR order of colours; rows from bottom to top; low byte first; the first channel inverted; a plane for
            each channel; a fourth channel of zeros; edges of tiles repeat the last pixel, not zeros; differences of
            horizontal neighbours.
        bits: of a stored sample, 1 to 16.
        align: a row is a multiple of so many bytes.
        width, height: sides of a tile; a width of 0 for strips, a height of 0 for a single one.
        header, spec: of zlib streams, for `Coding.DEFLATE`.
    """

    flags: Flag
    bits: int
    align: int = 1
    width: int = 0
    height: int = 0
    coding: Coding = Coding.PLAIN
    header: bytes = b""
    spec: Spec | None = None

    def pack(self) -> bytes:
        """The wire form."""
        out = bytes([self.flags, self.bits, self.align]) + varint(self.width) + varint(self.height)
        return out + bytes([self.coding]) + self.header + (self.spec.pack() if self.spec else b"")


def read(reader: Reader) -> Form:
    """The inverse of `Form.pack`.

    Raises:
        BitstreamError: a field is out of its range.
    """
    flags, bits, align = reader.byte("flags of samples"), reader.byte("bits of samples"), reader.byte("alignment")
    width, height, coding = reader.varint("tile width"), reader.varint("tile height"), reader.byte("coding of samples")
    if not (1 <= bits <= _MOST_BITS and align in (1, 2, 4) and coding in Coding.__members__.values()):
        raise BitstreamError(f"samples of the original have {bits} bits, aligned to {align} bytes, coding {coding}")
    if width and not height:
        raise BitstreamError(f"samples of the original are in tiles of {width}x{height}")
    header, spec = b"", None
    if coding == Coding.DEFLATE:
        header, spec = reader.take(2, "header of zlib"), deflaters.read(reader)
    return Form(Flag(flags), bits, align, width, height, Coding(coding), header, spec)


def check(form: Form, frame: Frame, most_bytes: int) -> None:
    """Refuse forms that take memory out of proportion.

    Args:
        most_bytes: of all strips and tiles.
    Raises:
        BitstreamError: a tile is larger, or too many samples are text.
    """
    channels = frame.layout.channels
    tile = form.width * form.height * channels * form.bits // 8
    if tile > most_bytes:
        raise BitstreamError(f"samples of the original are in tiles of {tile} bytes, expected at most {most_bytes}")
    samples = frame.width * frame.height * channels
    if form.coding is Coding.TEXT and samples > _MOST_TEXT:
        raise BitstreamError(f"original has {samples} samples as text, expected at most {_MOST_TEXT}")


def check_parts(form: Form, frame: Frame) -> None:
    """Refuse forms that cannot be made of a few rows at a time.

    Raises:
        BitstreamError: they need all samples, or too many of them, at once.
    """
    rows = _rows_at_once(form, frame)
    size = rows * max(frame.width, form.width) * (frame.layout.channels + 1) * frame.dtype.itemsize
    if form.flags & Flag.PLANAR or size > FEW_BYTES:
        raise BitstreamError(f"original needs {size} bytes of samples at once, or all: expected at most {FEW_BYTES}")


def _rows_at_once(form: Form, frame: Frame) -> int:
    """The rows of a strip or tile, or of a part of a strip that may be cut."""
    cut = form.coding in (Coding.PLAIN, Coding.PACKBITS, Coding.TEXT) and not form.width
    row_bytes = frame.width * frame.layout.channels * frame.dtype.itemsize
    rows = form.height or frame.height
    return min(rows, max(1, _BAND_BYTES // row_bytes)) if cut and not form.height else rows


def segments(form: Form, source: Source) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of each strip or tile, before they are coded, and its number of rows, in the order of the file.

    A strip may be cut into several, where that makes no difference.
    """
    depth = source.frame.depth
    rows = _cut(source.rows(upward=bool(form.flags & Flag.BOTTOM_UP)))
    parts = (_stored(form, part, depth) for part in rows)
    if form.flags & Flag.PLANAR:
        whole = [*parts]
        x = whole[0] if len(whole) == 1 else np.concatenate(whole)
        for c in range(x.shape[2]):
            yield from _of_plane(form, source.frame, [x[..., c : c + 1]])
    else:
        yield from _of_plane(form, source.frame, parts)


def _of_plane(form: Form, frame: Frame, parts: Iterable[Samples]) -> Iterator[tuple[bytes, int]]:
    for strip in _regrouped(parts, _rows_at_once(form, frame)):
        if not form.width:
            yield _packed(form, strip), len(strip)
            continue
        for left in range(0, frame.width, form.width):
            yield _packed(form, _filled(form, strip[:, left : left + form.width])), form.height


def _cut(parts: Iterable[Samples]) -> Iterator[Samples]:
    """Rows in parts that are not large."""
    for part in parts:
        step = max(1, _PART_BYTES // part[0].nbytes)
        for top in range(0, len(part), step):
            yield part[top : top + step]


def _regrouped(parts: Iterable[Samples], height: int) -> Iterator[Samples]:
    """Rows in parts of so many, and the rest."""
    waiting: list[Samples] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) < height:
            continue
        rows = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
        whole = len(rows) - len(rows) % height
        for top in range(0, whole, height):
            yield rows[top : top + height]
        waiting = [rows[whole:]] if whole < len(rows) else []
    if waiting:
        yield np.concatenate(waiting)


def _stored(form: Form, samples: Samples, depth: int) -> Samples:
    x, flags = samples, form.flags
    if flags & Flag.INVERTED:
        x = x.copy()
        x[..., 0] = 2**depth - 1 - x[..., 0]
    if flags & Flag.BGR and x.shape[2] >= 3:
        x = x[..., [2, 1, 0, *range(3, x.shape[2])]]
    if flags & Flag.PADDED:
        x = np.concatenate([x, np.zeros_like(x[..., :1])], -1)
    return x


def _filled(form: Form, tile: Samples) -> Samples:
    """A tile of full size."""
    rest = (0, form.height - tile.shape[0]), (0, form.width - tile.shape[1]), (0, 0)
    return np.pad(tile, rest, "edge" if form.flags & Flag.REPEATED_EDGE else "constant")


def _packed(form: Form, x: Samples) -> bytes:
    rows, width, channels = x.shape
    if form.flags & Flag.PREDICTED:
        first = np.zeros_like(x[:, :1])
        x = np.diff(x, axis=1, prepend=first)
    if form.coding == Coding.TEXT:
        return b"".join(b" ".join(b"%d" % value for value in row.ravel().tolist()) + b"\n" for row in x)
    if form.bits == 16:
        data = np.ascontiguousarray(x, np.dtype("<u2" if form.flags & Flag.LITTLE else ">u2")).view(np.uint8)
    elif form.bits == 8:
        data = np.ascontiguousarray(x, np.uint8)
    else:
        run = width * channels
        data = np.frombuffer(imagecodecs.packints_encode(np.ascontiguousarray(x), form.bits, runlen=run), np.uint8)
    table: NDArray[Any] = data.reshape(rows, -1)
    spare = -table.shape[1] % form.align
    return (np.pad(table, ((0, 0), (0, spare))) if spare else table).tobytes()


def coded(form: Form, segment: bytes, rows: int, check: Callable[[], object]) -> bytes:
    """The bytes of a strip or tile in the file.

    Args:
        rows: its number of rows.
        check: see `deflaters.encoded`.
    """
    match form.coding:
        case Coding.DEFLATE if form.spec:
            encoder = deflaters.encoder(form.spec)
            body = b"".join(deflaters.encoded(encoder, segment, check)) + encoder.flush()
            return form.header + body + zlib.adler32(segment).to_bytes(4)
        case Coding.LZW:
            return bytes(imagecodecs.lzw_encode(segment))
        case Coding.PACKBITS:
            table = np.frombuffer(segment, np.uint8).reshape(rows, -1)
            return bytes(imagecodecs.packbits_encode(table, axis=1))
        case Coding.LIBTIFF_LZW:
            return libtiff.encode(segment, rows, "tiff_lzw")
        case Coding.LIBTIFF_PACKBITS:
            return libtiff.encode(segment, rows, "packbits")
    return segment


def count(form: Form, frame: Frame) -> int:
    """The number of strips or tiles of a picture."""
    planes = frame.layout.channels + bool(form.flags & Flag.PADDED) if form.flags & Flag.PLANAR else 1
    columns = -(-frame.width // form.width) if form.width else 1
    return planes * columns * -(-frame.height // (form.height or frame.height))


def at_once_bytes(form: Form, frame: Frame) -> int:
    """The bytes of the samples that `cutting` packs at once."""
    rows = _band_rows(form, frame.width * frame.layout.channels * frame.dtype.itemsize, form.height or frame.height)
    return rows * max(frame.width, form.width) * (frame.layout.channels + 1) * frame.dtype.itemsize


def _band_rows(form: Form, row_bytes: int, rows: int) -> int:
    """The rows of a strip or tile, or of a part of a strip that may be cut."""
    may_be_cut = form.coding in (Coding.PLAIN, Coding.PACKBITS) and not form.width
    return min(rows, max(1, _BAND_BYTES // row_bytes)) if may_be_cut else rows


def cutting(form: Form, samples: Samples, depth: int) -> Callable[[int], Iterator[tuple[bytes, int]]]:
    """A function from the number of a strip or tile to its bytes, before they are coded, and its number of rows.

    A strip may be cut into several, where that makes no difference.  Rows are from top to bottom.

    Args:
        samples: (H, W, C) of `depth` bits.
    """
    height = form.height or len(samples)
    columns = -(-samples.shape[1] // form.width) if form.width else 1
    step = _band_rows(form, samples[0].nbytes, height)

    def segment(i: int) -> Iterator[tuple[bytes, int]]:
        plane, place = divmod(i, -(-len(samples) // height) * columns)
        row, column = divmod(place, columns)
        bottom = min((row + 1) * height, len(samples))
        for top in range(row * height, bottom, step):
            strip = samples[top : min(top + step, bottom)]
            if form.width:
                strip = strip[:, column * form.width : (column + 1) * form.width]
            x = _stored(form, strip, depth)
            x = x[..., plane : plane + 1] if form.flags & Flag.PLANAR else x
            yield (_packed(form, _filled(form, x)), height) if form.width else (_packed(form, x), len(x))

    return segment
