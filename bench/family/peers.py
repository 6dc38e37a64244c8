"""Measure PNG, WebP and JPEG XL on the images of the models: as one file per image, and with many images per picture.

A format for single images has no prior model, so a file per thumbnail mostly measures headers and learning from
nothing.  Therefore the images are also compressed as mosaics of 16 x 16, as many as are coded together in a stack.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.family.data import Measured
from bench.pictures.peers import peer_sizes
from pixzip.codec import webp_png
from pixzip.image.picture import Layout, Picture

#: Images per row of a mosaic, and most rows.
SIDE = 16
FORMATS = {"png": "PNG", "webp": "WebP", "jxl": "JPEG XL"}


def mosaics(images: NDArray[np.uint8], side: int = SIDE) -> list[NDArray[np.uint8]]:
    """(N, H, W, C) -> mosaics of up to side x side images, each a rectangle; the last ones are smaller."""
    out, start = [], 0
    while start < len(images):
        left = len(images) - start
        columns = min(side, left)
        rows = min(side, left // columns)
        part = images[start : start + rows * columns]
        _, h, w, c = part.shape
        whole = part.reshape(rows, columns, h, w, c).swapaxes(1, 2).reshape(rows * h, columns * w, c)
        out.append(np.ascontiguousarray(whole))
        start += rows * columns
    return out


def _total(pictures: list[NDArray[np.uint8]], levels: int, threads: int) -> dict[str, int]:
    """Bytes of each format's files, all decoded and compared.

    Raises:
        SystemExit: a format changed samples, or lacks a file.
    """
    totals = dict.fromkeys(FORMATS, 0)
    for samples in pictures:
        layout = Layout.RGB if samples.shape[2] == 3 else Layout.GREY
        picture = Picture(samples, layout, int(math.log2(levels)))
        found = peer_sizes(picture, b"", webp_png.webp(samples), threads)
        for name in FORMATS:
            if found[f"{name}_bytes"] is None:
                raise SystemExit(f"{FORMATS[name]} has no file of {samples.shape}: {found['peer_errors']}")
            totals[name] += found[f"{name}_bytes"]
    return totals


def measure(test: Measured, threads: int) -> dict[str, Any]:
    """The results of the other formats on a set's images."""
    single = _total([np.ascontiguousarray(image) for image in test.images], test.levels, threads)
    pictures = mosaics(test.images)
    joined = _total(pictures, test.levels, threads)
    return {
        "data": test.name,
        "set": test.title,
        "images": len(test.images),
        "of_images": test.total,
        "sha256": test.sha256,
        "unit": test.unit,
        "pictures": len(pictures),
        "formats": {
            title: {
                "each_bytes": single[name],
                "joined_bytes": joined[name],
                "each": test.in_unit(8 * single[name]),
                "joined": test.in_unit(8 * joined[name]),
            }
            for name, title in FORMATS.items()
        },
    }
