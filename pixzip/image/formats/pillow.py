"""The common base of formats that Pillow reads.

Pillow silently converts some images on opening: 5-bit and 16-bit colours become 8-bit ones.  Images that would
not be restored exactly are refused here, and the error names the reason.
"""

import io
import re
import warnings
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.base import Format, Loaded, Unrecognised, check_frames, check_size
from pixzip.image.formats.metadata import Embedded, aspect, resolution, to_chunks
from pixzip.image.picture import Chunk, Layout, Picture, Samples

#: Pillow's mode -> layout of the picture.
LAYOUTS = {
    "1": Layout.GREY,
    "L": Layout.GREY,
    "LA": Layout.GREY_ALPHA,
    "RGB": Layout.RGB,
    "RGBA": Layout.RGBA,
    "P": Layout.PALETTE,
}
_MODES = {
    "PA": "palette with alpha",
    "RGBX": "RGB with padding",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "L*a*b*",
    "I": "32-bit integers",
    "F": "floating point",
}
#: Entries of `Image.info` that describe the file's coding or repeat the layout of the pixels.
TECHNICAL = frozenset(
    {"adobe", "adobe_transform", "background", "compression", "duration", "extension", "interlace", "jfif", "loop"}
    | {"jfif_density", "jfif_unit", "jfif_version", "orientation", "progression", "progressive", "rle", "timestamp"}
    | {"transparency", "version"}
    | {"comment", "dpi", "exif", "icc_profile", "id_section", "xmp"}  # kept
)
#: JPEG segments whose content is in `Image.info`.
_APPS = (
    ("APP0", b"JF"),
    ("APP1", b"Exif\0"),
    ("APP1", b"http://ns.adobe.com/xap/1.0/\0"),
    ("APP2", b"ICC_PROFILE\0"),
    ("APP13", b"Photoshop 3.0\0"),
    ("APP14", b"Adobe"),
    ("COM", b""),
)
_JPEG_UNITS_PER_METRE = {1: 1 / 0.0254, 2: 100.0}


@contextmanager
def _pixel_limit(max_pixels: int | None) -> Iterator[None]:
    """Sets Pillow's own pixel limit, as an error, while a file is open."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


class PillowFormat(Format):
    """A format that Pillow reads exactly; read-only unless a subclass writes it."""

    def __init__(self, name: str, suffixes: Set[str], *starts: bytes) -> None:
        """
        Args:
            name: Pillow's name of the format.
            suffixes: see `Format`.
            starts: possible first bytes of its files.
        """
        self.name, self.suffixes = name, frozenset(suffixes)
        self._starts = starts

    def accepts(self, head: bytes) -> bool:
        return head.startswith(self._starts)

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        """The picture in a file of this format.

        Raises:
            Unrecognised: Pillow does not recognise the file.
            UnsupportedImageError: several frames, too large, or not read exactly by Pillow.
            Exception: any error of Pillow on a damaged file.
        """
        try:
            with _pixel_limit(max_pixels), Image.open(io.BytesIO(data), formats=(self.name,)) as image:
                check_size(*image.size, max_pixels)
                check_frames(getattr(image, "n_frames", 1))
                _check_kept(image)
                image.load()
                details, dropped = self.details(data)
                picture, lost = _picture(image, details)
                dropped = sorted({*dropped, *lost, *self.unseen(data, image)})
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            message = f"image has more than {max_pixels} pixels: lift the limit if you trust the file"
            raise UnsupportedImageError(message) from None
        except UnidentifiedImageError:
            raise Unrecognised from None
        return Loaded(picture, dropped)

    def details(self, data: bytes) -> tuple[Embedded, list[str]]:
        """Metadata that Pillow does not tell, and names of content that a picture cannot hold.

        Args:
            data: the whole file, which Pillow has opened.
        """
        return Embedded(), []

    def unseen(self, data: bytes, image: Image.Image) -> list[str]:
        """Names of samples that are in a file and not in the image that Pillow has read from it."""
        return []


def check_mode(mode: str) -> None:
    """
    Raises:
        UnsupportedImageError: the mode is not in `LAYOUTS`.
    """
    if mode not in LAYOUTS:
        raise UnsupportedImageError(f"image mode {mode} ({_MODES.get(mode, 'unknown')}) is not supported")


def _check_kept(image: Image.Image) -> None:
    """Refuse images that Pillow does not read exactly."""
    check_mode(image.mode)
    mode = f"image mode {image.mode}"
    for tile in getattr(image, "tile", []):
        args = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        found = re.search(r";(\d+)", args[0]) if args and isinstance(args[0], str) else None
        if tile[0] == "SGI16" or (found and image.mode not in ("1", "P")):
            bits = found[1] if found else 16
            raise UnsupportedImageError(f"{mode} of a file with {bits} bits is not supported in {image.format}")


def _picture(image: Image.Image, details: Embedded) -> tuple[Picture, list[str]]:
    """The picture of a loaded image, and the names of content that it cannot hold; see `PillowFormat.details`."""
    layout, depth = LAYOUTS[image.mode], 1 if image.mode == "1" else 8
    samples = np.array(image, np.uint8).reshape(image.height, image.width, layout.channels)
    palette, transparency = b"", b""
    key = image.info.get("transparency")
    if layout is Layout.PALETTE:
        palette, transparency, depth = palette_of(image, samples)
    elif isinstance(key, int) and layout is Layout.GREY:
        transparency = key.to_bytes(2)
    elif key is not None:
        raise UnsupportedImageError(f"image mode {image.mode} with a transparent colour is not supported")
    chunks, dropped = _metadata(image, details)
    return Picture(samples, layout, depth, palette, transparency, tuple(chunks)), dropped


def palette_of(image: Image.Image, samples: Samples) -> tuple[bytes, bytes, int]:
    """R, G, B of every entry; alphas, if the image has any; and the bits of an index.

    Raises:
        UnsupportedImageError: there is no palette, or no such transparent entry.
    """
    colours = np.array(image.getpalette("RGBA") or [], np.uint8).reshape(-1, 4)
    if not len(colours):
        raise UnsupportedImageError(f"image mode {image.mode} has no palette: putpalette gives one")
    alphas = colours[:, 3].tobytes() if (colours[:, 3] != 255).any() else b""
    depth = next(d for d in (1, 2, 4, 8) if 2**d >= len(colours) and 2**d > samples.max())
    key = image.info.get("transparency")
    if isinstance(key, int):
        if not 0 <= key < len(colours):
            raise UnsupportedImageError(f"transparent colour {key} is not in the palette")
        alphas = b"\xff" * key + b"\0"
    elif isinstance(key, bytes):  # as for a PNG opened by Pillow
        alphas = key[: len(colours)]
    elif key is not None:
        raise UnsupportedImageError(f"image mode {image.mode} with transparency {key!r} is not supported")
    return colours[:, :3].tobytes(), alphas, depth


def _metadata(image: Image.Image, details: Embedded) -> tuple[list[Chunk], list[str]]:
    info = image.info
    unit, (x, y) = info.get("jfif_unit", 0), info.get("jfif_density", (1, 1))
    per_metre = _JPEG_UNITS_PER_METRE.get(unit)
    density = resolution(x * per_metre, y * per_metre) if per_metre else aspect(x, y)
    icc, exif, xmp, comment = (_bytes(info.get(name)) for name in ("icc_profile", "exif", "xmp", "comment"))
    found = Embedded(icc, exif, xmp, density, comment)
    chunks, dropped = to_chunks(Embedded(*(own or seen for own, seen in zip(details, found, strict=True))))
    dropped += [str(name) for name in info if name not in TECHNICAL]
    for app, data in getattr(image, "applist", []):
        if not any(app == known and data.startswith(start) for known, start in _APPS):
            dropped.append(app)
    return chunks, sorted(set(dropped))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b""


def save(image: Image.Image, form: str, **options: Any) -> bytes:
    """The file that Pillow writes for an image.

    Raises:
        Exception: any error of Pillow.
    """
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()
