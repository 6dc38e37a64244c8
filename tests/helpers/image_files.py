"""Image files as many programs write them, made from generated pictures; and PNG files with unusual parts."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import imagecodecs
import imageio.v3 as imageio
import numpy as np
import png
import tifffile
from matplotlib import image as matplotlib_image
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.support import scene

RGB: NDArray[np.uint8] = scene(3, 40, 53, 1)
GREY = RGB[..., 0].copy()
RGBA = np.dstack([RGB, 255 - GREY])
WIDE = GREY.astype(np.uint16) * 251


def pillow(array: Any, form: str, mode: str = "", **options: Any) -> bytes:
    """A file by Pillow, of an array or of its conversion to another mode."""
    image = Image.fromarray(array)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, form, **options)
    return out.getvalue()


def _pypng(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    height, width, *_ = array.shape
    grey = array.ndim == 2 or array.shape[2] == 2
    depth = 8 * array.itemsize
    png.Writer(width, height, greyscale=grey, bitdepth=depth, alpha=array.ndim == 3 and array.shape[2] in (2, 4),
               **options).write(out, array.reshape(height, -1))  # fmt: skip
    return out.getvalue()


def _matplotlib() -> bytes:
    out = io.BytesIO()
    matplotlib_image.imsave(out, GREY, format="png", cmap="viridis")
    return out.getvalue()


def recoded(file: bytes, encode: Callable[[bytes], bytes]) -> bytes:
    """A PNG file with another encoder of its zlib stream."""
    chunks = [(bytes(kind), bytes(body)) for kind, body in png.Reader(bytes=file).chunks()]
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    others = [(kind, body) for kind, body in chunks if kind != b"IDAT"]
    return png_file([*others[:-1], (b"IDAT", encode(data)), others[-1]])


def png_file(chunks: Sequence[tuple[bytes, bytes]], rest: bytes = b"") -> bytes:
    """A PNG file of these chunks."""
    out = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out + rest


def deflated(data: bytes, *parameters: int) -> bytes:
    """A zlib stream with parameters of zlib: level, method, window, memory, strategy."""
    coder = zlib.compressobj(*parameters)
    return coder.compress(data) + coder.flush()


def zopfli(data: bytes) -> bytes:
    """A zlib stream by zopfli."""
    return bytes(imagecodecs.zopfli_encode(data))


def flushed(data: bytes) -> bytes:
    """A zlib stream that is flushed after each 100 bytes, which no known encoder writes."""
    coder = zlib.compressobj(6)
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    return b"".join(coder.compress(piece) + coder.flush(zlib.Z_FULL_FLUSH) for piece in pieces) + coder.flush()


def pngs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name -> PNG file of each encoder and level."""
    for level in (0, 1, 2, 6, 9):
        yield f"pillow-{level}", lambda x=level: pillow(RGB, "PNG", compress_level=x)
        yield f"imagecodecs-{level}", lambda x=level: bytes(imagecodecs.png_encode(RGB, level=x))
        yield f"spng-{level}", lambda x=level: bytes(imagecodecs.spng_encode(RGB, level=x))
        yield f"pypng-{level}", lambda x=level: _pypng(RGB, compression=x)
    plain = pillow(RGB, "PNG")
    for level in (1, 6, 9, 12):
        encode = lambda data, x=level: bytes(imagecodecs.deflate_encode(data, x))  # noqa: E731
        yield f"libdeflate-{level}", lambda e=encode: recoded(plain, e)
    for level in (2, 6, 9):
        encode = lambda data, x=level: bytes(imagecodecs.zlibng_encode(data, x))  # noqa: E731
        yield f"zlib-ng-{level}", lambda e=encode: recoded(plain, e)
    for strategy in range(5):
        own = (6, 8, 12, 5, strategy) if strategy < 2 else (6, 8, 15, 8, strategy)
        yield f"zlib-strategy-{strategy}", lambda p=own: recoded(plain, lambda data: deflated(data, *p))
    yield "optimised", lambda: pillow(RGB, "PNG", optimize=True)
    yield "matplotlib", _matplotlib
    yield "imageio", lambda: bytes(imageio.imwrite("<bytes>", RGB, extension=".png"))
    yield "interlaced", lambda: _pypng(RGB, interlace=True)
    yield "interlaced-16", lambda: _pypng(np.dstack([WIDE, WIDE]), interlace=True)
    yield "alpha", lambda: pillow(RGBA, "PNG")
    yield "grey-16", lambda: pillow(WIDE, "PNG")
    yield "bits", lambda: pillow(GREY, "PNG", "1")
    yield "palette", lambda: pillow(RGB, "PNG", "P")
    yield "palette-2", lambda: pillow(GREY // 70, "PNG", "P", bits=2)


def odd_pngs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name -> PNG file with parts that few encoders write."""
    rows = np.pad(RGB.reshape(40, -1), ((0, 0), (1, 0))).tobytes()
    stream, head = zlib.compress(rows), (b"IHDR", struct.pack(">IIBBBBB", 53, 40, 8, 2, 0, 0, 0))
    idat, end = (b"IDAT", stream), (b"IEND", b"")
    text, private = (b"tEXt", b"Title\0x"), (b"vpAg", b"\0" * 9)
    yield "text behind the samples", lambda: png_file([head, idat, text, end])
    yield "text before and behind", lambda: png_file([head, text, idat, text, end])
    yield "suggested palette", lambda: png_file([head, (b"PLTE", bytes(range(30))), idat, end])
    yield "private chunks", lambda: png_file([head, private, idat, private, end])
    yield "bytes behind the end", lambda: png_file([head, idat, end], b"more" * 9)
    yield "bytes behind the stream", lambda: png_file([head, (b"IDAT", stream + b"more"), end])
    yield "data behind the rows", lambda: png_file([head, (b"IDAT", zlib.compress(rows + b"more")), end])
    yield "body of IEND", lambda: png_file([head, idat, (b"IEND", b"more")])
    cuts = [(0, 100), (100, 100), (100, 7000), (7000, None)]
    parts = [(b"IDAT", stream[a:b]) for a, b in cuts]
    yield "IDAT of many sizes", lambda: png_file([head, *parts, end])
    even = [(b"IDAT", stream[at : at + 256]) for at in range(0, len(stream), 256)]
    yield "IDAT of one size", lambda: png_file([head, *even, end])


def others() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name -> file of each other format and option."""
    for name, array, mode in (("rgb", RGB, ""), ("grey", GREY, ""), ("palette", RGB, "P"), ("bits", GREY, "1")):
        for form in ("BMP", "TGA", "GIF", "PCX", "PPM"):
            if (name, form) != ("bits", "PCX") and (name, form) != ("palette", "PPM"):
                yield f"{form}-{name}", lambda a=array, f=form, m=mode: pillow(a, f, m)
        for coding in ("tiff_lzw", "packbits", "tiff_adobe_deflate"):
            yield f"libtiff-{coding}-{name}", lambda a=array, c=coding, m=mode: pillow(a, "TIFF", m, compression=c)
    yield "TGA-rle", lambda: pillow(RGBA, "TGA", compression="tga_rle")
    yield "SGI", lambda: pillow(RGB, "SGI")
    yield "QOI", lambda: bytes(imagecodecs.qoi_encode(RGBA))
    yield "WebP", lambda: pillow(RGB[:20, :20], "WEBP", lossless=True)
    for name, array in (("rgb", RGB), ("grey-16", WIDE)):
        for coding in (None, "zlib", "lzw", "packbits"):
            for form, options in {
                "strips": {"rowsperstrip": 16}, "tiles": {"tile": (16, 32)}, "big": {"byteorder": ">", "bigtiff": True},
            }.items():  # fmt: skip
                made: dict[str, Any] = {"compression": coding, **options}
                yield f"tifffile-{name}-{coding}-{form}", lambda a=array, o=made: _tifffile(a, **o)
    yield "tifffile-predictor", lambda: _tifffile(RGB, compression="lzw", predictor=True)
    yield "tifffile-planar", lambda: _tifffile(RGB.transpose(2, 0, 1).copy(), planarconfig="separate")
    values = "\n".join(" ".join(map(str, row)) for row in GREY)
    yield "plain PGM", lambda: f"P2\n# text\n53 40\n255\n{values}\n".encode()


def _tifffile(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    photometric = "rgb" if array.ndim == 3 else "minisblack"
    tifffile.imwrite(out, array, photometric=photometric, **options)  # type: ignore[arg-type]
    return out.getvalue()
