"""PBM, PGM, PPM and PAM files, of any depth up to 16 bits, read and written by netpbmfile.

netpbmfile searches for the header with patterns that a hostile header keeps busy for ever, so it is given a
plain header with the same numbers.
"""

import io
import os
import re
from collections.abc import Generator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, BinaryIO

import netpbmfile
import numpy as np
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.account import Account
from pixzip.image.formats.base import Format, Loaded, Opened, Sink, check_frames, check_size
from pixzip.image.formats.metadata import Embedded, from_chunks, to_chunks
from pixzip.image.picture import MAX_DEPTH, Chunk, Frame, Layout, Picture, Samples

_MOST_HEADER_BYTES = 4096
_BAND_BYTES = 1 << 20
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NUMBER = rb"(\d{1,10})"
_PNM = re.compile(rb"P[1-6]" + _GAP + _NUMBER + _GAP + _NUMBER)
_MAXVAL = re.compile(_GAP + _NUMBER)
_KINDS = {
    ("BLACKANDWHITE", 1): Layout.GREY,
    ("BLACKANDWHITE_ALPHA", 2): Layout.GREY_ALPHA,
    ("GRAYSCALE", 1): Layout.GREY,
    ("GRAYSCALE_ALPHA", 2): Layout.GREY_ALPHA,
    ("RGB", 3): Layout.RGB,
    ("RGB_ALPHA", 4): Layout.RGBA,
}


class Netpbm(Format):
    """One of the formats, distinguished by the digit of its magic number."""

    metadata = frozenset({"comment", "maxval"})

    def __init__(self, name: str, suffixes: Set[str], digits: bytes, depths: Mapping[Layout, Sequence[int]]) -> None:
        """
        Args:
            digits: digits of its magic numbers; the last one is written.
            depths: see `Format`.
        """
        self.name, self.suffixes, self.depths = name, frozenset(suffixes), depths
        self._magic = f"P{digits[-1:].decode()}"
        self._start = re.compile(rb"P[" + digits + rb"][\s#]")

    def accepts(self, head: bytes) -> bool:
        return self._start.match(head) is not None

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        """The picture in a Netpbm file.

        Raises:
            UnsupportedImageError: several images, too large, or samples beyond the maximum.
            Exception: any error of netpbmfile on a damaged file.
        """
        head, at = _header(data)
        with netpbmfile.NetpbmFile(io.BytesIO(head + data[at:])) as file:
            frame = _frame(file, file.frames, max_pixels)
            values = file.asarray()
            black_is_one = file.magicnumber in ("P1", "P4")
            maxval = file.maxval
        check_values(values, maxval)
        samples = values.reshape(frame.height, frame.width, frame.layout.channels).astype(frame.dtype)
        if black_is_one:
            samples = 1 - samples
        return Loaded(Picture(samples, frame.layout, frame.depth, metadata=_metadata(data[:at], maxval)), [])

    def account(self, file: BinaryIO) -> Account:
        data = file.read(2 * _MOST_HEADER_BYTES)
        head, at = _header(data)
        found = Account.of((0, at))
        with netpbmfile.NetpbmFile(io.BytesIO(head)) as parsed:
            shape = parsed.height, parsed.width * parsed.depth
            sample_bytes = parsed.dtype.itemsize
        if data[1:2] in b"123":
            file.seek(0)
            found.take(at, _numbers_end(file.read(), at, shape[0] * shape[1], data[1:2] == b"1") - at)
        else:
            found.take(at, shape[0] * (-(-shape[1] // 8) if data[1:2] == b"4" else shape[1] * sample_bytes))
        return found

    def open_rows(self, file: BinaryIO, max_pixels: int | None) -> Opened | None:
        """The picture in a Netpbm file; None if its numbers are text.

        Raises:
            UnsupportedImageError: see `read`; or there are too few samples.
            Exception: any error of netpbmfile on a damaged header.
        """
        data = file.read(2 * _MOST_HEADER_BYTES)
        if data[1:2] in b"123":
            return None
        head, at = _header(data)
        with netpbmfile.NetpbmFile(io.BytesIO(head)) as parsed:
            row = np.empty((parsed.width, parsed.depth), parsed.dtype)
            packed = parsed.magicnumber == "P4"
            row_bytes = -(-parsed.width // 8) if packed else row.nbytes
            found = (file.seek(0, os.SEEK_END) - at) // max(1, row_bytes)
            frame = _frame(parsed, max(1, found // max(1, parsed.height)), max_pixels)
            dtype, maxval = parsed.dtype, parsed.maxval
        if found < frame.height:
            raise UnsupportedImageError(f"image cannot be decoded: PNM has {found} rows, expected {frame.height}")
        file.seek(at)
        frame = replace(frame, metadata=_metadata(data[:at], maxval))
        return Opened(frame, [], _bands(file, frame, row_bytes, None if packed else dtype, maxval))

    def write(self, picture: Picture) -> bytes:
        """A file with the maximum that a file had before, or 2**depth - 1."""
        out = io.BytesIO()
        writer = PnmRowWriter(out, picture.frame, self._magic)
        writer.write(picture.samples)
        return out.getvalue()

    def create_rows(self, stream: BinaryIO, frame: Frame) -> Sink:
        return PnmRowWriter(stream, frame, self._magic)


def _numbers_end(data: bytes, at: int, numbers: int, bits: bool) -> int:
    """The end of numbers in text that start at an offset, with the space behind them; bits need none between them."""
    number, space = re.compile(rb"\s*[01]" if bits else rb"\s*\d+"), re.compile(rb"\s*")
    for _ in range(numbers):
        if not (found := number.match(data, at)):
            break
        at = found.end()
    behind = space.match(data, at)
    return behind.end() if behind else at


def _metadata(head: bytes, maxval: int) -> tuple[Chunk, ...]:
    """The metadata of a picture: comments in the header, one a line, and a maximum that is not that of the depth."""
    pattern = rb"(?m)^#([^\r\n]*)" if head[:2] == b"P7" else rb"#([^\r\n]*)"
    comment = b"\n".join(re.findall(pattern, head)).rstrip(b"\n")
    own = maxval.to_bytes(2) if maxval & (maxval + 1) else b""
    return tuple(to_chunks(Embedded(comment=comment, maxval=own))[0])


def check_values(samples: Samples, maxval: int) -> None:
    """
    Raises:
        UnsupportedImageError: a sample is larger than the maximum that the file declares.
    """
    if samples.size and int(samples.max()) > maxval:
        raise UnsupportedImageError(f"samples go up to {samples.max()}, the file declares a maximum of {maxval}")


def _bands(
    file: BinaryIO, frame: Frame, row_bytes: int, dtype: np.dtype[Any] | None, maxval: int
) -> Generator[Samples, None, None]:
    """Yield the rows of a file positioned at its first sample; without a dtype, eight per byte, and black is 1."""
    band = max(1, _BAND_BYTES // row_bytes)
    for top in range(0, frame.height, band):
        rows = min(band, frame.height - top)
        data = file.read(rows * row_bytes)
        if dtype is None:
            bits = np.frombuffer(data, np.uint8).reshape(rows, row_bytes)
            x = 1 - np.unpackbits(bits, axis=1, count=frame.width)
        else:
            x = np.frombuffer(data, dtype).astype(frame.dtype)
            check_values(x, maxval)
        yield x.reshape(rows, frame.width, frame.layout.channels)


def _frame(file: netpbmfile.NetpbmFile, frames: int, max_pixels: int | None) -> Frame:
    """The frame that the header describes, after a check that a picture can hold it."""
    check_size(file.width, file.height, max_pixels)
    check_frames(frames)
    depth = file.maxval.bit_length()
    layout = _KINDS.get((file.tupltype, file.depth))
    if layout is None:
        raise UnsupportedImageError(f"PAM holds {file.depth} channels of {file.tupltype or 'an unknown kind'}")
    if not 1 <= depth <= MAX_DEPTH:
        raise UnsupportedImageError(f"samples go up to {file.maxval}, expected 1 to 65535")
    return Frame(file.width, file.height, layout, depth)


def _header(data: bytes) -> tuple[bytes, int]:
    """A plain header, and the start of the samples."""
    return _pam_header(data) if data[:2] == b"P7" else _pnm_header(data)


def _pnm_header(data: bytes) -> tuple[bytes, int]:
    """A header without comments, and the start of the samples."""
    found = _PNM.match(data, 0, _MOST_HEADER_BYTES)
    numbers = [*found.groups()] if found else []
    if found and data[1:2] not in b"14":
        found = _MAXVAL.match(data, found.end(), _MOST_HEADER_BYTES)
        numbers += found.groups() if found else []
    if not found or not data[found.end() : found.end() + 1].isspace():
        raise UnsupportedImageError("PNM header is damaged")
    return data[:2] + b"\n" + b" ".join(numbers) + b"\n", found.end() + 1


def _pam_header(data: bytes) -> tuple[bytes, int]:
    found = re.search(rb"[\r\n]ENDHDR[\r\n]", data[:_MOST_HEADER_BYTES])
    if not found:
        raise UnsupportedImageError("PAM header is damaged")
    lines = re.split(rb"[\r\n]+", data[: found.end()])
    words = [b" ".join(line.split()) for line in lines if not line.startswith(b"#")]
    return b"\n".join(line for line in words if line) + b"\n", found.end()


class PnmRowWriter:
    """Writes a file a few rows at a time."""

    def __init__(self, stream: BinaryIO, frame: Frame, magic: str) -> None:
        self._stream, self._dtype = stream, frame.dtype.newbyteorder(">")
        embedded = from_chunks(frame.metadata, {"comment", "maxval"})[0]
        most, channels, own = 2**frame.depth - 1, frame.layout.channels, int.from_bytes(embedded.maxval)
        if own and own <= most and (own > 255) == (frame.dtype.itemsize == 2):
            most = own
        self._most = most
        if magic == "P7":
            kinds = [kind for (kind, _), layout in _KINDS.items() if layout is frame.layout]
            kind = kinds[0] if most == 1 else kinds[-1]  # the first kind is black and white, if any
            size = f"HEIGHT {frame.height}\nWIDTH {frame.width}\nDEPTH {channels}\nMAXVAL {most}"
            rest = f"{size}\nTUPLTYPE {kind}\nENDHDR\n"
        else:
            rest = f"{frame.width} {frame.height} {most}\n"
        text = embedded.comment
        lines = b"".join(b"#" + line + b"\n" for line in text.splitlines()) if text else b""
        gap = "\n" if lines or magic == "P7" else " "
        stream.write((magic + gap).encode() + lines + rest.encode())

    def write(self, samples: Samples) -> None:
        check_values(samples, self._most)
        self._stream.write(samples.astype(self._dtype, copy=False).data)

    def finish(self) -> None:
        pass


_ANY = range(1, MAX_DEPTH + 1)
#: Read-only; files of any of the formats may have the suffix .pnm.
PBM = Netpbm("PBM", {".pbm", ".pnm"}, b"14", {})
PGM = Netpbm("PGM", {".pgm"}, b"25", {Layout.GREY: _ANY})
PPM = Netpbm("PPM", {".ppm"}, b"36", {Layout.RGB: _ANY})
PAM = Netpbm("PAM", {".pam"}, b"7", {layout: _ANY for layout in Layout if layout is not Layout.PALETTE})
