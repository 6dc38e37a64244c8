"""Training images: read once into memory, drawn as random crops.

Reads tars, folders and single images, whatever Pillow opens.  Every image is decoded at the start; a
crop is then a copy of a slice, and no loader stands in the way of two busy cores.
"""

import io
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How crops are varied."""

    crop: int = 64
    #: Share of crops whose colour differences are halved and interpolated, as decoded JPEGs have them.
    soft_chroma: float = 0.15
    #: Share of crops whose channels change places, and half of those their sign: for drawings, which are few.
    recolour: float = 0.0


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


def soften_chroma(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Halve the colour differences to luma in both directions, at a random phase, and interpolate them back."""
    luma = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    blue, red = picture[..., 2] - luma, picture[..., 0] - luma
    resample = Image.Resampling.BILINEAR if rng.random() < 0.7 else Image.Resampling.NEAREST
    h, w = luma.shape
    dy, dx = rng.integers(2, size=2)

    def halve(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        padded = np.pad(plane, ((dy, (h + dy) % 2), (dx, (w + dx) % 2)), mode="edge")
        small = Image.fromarray(padded).reduce(2)
        big = np.asarray(small.resize((padded.shape[1], padded.shape[0]), resample))
        return big[dy : dy + h, dx : dx + w]

    blue, red = halve(blue), halve(red)
    green = (luma - 0.299 * (red + luma) - 0.114 * (blue + luma)) / 0.587
    return np.clip(np.stack([red + luma, green, blue + luma], -1) + 0.5, 0, 255)


class Crops:
    """An endless source of augmented crops.

    Images are drawn in proportion to their area, none more often than one of 256 x 256: a few large
    screenshots should not outweigh many photographs.
    """

    def __init__(self, pictures: list[Picture], order: tuple[int, ...], augmentation: Augmentation) -> None:
        """
        Raises:
            ValueError: no image is as large as a crop.
        """
        side = augmentation.crop
        self.pictures = [p for p in pictures if min(p.shape[:2]) >= side]
        if not self.pictures:
            raise ValueError(f"none of {len(pictures)} images is {side} x {side} or larger")
        self.augmentation = augmentation
        self.order = list(order)
        area = np.array([min(p.shape[0] * p.shape[1], 1 << 16) for p in self.pictures], np.float64)
        self.cumulative = np.cumsum(area / area.sum())

    @property
    def megapixels(self) -> float:
        """Megapixels that crops are drawn from."""
        return sum(p.size for p in self.pictures) / len(self.order) / 1e6

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """(n, C, crop, crop) float32 in coding order, flipped and transposed at random."""
        side = self.augmentation.crop
        out = np.empty((n, len(self.order), side, side), np.float32)
        for i in range(n):
            picture = self.pictures[min(int(np.searchsorted(self.cumulative, rng.random())), len(self.pictures) - 1)]
            y, x = (int(rng.integers(extent - side + 1)) for extent in picture.shape[:2])
            crop = picture[y : y + side, x : x + side]
            if len(self.order) == 3 and rng.random() < self.augmentation.soft_chroma:
                crop = np.floor(soften_chroma(crop.astype(np.float32), rng))
            if self.augmentation.recolour and rng.random() < self.augmentation.recolour:
                crop = crop[..., rng.permutation(len(self.order))]
                crop = 255 - crop if rng.random() < 0.5 else crop
            flip_y, flip_x, transpose = rng.random(3) < 0.5
            crop = crop[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
            out[i] = (crop.transpose(2, 1, 0) if transpose else crop.transpose(2, 0, 1))[self.order]
        return out
