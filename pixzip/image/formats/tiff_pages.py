"""A page of a TIFF file and the meaning of its tags for the picture."""

import io
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats import exif, tiff_tags
from pixzip.image.formats.base import check_frames, check_size
from pixzip.image.formats.ifd import Form, Tag
from pixzip.image.formats.metadata import Embedded, from_chunks, to_chunks
from pixzip.image.formats.tiff_tags import STRUCTURE
from pixzip.image.picture import Frame, Layout, Samples

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Fields of `Embedded` that `options` keeps.
METADATA = frozenset({"icc", "exif", "xmp", "resolution", "aspect"})

_GREY = ("MINISBLACK", "MINISWHITE")
JPEG = 7
#: None, CCITT, LZW, JPEG, Deflate, PackBits, Zstandard: their decoders do not exceed the size of a segment.
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, JPEG, 8, 32946, 32773, 50000})
_UNSIGNED = 1
_FORMATS = {2: "signed integers", 3: "floating point", 5: "complex integers", 6: "complex numbers"}
_WAY_OUT = "pixzip holds unsigned integers of up to 16 bits; zstd, or TIFF's own compression, keeps such a file"
_ALPHA = 2
_EXTRAS = {0: "an extra channel", 1: "alpha that its colours are multiplied by"}
#: Most pixels of a tile, which may exceed a small image.
_LARGEST_TILE = 1 << 24


class _Complaints(logging.Handler):
    """Collects the log of tifffile, which reports damaged tags only there and continues."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(" ".join(record.getMessage().split()))

    def check(self) -> None:
        """
        Raises:
            UnsupportedImageError: a message is not about a tag, or about one that describes the layout of the samples.
        """
        for message in self.messages:
            tag = re.search(r"TiffTag (\d+) ", message)
            if tag is None or int(tag[1]) in STRUCTURE:
                raise UnsupportedImageError(f"TIFF is damaged: {message}")


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
    return page, *describe_page(page, source, max_pixels)


def describe_page(page: Any, source: BinaryIO, max_pixels: int | None) -> tuple[Frame, list[str]]:
    """The frame of a page, and the names of content that it cannot hold; see `describe`."""
    check_size(page.imagewidth, page.imagelength, max_pixels)
    layout, depth = _layout(page)
    _check_segments(page, source, max_pixels)
    palette, deep = _palette(page) if layout is Layout.PALETTE else (b"", False)
    icc, xmp, tags, density, dropped = tiff_tags.read(source, page.offset, deep_palette=deep)
    metadata, lost = to_chunks(Embedded(icc, tags, xmp, density))
    frame = Frame(page.imagewidth, page.imagelength, layout, depth, palette, metadata=tuple(metadata))
    return frame, [*dropped, *lost]


def samples_of(page: Any, frame: Frame) -> Samples:
    """The decoded samples of a page.

    Raises:
        Exception: any error of tifffile on a damaged page.
    """
    planes = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # SHWC, either S or C is 1
    samples = planes[0] if planes.shape[0] == 1 else planes[..., 0].transpose(1, 2, 0)  # HWC
    samples = np.ascontiguousarray(samples, frame.dtype)
    if white_is_zero(page):
        samples[..., 0] = 2**frame.depth - 1 - samples[..., 0]
    return samples


def white_is_zero(page: Any) -> bool:
    """Whether the first channel is inverted."""
    return _kind(page) == "MINISWHITE"


def _kind(page: Any) -> str:
    """The name of the page's PhotometricInterpretation, or its number if unknown."""
    return getattr(page.photometric, "name", str(page.photometric))


def _layout(page: Any) -> tuple[Layout, int]:
    depth, kind = page.bitspersample, _kind(page)
    if page.sampleformat != _UNSIGNED:
        found = _FORMATS.get(page.sampleformat, "unknown samples")
        raise UnsupportedImageError(f"TIFF of {found} is not supported: {_WAY_OUT}")
    if not isinstance(depth, int) or not 1 <= depth <= (8 if kind == "PALETTE" else 16):
        raise UnsupportedImageError(f"TIFF of {kind} with {depth} bits a sample is not supported: {_WAY_OUT}")
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


def _palette(page: Any) -> tuple[bytes, bool]:
    """The high bytes of R, G, B of every entry, and whether the low bytes say something else."""
    if page.colormap is None:
        raise UnsupportedImageError("TIFF has no palette")
    colours = np.asarray(page.colormap, np.uint16)
    high = colours >> 8
    return high.T.astype(np.uint8).tobytes(), not np.array_equal(colours, high * 257)


def options(frame: Frame) -> dict[str, Any]:
    """The arguments of `tifffile.imwrite` for a picture; pointers among the tags are placed by `tiff_tags.place`."""
    layout, depth = frame.layout, frame.depth
    embedded, _ = from_chunks(frame.metadata, METADATA)
    tags, form = exif.first_tags(embedded.exif)
    chosen: dict[str, Any] = {"photometric": "rgb" if layout in (Layout.RGB, Layout.RGBA) else "minisblack"}
    chosen["byteorder"] = form.order
    for tag in tags:
        if tag.code == tiff_tags.SUBFILE_TYPE and len(kind := form.numbers(tag.kind, tag.data)) == 1:
            chosen["subfiletype"] = kind[0]
    chosen |= {"metadata": None, "software": False}
    if layout is Layout.PALETTE:
        chosen |= {"photometric": "palette", "colormap": _colour_map(frame.palette, tags, form)}
        depth = 8
    if layout.channels > 1:
        chosen["planarconfig"] = "contig"
    if layout in (Layout.GREY_ALPHA, Layout.RGBA):
        chosen["extrasamples"] = ["unassalpha"]
    if depth in (8, 16):
        chosen |= {"compression": "zlib", "predictor": layout is not Layout.PALETTE}
    else:
        chosen["bitspersample"] = depth  # tifffile does not compress such samples
    if density := exif.kept_density(tags, form, embedded.resolution or embedded.aspect):
        chosen |= {"resolution": (density.x, density.y), "resolutionunit": density.unit}
    if embedded.icc:
        chosen["iccprofile"] = embedded.icc
    xmp = [(tiff_tags.XMP, 1, len(embedded.xmp), embedded.xmp, True)] if embedded.xmp else []
    texts = [(*tag[:4], True) for tag in exif.texts(frame.metadata, tags)[0]]
    chosen["extratags"] = [*xmp, *tiff_tags.extra(tags), *texts]
    return chosen


def _colour_map(palette: bytes, tags: Sequence[Tag], form: Form) -> NDArray[np.uint16]:
    """(3, 256) colours of 16 bits: those of a palette, with the low bytes that a TIFF file had before."""
    entries = len(palette) // 3
    colours = np.zeros((256, 3), np.uint16)
    colours[:entries] = np.frombuffer(palette, np.uint8).reshape(-1, 3).astype(np.uint16) * 257
    for tag in tags:
        if tag.code == tiff_tags.COLOUR_MAP and len(values := form.numbers(tag.kind, tag.data)) >= 3 * entries:
            deep = np.array(values, np.uint16)[: len(values) // 3 * 3].reshape(3, -1).T[:entries]
            if np.array_equal(deep >> 8, colours[:entries] >> 8):
                colours[:entries] = deep
    return colours.T
