"""PNG files <-> pictures, every ancillary chunk included.

pypng walks the chunks and checks their sums; libpng (imagecodecs) decodes the samples, from a file that
holds nothing else: left alone with IHDR and IDAT, it has no reason to convert.  Palette indices are grey
samples to it, and grey of few bits, which it stretches to 8, shrinks back without loss.
"""

import io
import struct
from itertools import groupby

import imagecodecs
import png
from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.loaded import Loaded, check_frames, check_size
from pixzip.picture import NOT_METADATA, Chunk, Layout, Picture, Samples, sample_dtype

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">IIBBBBB")
_LAYOUTS = {0: Layout.GREY, 2: Layout.RGB, 3: Layout.PALETTE, 4: Layout.GREY_ALPHA, 6: Layout.RGBA}
_COLOURS = {layout: colour for colour, layout in _LAYOUTS.items()}
_DEPTHS = {Layout.GREY: (1, 2, 4, 8, 16), Layout.PALETTE: (1, 2, 4, 8)}
_BEFORE_PALETTE = frozenset({b"cHRM", b"cICP", b"cLLI", b"gAMA", b"iCCP", b"mDCV", b"sBIT", b"sRGB"})
_AFTER_PALETTE = frozenset({b"bKGD", b"hIST"})


def read(data: bytes, max_pixels: int | None) -> Loaded:
    """The picture in a PNG file.

    Raises:
        UnsupportedImageError: an animation, too large, or not as the standard has it.
        Exception: whatever pypng and libpng raise on a damaged file.
    """
    reader = png.Reader(bytes=data)
    chunks = [Chunk(bytes(kind), bytes(body)) for kind, body in reader.chunks()]
    width, height, depth, colour, *coding = _header(chunks)
    layout = _LAYOUTS.get(colour)
    if layout is None or depth not in _DEPTHS.get(layout, (8, 16)):
        raise UnsupportedImageError(f"PNG has colour type {colour} with {depth} bits a sample: there is no such thing")
    check_size(width, height, max_pixels)
    check_frames(_frames(chunks))
    dropped = ["data after the end"] if reader.file.read(1) else []
    if any(c.type in (b"acTL", b"fcTL") for c in chunks):
        dropped.append("animation control")

    plain = _HEAD.pack(width, height, depth, 0 if layout is Layout.PALETTE else colour, *coding)
    idat = [c for c in chunks if c.type == b"IDAT"]
    samples = imagecodecs.png_decode(_join([Chunk(b"IHDR", plain), *idat, Chunk(b"IEND", b"")]))
    if depth < 8:
        samples //= 255 // (2**depth - 1)
    palette = _only(chunks, b"PLTE")
    metadata = [c for c in chunks if c.type[:1].islower() and c.type not in NOT_METADATA]
    if palette and layout is not Layout.PALETTE:  # a suggestion for screens of few colours, and its histogram
        palette, metadata = b"", [c for c in metadata if c.type != b"hIST"]
        dropped.append("suggested palette")
    picture = Picture(
        samples.reshape(height, width, layout.channels), layout, depth, palette, _only(chunks, b"tRNS"), tuple(metadata)
    )
    return Loaded(picture, dropped)


def _header(chunks: list[Chunk]) -> tuple[int, ...]:
    """The seven fields of IHDR, once the critical chunks are known to stand in order."""
    critical = [c.type for c in chunks if not c.type[:1].islower()]
    palettes, parts = min(critical.count(b"PLTE"), 1), max(critical.count(b"IDAT"), 1)
    expected = [b"IHDR", *[b"PLTE"] * palettes, *[b"IDAT"] * parts, b"IEND"]
    if critical != expected or chunks[0].type != b"IHDR":
        found = " ".join(kind.decode("ascii", "replace") for kind, _ in groupby(critical))
        raise UnsupportedImageError(f"PNG has the critical chunks {found}, expected IHDR, a PLTE perhaps, IDAT, IEND")
    types = [c.type for c in chunks]
    if types.count(b"IDAT") != len(types) - types[::-1].index(b"IDAT") - types.index(b"IDAT"):
        raise UnsupportedImageError("PNG has other chunks between its IDAT chunks")
    if len(chunks[0].data) != _HEAD.size:
        raise UnsupportedImageError(f"PNG has {len(chunks[0].data)} bytes of IHDR, expected {_HEAD.size}")
    return _HEAD.unpack(chunks[0].data)


def _frames(chunks: list[Chunk]) -> int:
    """Images in the file; one that is shown where animations are not counts too."""
    declared = [int.from_bytes(c.data[:4]) for c in chunks if c.type == b"acTL"]
    parts = any(c.type == b"fdAT" for c in chunks)
    return max([1 + parts, *declared])


def _only(chunks: list[Chunk], kind: bytes) -> bytes:
    found = [c.data for c in chunks if c.type == kind]
    if len(found) > 1:
        raise UnsupportedImageError(f"PNG has {len(found)} chunks {kind.decode()}, expected at most one")
    return found[0] if found else b""


def write(picture: Picture) -> bytes:
    """A PNG file; samples of a depth that PNG lacks are written as they are into the next one."""
    layout = picture.layout
    depth = next(d for d in _DEPTHS.get(layout, (8, 16)) if d >= picture.depth)
    head = _HEAD.pack(picture.width, picture.height, depth, _COLOURS[layout], 0, 0, 0)
    before, after = _around_palette(picture)
    plte = [Chunk(b"PLTE", picture.palette)] if picture.palette else []
    trns = [Chunk(b"tRNS", picture.transparency)] if picture.transparency else []
    return _join(
        [Chunk(b"IHDR", head), *before, *plte, *trns, *after, *_idat(picture.samples, depth), Chunk(b"IEND", b"")]
    )


def _around_palette(picture: Picture) -> tuple[list[Chunk], list[Chunk]]:
    """The metadata before and after PLTE and tRNS, in its own order wherever PNG allows that."""
    chunks = picture.metadata
    last = max((i for i, c in enumerate(chunks) if c.type in _BEFORE_PALETTE), default=-1)
    before = [c for c in chunks[: last + 1] if c.type not in _AFTER_PALETTE]
    late = [c for c in chunks[: last + 1] if c.type in _AFTER_PALETTE]
    return before, [*late, *chunks[last + 1 :]]


def _idat(samples: Samples, depth: int) -> list[Chunk]:
    """The IDAT chunks of (H, W, C) samples."""
    if depth >= 8:
        x = samples.astype(sample_dtype(depth), copy=False)
        coded = imagecodecs.png_encode(x[..., 0] if x.shape[2] == 1 else x)
    else:
        out = io.BytesIO()
        image = Image.fromarray(samples[..., 0])
        image.putpalette(bytes(3 * 2**depth))  # makes the samples indices: Pillow writes those of few bits
        image.save(out, "PNG", bits=depth)
        coded = out.getvalue()
    return [Chunk(bytes(kind), bytes(body)) for kind, body in png.Reader(bytes=coded).chunks() if kind == b"IDAT"]


def _join(chunks: list[Chunk]) -> bytes:
    out = io.BytesIO()
    png.write_chunks(out, chunks)
    return out.getvalue()
