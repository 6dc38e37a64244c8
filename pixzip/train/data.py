"""Training images: tars, folders and single images, whatever Pillow opens, and which of them are held out."""

import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Picture = NDArray[np.uint8]


def read_images(paths: Sequence[Path], channels: int) -> Iterator[tuple[str, Picture]]:
    """Yield (name, (H, W, C) uint8) for every image below `paths`; what Pillow cannot open is passed over."""
    sources: Iterator[tuple[str, bytes]]
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            sources = ((str(p), p.read_bytes()) for p in files)
        elif tarfile.is_tarfile(path):
            sources = _tar_members(path)
        else:
            sources = iter([(str(path), path.read_bytes())])
        for name, data in sources:
            try:
                with Image.open(io.BytesIO(data)) as image:
                    array = np.asarray(image.convert("L" if channels == 1 else "RGB"))
            except (UnidentifiedImageError, OSError):
                continue
            yield name, array.reshape(*array.shape[:2], channels)


def _tar_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                yield f"{path.name}/{member.name}", file.read()


def split_held_out(images: list[tuple[str, Picture]], one_in: int) -> tuple[list[Picture], list[Picture]]:
    """Training and held-out images; which is which depends on an image's name alone.

    Raises:
        ValueError: there are fewer than two images.
    """
    if len(images) < 2:
        raise ValueError(f"found {len(images)} readable images, training and holding out takes two")
    ranked = sorted(range(len(images)), key=lambda i: zlib.crc32(images[i][0].encode()))
    count = max(1, len(images) // one_in)
    return [images[i][1] for i in sorted(ranked[count:])], [images[i][1] for i in ranked[:count]]
