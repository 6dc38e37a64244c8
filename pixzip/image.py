"""Image files <-> arrays: the only user of Pillow.

Pillow converts some images on opening without a word: 16-bit RGB loses its low bytes, 2-bit grey is
stretched to 8.  Whatever would not come back as it was is refused here, by name.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pixcodecs.container import MAX_PIXELS, check_shape
from pixcodecs.errors import UnsupportedImageError

Pixels = NDArray[np.uint8]

#: Formats read: still images that Pillow decodes by itself, and to the depth that they have.
READ_FORMATS = ("PNG", "TIFF", "BMP", "DIB", "PPM", "WEBP", "JPEG", "GIF", "TGA", "PCX", "SGI", "QOI")

_MODES = {
    "1": "1-bit black and white",
    "P": "palette",
    "PA": "palette with alpha",
    "LA": "grey with alpha",
    "RGBA": "RGB with alpha",
    "RGBX": "RGB with padding",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "L*a*b*",
    "I": "32-bit integers",
    "F": "floating point",
}
_SUPPORTED = "8-bit RGB and grey are"


class _Format(NamedTuple):
    name: str
    modes: tuple[str, ...]
    options: dict[str, Any]


_WRITE_FORMATS = {
    ".png": _Format("PNG", ("L", "RGB"), {}),
    ".tif": _Format("TIFF", ("L", "RGB"), {}),
    ".tiff": _Format("TIFF", ("L", "RGB"), {}),
    ".bmp": _Format("BMP", ("L", "RGB"), {}),
    ".ppm": _Format("PPM", ("RGB",), {}),
    ".pgm": _Format("PPM", ("L",), {}),
    ".webp": _Format("WEBP", ("RGB",), {"lossless": True, "quality": 100, "exact": True}),
}

#: Entries of `Image.info` that describe the file's coding or repeat the pixels' layout, not the picture.
_TECHNICAL = frozenset(
    {"adobe", "adobe_transform", "compression", "default_image", "interlace", "jfif", "jfif_density", "jfif_unit"}
    | {"jfif_version", "loop", "orientation", "planar_configuration", "progression", "progressive", "resolution", "rle"}
    | {"background", "duration", "timestamp"}
)
_TIFF_TAGS = {
    270: "description",
    271: "make",
    272: "model",
    274: "orientation",
    305: "software",
    306: "date",
    315: "artist",
    700: "xmp",
    33432: "copyright",
    33723: "iptc",
    34377: "photoshop",
    34665: "exif",
    34853: "gps",
}


class Loaded(NamedTuple):
    """An image file's pixels, (H, W) or (H, W, 3) uint8, and what else it carries."""

    pixels: Pixels
    metadata: list[str]


@contextmanager
def _pixel_limit(max_pixels: int | None) -> Iterator[None]:
    """Pillow's own limit, as an error, for as long as one file is open."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def load(source: bytes | Path, max_pixels: int | None = MAX_PIXELS) -> Loaded:
    """Pixels and the names of metadata of an image file.

    Args:
        source: the file, or where it is.
        max_pixels: refuse larger images before decoding them; None lifts the limit.
    Raises:
        UnsupportedImageError: no image, a damaged one, or one that would not come back as it was.
        OSError: the file cannot be read.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        with _pixel_limit(max_pixels), Image.open(io.BytesIO(data), formats=READ_FORMATS) as image:
            _check(image, data)
            image.load()
            metadata = metadata_names(image)
            pixels = np.array(image, np.uint8)
    except UnsupportedImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        message = f"image has more than {max_pixels} pixels: lift the limit if you trust the file"
        raise UnsupportedImageError(message) from None
    except UnidentifiedImageError:
        raise UnsupportedImageError(f"not an image of a format read here ({', '.join(READ_FORMATS)})") from None
    except MemoryError:
        raise
    except Exception as e:  # noqa: BLE001 (Pillow raises whatever its parsing runs into)
        detail = " ".join(str(e).split()) or type(e).__name__
        raise UnsupportedImageError(f"image cannot be decoded: {detail}") from None
    return Loaded(pixels, metadata)


def read(source: bytes | Path, max_pixels: int | None = MAX_PIXELS) -> Pixels:
    """(H, W) or (H, W, 3) uint8 pixels of an image file; see `load`."""
    return load(source, max_pixels).pixels


def write(pixels: Pixels, suffix: str = ".png") -> bytes:
    """An image file, without loss, that `read` turns back into the same array.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
        suffix: names the format.
    Raises:
        UnsupportedImageError: the format is lossy or unknown, or cannot hold these pixels.
    """
    check_suffix(suffix, pixels.ndim == 2)
    form = _WRITE_FORMATS[suffix.lower()]
    out = io.BytesIO()
    try:
        Image.fromarray(np.ascontiguousarray(pixels)).save(out, form.name, **form.options)
    except (OSError, ValueError) as e:
        raise UnsupportedImageError(f"image cannot be written as {form.name}: {e}") from None
    return out.getvalue()


def check_suffix(suffix: str, grey: bool) -> None:
    """
    Raises:
        UnsupportedImageError: `write` would refuse the suffix for grey or for RGB pixels.
    """
    form = _WRITE_FORMATS.get(suffix.lower())
    if form is None:
        known = " ".join(_WRITE_FORMATS)
        raise UnsupportedImageError(f"output format {suffix or 'without a suffix'!r} is not one of {known}")
    if ("L" if grey else "RGB") not in form.modes:
        raise UnsupportedImageError(f"{suffix} does not hold {'grey' if grey else 'RGB'} images as such, .png does")


def metadata_names(image: Image.Image) -> list[str]:
    """What a loaded image carries besides pixels, sorted: "icc_profile", "exif", names of texts."""
    names = {str(key) for key in image.info if str(key) not in _TECHNICAL}
    if image.format in ("BMP", "DIB", "PCX") or image.info.get("dpi") == (1, 1):
        names.discard("dpi")  # a field that every such file has, whether it means something or not
    if image.format == "TIFF":
        names |= {name for tag, name in _TIFF_TAGS.items() if tag in image.getexif()}
    return sorted(names)


def _check(image: Image.Image, data: bytes) -> None:
    """Refuse an opened, not yet loaded image that would not come back as it was."""
    check_shape(*image.size)
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise UnsupportedImageError(f"image has {frames} frames, only single images are supported yet")
    depth = _depth(image, data)
    if depth:
        raise UnsupportedImageError(f"image mode {image.mode} with {depth} is not supported yet: {_SUPPORTED}")
    if image.mode not in ("L", "RGB"):
        name = _MODES.get(image.mode, "16-bit grey" if image.mode.startswith("I;16") else "unknown")
        raise UnsupportedImageError(f"image mode {image.mode} ({name}) is not supported yet: {_SUPPORTED}")
    if "transparency" in image.info:
        message = f"image mode {image.mode} with a transparent colour is not supported yet: {_SUPPORTED}"
        raise UnsupportedImageError(message)


def _depth(image: Image.Image, data: bytes) -> str:
    """The file's own depth where mode L or RGB would hide that it is not 8 bits, or ""."""
    if image.mode not in ("L", "RGB"):
        return ""
    if image.format == "PNG" and data[24] != 8:
        return f"{data[24]} bits a sample"
    for tile in getattr(image, "tile", []):
        args = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if image.format == "PPM" and isinstance(args[-1], int) and args[-1] != 255 and tile[0].startswith("ppm"):
            return f"samples up to {args[-1]}"
        if tile[0] == "SGI16":
            return "16 bits a sample"
        found = re.search(r";(\d+)", args[0]) if args and isinstance(args[0], str) else None
        if found:
            return f"{found[1]} bits in the file"
    return ""
