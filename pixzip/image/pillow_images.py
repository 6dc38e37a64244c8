"""Convert Pillow images to pictures and back.

Pillow's image of a picture has the same mode and `info` (ICC profile, EXIF, texts, resolution, transparency) as
Pillow's image of a PNG file with this picture, because both are read from the same chunks.
"""

import io
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import one_error
from pixzip.image.formats.metadata import Embedded, resolution, to_chunks
from pixzip.image.formats.pillow import LAYOUTS, TECHNICAL, check_mode, palette_of
from pixzip.image.formats.png_chunks import before_samples, join
from pixzip.image.picture import MARKS, Chunk, Frame, Layout, Picture, Samples, sample_dtype

_INCHES_PER_METRE = 1 / 0.0254
_DEEP_GREY = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
#: Keyword of the PNG text that `info` also has under another name.
_XMP_TEXT = "XML:com.adobe.xmp"
_LONGEST_KEYWORD = 79
#: Most bytes that a byte of deflate gives.
_DEFLATE_RATIO = 1032
#: Most bytes to which the compressed chunks of an image may inflate in Pillow.
_MOST_INFLATED = 1 << 28


def from_pillow(image: Image.Image, **instead: Any) -> Picture:
    """The picture of a Pillow image: samples, palette, transparency, and the entries of `info` with a PNG chunk.

    Args:
        image: image of mode 1, L, LA, RGB, RGBA, P or I;16; the current frame if there are several.
        instead: values that replace entries of `info`: `icc_profile`, `exif`, `xmp`, `dpi`.
    Raises:
        UnsupportedImageError: another mode, or transparency, a palette or metadata that a picture cannot hold.
        OSError: the file of the image cannot be read.
    """
    with one_error("stored", OSError):
        return _picture(image, image.info | instead)


def _picture(image: Image.Image, info: dict[Any, Any]) -> Picture:
    deep = image.mode in _DEEP_GREY
    if not deep:
        check_mode(image.mode)
    image.load()
    layout = Layout.GREY if deep else LAYOUTS[image.mode]
    depth = 16 if deep else 1 if image.mode == "1" else 8
    values = np.array(image).astype(sample_dtype(depth))
    samples: Samples = values.reshape(image.height, image.width, layout.channels)
    palette, transparency = b"", _transparent_colour(image, layout)
    if layout is Layout.PALETTE:
        palette, transparency, depth = palette_of(image, samples)
    return Picture(samples, layout, depth, palette, transparency, _metadata(info))


def _transparent_colour(image: Image.Image, layout: Layout) -> bytes:
    """The body of tRNS for `info["transparency"]` of grey and RGB."""
    key = image.info.get("transparency")
    if key is None or layout is Layout.PALETTE:
        return b""
    values = key if isinstance(key, tuple | list) else [key]
    of_integers = len(values) == layout.channels and all(isinstance(value, Integral) for value in values)
    if layout not in (Layout.GREY, Layout.RGB) or not of_integers:
        raise UnsupportedImageError(f"image mode {image.mode} with transparency {key!r} is not supported")
    if image.mode == "1":  # 255 is white, stored as 1 in the file
        values = [bool(value) for value in values]
    most = 1 << (16 if image.mode in _DEEP_GREY else 8)
    if not all(0 <= value < most for value in values):
        raise UnsupportedImageError(f"image mode {image.mode} with transparency {key!r} is not supported")
    return b"".join(int(value).to_bytes(2) for value in values)


def _metadata(info: dict[Any, Any]) -> tuple[Chunk, ...]:
    """Chunks for the entries of an image's `info`."""
    icc, exif, xmp = (_content(info, name) for name in ("icc_profile", "exif", "xmp"))
    x, y = _resolution(info)
    density = resolution(x * _INCHES_PER_METRE, y * _INCHES_PER_METRE)
    chunks, _ = to_chunks(Embedded(icc, exif, xmp, density))
    texts = PngImagePlugin.PngInfo()
    for name, value in info.items():
        if isinstance(value, str) and name not in TECHNICAL | {_XMP_TEXT} and _is_keyword(name):
            texts.add_text(name, value)
    comment = info.get("comment")
    if isinstance(comment, bytes) and b"\0" not in comment:  # of JPEG and GIF, under PNG's keyword
        texts.add_text("Comment", comment)
    return (*chunks, *(Chunk(kind, body) for kind, body, *_ in texts.chunks))


def _content(info: dict[Any, Any], name: str) -> bytes:
    """The bytes of an entry; empty if absent."""
    value = info.get(name) or b""
    if isinstance(value, Image.Exif):
        value = value.tobytes()
    if isinstance(value, str) and name == "xmp":
        value = value.encode()
    if not isinstance(value, bytes | bytearray):
        raise UnsupportedImageError(f"{name} of the image is of type {type(value).__name__}, expected bytes")
    return bytes(value)


def _resolution(info: dict[Any, Any]) -> tuple[float, float]:
    """The x and y of `dpi`; 0 if absent."""
    given = info.get("dpi") or (0, 0)
    try:
        x, y = map(float, given)
    except (TypeError, ValueError):
        raise UnsupportedImageError(f"dpi of the image is {given!r}, expected two numbers") from None
    return x, y


def _is_keyword(name: Any) -> bool:
    """Whether a name is a valid keyword of a PNG text."""
    if not isinstance(name, str):
        return False
    try:
        return 1 <= len(name.encode("latin-1")) <= _LONGEST_KEYWORD and "\0" not in name
    except UnicodeEncodeError:
        return False


def head(frame: Frame) -> Image.Image:
    """A Pillow image without pixels, with the mode, size, palette and `info` of a picture.

    Raises:
        UnsupportedImageError: Pillow has no mode for it.
        Exception: any error of Pillow about damaged metadata.
    """
    if frame.depth > 8 and frame.layout is not Layout.GREY:
        raise UnsupportedImageError(
            f"Pillow has no mode for {frame.layout.name} of {frame.depth} bits a sample: pixzip.decode gives an array"
        )
    _check_inflated(frame)
    told_at_once = replace(frame, metadata=tuple(chunk for chunk in frame.metadata if chunk not in MARKS))
    chunks = [*before_samples(told_at_once), Chunk(b"IDAT", b""), Chunk(b"IEND", b"")]
    return PngImagePlugin.PngImageFile(io.BytesIO(join(chunks)))


def _check_inflated(frame: Frame) -> None:
    """
    Raises:
        UnsupportedImageError: Pillow, which inflates all compressed chunks, could be kept busy by them.
    """
    compressed = [
        len(chunk.data)
        for chunk in frame.metadata
        if chunk.type in (b"iCCP", b"zTXt") or (chunk.type == b"iTXt" and chunk.data.partition(b"\0")[2][:1] == b"\1")
    ]
    total = sum(min(_DEFLATE_RATIO * size, PngImagePlugin.MAX_TEXT_CHUNK) for size in compressed)
    if total > _MOST_INFLATED:
        raise UnsupportedImageError(
            f"image has {len(compressed)} compressed chunks that may inflate to {total} bytes, "
            f"more than the limit of {_MOST_INFLATED}: pixzip.decode gives the samples"
        )


def raw(x: Samples, frame: Frame) -> tuple[bytes, str]:
    """(n, W, C) rows in a form of Pillow's raw decoder, and the decoder's name of this form."""
    if frame.layout is Layout.PALETTE:
        return x.tobytes(), "P"
    if frame.layout is Layout.GREY and frame.depth == 1:
        return x.tobytes(), "1;8"
    if frame.depth > 8:
        return x.astype("<u2").tobytes(), "I;16"
    if frame.depth < 8:  # like Pillow for such PNGs
        x = (x.astype(np.uint16) * 255 // (2**frame.depth - 1)).astype(np.uint8)
    return x.tobytes(), {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[x.shape[2]]
