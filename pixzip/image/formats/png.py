"""PNG files <-> pictures, every ancillary chunk included.

pypng walks the chunks and checks their sums; libpng (imagecodecs) decodes the samples, from a file that
holds nothing else: left alone with IHDR and IDAT, it has no reason to convert.  Palette indices are grey
samples to it, and grey of few bits, which it stretches to 8, shrinks back without loss.
"""

import io
from collections.abc import Iterable
from typing import BinaryIO

import imagecodecs
import png
from PIL import Image

from pixzip.image.formats import png_rows
from pixzip.image.formats.base import ALL_DEPTHS, Format, Loaded, Opened, Sink
from pixzip.image.formats.png_chunks import (
    COLOURS,
    HEAD,
    MORE,
    SIGNATURE,
    before_samples,
    describe,
    file_depth,
    join,
    pixels,
)  # fmt: skip
from pixzip.image.picture import Chunk, Frame, Layout, Picture, Samples, sample_dtype


class Png(Format):
    """PNG holds every picture; samples of a depth that it lacks are written as they are into the next one."""

    name = "PNG"
    suffixes = frozenset({".png"})
    depths = ALL_DEPTHS
    transparency = True

    def accepts(self, head: bytes) -> bool:
        return head.startswith(SIGNATURE)

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        """The picture in a PNG file.

        Raises:
            UnsupportedImageError: an animation, too large, or not as the standard has it.
            Exception: whatever pypng and libpng raise on a damaged file.
        """
        reader = png.Reader(bytes=data)
        chunks = [Chunk(bytes(kind), bytes(body)) for kind, body in reader.chunks()]
        frame, coding, dropped = describe(chunks, max_pixels)
        if reader.file.read(1):
            dropped.append(MORE)
        layout, depth = frame.layout, frame.depth
        plain = HEAD.pack(frame.width, frame.height, depth, 0 if layout is Layout.PALETTE else COLOURS[layout], *coding)
        idat = [c for c in chunks if c.type == b"IDAT"]
        samples = imagecodecs.png_decode(join([Chunk(b"IHDR", plain), *idat, Chunk(b"IEND", b"")]))
        if depth < 8:
            samples //= 255 // (2**depth - 1)
        samples = samples.reshape(frame.height, frame.width, layout.channels)
        picture = Picture(samples, layout, depth, frame.palette, frame.transparency, frame.metadata)
        return Loaded(picture, sorted(dropped))

    def open_rows(self, file: BinaryIO, max_pixels: int | None) -> Opened | None:
        return png_rows.open_rows(file, max_pixels)

    def pixels(self, head: bytes) -> int:
        return pixels(head)

    def write(self, picture: Picture) -> bytes:
        frame = picture.frame
        return join([*before_samples(frame), *_idat(picture.samples, file_depth(frame)), Chunk(b"IEND", b"")])

    def create_rows(self, stream: BinaryIO, frame: Frame) -> Sink:
        return png_rows.RowWriter(stream, frame)

    def lost(self, chunks: Iterable[Chunk]) -> list[str]:
        return []


PNG = Png()


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
