"""The single page of a TIFF file and the meaning of its tags for the picture."""

import io
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError
from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import check_frames, check_size
from pixzip.image.formats.metadata import Embedded, aspect, from_chunks, resolution, to_chunks
from pixzip.image.picture import Chunk, Frame, Layout

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Fields of `Embedded` that `options` keeps.
METADATA = frozenset({"icc", "xmp", "resolution"})

_GREY = ("MINISBLACK", "MINISWHITE")
JPEG = 7
#: None, CCITT, LZW, JPEG, Deflate, PackBits, Zstandard: their decoders do not exceed the size of a segment.
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, JPEG, 8, 32946, 32773, 50000})
_UNSIGNED = 1
_FORMATS = {2: "signed integers", 3: "floating point", 5: "complex integers", 6: "complex numbers"}
_ALPHA = 2
_EXTRAS = {0: "an extra channel", 1: "alpha that its colours are multiplied by"}
_UNITS_PER_METRE = {2: 1 / 0.0254, 3: 100.0}
#: Most pixels of a tile, which may exceed a small image.
_LARGEST_TILE = 1 << 24

_ICC, _XMP, _EXIF_IFD, _GPS_IFD = 34675, 700, 34665, 34853
#: Tags that EXIF shares: description, make, model, orientation, software, date, artist, copyright.
_EXIF_TAGS = (270, 271, 272, 274, 305, 306, 315, 33432)
#: Tags that describe the layout of the samples, or repeat it.
_STRUCTURE = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 292, 293}
    | {297, 317, 320, 322, 323, 324, 325, 338, 339, 347, 529, 530, 531, 532}
    | {282, 283, 296}  # the resolution
)


class _Complaints(logging.Handler):
    """Collects the log of tifffile, which reports damaged tags only there and continues."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(" ".join(record.getMessage().split()))

    def damaged_tags(self) -> list[str]:
        """The tags that tifffile could not read.

        Raises:
            UnsupportedImageError: there are other messages, or one of the tags describes the layout of the samples.
        """
        found = [(re.search(r"TiffTag (\d+) ", message), message) for message in self.messages]
        for tag, message in found:
            if tag is None or int(tag[1]) in _STRUCTURE:
                raise UnsupportedImageError(f"TIFF is damaged: {message}")
        return [f"damaged tag {tag[1]}" for tag, _ in found if tag]


@contextmanager
def heard() -> Iterator[_Complaints]:
    """Collects all errors that tifffile logs, whatever log level the program has set."""
    log, complaints = logging.getLogger("tifffile"), _Complaints()
    level = log.level
    log.addHandler(complaints)
    log.setLevel(logging.ERROR)
    try:
        yield complaints
    finally:
        log.setLevel(level)
        log.removeHandler(complaints)


def describe(file: tifffile.TiffFile, source: BinaryIO, max_pixels: int | None) -> tuple[Any, Frame, list[str]]:
    """The single page of a file, its frame, and the names of content that the frame cannot hold.

    Args:
        source: the stream from which `file` was opened.
    Raises:
        UnsupportedImageError: see `Tiff.read`; damage to the samples is not found here.
    """
    check_frames(len(file.pages))
    page: Any = file.pages.first
    check_size(page.imagewidth, page.imagelength, max_pixels)
    layout, depth = _layout(page)
    _check_segments(page, source, max_pixels)
    palette = _palette(page) if layout is Layout.PALETTE else b""
    metadata, dropped = _metadata(page, source)
    frame = Frame(page.imagewidth, page.imagelength, layout, depth, palette, metadata=tuple(metadata))
    return page, frame, dropped


def white_is_zero(page: Any) -> bool:
    """Whether the first channel is inverted."""
    return _kind(page) == "MINISWHITE"


def _kind(page: Any) -> str:
    """The name of the page's PhotometricInterpretation, or its number if unknown."""
    return getattr(page.photometric, "name", str(page.photometric))


def _layout(page: Any) -> tuple[Layout, int]:
    depth, kind = page.bitspersample, _kind(page)
    if page.sampleformat != _UNSIGNED:
        raise UnsupportedImageError(f"TIFF of {_FORMATS.get(page.sampleformat, 'unknown samples')} is not supported")
    if not isinstance(depth, int) or not 1 <= depth <= (8 if kind == "PALETTE" else 16):
        raise UnsupportedImageError(f"TIFF of {kind} with {depth} bits a sample is not supported")
    if page.imagedepth != 1 or page.tiledepth != 1:
        raise UnsupportedImageError(f"TIFF of {page.imagedepth} layers is not supported")
    extras = [int(extra) for extra in page.extrasamples]
    if extras and extras != [_ALPHA]:
        names = ", ".join(_EXTRAS.get(extra, f"an extra channel of kind {extra}") for extra in extras)
        raise UnsupportedImageError(f"TIFF of {kind} with {names} is not supported")
    colours = page.samplesperpixel - len(extras)
    if kind in _GREY and colours == 1:
        return (Layout.GREY_ALPHA if extras else Layout.GREY), depth
    if (kind == "RGB" or (kind == "YCBCR" and page.compression == JPEG)) and colours == 3:
        return (Layout.RGBA if extras else Layout.RGB), depth
    if kind == "PALETTE" and colours == 1 and not extras:
        return Layout.PALETTE, depth
    raise UnsupportedImageError(f"TIFF of {kind} with {page.samplesperpixel} channels is not supported")


def _check_segments(page: Any, source: BinaryIO, max_pixels: int | None) -> None:
    """Refuse strips or tiles that are incomplete (tifffile fills the gaps), or that may decode to more."""
    expected = int(np.prod(page.chunked))
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=True))[:expected]
    end = source.seek(0, os.SEEK_END)
    if len(spans) < expected or any(start < 1 or n < 1 or start + n > end for start, n in spans):
        raise UnsupportedImageError("TIFF is damaged: strips or tiles are missing")
    width = page.tilewidth if page.is_tiled else page.imagewidth
    height = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    if width * height > max(_LARGEST_TILE, MAX_PIXELS if max_pixels is None else max_pixels):
        raise UnsupportedImageError(f"TIFF has tiles of {width}x{height} pixels")
    if page.compression not in _COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        raise UnsupportedImageError(f"TIFF with compression {name} is not supported")
    for start, n in spans if page.compression == JPEG else ():
        source.seek(start)
        try:
            with Image.open(io.BytesIO(source.read(n)), formats=("JPEG",)) as part:
                found = part.size
        except UnidentifiedImageError:
            raise UnsupportedImageError("TIFF is damaged: a strip or tile is not the JPEG that it should be") from None
        if found[0] > width or found[1] > height:
            raise UnsupportedImageError(f"TIFF is damaged: a JPEG of {found[0]}x{found[1]} in {width}x{height}")


def _palette(page: Any) -> bytes:
    if page.colormap is None:
        raise UnsupportedImageError("TIFF has no palette")
    colours = np.asarray(page.colormap, np.uint16)
    high = colours >> 8
    if not (np.array_equal(colours, high * 257) or np.array_equal(colours, high << 8)):
        raise UnsupportedImageError("TIFF with a palette of more than 8 bits a colour is not supported")
    return high.T.astype(np.uint8).tobytes()  # entries of R, G, B


def _metadata(page: Any, source: BinaryIO) -> tuple[list[Chunk], list[str]]:
    tags = page.tags
    exif, dropped = _exif(source) if any(t in tags for t in (*_EXIF_TAGS, _EXIF_IFD, _GPS_IFD)) else (b"", [])
    density = b""
    if 282 in tags and 283 in tags:
        (x, x_parts), (y, y_parts) = tags[282].value, tags[283].value
        per_metre = _UNITS_PER_METRE.get(tags.valueof(296, 2))
        if per_metre and x_parts and y_parts:
            density = resolution(x / x_parts * per_metre, y / y_parts * per_metre)
        else:
            density = aspect(x * y_parts, y * x_parts)
    icc, xmp = (bytes(tags.valueof(tag, b"")) for tag in (_ICC, _XMP))
    chunks, lost = to_chunks(Embedded(icc, exif, xmp, density))
    known = {_ICC, _XMP, _EXIF_IFD, _GPS_IFD, *_EXIF_TAGS} | _STRUCTURE
    return chunks, sorted({*dropped, *lost, *(tag.name for tag in tags if tag.code not in known)})


def _exif(source: BinaryIO) -> tuple[bytes, list[str]]:
    """The tags that TIFF and EXIF share as EXIF, or a note that they were lost."""
    found, kept = Image.Exif(), Image.Exif()
    try:
        source.seek(0)
        found.load_from_fp(source)  # EXIF has the structure of a TIFF file
        for tag in _EXIF_TAGS:
            if tag in found:
                kept[tag] = found[tag]
        for ifd in (_EXIF_IFD, _GPS_IFD):
            if ifd in found:
                kept.get_ifd(ifd).update(found.get_ifd(ifd))
        return kept.tobytes(), []
    except Exception:  # noqa: BLE001 (Pillow raises errors of any type)
        return b"", ["exif"]


def options(frame: Frame) -> dict[str, Any]:
    """The arguments of `tifffile.imwrite` for a picture."""
    layout, depth = frame.layout, frame.depth
    embedded, _ = from_chunks(frame.metadata, METADATA)
    chosen: dict[str, Any] = {"photometric": "rgb" if layout in (Layout.RGB, Layout.RGBA) else "minisblack"}
    chosen |= {"metadata": None, "software": False}
    if layout is Layout.PALETTE:
        colours = np.zeros((256, 3), np.uint16)
        colours[: len(frame.palette) // 3] = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3)
        chosen |= {"photometric": "palette", "colormap": colours.T * 257}
        depth = 8
    if layout.channels > 1:
        chosen["planarconfig"] = "contig"
    if layout in (Layout.GREY_ALPHA, Layout.RGBA):
        chosen["extrasamples"] = ["unassalpha"]
    if depth in (8, 16):
        chosen |= {"compression": "zlib", "predictor": layout is not Layout.PALETTE}
    else:
        chosen["bitspersample"] = depth  # tifffile does not compress such samples
    if embedded.resolution:
        x, y = (int.from_bytes(embedded.resolution[i : i + 4]) for i in (0, 4))
        chosen |= {"resolution": ((x, 100), (y, 100)), "resolutionunit": "centimeter"}
    if embedded.icc:
        chosen["iccprofile"] = embedded.icc
    if embedded.xmp:
        chosen["extratags"] = [(_XMP, 1, len(embedded.xmp), embedded.xmp, True)]
    return chosen
