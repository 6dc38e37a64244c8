"""Files of several pages or frames as many programs write them, made from generated pictures."""

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import png
import tifffile
from PIL import Image

from tests.helpers.image_files import flushed, png_file
from tests.helpers.support import scene

#: Frames of a moving scene, and of one that changes only in a part.
FRAMES = [scene(3, 40, 53, seed) for seed in range(3)]
PARTS = [FRAMES[0].copy() for _ in FRAMES]
for _i, _part in enumerate(PARTS[1:], 1):
    _part[8:20, 11:31] = FRAMES[_i][8:20, 11:31]
DEEP = [frame[..., 0].astype(np.uint16) * 251 for frame in FRAMES]


def tiff(
    arrays: Sequence[Any], *, thumbnails: bool = False, big: bool = False, order: str = "<", **options: Any
) -> bytes:
    """A TIFF file by tifffile of a page for each array, with thumbnails of each, or not."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=big, byteorder=order) as writer:  # type: ignore[arg-type]
        for x in arrays:
            chosen = {"photometric": "rgb" if x.ndim == 3 else "minisblack", "contiguous": False, **options}
            writer.write(x, subifds=2 if thumbnails else 0, **chosen)
            for step in (2, 4) if thumbnails else ():
                writer.write(x[::step, ::step].copy(), subfiletype=1, **chosen)
    return out.getvalue()


def pillow(arrays: Sequence[Any], form: str, mode: str = "", **options: Any) -> bytes:
    """A file of several frames by Pillow."""
    images = [Image.fromarray(x).convert(mode) if mode else Image.fromarray(x) for x in arrays]
    out = io.BytesIO()
    images[0].save(out, form, save_all=True, append_images=images[1:], **options)
    return out.getvalue()


def tiffs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name -> TIFF file of several pages."""
    for coding in (None, "lzw", "zlib", "packbits"):
        yield f"tifffile-{coding}", partial(tiff, FRAMES, compression=coding)
        yield f"tifffile-{coding}-strips", partial(tiff, FRAMES, compression=coding, rowsperstrip=7)
        yield f"tifffile-{coding}-tiles", partial(tiff, FRAMES, compression=coding, tile=(16, 16), big=True, order=">")
        yield f"tifffile-{coding}-16", partial(tiff, DEEP, compression=coding, rowsperstrip=16)
        yield f"tifffile-{coding}-thumbnails", partial(tiff, FRAMES, compression=coding, thumbnails=True)
        if coding in ("lzw", "zlib"):
            yield f"tifffile-{coding}-predictor", partial(tiff, FRAMES, compression=coding, predictor=True)
    yield "tifffile-planar", partial(tiff, [x.transpose(2, 0, 1).copy() for x in FRAMES], planarconfig="separate",
                                     photometric="rgb")  # fmt: skip
    yield "tifffile-of-both", lambda: tiff([FRAMES[0], DEEP[1], FRAMES[2][..., 0].copy()], compression="zlib")
    for coding in ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"):
        for mode in ("RGB", "L", "P", "1"):
            yield f"pillow-{coding}-{mode}", partial(pillow, FRAMES, "TIFF", mode, compression=coding)


def animations() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name -> animated PNG, GIF or WebP file."""
    for level in (0, 1, 6, 9):
        yield f"PNG-level-{level}", partial(pillow, FRAMES, "PNG", compress_level=level)
    for name, mode, options in (
        ("RGBA", "RGBA", {"duration": [30, 40, 50], "loop": 2}), ("aside", "RGB", {"default_image": True}),
        ("L", "L", {}), ("P", "P", {}), ("bits", "1", {}), ("blended", "RGBA", {"disposal": 1, "blend": 1}),
    ):  # fmt: skip
        yield f"PNG-{name}", partial(pillow, PARTS, "PNG", mode, **options)
    yield "PNG-several-chunks", lambda: pillow([scene(3, 200, 213, seed) for seed in range(2)], "PNG")
    for name, options in (("", {}), ("-disposed", {"disposal": 2}), ("-timed", {"duration": 30, "loop": 0})):
        yield f"GIF{name}", partial(pillow, PARTS, "GIF", **options)
        yield f"GIF-L{name}", partial(pillow, FRAMES, "GIF", "L", **options)
    for name, options in (("", {}), ("-4", {"method": 4}), ("-100", {"method": 4, "quality": 100})):
        yield f"WebP{name}", partial(pillow, PARTS, "WEBP", "RGBA", lossless=True, **options)


def recoded_frames(file: bytes) -> bytes:
    """An animated PNG with frames whose zlib streams no known encoder writes."""
    chunks = []
    for kind, body in png.Reader(bytes=file).chunks():
        head = {b"IDAT": 0, b"fdAT": 4}.get(bytes(kind))
        data = bytes(body) if head is None else bytes(body[:head]) + flushed(zlib.decompress(bytes(body[head:])))
        chunks.append((bytes(kind), data))
    return png_file(chunks)
