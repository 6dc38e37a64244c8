"""The training loop of all models, from top to bottom.

A `Task` defines the model, its batches, its loss, its measurement and its export.  A run is defined by its task's
config and its number of megapixels.  It stops by itself, and continues from its last checkpoint when started again
with the same folder.
"""

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from pixzip.train import checkpoint
from pixzip.train.execution import Execution
from pixzip.train.runs import RunConfig, Steps
from pixzip.train.utilisation import model_tflops


@dataclass
class Status:
    """The state of a run, for display."""

    step: int = 0
    megapixels: float = 0.0
    bits_per_dim: float = math.nan
    learning_rate: float = 0.0
    megapixels_per_s: float = 0.0
    tflops: float = 0.0
    #: Share of the devices' peak; None if unknown.
    mfu: float | None = None
    quantise: bool = False
    held_out: float = math.nan
    training: float = math.nan
    best: float = math.inf
    log: list[dict[str, Any]] = field(default_factory=list)


class Exported(Protocol):
    """A model in its stored form."""

    @property
    def model_id(self) -> bytes: ...

    def to_bytes(self) -> bytes: ...


W = TypeVar("W", bound=Exported)


class Task(ABC, Generic[W]):
    """One model and its training.

    Attributes:
        model, averaged: the network, and a network of the same shape for its averaged weights.
        optimisers: optimisers, each with its peak learning rate.
        image_megapixels: size of an image, or a crop, of a batch.
        batch: images of the next batch, in all processes together; `run` sets it.
        multiply_adds: number per pixel in the forward pass.
        quantised: whether the weights are already quantised as in an export.
        takes_bfloat16: whether the model learns equally well with products in bfloat16.
    """

    config: RunConfig
    model: nn.Module
    averaged: nn.Module
    optimisers: list[tuple[torch.optim.Optimizer, float]]
    image_megapixels: float
    batch: int
    multiply_adds: float
    quantised: bool = True
    takes_bfloat16: bool = False

    def begin(self, done: float) -> None:
        """Prepare a step; called before every step with the share of the run that is done, 0 to 1."""

    def round(self) -> None:
        """Round the averaged weights to those of an export; called once, when `quantised` becomes true within a run."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, part: slice) -> Tensor:
        """A part of the next batch, on the model's device."""

    @abstractmethod
    def bits(self, images: Tensor) -> Tensor:
        """Mean bits per sub-pixel of a part of a batch: the loss."""

    def loss(
        self, rng: np.random.Generator, part: slice = slice(None), objective: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """`bits`, or `objective` instead, on a part of the batch drawn with `rng`."""
        return (objective or self.bits)(self.draw(rng, part))

    @abstractmethod
    def measure(self) -> tuple[float, float]:
        """Bits per sub-pixel of the averaged weights on held-out and on training images."""

    def facts(self) -> dict[str, Any]:
        """Further facts on the averaged weights for the log."""
        return {}

    @abstractmethod
    def export(self) -> W:
        """The averaged weights in their stored form."""

    @abstractmethod
    def load(self, path: Path) -> W:
        """The inverse of writing `export`."""

    def factor(self, step: int, done: float) -> float:
        """The learning rate as a share of its peak: a warm-up, then half a cosine."""
        warm = min(1.0, (step + 1) / self.config.warmup_steps)
        return max(1e-3, warm * (0.5 + 0.5 * math.cos(math.pi * done)))


def run(
    task: Task[W],
    out: Path,
    report: Callable[[Status], None] = lambda status: None,
    execution: Execution = Execution(),  # noqa: B008 (immutable)
) -> W:
    """Train, or resume training, and export.

    Writes ``checkpoint.safetensors``, ``log.jsonl`` and ``model.safetensors`` to the folder `out`.

    Args:
        report: called after every step, in the first process.
        execution: processes, compilation and precision; may change when a run is resumed.
    Raises:
        ValueError: `out` holds a run of another config or differs between processes, the batch cannot be divided
            among them, or the model does not support the precision.
        FloatingPointError: the loss is not finite.
        ModelMismatchError: the checkpoint in `out` is damaged.
        PixzipError: the first process could not measure or write.
    """
    out.mkdir(parents=True, exist_ok=True)
    config, model, averaged, processes = task.config, task.model, task.averaged, execution.processes
    processes.part(config.late_batch or config.batch)  # so that it fails now
    steps, peak_tflops = Steps.of(config, task.image_megapixels), execution.peak()
    optimisers = [optimiser for optimiser, _ in task.optimisers]
    ema = {name: p.detach().clone() for name, p in model.named_parameters()}

    status = Status(quantise=task.quantised)
    path = out / "checkpoint.safetensors"
    description = json.loads(json.dumps(asdict(config)))
    if path.exists():
        meta = checkpoint.restore(path, model, ema, optimisers)
        checkpoint.check_meta(path, meta)
        # the length of a run may change, and a field be younger than the run
        if {**description, **meta["config"], "megapixels": config.megapixels} != description:
            raise ValueError(f"{path} belongs to another config: {meta['config']}")
        status.step, status.best, status.log = meta["step"], meta["best"], meta["log"]
        status.quantise = meta.get("quantise", status.quantise)
    if not processes.same(status.step):
        raise ValueError(f"{path} is not the same file for all processes")
    total = steps.total
    objective = execution.prepare(model, task.bits, takes_bfloat16=task.takes_bfloat16)

    def save() -> None:
        meta = {"config": description, "step": status.step, "best": status.best, "log": status.log}
        meta["quantise"] = status.quantise
        checkpoint.save(path, model, ema, optimisers, meta)

    def write_log(entry: dict[str, Any]) -> None:
        status.log.append(entry)
        (out / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in status.log))

    def write_model() -> None:
        averaged.load_state_dict(ema)
        (out / "model.safetensors").write_bytes(task.export().to_bytes())

    def start_from_rounded() -> None:
        averaged.load_state_dict(ema)
        processes.first_alone(task.round)
        for name, p in averaged.named_parameters():
            processes.take_from_first(ema[name].copy_(p))
        model.load_state_dict(ema)

    def complete() -> None:
        if not (out / "model.safetensors").exists():
            write_model()

    def measure() -> None:
        averaged.load_state_dict(ema)
        status.held_out, status.training = task.measure()
        write_log(
            {
                "step": status.step,
                "megapixels": round(status.megapixels, 3),
                "loss": round(mean_bits, 5),
                "held_out": round(status.held_out, 5),
                "training": round(status.training, 5),
                "gap": round(status.held_out - status.training, 5),
                **task.facts(),
                "learning_rate": round(status.learning_rate, 7),
                "megapixels_per_s": round(status.megapixels_per_s, 4),
                "tflops": float(f"{status.tflops:.4g}"),
                **({} if status.mfu is None else {"mfu": float(f"{status.mfu:.4g}")}),
                "quantise": status.quantise,
                "elapsed_s": round(before_s + now - started, 1),
            }
        )
        if status.quantise and status.held_out < status.best:
            status.best = status.held_out
            write_model()
        save()

    mean_bits, started, last_save = math.nan, time.monotonic(), time.monotonic()
    first_step, before_s = status.step, status.log[-1]["elapsed_s"] if status.log else 0.0

    def spent() -> float:
        """The share of the run's time that is over, the same in all processes; 0 without a limit."""
        past = before_s + time.monotonic() - started
        return processes.mean(torch.tensor(past / config.seconds, device=processes.device)) if config.seconds else 0.0

    while status.step < total and (over := spent()) < 1:
        done = max(steps.megapixels(status.step) / steps.megapixels(total), over)
        task.batch = config.late_batch or config.batch if status.step >= steps.first_late else config.batch
        task.begin(done)
        if task.quantised and not status.quantise:
            start_from_rounded()
        status.quantise = task.quantised
        factor = task.factor(status.step, done)
        for optimiser, peak in task.optimisers:
            optimiser.param_groups[0]["lr"] = peak * factor
        # a resumed run draws the same crops as an uninterrupted one, and each process its part of these
        rng = np.random.default_rng([config.seed, status.step])
        torch.manual_seed(config.seed * 1_000_003 + status.step + (processes.rank << 40))  # for dropout
        loss = task.loss(rng, processes.part(task.batch), objective)
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        for optimiser in optimisers:
            optimiser.step()
        decay = min(config.ema, status.step / (status.step + 50))
        with torch.no_grad():
            for name, p in model.named_parameters():
                ema[name].lerp_(p, 1 - decay)

        status.step += 1
        value = processes.mean(loss)
        if not math.isfinite(value):
            raise FloatingPointError(f"loss is {value} at step {status.step}")
        mean_bits = value if math.isnan(mean_bits) else mean_bits + 0.02 * (value - mean_bits)
        now = time.monotonic()
        status.bits_per_dim, status.learning_rate = mean_bits, task.optimisers[0][1] * factor
        status.megapixels = steps.megapixels(status.step)
        status.megapixels_per_s = (status.megapixels - steps.megapixels(first_step)) / (now - started)
        status.tflops = model_tflops(task.multiply_adds, status.megapixels_per_s)
        status.mfu = None if peak_tflops is None else status.tflops / peak_tflops
        if status.step == total or status.step % max(1, total // config.evals) == 0 or spent() >= 1:
            processes.first_alone(measure)
        elif processes.first and now - last_save > config.checkpoint_s:
            save()
            last_save = now
        if processes.first:
            report(status)
    processes.first_alone(complete)
    return task.load(out / "model.safetensors")
