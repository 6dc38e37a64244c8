"""The training loop, top to bottom: float first, then quantisation-aware, then integer weights.

A run is defined by its config and the megapixels it shall see; it stops by itself, and continues from its
last checkpoint when started again with the same folder.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pixzip.engine import with_known_answer
from pixzip.exact.export import export, quantised, training_view
from pixzip.exact.weights import EXACT, IntegerWeights, load, stream_bounds
from pixzip.models.registry import Config, WavefrontPixelCNN
from pixzip.train import checkpoint
from pixzip.train.data import Augmentation, Crops, Picture, read_images, split_held_out
from pixzip.train.optim import Muon


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    model: Config
    order: tuple[int, ...] = (1, 0, 2)
    megapixels: float = 300.0
    batch: int = 4
    crop: int = 64
    soft_chroma: float = 0.15
    recolour: float = 0.0
    muon_lr: float = 3e-3
    adam_lr: float = 2e-3
    #: Share of Muon's learning rate by which its matrices shrink each step.
    weight_decay: float = 0.1
    warmup_steps: int = 100
    #: Share of the run after which weights and activations are quantised.
    quantise_from: float = 0.6
    ema: float = 0.998
    clip: float = 1.0
    seed: int = 0
    #: One image in this many is held out.
    held_out_one_in: int = 50
    eval_images: int = 24
    evals: int = 20
    checkpoint_s: float = 120.0


CONFIGS: dict[str, TrainConfig] = {
    "base": TrainConfig(Config(width=64, blocks=6, head_width=32, n_mix=4, mixing=1, finer=2)),
    "fast": TrainConfig(Config(width=40, blocks=4, head_width=16, n_mix=3, finer=2)),
    "grey": TrainConfig(Config(channels=1, width=40, blocks=4, head_width=32, n_mix=4, mixing=1, finer=2), order=(0,)),
    "graphics": TrainConfig(
        Config(width=40, blocks=4, head_width=16, n_mix=3, finer=2), megapixels=100.0, soft_chroma=0.0, recolour=0.5
    ),
    "graphics-grey": TrainConfig(
        Config(channels=1, width=40, blocks=4, head_width=32, n_mix=4, mixing=1, finer=2),
        order=(0,),
        megapixels=60.0,
        recolour=0.3,
    ),
    "tiny": TrainConfig(Config(width=16, blocks=2, head_width=16, n_mix=2), megapixels=0.2, evals=2, eval_images=2),
}


@dataclass
class Status:
    """Where a run stands, for whoever shows it."""

    step: int = 0
    megapixels: float = 0.0
    bits_per_dim: float = math.nan
    learning_rate: float = 0.0
    megapixels_per_s: float = 0.0
    quantise: bool = False
    held_out: float = math.nan
    training: float = math.nan
    best: float = math.inf
    log: list[dict[str, Any]] = field(default_factory=list)


def _precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16
    native = torch.backends.cpu.get_cpu_capability().startswith("AVX512") and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def _evaluate(
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


def train(
    data: Sequence[Path],
    config: TrainConfig,
    out: Path,
    device: str = "cpu",
    report: Callable[[Status], None] = lambda status: None,
    start: IntegerWeights | None = None,
) -> IntegerWeights:
    """Train, or go on training, and export.

    Writes ``checkpoint.safetensors``, ``log.jsonl`` and ``model.safetensors`` to the folder `out`.

    Args:
        data: tars, folders and images.
        report: called after every step.
        start: a model whose weights a new run starts from, instead of random ones.
    Raises:
        ValueError: too little data, `out` holds a run of another config, or `start` is a model of other sizes.
    """
    out.mkdir(parents=True, exist_ok=True)
    target = torch.device(device)
    torch.manual_seed(config.seed)
    images = list(read_images(data, config.model.channels))
    pictures, held_out = split_held_out(images, config.held_out_one_in)
    del images
    crops = Crops(pictures, config.order, Augmentation(config.crop, config.soft_chroma, config.recolour))
    held_out = [p for p in held_out if min(p.shape[:2]) >= config.crop][: config.eval_images]
    seen = crops.pictures[:: max(1, len(crops.pictures) // config.eval_images)][: config.eval_images]

    if start and (start.config, start.order) != (config.model, config.order):
        raise ValueError(f"model {start.model_id.hex()} has the sizes {start.config}, the run {config.model}")
    model = WavefrontPixelCNN(config.model).to(target)
    if start:
        model.load_state_dict(training_view(start).state_dict())
    hidden = [p for n, p in model.named_parameters() if n.startswith(("input", "trunk", "hidden")) and p.ndim == 2]
    chosen = {id(p) for p in hidden}
    others = [p for p in model.parameters() if id(p) not in chosen]
    optimisers: list[torch.optim.Optimizer] = [
        Muon(hidden, lr=config.muon_lr, weight_decay=config.weight_decay),
        torch.optim.AdamW(others, lr=config.adam_lr, betas=(0.9, 0.99), weight_decay=0.0),
    ]
    peaks = [config.muon_lr, config.adam_lr]
    ema = {name: p.detach().clone() for name, p in model.named_parameters()}
    averaged = WavefrontPixelCNN(config.model).to(target)

    status = Status()
    path = out / "checkpoint.safetensors"
    description = json.loads(json.dumps(asdict(config)))
    if path.exists():
        meta = checkpoint.restore(path, model, ema, optimisers)
        if {**meta["config"], "megapixels": config.megapixels} != description:  # a run may be made longer or shorter
            raise ValueError(f"{path} belongs to another config: {meta['config']}")
        status.step, status.best, status.log = meta["step"], meta["best"], meta["log"]
    per_step = config.batch * config.crop**2 / 1e6
    total = math.ceil(config.megapixels / per_step)
    precision = _precision(target)

    def save() -> None:
        meta = {"config": description, "step": status.step, "best": status.best, "log": status.log}
        checkpoint.save(path, model, ema, optimisers, meta)

    def write_log(entry: dict[str, Any]) -> None:
        status.log.append(entry)
        (out / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in status.log))

    def integer_weights() -> IntegerWeights:
        averaged.load_state_dict(ema)
        return with_known_answer(export(averaged, config.order, notes=json.dumps(description)))

    mean_bits, started, last_save = math.nan, time.monotonic(), time.monotonic()
    first_step = status.step
    while status.step < total:
        done = status.step / total
        model.quantise = averaged.quantise = status.quantise = done >= config.quantise_from
        factor = min(1.0, (status.step + 1) / config.warmup_steps) * (0.5 + 0.5 * math.cos(math.pi * done))
        for optimiser, peak in zip(optimisers, peaks, strict=True):
            optimiser.param_groups[0]["lr"] = peak * max(factor, 1e-3)
        rng = np.random.default_rng([config.seed, status.step])  # a resumed run draws what it would have drawn
        batch = torch.from_numpy(crops.draw(config.batch, rng)).to(target)
        with torch.autocast(target.type, precision, enabled=precision != torch.float32):
            loss = model(batch).mean()
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
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"loss is {value} at step {status.step}")
        mean_bits = value if math.isnan(mean_bits) else mean_bits + 0.02 * (value - mean_bits)
        now = time.monotonic()
        status.bits_per_dim, status.learning_rate = mean_bits, peaks[0] * factor
        status.megapixels = status.step * per_step
        status.megapixels_per_s = (status.step - first_step) * per_step / (now - started)
        if status.step == total or status.step % max(1, total // config.evals) == 0:
            averaged.load_state_dict(ema)
            status.held_out = _evaluate(averaged, held_out, config.order, target)
            status.training = _evaluate(averaged, seen, config.order, target)
            write_log(
                {
                    "step": status.step,
                    "megapixels": round(status.megapixels, 3),
                    "loss": round(mean_bits, 5),
                    "held_out": round(status.held_out, 5),
                    "training": round(status.training, 5),
                    "gap": round(status.held_out - status.training, 5),
                    "stream_bound": round(max(stream_bounds(quantised(averaged, config.order)).values()) / EXACT, 3),
                    "learning_rate": round(status.learning_rate, 7),
                    "megapixels_per_s": round(status.megapixels_per_s, 4),
                    "quantise": status.quantise,
                    "elapsed_s": round(now - started, 1),
                }
            )
            if status.quantise and status.held_out < status.best:
                status.best = status.held_out
                (out / "model.safetensors").write_bytes(integer_weights().to_bytes())
            save()
        elif now - last_save > config.checkpoint_s:
            save()
            last_save = now
        report(status)
    if not (out / "model.safetensors").exists():
        (out / "model.safetensors").write_bytes(integer_weights().to_bytes())
    return load(out / "model.safetensors")
