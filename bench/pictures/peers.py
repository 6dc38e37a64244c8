"""Sizes in other formats of one picture of any mode, without metadata; every file is decoded and compared.

PNG keeps the picture's own layout, and stores an unsupported depth at the next larger one.  WebP and JPEG XL have no
palettes: they get the colours of the palette, with alpha if there are transparent ones.  Samples of fewer than 8 bits
are stored unscaled in 8 bits, those of 9 to 15 bits in 16, which WebP does not support.
"""

import dataclasses
import io
import zlib
from typing import Any

import imagecodecs
import numpy as np
import png
from pixcodecs.container.blocks import Samples
from pixcodecs.primitives import pack_bits

from pixzip import image
from pixzip.codec import as_picture, webp_png
from pixzip.image.colours import colours
from pixzip.image.picture import Chunk, Picture
from pixzip.report import codecs


class WrongPeer(Exception):  # noqa: N818 (not an error of pixzip)
    """A peer's file does not decode to the original."""


def peer_sizes(picture: Picture, source: bytes, stream: bytes | None, threads: int) -> dict[str, Any]:
    """Bytes of each format's file, or None, and the reason if a format that could hold the picture has no file.

    Args:
        source: original file of the picture.
        stream: WebP bitstream of the picture's samples.
        threads: number of threads of libjxl.
    """
    makers = {
        "png": lambda: len(optimised_png(picture, source)),
        "webp": lambda: webp_file_bytes(picture, stream),
        "jxl": lambda: len(jpeg_xl(picture, threads)),
    }
    sizes: dict[str, Any] = {}
    errors = []
    for name, make in makers.items():
        try:
            sizes[f"{name}_bytes"] = make()
        except (WrongPeer, imagecodecs.JpegxlError) as e:
            sizes[f"{name}_bytes"] = None
            errors.append(f"{name}: {e}")
    return {**sizes, "peer_errors": errors}


def optimised_png(picture: Picture, source: bytes) -> bytes:
    """The smallest of several PNG files without metadata.

    The candidates are the source's own compression, if it is a PNG file; deflate at level 9 of unfiltered rows; and,
    for 8 bits and more, libpng's choice of filters at that level.

    Args:
        source: original file of the picture.
    """
    bare = dataclasses.replace(picture, metadata=())
    chunks = _chunks(image.write(bare))
    before = [c for c in chunks if c.type not in (b"IDAT", b"IEND")]
    depth = chunks[0].data[8]
    rows = picture.samples.astype(np.uint16 if depth == 16 else np.uint8)
    bodies = [zlib.compress(b"".join(b"\0" + pack_bits(row.ravel(), depth) for row in rows), 9)]
    if depth >= 8:
        bodies.append(webp_png.png(rows))
    files = [_join([*before, Chunk(b"IDAT", body)]) for body in bodies]
    if source.startswith(b"\x89PNG"):
        own = _chunks(source)
        files.append(_join([own[0], *before[1:], Chunk(b"IDAT", b"".join(c.data for c in own if c.type == b"IDAT"))]))
    best = min(files, key=len)
    back = image.load(best, None).picture
    if (back.palette, back.transparency) != (bare.palette, bare.transparency):
        raise WrongPeer("PNG has other colours")
    _compare("PNG", back.samples, picture.samples)
    return best


def _chunks(data: bytes) -> list[Chunk]:
    return [Chunk(bytes(kind), bytes(body)) for kind, body in png.Reader(bytes=data).chunks()]


def _join(chunks: list[Chunk]) -> bytes:
    out = io.BytesIO()
    png.write_chunks(out, [*chunks, Chunk(b"IEND", b"")])
    return out.getvalue()


def webp_file_bytes(picture: Picture, stream: bytes | None) -> int | None:
    """Size of the lossless WebP file at libwebp's slowest setting; None if WebP cannot hold the picture.

    Args:
        stream: WebP bitstream of the picture's samples; it is slow to make, and is made again only for palettes and
            transparent colours, for which the file differs.
    """
    if picture.depth > 8:
        return None
    shown = colours(picture)
    if shown is not picture.samples:
        stream = webp_png.webp(shown) if webp_png.webp_fits(shown) else None
    if stream is None:
        return None
    _compare("WebP", webp_png.from_webp(stream, shown.shape, 8), shown)
    return 20 + len(stream) + len(stream) % 2


def jpeg_xl(picture: Picture, threads: int) -> bytes:
    """A lossless JPEG XL file at effort 9."""
    shown = colours(picture)
    codec = codecs.jpeg_xl(9, threads)
    data = codec.encode(as_picture(shown))
    _compare("JPEG XL", codec.decode(data).reshape(shown.shape), shown)
    return data


def _compare(name: str, found: Samples, expected: Samples) -> None:
    if not np.array_equal(found, expected):
        raise WrongPeer(f"{name} has other samples")
