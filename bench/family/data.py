"""Test images for the PixelRNN family, and published results on them."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixzip.data import datasets

#: (model, data) -> result on the test set, in the unit of `unit`; binarised MNIST is that of Salakhutdinov and Murray
#: (2008).  PixelCNN, Row LSTM, Diagonal BiLSTM: arXiv 1601.06759; Gated PixelCNN: arXiv 1606.05328; PixelCNN++: arXiv
#: 1701.05517.
PUBLISHED = {
    ("pixelcnn", "cifar10"): 3.14,
    ("row-lstm", "cifar10"): 3.07,
    ("diagonal-bilstm", "cifar10"): 3.00,
    ("gated-pixelcnn", "cifar10"): 3.03,
    ("pixelcnn-pp", "cifar10"): 2.92,
    ("pixelcnn", "mnist-binary"): 81.30,
    ("row-lstm", "mnist-binary"): 80.54,
    ("diagonal-bilstm", "mnist-binary"): 79.20,
}
#: Part of a data set's full name that marks the binarisation of the published figures.
FIXED = "Salakhutdinov"


@dataclass(frozen=True)
class Measured:
    """Test images.

    Attributes:
        name, source: name of the set, and the given name: binary MNIST comes from mnist, too.
        title: name of the set in `pixzip.data.datasets`.
        images: (N, H, W, C) uint8 below `levels`.
        total: number of images in the whole set.
    """

    name: str
    source: str
    title: str
    images: NDArray[np.uint8]
    levels: int
    total: int

    @property
    def sha256(self) -> str:
        """The SHA-256 of the samples."""
        return hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()

    @property
    def unit(self) -> str:
        return "nats" if self.levels == 2 else "bits/dim"

    def in_unit(self, bits: float) -> float:
        """Bits of all images -> the unit of papers: nats per image for two levels, else bits per sub-pixel."""
        return bits * math.log(2) / len(self.images) if self.levels == 2 else bits / self.images.size


def take(source: str, path: Path, levels: int, count: int | None) -> Measured:
    """Evenly spaced test images of a set, because sets are sorted by class."""
    kind = datasets.detect(path)
    kind = "mnist-binary" if kind == "mnist" and levels == 2 else kind
    found = datasets.load(kind, path, "test")
    total = len(found.images)
    n = min(count or total, total)
    name = "mnist-binary" if source == "mnist" and levels == 2 else source
    chosen = np.arange(n) * total // n
    return Measured(name, source, found.name, np.ascontiguousarray(found.images[chosen]), found.levels, total)
