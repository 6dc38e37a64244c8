"""Train a model of the PixelRNN family on whole small images or on crops of large ones.

The published settings are RMSProp with a manually chosen learning rate for the models of [1], Adam for PixelCNN++
[3], and batches of 16 images.

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759), section 5.
[3] Salimans et al., PixelCNN++, 2017 (arXiv 1701.05517), section 3.
"""

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.data import datasets
from pixzip.data.datasets import Dataset
from pixzip.engine.family import with_known_answer
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.density import Density, DensityConfig
from pixzip.models.family.weights import FixedWeights, fixed
from pixzip.models.registry import load_family
from pixzip.train.crops import Augmentation, Crops
from pixzip.train.data import read_images, split_held_out
from pixzip.train.loop import Task
from pixzip.train.runs import RunConfig
from pixzip.train.utilisation import family_multiply_adds


@dataclass(frozen=True)
class FamilyConfig(RunConfig):
    """One run of a family model.

    Attributes:
        architecture: wire name in `FAMILY`.
        data: "images" for whole small images, "crops" for crops of large ones.
        schedule: "cosine" falls to zero over the run, "constant" stays; both after the same warm-up.
    """

    architecture: str = "pixelcnn-1"
    model: DensityConfig = field(default_factory=DensityConfig)
    batch: int = 16
    optimiser: Literal["rmsprop", "adam"] = "rmsprop"
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    data: Literal["images", "crops"] = "images"
    crop: int = 32
    eval_images: int = 100
    evals: int = 10
    ema: float = 0.995


class FamilyTask(Task[FixedWeights]):
    """Training on images with RMSProp or Adam, exporting fixed-point weights."""

    config: FamilyConfig
    model: Density
    averaged: Density

    def __init__(self, data: Sequence[Path], config: FamilyConfig, device: str = "cpu") -> None:
        """
        Args:
            data: one data set for `datasets.load`, or tars, folders and images for crops.
        Raises:
            PixzipError: the data cannot be read.
            ValueError: there is too little data, or it does not suit this model.
        """
        self.config, self.device = config, torch.device(device)
        source: _Images | _Crops = (
            _Images(data, config) if config.data == "images" else _Crops(data, config, self.device)
        )
        self.source = source
        torch.manual_seed(config.seed)
        self.model = FAMILY[config.architecture](config.model).to(self.device)
        self.averaged = copy.deepcopy(self.model).eval()
        params = list(self.model.parameters())
        optimiser: torch.optim.Optimizer
        if config.optimiser == "rmsprop":
            optimiser = torch.optim.RMSprop(params, lr=config.learning_rate, alpha=0.99)
        else:
            optimiser = torch.optim.Adam(params, lr=config.learning_rate, betas=(0.95, 0.9995))
        self.optimisers = [(optimiser, config.learning_rate)]
        self.batch, self.image_megapixels = config.batch, math.prod(source.shape) / 1e6
        self.multiply_adds = family_multiply_adds(self.averaged, *source.shape)

    def draw(self, rng: np.random.Generator, part: slice) -> Tensor:
        return torch.as_tensor(self.source.draw(self.batch, rng, part)).to(self.device)

    def bits(self, images: Tensor) -> Tensor:
        return self.model.mean_nats(images) / math.log(2)

    @torch.no_grad()
    def measure(self) -> tuple[float, float]:
        def bits(images: NDArray[np.float32]) -> float:
            batches = torch.from_numpy(images).to(self.device).split(self.config.batch)
            nats = math.fsum(float(self.averaged.nll(batch).sum()) for batch in batches)
            return nats / images.size / math.log(2)

        return bits(self.source.held_out), bits(self.source.seen)

    def factor(self, step: int, done: float) -> float:
        if self.config.schedule == "constant":
            return min(1.0, (step + 1) / self.config.warmup_steps)
        return super().factor(step, done)

    def export(self) -> FixedWeights:
        notes = {"config": asdict(self.config), "data": self.source.name, "device": self.device.type}
        return with_known_answer(fixed(self.averaged, notes=json.dumps(notes)))

    def load(self, path: Path) -> FixedWeights:
        return load_family(path)


def _planar(images: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)


class _Images:
    """Batches of whole small images."""

    def __init__(self, data: Sequence[Path], config: FamilyConfig) -> None:
        if len(data) != 1:
            raise ValueError(f"{len(data)} data sets given, expected one")
        kind = datasets.detect(data[0])
        if config.model.levels == 2 and kind == "mnist":
            kind = "mnist-binary"
        found: Dataset = datasets.load(kind, data[0], "train")
        wanted = config.model.channels, config.model.levels
        if (found.images.shape[3], found.levels) != wanted:
            have = found.images.shape[3], found.levels
            raise ValueError(f"{found.name} has {have[0]} channels of {have[1]} levels, the model {wanted}")
        self.name, self._images = found.name, found.images
        self.shape: tuple[int, int] = found.images.shape[1:3]
        count = min(config.eval_images, len(found.images) // 10)
        if count < 1:
            raise ValueError(f"{found.name} has {len(found.images)} images, training and holding out takes ten")
        # held out from the training set, as the test set is for the end; shuffled, as files may be sorted by class
        shuffled = np.random.default_rng(0).permutation(len(self._images))
        self._chosen = shuffled[count:]
        self.held_out = _planar(self._images[shuffled[:count]])
        self.seen = _planar(self._images[self._chosen[:count]])

    def draw(self, n: int, rng: np.random.Generator, part: slice = slice(None)) -> NDArray[np.float32]:
        return _planar(self._images[self._chosen[rng.integers(len(self._chosen), size=n)[part]]])


class _Crops:
    """Batches of crops of photographs."""

    def __init__(self, data: Sequence[Path], config: FamilyConfig, device: torch.device) -> None:
        channels = config.model.channels
        pictures, held_out = split_held_out(list(read_images(data, channels)), 50)
        self.name = " ".join(path.name for path in data)
        self.shape = config.crop, config.crop
        order, plain = tuple(range(channels)), Augmentation(config.crop, soft_chroma=0.0)
        self._crops = Crops(pictures, order, plain, device)
        rng = np.random.default_rng(0)
        self.held_out = Crops(held_out, order, plain).draw(config.eval_images, rng).numpy()
        self.seen = self.draw(config.eval_images, rng).cpu().numpy()

    def draw(self, n: int, rng: np.random.Generator, part: slice = slice(None)) -> Tensor:
        return self._crops.draw(n, rng, part)
