"""Train a wavefront model: float first, then quantisation-aware, then export of integer weights."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixzip.engine.backends.torch.engine import with_known_answer
from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.export import export, quantised, training_view
from pixzip.models.wavefront.growth import grown, grows
from pixzip.models.wavefront.network import WavefrontPixelCNN
from pixzip.models.wavefront.optional import present
from pixzip.models.wavefront.weights import EXACT_FLOAT32, IntegerWeights, stream_bounds
from pixzip.train.crops import Augmentation, Crops
from pixzip.train.data import Picture, read_images, split_held_out
from pixzip.train.execution import Execution
from pixzip.train.loop import Status, Task, run
from pixzip.train.optim import Muon
from pixzip.train.rounding import round_weights
from pixzip.train.runs import RunConfig

#: Pixels of training crops for which the weights are rounded, for each input of the largest layer.
_ROUNDING_PIXELS = 256


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """One training run."""

    model: Config = field(default_factory=Config)
    order: tuple[int, ...] = (1, 0, 2)
    crop: int = 64
    soft_chroma: float = 0.15
    recolour: float = 0.0
    muon_lr: float = 3e-3
    adam_lr: float = 2e-3
    #: Share of Muon's learning rate by which matrices shrink in each step.
    weight_decay: float = 0.1
    #: Share of the run after which weights and activations are quantised: GPTQ rounds the averaged weights, from which
    #: training goes on.
    quantise_from: float = 0.6
    #: One image in this many is held out.
    held_out_one_in: int = 50
    eval_images: int = 24


CONFIGS: dict[str, TrainConfig] = {
    "base": TrainConfig(model=Config(width=64, blocks=6, head_width=32, n_mix=4, mixing=1, finer=2)),
    "large": TrainConfig(
        model=Config(width=96, blocks=8, head_width=64, n_mix=4, mixing=1, finer=2), megapixels=400.0, late_batch=8
    ),
    "fast": TrainConfig(model=Config(width=40, blocks=4, head_width=16, n_mix=3, finer=2)),
    "grey": TrainConfig(
        model=Config(channels=1, width=64, blocks=6, head_width=32, n_mix=4, mixing=1, finer=2), order=(0,)
    ),
    "fast-grey": TrainConfig(
        model=Config(channels=1, width=40, blocks=4, head_width=32, n_mix=4, mixing=1, finer=2), order=(0,)
    ),
    "graphics": TrainConfig(
        model=Config(width=40, blocks=4, head_width=16, n_mix=3, finer=2),
        megapixels=100.0,
        soft_chroma=0.0,
        recolour=0.5,
    ),
    "graphics-grey": TrainConfig(
        model=Config(channels=1, width=40, blocks=4, head_width=32, n_mix=4, mixing=1, finer=2),
        order=(0,),
        megapixels=60.0,
        recolour=0.3,
    ),
    "tiny": TrainConfig(
        model=Config(width=16, blocks=2, head_width=16, n_mix=2), megapixels=0.2, evals=2, eval_images=2
    ),
}


def bits_of(
    model: WavefrontPixelCNN, pictures: Sequence[Picture], order: tuple[int, ...], device: torch.device
) -> float:
    """Bits per sub-pixel over `pictures`, in float32, each cut to at most 256 x 256."""
    bits = subpixels = 0.0
    with torch.no_grad():
        for picture in pictures:
            planes = picture[:256, :256].transpose(2, 0, 1)[list(order)].astype(np.float32)
            bits += float(model(torch.from_numpy(planes[None]).to(device)).sum())
            subpixels += planes.size
    return bits / subpixels


class WavefrontTask(Task[IntegerWeights]):
    """Training on crops of photographs or drawings with Muon and AdamW; weights are int8 after a share of the run."""

    config: TrainConfig
    model: WavefrontPixelCNN
    averaged: WavefrontPixelCNN
    takes_bfloat16 = True

    def __init__(
        self,
        data: Sequence[Path] | list[tuple[str, Picture]],
        config: TrainConfig,
        device: str = "cpu",
        start: IntegerWeights | None = None,
    ) -> None:
        """
        Args:
            data: tars, folders and images; or pictures with their names.
            start: model with the initial weights of a new run, which grows to the run's sizes if it is smaller;
                None for random ones.
        Raises:
            ValueError: there is too little data, or `start` has sizes that cannot grow to the run's.
        """
        self.config, self.device = config, torch.device(device)
        torch.manual_seed(config.seed)
        images = [x for x in data if isinstance(x, tuple)]
        images += read_images([x for x in data if isinstance(x, Path)], config.model.channels)
        pictures, held_out = split_held_out(images, config.held_out_one_in)
        del images
        augmentation = Augmentation(config.crop, config.soft_chroma, config.recolour)
        self.crops = Crops(pictures, config.order, augmentation, self.device)
        self.held_out = [p for p in held_out if min(p.shape[:2]) >= config.crop][: config.eval_images]
        seen = [p for p in pictures if min(p.shape[:2]) >= config.crop]
        self.seen = seen[:: max(1, len(seen) // config.eval_images)][: config.eval_images]
        if start and not (grows(start.config, config.model) and start.order == config.order):
            raise ValueError(f"model {start.model_id.hex()} has the sizes {start.config}, the run {config.model}")
        network = grown(training_view(start), config.model) if start else WavefrontPixelCNN(config.model)
        self.model = model = network.to(self.device)
        #: What the stages of the start begin with, which its successor keeps.
        self.kept = {}
        if start:
            groups = present(start.config, start.tensors).values()
            self.kept = {name: start.tensors[name] for group in groups for name in group}
        self.averaged = WavefrontPixelCNN(config.model).to(self.device)
        hidden = [p for n, p in model.named_parameters() if n.startswith(("input", "trunk", "hidden")) and p.ndim == 2]
        chosen = {id(p) for p in hidden}
        others = [p for p in model.parameters() if id(p) not in chosen]
        self.optimisers = [
            (Muon(hidden, lr=config.muon_lr, weight_decay=config.weight_decay), config.muon_lr),
            (torch.optim.AdamW(others, lr=config.adam_lr, betas=(0.9, 0.99), weight_decay=0.0), config.adam_lr),
        ]
        self.quantised = config.quantise_from <= 0
        self.batch, self.image_megapixels = config.batch, config.crop**2 / 1e6
        self.multiply_adds = sum(p.numel() for p in model.parameters() if p.ndim == 2)

    def averaged_of(self, weights: IntegerWeights) -> WavefrontPixelCNN:
        """A network with the weights of a model, quantised, on the task's device."""
        return training_view(weights).to(self.device)

    def begin(self, done: float) -> None:
        self.quantised = self.model.quantise = self.averaged.quantise = done >= self.config.quantise_from

    def round(self) -> None:
        inputs = max(len(p) for p in self.averaged.parameters() if p.ndim == 2)
        crops = -(-_ROUNDING_PIXELS * inputs // self.config.crop**2)
        round_weights(self.averaged, self.crops.draw(crops, np.random.default_rng(self.config.seed)))

    def draw(self, rng: np.random.Generator, part: slice) -> Tensor:
        return self.crops.draw(self.batch, rng, part)

    def bits(self, images: Tensor) -> Tensor:
        bits: Tensor = self.model(images).mean()
        return bits

    def measure(self) -> tuple[float, float]:
        order = self.config.order
        held_out = bits_of(self.averaged, self.held_out, order, self.device)
        return held_out, bits_of(self.averaged, self.seen, order, self.device)

    def facts(self) -> dict[str, Any]:
        bounds = stream_bounds(quantised(self.averaged, self.config.order))
        return {"stream_bound": round(max(bounds.values()) / EXACT_FLOAT32, 3)}

    def export(self) -> IntegerWeights:
        found = export(self.averaged, self.config.order, notes=json.dumps(asdict(self.config)))
        return with_known_answer(replace(found, tensors={**found.tensors, **self.kept}))

    def load(self, path: Path) -> IntegerWeights:
        return load_wavefront(path)


def train(
    data: Sequence[Path] | list[tuple[str, Picture]],
    config: TrainConfig,
    out: Path,
    device: str = "cpu",
    report: Callable[[Status], None] = lambda status: None,
    start: IntegerWeights | None = None,
    execution: Execution = Execution(),  # noqa: B008 (immutable)
) -> IntegerWeights:
    """`run` a `WavefrontTask`; their exceptions pass through."""
    return run(WavefrontTask(data, config, device, start), out, report, execution)
