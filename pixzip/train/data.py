"""Training images: the files of some sources that Pillow can open, and the choice of held-out images."""

import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pixzip.image.sources import sources

Picture = NDArray[np.uint8]


def read_images(paths: Sequence[Path], channels: int) -> Iterator[tuple[str, Picture]]:
    """Yield (place, (H, W, C) uint8) for every image at `paths`: files, folders and tars.

    Files of any name are tried, in the order of `sources`, and members of a tar in its own order.  Files that Pillow
    cannot open are skipped; Pillow converts images with other channels.

    Args:
        channels: C, 1 for grey or 3 for RGB.
    Raises:
        PixzipError: a path does not exist.
        OSError: a file cannot be read.
    """
    for source in sources(paths, hidden=True, by_name=False):
        try:
            data = source.read()
        except FileNotFoundError:  # a broken link
            continue
        try:
            with Image.open(io.BytesIO(data)) as image:
                array = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        except (UnidentifiedImageError, OSError):
            continue
        yield source.place, array.reshape(*array.shape[:2], channels)


def split_held_out(images: list[tuple[str, Picture]], one_in: int) -> tuple[list[Picture], list[Picture]]:
    """Training and held-out images; the split depends on the images' names only.

    Raises:
        ValueError: there are fewer than two images.
    """
    if len(images) < 2:
        raise ValueError(f"found {len(images)} readable images, training and holding out takes two")
    ranked = sorted(range(len(images)), key=lambda i: zlib.crc32(images[i][0].encode()))
    count = max(1, len(images) // one_in)
    return [images[i][1] for i in sorted(ranked[count:])], [images[i][1] for i in ranked[:count]]
