"""Results of one trained model of the PixelRNN family on test images, for `bench/family/measure.py`."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.coders import range as range_coder
from pixcodecs.coders.base import nll_bits

from bench.common import timed
from bench.family.data import FIXED, PUBLISHED, Measured
from pixzip.codec.options import Options
from pixzip.codec.stack import compress_stack, decompress_stack
from pixzip.engine.executor import Local
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import FixedWeights
from pixzip.models.registry import load_family
from pixzip.train.family_configs import CONFIGS, NAMES
from pixzip.train.utilisation import family_multiply_adds

#: Number of images that are coded together.
BATCH = 256


@dataclass(frozen=True)
class Run:
    """A folder of `pixzip train`."""

    folder: Path
    weights: FixedWeights
    notes: dict[str, Any]
    log: list[dict[str, Any]]
    trained_on: str

    @property
    def file(self) -> Path:
        return self.folder / "model.safetensors"


def prepare(folder: Path, trained_on: str = "not recorded") -> Run:
    """
    Args:
        trained_on: training data of runs that do not record it.
    """
    weights = load_family(folder / "model.safetensors")
    notes = json.loads(weights.notes)
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return Run(folder, weights, notes, log, notes.get("device", trained_on))


def model_name(run: Run) -> str:
    """The model's name in configs."""
    return next(name for name, wire in NAMES.items() if wire == run.weights.architecture)


def fits(run: Run, sets: Mapping[str, Any]) -> str:
    """The name of the test set for a run: the one with which its training set's name begins, or the only one."""
    found = [name for name in sets if run.notes["data"].startswith(name)]
    if not found and len(sets) > 1:
        raise SystemExit(f"{run.folder} was trained on {run.notes['data']}: give --data NAME=PATH that begins so")
    return max(found or list(sets), key=len)


def named_config(run: Run, data: str) -> tuple[str, dict[str, Any]]:
    """The config closest to a run, and the fields in which the run differs."""
    found = _flat(run.notes["config"])
    best: tuple[str, dict[str, Any]] | None = None
    names = [name for name, config in CONFIGS.items() if config.architecture == run.weights.architecture]
    for name in sorted(names, key=lambda name: name.removesuffix("-small") != f"{model_name(run)}-{data}"):
        known = _flat(json.loads(json.dumps(asdict(CONFIGS[name]))))
        changes = {key: value for key, value in found.items() if key in known and value != known[key]}
        if best is None or len(changes) < len(best[1]):
            best = name, changes
    assert best is not None
    return best


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a run and of its model; their names are distinct."""
    return {**{k: v for k, v in config.items() if k != "model"}, **config["model"]}


def training(run: Run) -> dict[str, Any]:
    """The course of a run, from its log; `exported_images` is the number of images seen by the stored weights."""
    config, last = run.notes["config"], run.log[-1]
    best = min(run.log, key=lambda entry: entry["held_out"])
    return {
        "data": run.notes["data"],
        "images_seen": last["step"] * config["batch"],
        "exported_images": best["step"] * config["batch"],
        "seconds": last["elapsed_s"],
        "device": run.trained_on,
        "finished": last["megapixels"] >= 0.999 * config["megapixels"],
        "held_out": best["held_out"],
        **{key: config[key] for key in ("batch", "optimiser", "learning_rate", "schedule", "seed")},
    }


def published_parameters(config: str) -> int | None:
    """The number of parameters of the config with published sizes; None if there is no such config."""
    known = CONFIGS.get(config.removesuffix("-small"))
    if known is None:
        return None
    with torch.device("meta"):
        return FAMILY[known.architecture](known.model).n_parameters


class _Counting(range_coder.Encoder):
    """An encoder that adds up the model's own bits of all symbols."""

    bits = 0.0

    def encode(self, symbols: NDArray[np.int32], freqs: NDArray[np.float32]) -> None:
        super().encode(symbols, freqs)
        type(self).bits += float(nll_bits(symbols, freqs).sum())


def bits_and_file(test: Measured, weights: FixedWeights, device: str) -> tuple[float, bytes]:
    """The model's own bits for all images, and the stack of the images."""
    counting = type("Counting", (_Counting,), {"bits": 0.0})
    with mock.patch.object(range_coder, "Encoder", counting):
        file = compress_stack(
            list(test.images), weights, Local(device), depth=8 if test.levels == 256 else 1, batch=BATCH
        )
    return counting.bits, file


def sizes(test: Measured, bits: float, file: bytes) -> dict[str, float]:
    """The model's bits and the file's bytes, also in the papers' unit, and the overhead of the file."""
    return {
        "nll_bits": bits,
        "file_bytes": len(file),
        "nll": test.in_unit(bits),
        "size": test.in_unit(8 * len(file)),
        "overhead": 8 * len(file) / bits - 1,
    }


def _speed(test: Measured, count: int, batch: int, weights: FixedWeights, device: str) -> dict[str, Any]:
    """Wall-clock and processor seconds of encoding and decoding the first images.

    Wall-clock times depend on the machine's other load; processor times do not, but exclude other devices.

    Raises:
        SystemExit: a decoded image differs.
    """
    images = list(test.images[:count])
    depth = 8 if test.levels == 256 else 1
    (file, encode_cpu_s), encode_s = timed(
        _processor, lambda: compress_stack(images, weights, Local(device), depth=depth, batch=batch)
    )
    (stack, decode_cpu_s), decode_s = timed(
        _processor, lambda: decompress_stack(file, Options.only(weights, executor=Local(device)))
    )
    if len(stack.images) != len(images) or not all(map(np.array_equal, stack.images, images)):
        raise SystemExit("pixzip did not give the images back")
    return {
        "images": len(images),
        "batch": min(batch, len(images)),
        "encode_s": encode_s,
        "decode_s": decode_s,
        "encode_cpu_s": encode_cpu_s,
        "decode_cpu_s": decode_cpu_s,
        "encode_images_per_s": len(images) / (encode_cpu_s if device == "cpu" else encode_s),
        "decode_images_per_s": len(images) / (decode_cpu_s if device == "cpu" else decode_s),
    }


def _processor(function: Callable[[], Any]) -> tuple[Any, float]:
    """(result, seconds of processor time)."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def describe(run: Run, test: Measured, verify_images: int, speed_images: int, device: str) -> dict[str, Any]:
    """The row of a run."""
    weights = run.weights
    _, h, w, channels = test.images.shape
    if (channels, test.levels) != (weights.config.channels, weights.levels):
        raise SystemExit(f"{test.name} has {channels} channels of {test.levels} levels, {run.folder} another number")
    model = weights.network()[0]
    _speed(replace(test, images=test.images[:1, :8, :8]), 1, 1, weights, device)  # warms up
    single = _speed(test, speed_images, 1, weights, device)
    many = _speed(test, verify_images, BATCH, weights, device)
    bits, file = bits_and_file(test, weights, device)
    name = model_name(run)
    config, changes = named_config(run, test.name)
    comparable = test.levels == 256 or FIXED in test.title
    return {
        "run": run.folder.name,
        "model": name,
        "config": config,
        "changes": changes,
        "published_parameters": published_parameters(config),
        "model_config": asdict(weights.config),
        "model_id": weights.model_id.hex(),
        "weights_bytes": run.file.stat().st_size,
        "parameters": model.n_parameters,
        "multiply_adds": family_multiply_adds(model, h, w),
        "training": training(run),
        "data": test.name,
        "set": test.title,
        "sha256": test.sha256,
        "images": len(test.images),
        "of_images": test.total,
        "width": w,
        "height": h,
        "channels": channels,
        "levels": test.levels,
        "unit": test.unit,
        **sizes(test, bits, file),
        "verified_images": many["images"],
        "one_by_one": single,
        "together": many,
        "exact": True,
        "published": PUBLISHED.get((name, test.name)),
        "published_comparable": comparable,
    }
