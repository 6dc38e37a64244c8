"""JPEG files as JPEG XL that reconstructs them, by libjxl: `docs/format.md`, section 15.1.

A file may hold several images (pictures with a thumbnail, a depth map or a second view) and other bytes between and
behind them.  Each image becomes a stream of its own, without its EXIF, XMP and profile, which libjxl codes as another
part and refuses if they are damaged.  They and all other bytes are the *rest*, which is deflated, after what libjxl
notes to reconstruct the JPEGs.
"""

from typing import NamedTuple

import imagecodecs
from pixcodecs import threads
from pixcodecs.container.limits import LIFT, MAX_KEPT_WORK
from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import Reader, deflate, inflate, varint

from pixzip.codec.kept import codestream, huffman, segments

MAX_STREAMS = 16
#: Most runs of bytes of the rest, each of which is followed by bytes of the images.
MAX_RUNS = 1 << 16
_RUN_BYTES = 10
#: Most bytes of what libjxl notes of a JPEG.
MAX_NOTES_BYTES = 1 << 20
_ERRORS = (imagecodecs.JpegxlError, ValueError)


class Coded(NamedTuple):
    """One image as JPEG XL.

    Attributes:
        parts: codestream and notes.
        places: (start, end) of the parts of the file that it gives.
    """

    parts: codestream.Parts
    places: list[tuple[int, int]]

    @property
    def size_bytes(self) -> int:
        """The bytes that it gives."""
        return sum(end - start for start, end in self.places)


def encode(data: bytes, max_pixels: int | None) -> bytes | None:
    """The body of a file; None if libjxl takes none of its images.

    Args:
        max_pixels: code no larger images, because readers would refuse the file; None for no limit.
    """
    coded: list[Coded] = []
    pixels = 0
    for image in segments.images(data, MAX_STREAMS):
        pixels += image.width * image.height
        if max_pixels is None or pixels <= max_pixels:
            coded += _image(data, image)
    if not coded:
        return None
    runs, rest, at = [], [], 0
    for start, end in (place for image in coded for place in image.places):
        runs.append((start - at, end - start))
        rest.append(data[at:start])
        at = end
    runs.append((len(data) - at, 0))
    rest.append(data[at:])
    numbers = [len(runs), *(number for run in runs for number in run)]
    notes = b"".join(varint(len(image.parts.notes)) + image.parts.notes for image in coded)
    packed = deflate(b"".join(map(varint, numbers)) + notes, b"".join(rest), dictionary=huffman.dictionary())
    heads = b"".join(varint(len(image.parts.image)) + varint(image.size_bytes) for image in coded)
    streams = b"".join(image.parts.image for image in coded)
    return varint(len(coded)) + heads + varint(len(packed)) + packed + streams


def _image(data: bytes, image: segments.JpegImage) -> list[Coded]:
    """An image as a stream, if that is possible and smaller."""
    edges = [image.start, *(edge for place in image.metadata for edge in place), image.end]
    places = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
    alone = b"".join(data[start:end] for start, end in places)
    try:
        made = bytes(imagecodecs.jpegxl_encode_jpeg(alone, numthreads=threads.get_threads()))
        parts = codestream.split(made)
        codestream.check(parts)
    except (*_ERRORS, ImportError, BitstreamError):  # CMYK, 12 bits, arithmetic coding, damage, no libjxl here
        return []
    return [Coded(parts, places)] if sum(map(len, parts)) < len(alone) else []


def decode(body: bytes, length: int, max_pixels: int | None) -> bytes:
    """The inverse of `encode`.

    Args:
        length: bytes of the file.
        max_pixels: refuse streams of more pixels in all, and those that take too long; None lifts the limits.
    Raises:
        BitstreamError: the body is damaged or hostile.
        PixzipError: imagecodecs is built without libjxl here.
    """
    reader = Reader(body)
    count = reader.varint("number of streams")
    if not 1 <= count <= MAX_STREAMS:
        raise BitstreamError(f"kept file has {count} streams, expected 1 to {MAX_STREAMS}")
    sizes = [(reader.varint("length of a stream"), reader.varint("length of an image")) for _ in range(count)]
    packed = reader.take(reader.varint("length of the rest"), "rest")
    images = [reader.take(size, "stream") for size, _ in sizes]
    if reader.rest():
        raise BitstreamError("kept file damaged: it goes on after its last stream")
    most = length + _RUN_BYTES * MAX_RUNS + MAX_STREAMS * MAX_NOTES_BYTES
    runs, notes, rest = _rest(inflate(packed, most, "bytes of the rest", huffman.dictionary()), count)
    of_images, of_rest = sum(copied for _, copied in runs), sum(literal for literal, _ in runs)
    if of_images != sum(given for _, given in sizes) or of_rest != len(rest) or of_images + of_rest != length:
        raise BitstreamError(f"kept file damaged: its parts do not add up to {length} bytes")
    streams = list(map(codestream.Parts, images, notes))
    _check_work([codestream.check(stream) for stream in streams], max_pixels)
    given = b"".join(_decoded(stream, size) for stream, (_, size) in zip(streams, sizes, strict=True))
    return _joined(runs, rest, given)


def _check_work(asked: list[codestream.Work], max_pixels: int | None) -> None:
    pixels, work = sum(w.pixels for w in asked), sum(w.pixels * w.scans for w in asked)
    if max_pixels is not None and pixels > max_pixels:
        raise BitstreamError(f"kept file has {pixels} pixels, more than the limit of {max_pixels}: {LIFT}")
    if max_pixels is not None and work > MAX_KEPT_WORK:
        found = f"{work} pixels in all of its scans"
        raise BitstreamError(f"kept file has {found}, more than the limit of {MAX_KEPT_WORK}: {LIFT}")


def _rest(data: bytes, streams: int) -> tuple[list[tuple[int, int]], list[bytes], bytes]:
    """(bytes of the rest, bytes of images) in turn, the notes of each stream, and the rest."""
    reader = Reader(data)
    count = reader.varint("number of runs")
    if count > MAX_RUNS:
        raise BitstreamError(f"kept file has {count} runs, expected at most {MAX_RUNS}")
    runs = [(reader.varint("length of a run"), reader.varint("length of a run")) for _ in range(count)]
    notes = []
    for _ in range(streams):
        if (size := reader.varint("length of notes")) > MAX_NOTES_BYTES:
            raise BitstreamError(f"kept file has notes of {size} bytes, expected at most {MAX_NOTES_BYTES}")
        notes.append(reader.take(size, "notes"))
    return runs, notes, reader.rest()


def _joined(runs: list[tuple[int, int]], rest: bytes, given: bytes) -> bytes:
    out: list[bytes] = []
    at = of_rest = 0
    for literal, copied in runs:
        out += rest[of_rest : of_rest + literal], given[at : at + copied]
        of_rest, at = of_rest + literal, at + copied
    return b"".join(out)


def _decoded(stream: codestream.Parts, size: int) -> bytes:
    """The JPEG of a stream, which has exactly `size` bytes."""
    file = codestream.join(stream)
    count = threads.get_threads()
    try:
        found = imagecodecs.jpegxl_decode_jpeg(file, numthreads=count, out=max(1, size))
    except ImportError:
        raise PixzipError("the file needs JPEG XL, which imagecodecs has not here: install it from PyPI") from None
    except _ERRORS as e:
        raise BitstreamError(f"JPEG XL stream damaged: {' '.join(str(e).split())}") from None
    if len(found) != size:
        raise BitstreamError(f"JPEG XL stream gives {len(found)} bytes, expected {size}")
    return bytes(found)
