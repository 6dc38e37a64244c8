"""Test images of the sets that the PixelRNN family is measured on, and what papers report on them."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixzip.data import datasets

#: (model, data) -> test set, in the unit of `unit`; of binarised MNIST, that of Salakhutdinov and Murray (2008).
#: PixelCNN, Row LSTM, Diagonal BiLSTM: arXiv 1601.06759; Gated PixelCNN: arXiv 1606.05328; PixelCNN++: arXiv
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
#: Of a data set's full name, where the binarisation is that of the published figures.
FIXED = "Salakhutdinov"


@dataclass(frozen=True)
class Measured:
    """Test images.

    Attributes:
        name, source: of the set, and as it was given: binary MNIST comes from mnist, too.
        title: of the set, as `pixzip.data.datasets` calls it.
        images: (N, H, W, C) uint8 below `levels`.
        total: images in the whole set.
    """

    name: str
    source: str
    title: str
    images: NDArray[np.uint8]
    levels: int
    total: int

    @property
    def sha256(self) -> str:
        """Of the samples."""
        return hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()

    @property
    def unit(self) -> str:
        return "nats" if self.levels == 2 else "bits/dim"

    def in_unit(self, bits: float) -> float:
        """Bits of all images -> what papers report: nats an image where there are two levels, or bits a sub-pixel."""
        return bits * math.log(2) / len(self.images) if self.levels == 2 else bits / self.images.size


def take(source: str, path: Path, levels: int, count: int | None) -> Measured:
    """Test images of a set, evenly spaced: sets come class by class."""
    kind = datasets.detect(path)
    kind = "mnist-binary" if kind == "mnist" and levels == 2 else kind
    found = datasets.load(kind, path, "test")
    total = len(found.images)
    n = min(count or total, total)
    name = "mnist-binary" if source == "mnist" and levels == 2 else source
    chosen = np.arange(n) * total // n
    return Measured(name, source, found.name, np.ascontiguousarray(found.images[chosen]), found.levels, total)
