"""Choose a run by its images and by the machine: the model to start from, the config, and the length.

Every candidate starts from a shipped model, which is better after minutes than what starts from nothing.  The one that
needs the fewest bits for the images is taken, if this machine trains it on enough pixels in the time.
"""

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch

from pixzip.models import library
from pixzip.models.wavefront.weights import IntegerWeights
from pixzip.train.data import Picture, read_images
from pixzip.train.execution import Execution
from pixzip.train.wavefront import CONFIGS, TrainConfig, WavefrontTask, bits_of

Images = list[tuple[str, Picture]]


class Candidate(NamedTuple):
    """A config, and the shipped model of its sizes that a run starts from."""

    config: str
    start: str


class Tried(NamedTuple):
    """What was measured of a candidate: bits per sub-pixel of the start, and megapixels a second of training."""

    candidate: Candidate
    bits: float
    megapixels_per_s: float


#: Number of channels -> what is tried.
CANDIDATES = {
    3: (Candidate("base", "base"), Candidate("fast", "fast"), Candidate("graphics", "graphics")),
    1: (
        Candidate("grey", "base-grey"), Candidate("fast-grey", "fast-grey"),
        Candidate("graphics-grey", "graphics-grey"),
    ),
}  # fmt: skip
#: Candidates that train at this part of the speed of the fastest are as fast: they are measured for seconds only.
_AS_FAST = 0.7
#: A run on fewer megapixels hardly moves a model: a faster candidate is taken instead.
_LEAST_MEGAPIXELS = 1.0
#: Sides of crops, of which the largest that most images have is taken.
_CROPS = (64, 48, 32, 24, 16)
#: One image in this many is reported on, at most so many of them, and none of them is trained on.
_REPORT_ONE_IN, _MOST_REPORTED = 8, 8
#: Shares of the time that remains after the choice: training, and measuring while it trains; the rest is the report's.
_TRAINING, _MEASURING = 0.72, 0.12
#: Learning rates beside those of a run from random weights.
_RATE = 0.3
#: Measurements in the time, and how many times the megapixels that the trial promises a run may see.
_EVALS, _SPARE = 5, 2
_SAMPLE, _SAMPLE_SIDE, _TRIAL_S = 4, 128, 1.5


@dataclass(frozen=True)
class Material:
    """The images of one kind.

    Attributes:
        channels: 1 if most pixels are of grey images, else 3.
        images: what to learn from.
        report: what is kept away from learning.
        left_out: number of images of the other kind.
    """

    channels: int
    images: Images
    report: list[Picture]
    left_out: int


class Length(NamedTuple):
    """What depends on the time: fields of the config, of which the megapixels end no run but on a faster machine."""

    seconds: float
    megapixels: float
    held_out_one_in: int
    eval_images: int
    crop: int


@dataclass(frozen=True)
class Plan:
    """What was chosen, and what it was chosen from.

    Attributes:
        tried: all that were measured; empty for a plan that was read.
    """

    chosen: Candidate
    length: Length
    tried: tuple[Tried, ...] = ()

    @property
    def start(self) -> IntegerWeights:
        return _start(self.chosen)

    @property
    def config(self) -> TrainConfig:
        return replace(_config(self.chosen, self.length.crop), **self.length._asdict())

    def to_json(self) -> str:
        return json.dumps({"chosen": list(self.chosen), "length": list(self.length)}) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The inverse of `to_json`.

        Raises:
            ValueError: the text is something else.
        """
        try:
            found = json.loads(text)
            chosen, length = Candidate(*map(str, found["chosen"])), found["length"]
            known = any(chosen in options for options in CANDIDATES.values())
            plan = cls(
                chosen, Length(float(length[0]), float(length[1]), int(length[2]), int(length[3]), int(length[4]))
            )
        except (TypeError, KeyError, IndexError, ValueError):
            known = False
        if not known:
            raise ValueError("is no plan of a run: without its folder the run starts anew")
        return plan


def gather(paths: Sequence[Path]) -> Material:
    """Read the images and set some aside; which ones depends on their names only.

    Raises:
        ValueError: there are fewer than three of a kind, or all are small.
        PixzipError, OSError: see `read_images`.
    """
    images = [(name, p) for name, p in read_images(paths, 3) if min(p.shape[:2]) >= _CROPS[-1]]
    grey = [bool((p == p[..., :1]).all()) for _, p in images]
    pixels = np.array([p[..., 0].size for _, p in images], float)
    channels = 1 if pixels[np.array(grey, bool)].sum() > pixels.sum() / 2 else 3
    kept = [
        (name, p[..., :channels]) for (name, p), is_grey in zip(images, grey, strict=True) if is_grey == (channels == 1)
    ]
    if len(kept) < 3:
        raise ValueError(
            f"found {len(kept)} readable images of {_CROPS[-1]} x {_CROPS[-1]} pixels or more,"
            " training, holding out and reporting take three"
        )
    kept.sort(key=lambda image: zlib.crc32(b"report" + image[0].encode()))
    count = min(_MOST_REPORTED, max(1, len(kept) // _REPORT_ONE_IN))
    return Material(channels, kept[count:], [p for _, p in kept[:count]], len(images) - len(kept))


def plan(material: Material, seconds: float, device: str = "cpu", execution: Execution = Execution()) -> Plan:  # noqa: B008
    """Choose, and measure the machine for some seconds.

    Args:
        seconds: for all of it: this choice, the run and a report.
    Raises:
        ValueError: the images are too few or too small.
        ModelMismatchError: a shipped model is missing.
    """
    began = time.monotonic()
    shortest = sorted(min(p.shape[:2]) for _, p in material.images)
    usual = shortest[len(shortest) // 2]
    crop = next(side for side in _CROPS if side <= usual)
    options = CANDIDATES[material.channels]
    tried = tuple(_tried(candidate, material, crop, device, execution) for candidate in options)
    left = max(seconds - (time.monotonic() - began), 0.1 * seconds)
    able = [t for t in tried if t.megapixels_per_s * left * _TRAINING >= _LEAST_MEGAPIXELS]
    fastest = max(t.megapixels_per_s for t in tried)
    able = able or [t for t in tried if t.megapixels_per_s >= _AS_FAST * fastest]
    best = min(able, key=lambda t: t.bits)
    measured = int(3e6 * best.megapixels_per_s * left * _MEASURING / (2 * _EVALS * 256**2))
    length = Length(
        round((_TRAINING + _MEASURING) * left, 3),
        round(max(_SPARE * best.megapixels_per_s * left * _TRAINING, 8 * 4 * crop**2 / 1e6), 6),
        max(2, min(10, len(material.images) // 4)),
        min(24, max(1, measured)),
        crop,
    )
    return Plan(best.candidate, length, tried)


def _config(candidate: Candidate, crop: int) -> TrainConfig:
    """A config for a run that goes on from trained weights: quantised at once, in smaller steps."""
    config = CONFIGS[candidate.config]
    config = replace(config, muon_lr=_RATE * config.muon_lr, adam_lr=_RATE * config.adam_lr)
    return replace(config, crop=crop, quantise_from=0.0, warmup_steps=20, evals=_EVALS * _SPARE)


def _start(candidate: Candidate) -> IntegerWeights:
    return cast(IntegerWeights, library.find(candidate.start))


def _tried(candidate: Candidate, material: Material, crop: int, device: str, execution: Execution) -> Tried:
    """Measure a candidate: its bits on parts of some images, and the speed of a few steps."""
    start = _start(candidate)
    step = max(1, len(material.images) // _SAMPLE)
    sample = [picture[:_SAMPLE_SIDE, :_SAMPLE_SIDE] for _, picture in material.images[::step][:_SAMPLE]]
    config = replace(_config(candidate, crop), held_out_one_in=len(material.images))
    task = WavefrontTask(material.images, config, device, start)
    bits = bits_of(task.averaged_of(start), sample, config.order, task.device)
    return Tried(candidate, bits, _speed(task, execution))


def _speed(task: WavefrontTask, execution: Execution) -> float:
    """Megapixels a second of training, by steps after a first one."""
    objective = execution.prepare(task.model, task.bits, takes_bfloat16=task.takes_bfloat16)
    task.begin(1.0)
    steps, began = -1, 0.0
    while steps < 2 or time.monotonic() - began < _TRIAL_S:
        loss = task.loss(np.random.default_rng([0, steps + 1]), slice(None), objective)
        for optimiser, _ in task.optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser, _ in task.optimisers:
            optimiser.step()
        loss.item()  # waits for a GPU
        steps += 1
        if steps == 0:
            began = time.monotonic()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return steps * task.batch * task.image_megapixels / (time.monotonic() - began)
