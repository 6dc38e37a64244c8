"""What other formats make of one picture of any mode, without its metadata; every file is decoded and compared.

PNG keeps the picture's own layout, and stores a depth that it lacks in the next one.  WebP and JPEG XL have no
palettes as such: they get the colours that one stands for, with alpha where the picture has transparent ones.
Fewer than 8 bits a sample stand in 8, as they are; of 9 to 15, in 16, which WebP has not at all.
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


class WrongPeer(Exception):  # noqa: N818 (it is no error of pixzip)
    """A peer's file does not decode to what went in."""


def peer_sizes(picture: Picture, source: bytes, stream: bytes | None, threads: int) -> dict[str, Any]:
    """Bytes of each format's file, None where there is none, and why a format that could have one has not.

    Args:
        source: the file that the picture was read from.
        stream: what `foreign.webp` made of the picture's samples.
        threads: of libjxl.
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
    """The smallest of these PNG files, none of which has metadata.

    The source's own compression, if it is a PNG file; deflate at level 9 of unfiltered rows; and, from 8 bits
    on, libpng's choice of filters at that level.

    Args:
        source: the file that the picture was read from.
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
    """Size of the lossless WebP file, at libwebp's slowest setting; None where WebP cannot hold the picture.

    Args:
        stream: what `foreign.webp` made of the picture's samples: it takes long, and is made again only where
            the file is another, for palettes and transparent colours.
    """
    if picture.depth > 8:
        return None
    shown = colours(picture)
    if shown is not picture.samples:
        stream = webp_png.webp(shown)
    if stream is None:
        return None
    _compare("WebP", webp_png.from_webp(stream, shown.shape, 8), shown)
    return 20 + len(stream) + len(stream) % 2


def jpeg_xl(picture: Picture, threads: int) -> bytes:
    """A lossless JPEG XL file, by effort 9."""
    shown = colours(picture)
    codec = codecs.jpeg_xl(9, threads)
    data = codec.encode(as_picture(shown))
    _compare("JPEG XL", codec.decode(data).reshape(shown.shape), shown)
    return data


def _compare(name: str, found: Samples, expected: Samples) -> None:
    if not np.array_equal(found, expected):
        raise WrongPeer(f"{name} has other samples")
