"""Pillow images for the tests of the plug-in."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests.helpers.support import scene

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(shown: Image.Image, form: str = "PXZ", **options: Any) -> bytes:
    out = io.BytesIO()
    shown.save(out, form, **({"model": "fast"} if form == "PXZ" else {}), **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def same_pixels(found: Image.Image, expected: Image.Image) -> bool:
    return (found.mode, found.size, found.tobytes()) == (expected.mode, expected.size, expected.tobytes())


def photo(height: int = 32, width: int = 40) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(scene(3, height, width, seed=1)))


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010F] = 6, "a camera"
    return found
