"""What a GPU does: a batch of photographs, a single one, the crossover with the CPU, and where a step's time goes.

python bench/gpu.py kodak.tar --out bench/results/gpu.json

On a machine without a GPU `--device cpu` runs the same program on tensor operations, slowly, to show that it runs.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from common import Picture, load, provenance, set_threads, write
from pixcodecs.coders.range import EntropyCoder

from pixzip.engine.backends.cuda.batch import Form, Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine, forms
from pixzip.engine.backends.cuda.host import payload
from pixzip.engine.order import Planes, to_planes
from pixzip.engine.schedule import count_steps
from pixzip.engine.wavefront import Engine
from pixzip.models import library
from pixzip.models.wavefront.weights import IntegerWeights

#: Dense INT8 TOP/s and memory GB/s of devices, as NVIDIA's data sheets have them: what a step is held against.
LIMITS = {"NVIDIA H200": (1979.0, 4800.0), "NVIDIA H100 80GB HBM3": (1979.0, 3350.0), "NVIDIA A100": (624.0, 2039.0)}


def seconds(work: Callable[[], Any], device: str, repeats: int) -> list[float]:
    """Of each repeat, after one that is not counted."""
    found = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        if i:
            found.append(time.perf_counter() - start)
    return found


def round_trip(engine: Engine, images: list[Planes], coder: EntropyCoder, device: str, repeats: int) -> dict[str, Any]:
    """Seconds and megapixels a second of both directions.

    Raises:
        SystemExit: a pixel came back changed.
    """
    sizes, megapixels = [p.shape[1:] for p in images], sum(p[0].size for p in images) / 1e6
    payloads = engine.encode(images, coder=coder)
    coders = [coder] * len(images)
    if not all(map(np.array_equal, engine.decode(payloads, sizes, coders=coders), images)):
        raise SystemExit(f"{coder.value}: an image came back changed")
    encode_s = seconds(partial(engine.encode, images, coder=coder), device, repeats)
    decode_s = seconds(partial(engine.decode, payloads, sizes, coders=coders), device, repeats)
    return {
        "images": len(images), "megapixels": megapixels, "bytes": sum(map(len, payloads)),
        "encode_s": encode_s, "decode_s": decode_s, "encode_mps": megapixels / median(encode_s),
        "decode_mps": megapixels / median(decode_s),
    }  # fmt: skip


def host_coders(form: Form, images: list[Planes], repeats: int) -> dict[str, float]:
    """Megapixels a second of one thread that makes payloads of what the device found."""
    edges = form.edges(images)
    values = [planes.transpose(1, 2, 0) for planes in images]
    megapixels = sum(p[0].size for p in images) / 1e6

    def code(coder: EntropyCoder) -> None:
        for found, own in zip(edges, values, strict=True):
            payload(found, own, coder)

    return {coder.value: megapixels / median(seconds(partial(code, coder), "cpu", repeats)) for coder in EntropyCoder}


def profile(weights: IntegerWeights, form: Form, images: list[Planes], device: str, repeats: int) -> dict[str, Any]:
    """A step's time, and the shares of the device's limits that its arithmetic and its weights' bytes are."""
    sizes = [p.shape[1:] for p in images]
    steps = max(count_steps(h, w) for h, w in sizes)
    step_s = median(seconds(partial(form.edges, images), device, repeats)) / steps
    pixels = sum(h * w for h, w in sizes)
    found: dict[str, Any] = {"steps": steps, "step_us": 1e6 * step_s, "pixels_a_step": pixels / steps}
    operations = 2 * weights.multiply_adds * pixels / steps / step_s
    read = len(images) * weights.multiply_adds / step_s  # every program reads the int8 weights anew
    name = torch.cuda.get_device_name() if device == "cuda" else ""
    limits = next((limits for known, limits in LIMITS.items() if name.startswith(known)), None)
    found |= {"tera_operations_per_s": operations / 1e12, "weights_gb_per_s": read / 1e9}
    if limits:
        found |= {"share_of_int8_peak": operations / 1e12 / limits[0], "share_of_bandwidth": read / 1e9 / limits[1]}
    if device == "cuda":
        activities = [torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as recorded:
            form.edges(images)
        events = sorted(recorded.key_averages(), key=lambda e: -e.device_time_total)[:12]
        found["kernels"] = [{"name": e.key, "calls": e.count, "us": e.device_time_total} for e in events]
    return found


def crossover(weights: IntegerWeights, engine: Engine, picture: Picture, device: str, repeats: int) -> list[Any]:
    """Seconds of decoding squares of one photograph, on the CPU and here."""
    rows, plain = [], Engine(weights)
    for side in (64, 128, 256, 512):
        planes = to_planes(np.ascontiguousarray(picture[:side, :side]), weights.order)
        (data,), sizes = plain.encode([planes], coder=EntropyCoder.RANS), [planes.shape[1:]]
        row = {"side": side}
        for name, of in (("cpu", plain), ("device", engine)):
            work = partial(of.decode, [data], sizes, coders=[EntropyCoder.RANS])
            row[f"{name}_s"] = median(seconds(work, device, repeats))
        rows.append(row)
    return rows


@click.command()
@click.argument("images", type=click.Path(exists=True, path_type=Path))
@click.option("--model", default="base", show_default=True, help="Name or path.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--limit", default=24, show_default=True, help="Images of the batch.")
@click.option("--side", type=click.IntRange(min=8), help="Cut images to this many rows and columns.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--threads", default=0, help="CPU threads; all without it.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(
    images: Path, model: str, device: str, limit: int, side: int | None, repeats: int, threads: int, out: Path | None
) -> None:
    """Measure a model on a device, every image compared with what it was."""
    if threads:
        set_threads(threads)
    weights = library.resolve(model, 3)
    if not isinstance(weights, IntegerWeights):
        raise SystemExit(f"{model} is {weights.architecture}, expected a wavefront PixelCNN")
    pictures = [p[:side, :side] for _, p in load(images, limit)]
    planes = [to_planes(np.ascontiguousarray(p), weights.order) for p in pictures]
    result: dict[str, Any] = {
        "benchmark": "gpu", **provenance([images], [model], torch.get_num_threads()),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu", "repeats": repeats, "forms": {},
    }  # fmt: skip
    for make in forms(Engine(weights, device, compiled=False)) if device == "cuda" else [lambda e: Steps(e.layers)]:
        engine = DeviceEngine(weights, device, make)
        form = engine.form
        if form is None:
            raise SystemExit("no form codes exactly here")
        coders = [coder for coder in EntropyCoder if coder in form.coders]
        result["forms"][type(form).__name__] = {
            "batch": {c.value: round_trip(engine, planes, c, device, repeats) for c in coders},
            "single": {c.value: round_trip(engine, planes[:1], c, device, repeats) for c in coders},
            "profile": profile(weights, form, planes, device, repeats),
            "host_coders_mps": host_coders(form, planes, repeats),
            "crossover": crossover(weights, engine, pictures[0], device, repeats),
        }
    write(out, result)


if __name__ == "__main__":
    main()
