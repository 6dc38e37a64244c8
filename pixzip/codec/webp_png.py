"""Blocks by other codecs: lossless WebP and PNG, without the redundant parts of their files.

The encoders of libwebp and libpng vary between versions, so their output is not part of the format's promise
of equal bytes, but decoding is.
"""

import io
import struct
import zlib
from enum import Enum

import imagecodecs
import numpy as np
from PIL import Image
from pixcodecs.container import blocks
from pixcodecs.container.blocks import Kind, Samples, Shape
from pixcodecs.errors import BitstreamError

from pixzip.image.formats import libpng
from pixzip.image.formats.webp import WEBP_MAX_SIDE

_PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_PIECE_BYTES = 1 << 20
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class WebpEffort(Enum):
    """Quality and method of libwebp: about 6, 2, 1 and 1/20 megapixels per second.

    On pictures of 16,384 pixels or more, sizes at the first were within 1.13 of the last, at the second within 1.05.
    """

    LEAST = 0, 1
    SOME = 50, 3
    MORE = 90, 5
    MOST = 100, 6


def webp_fits(samples: Samples) -> bool:
    """Whether WebP has room for an image."""
    height, width, _ = samples.shape
    return bool(max(height, width) <= WEBP_MAX_SIDE)


def webp(samples: Samples, effort: WebpEffort = WebpEffort.MOST) -> bytes:
    """The `VP8L` bitstream of a lossless WebP file; the image must fit.

    Grey is written as equal R, G and B, at no cost.

    Args:
        samples: (H, W, C) uint8.
    """
    c = samples.shape[2]
    colours = np.repeat(samples[..., :1], 3, 2) if c <= 2 else samples[..., :3]
    image = np.concatenate([colours, samples[..., -1:]], 2) if c in (2, 4) else colours
    out = io.BytesIO()
    quality, method = effort.value
    Image.fromarray(np.ascontiguousarray(image)).save(
        out, "WEBP", lossless=True, exact=True, quality=quality, method=method
    )
    data = out.getvalue()
    at = 12
    while data[at : at + 4] != b"VP8L":
        at += 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1)
    return data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]


def from_webp(body: bytes, shape: Shape, depth: int) -> Samples:
    """The inverse of `webp`.

    Raises:
        BitstreamError: the bitstream is damaged or has another shape.
    """
    h, w, c = shape
    bits = int.from_bytes(body[1:5], "little")
    if depth > 8 or body[:1] != b"\x2f" or (bits & 0x3FFF, bits >> 14 & 0x3FFF) != (w - 1, h - 1):
        raise BitstreamError(f"WebP block is not one of {w}x{h} pixels of at most 8 bits")
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
    try:
        pixels = imagecodecs.webp_decode(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)
    except (imagecodecs.WebpError, ValueError) as e:
        raise BitstreamError(f"WebP block damaged: {e}") from None
    if pixels.shape[:2] != (h, w):
        raise BitstreamError(f"WebP block has {pixels.shape[1]}x{pixels.shape[0]} pixels, expected {w}x{h}")
    found: Samples = pixels
    if pixels.shape != shape:  # a copy otherwise doubles the memory of a large block
        found = np.empty(shape, np.uint8)
        if c in (2, 4):  # encoders omit an alpha channel that is fully opaque
            found[..., -1] = pixels[..., 3] if pixels.shape[2] == 4 else 255
        for i in range(1 if c <= 2 else 3):
            found[..., i] = pixels[..., i]
    if depth < 8 and found.max() >> depth:
        raise BitstreamError(f"WebP block has samples above {depth} bits")
    return found


def webp_block(samples: Samples, effort: WebpEffort = WebpEffort.MOST) -> bytes:
    """A block of `webp`'s bitstream, without its head if redundant."""
    body = webp(samples, effort)
    head = _webp_head(samples.shape)
    if body.startswith(head):
        return blocks.foreign(Kind.WEBP_BODY, body[len(head) :])
    return blocks.foreign(Kind.WEBP, body)


def _webp_head(shape: Shape) -> bytes:
    """The head of a bitstream for a shape [1]: signature, sides, whether alpha is used, and version 0.

    [1] Specification for WebP Lossless Bitstream, section 3, https://developers.google.com/speed/webp/docs/
    """
    h, w, c = shape
    return b"\x2f" + (w - 1 | h - 1 << 14 | (c in (2, 4)) << 28).to_bytes(4, "little")


def from_webp_body(body: bytes, shape: Shape, depth: int) -> Samples:
    """The inverse of `webp_block` without a head.

    Raises:
        BitstreamError: the bitstream is damaged, or the shape is too large for WebP.
    """
    if max(shape[:2]) > WEBP_MAX_SIDE + 1:
        raise BitstreamError(f"WebP block of {shape[1]}x{shape[0]} pixels, sides are at most {WEBP_MAX_SIDE + 1}")
    return from_webp(_webp_head(shape) + body, shape, depth)


def png(samples: Samples) -> bytes:
    """The zlib stream of a PNG file of (H, W, C) uint8 or uint16 samples."""
    return b"".join(libpng.idat(libpng.encode(samples, level=9)))


def from_png(body: bytes, shape: Shape, depth: int) -> Samples:
    """The inverse of `png`.

    Raises:
        BitstreamError: the stream is damaged or has another shape.
    """
    h, w, c = shape
    if depth not in (8, 16):
        raise BitstreamError(f"PNG block has samples of {depth} bits")

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", w, h, depth, _PNG_COLOUR_TYPES[c], 0, 0, 0)
    expected = h * (1 + w * c * depth // 8)
    try:
        if _inflated_size(body, expected) != expected:
            raise BitstreamError("PNG block damaged: it holds another number of samples")
        data = _PNG_SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
        found: Samples = np.asarray(imagecodecs.png_decode(data)).reshape(shape)
    except (zlib.error, ValueError, imagecodecs.PngError) as e:
        raise BitstreamError(f"PNG block damaged: {e}") from None
    return found


def _inflated_size(body: bytes, most: int) -> int:
    """The size of a zlib stream's content, in pieces, so that none of it is kept; -1 if it is cut or above `most`.

    Raises:
        zlib.error: the stream is damaged.
    """
    inflater, size, rest = zlib.decompressobj(), 0, body
    while not inflater.eof:
        piece = inflater.decompress(rest, _PIECE_BYTES)
        size, rest = size + len(piece), inflater.unconsumed_tail
        if size > most or not (piece or rest):
            return -1
    return size
