"""PNG files, including all ancillary chunks.

pypng parses the chunks and checks their CRCs.  libpng (imagecodecs) decodes the samples from a file with only
IHDR and IDAT, so that it does not convert them.  It sees palette indices as grey samples, and it scales grey of
few bits to 8 bits, which is undone without loss.
"""

import io
import zlib
from collections.abc import Iterable
from typing import BinaryIO

import imagecodecs
import png
from PIL import Image

from pixzip.image.formats import libpng, png_frames, png_rows
from pixzip.image.formats.account import Account
from pixzip.image.formats.base import ALL_DEPTHS, Format, Loaded, Opened, Sink
from pixzip.image.formats.png_chunks import (
    COLOURS,
    HEAD,
    SIGNATURE,
    account,
    before_samples,
    behind_samples,
    describe,
    file_depth,
    inside_idat,
    join,
    pixels,
)  # fmt: skip
from pixzip.image.pages import Kind, LoadedPages, Pages
from pixzip.image.picture import Chunk, Frame, Layout, Picture, Samples, sample_dtype

_PIECE_BYTES = 1 << 20
#: Left, top, and distances of the pixels of each pass of an interlaced image.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class Png(Format):
    """PNG holds every picture; samples of an unsupported depth are written unscaled at the next larger depth."""

    name = "PNG"
    suffixes = frozenset({".png"})
    depths = ALL_DEPTHS
    transparency = True
    pages_kind = Kind.PNG

    def accepts(self, head: bytes) -> bool:
        return head.startswith(SIGNATURE)

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        """The picture in a PNG file.

        Raises:
            UnsupportedImageError: an animation, too large, or in breach of the standard.
            Exception: any error of pypng or libpng on a damaged file.
        """
        reader = png.Reader(bytes=data)
        chunks = [Chunk(bytes(kind), bytes(body)) for kind, body in reader.chunks()]
        frame, coding, dropped = describe(chunks, max_pixels)
        layout, depth = frame.layout, frame.depth
        plain = HEAD.pack(frame.width, frame.height, depth, 0 if layout is Layout.PALETTE else COLOURS[layout], *coding)
        idat = [c for c in chunks if c.type == b"IDAT"]
        samples = imagecodecs.png_decode(join([Chunk(b"IHDR", plain), *idat, Chunk(b"IEND", b"")]))
        dropped += inside_idat(*_unused(idat, _filtered_bytes(frame, bool(coding[2]))))
        if depth < 8:
            samples //= 255 // (2**depth - 1)
        samples = samples.reshape(frame.height, frame.width, layout.channels)
        picture = Picture(samples, layout, depth, frame.palette, frame.transparency, frame.metadata)
        return Loaded(picture, sorted(dropped))

    def account(self, file: BinaryIO) -> Account:
        return account(file)

    def open_rows(self, file: BinaryIO, max_pixels: int | None) -> Opened | None:
        return png_rows.open_rows(file, max_pixels)

    def pixels(self, head: bytes) -> int:
        return pixels(head)

    def write(self, picture: Picture) -> bytes:
        frame = picture.frame
        idat = _idat(picture.samples, file_depth(frame))
        return join([*before_samples(frame), *idat, *behind_samples(frame), Chunk(b"IEND", b"")])

    def create_rows(self, stream: BinaryIO, frame: Frame) -> Sink:
        return png_rows.PngRowWriter(stream, frame)

    def has_pages(self, file: BinaryIO) -> bool:
        return png_frames.is_animated(file)

    def read_pages(self, data: bytes, max_pixels: int | None) -> LoadedPages | None:
        return png_frames.read(data, max_pixels, self.read)

    def write_pages(self, pages: Pages) -> bytes:
        return png_frames.write(pages, lambda x: _idat(x.samples, file_depth(x.frame)))

    def lost(self, chunks: Iterable[Chunk]) -> list[str]:
        return []


PNG = Png()


def _unused(idat: list[Chunk], filtered: int) -> tuple[int, int]:
    """The bytes of IDAT that an image read at once does not need, see `inside_idat`.

    Args:
        filtered: number of bytes of all filtered rows.
    """
    inflater, behind, inflated = zlib.decompressobj(), 0, 0
    for chunk in idat:
        waiting = chunk.data
        if inflater.eof:
            behind += len(waiting)
        while waiting and not inflater.eof:
            inflated += len(inflater.decompress(waiting, _PIECE_BYTES))
            waiting = inflater.unconsumed_tail
    return len(inflater.unused_data) + behind, max(0, inflated - filtered)


def _filtered_bytes(frame: Frame, interlaced: bool) -> int:
    """The number of bytes of all filtered rows; those of an interlaced image are packed pass by pass."""
    bits, total = frame.layout.channels * frame.depth, 0
    for x, y, dx, dy in _PASSES if interlaced else ((0, 0, 1, 1),):
        width, height = -(-(frame.width - x) // dx), -(-(frame.height - y) // dy)
        total += height * (1 + -(-width * bits // 8)) if width > 0 and height > 0 else 0
    return total


def _idat(samples: Samples, depth: int) -> list[Chunk]:
    """The IDAT chunks of (H, W, C) samples."""
    if depth >= 8:
        x = samples.astype(sample_dtype(depth), copy=False)
        coded = libpng.encode(x)
    else:
        out = io.BytesIO()
        image = Image.fromarray(samples[..., 0])
        image.putpalette(bytes(3 * 2**depth))  # turns samples into indices, which Pillow writes with few bits
        image.save(out, "PNG", bits=depth)
        coded = out.getvalue()
    return [Chunk(b"IDAT", body) for body in libpng.idat(coded)]
