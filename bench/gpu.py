"""Measure a GPU: a batch of photographs, a single one, the crossover with the CPU, and the profile of a step.

python bench/gpu.py kodak.tar --out bench/results/gpu.json

On a machine without a GPU, `--device cpu` runs the same program in tensor operations, slowly, as a test.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, cast

import click
import numpy as np
import torch
from common import Picture, load, provenance, set_threads, write
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import CODERS, RANS

from pixzip.engine.backends.cuda.batch import Form, Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine, forms
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.order import to_coding_order
from pixzip.engine.schedule import count_steps
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models import library
from pixzip.models.wavefront.config import ARCHITECTURES
from pixzip.models.wavefront.weights import IntegerWeights

#: Dense INT8 TOP/s and memory GB/s of devices from NVIDIA's data sheets, the limits of a step.
LIMITS = {"NVIDIA H200": (1979.0, 4800.0), "NVIDIA H100 80GB HBM3": (1979.0, 3350.0), "NVIDIA A100": (624.0, 2039.0)}


def seconds(work: Callable[[], Any], device: str, repeats: int) -> list[float]:
    """The seconds of each repeat, after one that is not counted."""
    found = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        if i:
            found.append(time.perf_counter() - start)
    return found


def round_trip(
    engine: SteppedEngine, images: list[Samples], coder: EntropyCoder, device: str, repeats: int
) -> dict[str, Any]:
    """Seconds and megapixels per second of both directions.

    Raises:
        SystemExit: a decoded pixel differs.
    """
    jobs, megapixels = [Job.encoding(x, coder=coder) for x in images], sum(x[..., 0].size for x in images) / 1e6
    payloads = engine.encode(jobs)
    back = [Job.decoding(payload, *job.size, coder=coder) for payload, job in zip(payloads, jobs, strict=True)]
    if not all(map(np.array_equal, engine.decode(back), images)):
        raise SystemExit(f"{coder.name}: an image came back changed")
    encode_s = seconds(partial(engine.encode, jobs), device, repeats)
    decode_s = seconds(partial(engine.decode, back), device, repeats)
    return {
        "images": len(images), "megapixels": megapixels, "bytes": sum(map(len, payloads)),
        "encode_s": encode_s, "decode_s": decode_s, "encode_mps": megapixels / median(encode_s),
        "decode_mps": megapixels / median(decode_s),
    }  # fmt: skip


def host_coders(form: Form, images: list[Samples], repeats: int) -> dict[str, float]:
    """Megapixels per second of one host thread that makes payloads from the device's edges."""
    edges = form.edges(images)
    megapixels = sum(x[..., 0].size for x in images) / 1e6

    def code(coder: EntropyCoder) -> None:
        for found, own in zip(edges, images, strict=True):
            coder.from_edges(found, own)

    taken = {name: median(seconds(partial(code, coder), "cpu", repeats)) for name, coder in CODERS.items()}
    return {name: megapixels / taken_s for name, taken_s in taken.items()}


def profile(model: IntegerWeights, form: Form, images: list[Samples], device: str, repeats: int) -> dict[str, Any]:
    """The time of a step, and the shares of the device's limits that its arithmetic and weights take."""
    sizes = [x.shape[:2] for x in images]
    steps = max(count_steps(h, w) for h, w in sizes)
    step_s = median(seconds(partial(form.edges, images), device, repeats)) / steps
    pixels = sum(h * w for h, w in sizes)
    found: dict[str, Any] = {"steps": steps, "step_us": 1e6 * step_s, "pixels_a_step": pixels / steps}
    operations = 2 * model.multiply_adds * pixels / steps / step_s
    read = len(images) * model.multiply_adds / step_s  # every program reads all int8 weights
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


def crossover(
    model: IntegerWeights, engine: SteppedEngine, picture: Picture, device: str, repeats: int
) -> list[dict[str, Any]]:
    """Seconds of decoding squares of one photograph, on the CPU and on the device."""
    rows, plain = [], WavefrontEngine(model)
    for side in (64, 128, 256, 512):
        samples = to_coding_order(picture[:side, :side], model.order)
        (data,) = plain.encode([Job.encoding(samples, coder=RANS)])
        row: dict[str, Any] = {"side": side}
        for name, of in (("cpu", plain), ("device", engine)):
            work = partial(of.decode, [Job.decoding(data, *samples.shape[:2], coder=RANS)])
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
    """Measure a model on a device; every decoded image is compared."""
    if threads:
        set_threads(threads)
    found = library.resolve(model, 3)
    if found.architecture not in ARCHITECTURES:
        raise SystemExit(f"{model} is {found.architecture}, expected a wavefront PixelCNN")
    weights = cast(IntegerWeights, found)
    pictures = [p[:side, :side] for _, p in load(images, limit)]
    samples = [to_coding_order(p, weights.order) for p in pictures]
    result: dict[str, Any] = {
        "benchmark": "gpu", **provenance([images], [model], torch.get_num_threads()),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu", "repeats": repeats, "forms": {},
    }  # fmt: skip
    for make in forms(TensorEngine(weights, device)) if device == "cuda" else [lambda e: Steps(e.layers)]:
        engine = DeviceEngine(weights, device, make)
        form = engine.form
        if form is None:
            raise SystemExit("no form codes exactly here")
        coders = [coder for name, coder in CODERS.items() if name in form.coders]
        result["forms"][type(form).__name__] = {
            "batch": {c.name: round_trip(engine, samples, c, device, repeats) for c in coders},
            "single": {c.name: round_trip(engine, samples[:1], c, device, repeats) for c in coders},
            "profile": profile(weights, form, samples, device, repeats),
            "host_coders_mps": host_coders(form, samples, repeats),
            "crossover": crossover(weights, engine, pictures[0], device, repeats),
        }
    write(out, result)


if __name__ == "__main__":
    main()
