"""The chunks of a PNG file and their meaning for the picture."""

import io
import struct
from itertools import groupby
from typing import BinaryIO

import png
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.account import Account, counted
from pixzip.image.formats.base import check_frames, check_size
from pixzip.image.picture import BEHIND_SAMPLES, NOT_METADATA, Chunk, Frame, Layout

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: The fields of IHDR.
HEAD = struct.Struct(">IIBBBBB")
#: Size of the signature and IHDR, without its CRC.
_START_BYTES = len(SIGNATURE) + 8 + HEAD.size
_LAYOUTS = {0: Layout.GREY, 2: Layout.RGB, 3: Layout.PALETTE, 4: Layout.GREY_ALPHA, 6: Layout.RGBA}
COLOURS = {layout: colour for colour, layout in _LAYOUTS.items()}
_DEPTHS = {Layout.GREY: (1, 2, 4, 8, 16), Layout.PALETTE: (1, 2, 4, 8)}
#: Bytes of a chunk around its body: length, type, CRC.
_AROUND_BYTES = 12
_BEFORE_PALETTE = frozenset({b"cHRM", b"cICP", b"cLLI", b"gAMA", b"iCCP", b"mDCV", b"sBIT", b"sRGB"})
_AFTER_PALETTE = frozenset({b"bKGD", b"hIST"})


def pixels(head: bytes) -> int:
    """The number of pixels declared at the beginning of a PNG file; -1 if it is too short."""
    if len(head) < _START_BYTES:
        return -1
    width, height, *_ = HEAD.unpack_from(head, _START_BYTES - HEAD.size)
    return int(width * height)


def account(file: BinaryIO) -> Account:
    """See `Format.account`.  What hides inside IDAT is found where IDAT is inflated."""
    found, at = Account.of((0, len(SIGNATURE))), len(SIGNATURE)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return found
        size = int.from_bytes(head[:4])
        found.take(at, _AROUND_BYTES + size)
        at += _AROUND_BYTES + size
        if head[4:] == b"IEND":
            if size:
                found.leave(at, 0, f"{counted(size)} inside IEND")
            return found


def inside_idat(behind: int, more: int) -> list[str]:
    """Names of what an image does not need of its IDAT chunks.

    Args:
        behind: number of bytes behind the zlib stream.
        more: number of bytes that it inflates to beyond the last row.
    """
    names = [f"{counted(behind)} inside IDAT"] if behind else []
    return names + ([f"{counted(more)} of samples beyond the last row"] if more else [])


def describe(chunks: list[Chunk], max_pixels: int | None) -> tuple[Frame, list[int], list[str]]:
    """Parse the chunks of a file without its samples; the bodies of IDAT may be omitted.

    Returns:
        The frame; the methods of compression, filtering and interlacing; names of content that the frame cannot hold.
    Raises:
        UnsupportedImageError: an animation, too large, or in breach of the standard.
    """
    width, height, depth, colour, *coding = _header(chunks)
    layout = _LAYOUTS.get(colour)
    if layout is None or depth not in _DEPTHS.get(layout, (8, 16)):
        raise UnsupportedImageError(f"PNG has colour type {colour} with {depth} bits a sample: there is no such thing")
    check_size(width, height, max_pixels)
    check_frames(_frames(chunks))
    dropped = ["animation control"] if any(c.type in (b"acTL", b"fcTL") for c in chunks) else []
    palette = _only(chunks, b"PLTE")
    metadata = _metadata(chunks)
    if any(c.type == BEHIND_SAMPLES.type for c in chunks):
        dropped.append(BEHIND_SAMPLES.type.decode())  # in a picture it has a meaning
    if palette and layout is not Layout.PALETTE:  # a suggested palette for screens of few colours, and its histogram
        palette, metadata = b"", [c for c in metadata if c.type != b"hIST"]
        dropped.append("suggested palette")
    return Frame(width, height, layout, depth, palette, _only(chunks, b"tRNS"), tuple(metadata)), coding, dropped


def _metadata(chunks: list[Chunk]) -> list[Chunk]:
    """The metadata in its order, with a mark before what comes behind the samples."""
    last = max(i for i, c in enumerate(chunks) if c.type == b"IDAT")
    before, behind = (
        [c for c in some if c.type[:1].islower() and c.type not in NOT_METADATA and c.type != BEHIND_SAMPLES.type]
        for some in (chunks[:last], chunks[last:])
    )
    return [*before, BEHIND_SAMPLES, *behind] if behind else before


def _header(chunks: list[Chunk]) -> tuple[int, ...]:
    """The seven fields of IHDR, after a check of the order of the critical chunks."""
    critical = [c.type for c in chunks if not c.type[:1].islower()]
    palettes, parts = min(critical.count(b"PLTE"), 1), max(critical.count(b"IDAT"), 1)
    expected = [b"IHDR", *[b"PLTE"] * palettes, *[b"IDAT"] * parts, b"IEND"]
    if critical != expected or chunks[0].type != b"IHDR":
        found = " ".join(kind.decode("ascii", "replace") for kind, _ in groupby(critical))
        raise UnsupportedImageError(f"PNG has the critical chunks {found}, expected IHDR, a PLTE perhaps, IDAT, IEND")
    types = [c.type for c in chunks]
    if types.count(b"IDAT") != len(types) - types[::-1].index(b"IDAT") - types.index(b"IDAT"):
        raise UnsupportedImageError("PNG has other chunks between its IDAT chunks")
    if len(chunks[0].data) != HEAD.size:
        raise UnsupportedImageError(f"PNG has {len(chunks[0].data)} bytes of IHDR, expected {HEAD.size}")
    return HEAD.unpack(chunks[0].data)


def _frames(chunks: list[Chunk]) -> int:
    """The number of images in the file, including a still image for viewers without animations."""
    declared = [int.from_bytes(c.data[:4]) for c in chunks if c.type == b"acTL"]
    parts = any(c.type == b"fdAT" for c in chunks)
    return max([1 + parts, *declared])


def _only(chunks: list[Chunk], kind: bytes) -> bytes:
    found = [c.data for c in chunks if c.type == kind]
    if len(found) > 1:
        raise UnsupportedImageError(f"PNG has {len(found)} chunks {kind.decode()}, expected at most one")
    return found[0] if found else b""


def file_depth(frame: Frame) -> int:
    """The bits per sample in a file."""
    return next(d for d in _DEPTHS.get(frame.layout, (8, 16)) if d >= frame.depth)


def before_samples(frame: Frame) -> list[Chunk]:
    """The chunks of a file before the first IDAT."""
    head = HEAD.pack(frame.width, frame.height, file_depth(frame), COLOURS[frame.layout], 0, 0, 0)
    before, after = _around_palette(_parts(frame)[0])
    plte = [Chunk(b"PLTE", frame.palette)] if frame.palette else []
    trns = [Chunk(b"tRNS", frame.transparency)] if frame.transparency else []
    return [Chunk(b"IHDR", head), *before, *plte, *trns, *after]


def behind_samples(frame: Frame) -> list[Chunk]:
    """The chunks of a file between the last IDAT and IEND."""
    return list(_parts(frame)[1])


def _parts(frame: Frame) -> tuple[tuple[Chunk, ...], tuple[Chunk, ...]]:
    """The metadata before and behind the samples."""
    if BEHIND_SAMPLES not in frame.metadata:
        return frame.metadata, ()
    at = frame.metadata.index(BEHIND_SAMPLES)
    return frame.metadata[:at], frame.metadata[at + 1 :]


def _around_palette(chunks: tuple[Chunk, ...]) -> tuple[list[Chunk], list[Chunk]]:
    """The metadata before and after PLTE and tRNS, in its own order if PNG allows it."""
    last = max((i for i, c in enumerate(chunks) if c.type in _BEFORE_PALETTE), default=-1)
    before = [c for c in chunks[: last + 1] if c.type not in _AFTER_PALETTE]
    late = [c for c in chunks[: last + 1] if c.type in _AFTER_PALETTE]
    return before, [*late, *chunks[last + 1 :]]


def join(chunks: list[Chunk]) -> bytes:
    """The file with these chunks."""
    out = io.BytesIO()
    png.write_chunks(out, chunks)
    return out.getvalue()
