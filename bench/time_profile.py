"""Where the time of decoding goes on one core: trunk, heads, inputs, search and coder, beside the products' limit.

python bench/time_profile.py kodak.tar --out bench/results/profile.json

Each part runs many times on a step in the middle of a photograph.  What the parts leave of the time of decoding is
the search for the digits, the entropy coder and the loop.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from common import load, provenance, set_threads, write
from pixcodecs.compiled import compiled

from pixzip.engine.backends.numba import places
from pixzip.engine.backends.numba.features import features
from pixzip.engine.backends.numba.mixture import Mixtures, mixtures
from pixzip.engine.backends.numba.operands import operands
from pixzip.engine.backends.numba.products import COLUMNS, GROUPS, ROWS, wide_tile
from pixzip.engine.backends.numba.trunk import Scratch, trunk
from pixzip.engine.backends.numba.wavefront import CompiledWavefront
from pixzip.engine.base import Job
from pixzip.engine.order import to_coding_order
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library

_ROWS, _COLUMNS, _GROUPS = ROWS, COLUMNS, GROUPS


@compiled
def many_features(n, pixels, places, p, repeated, centre, out):
    for _ in range(n):
        features(
            pixels,
            places.inside,
            p.address,
            p.image,
            places.offsets,
            places.units,
            places.levels,
            repeated,
            centre,
            out,
        )


@compiled
def many_trunks(n, network, rings, taps, own):
    for _ in range(n):
        trunk(network, rings, taps, own)


@compiled
def many_mixtures(n, channels, heads, hidden, own, m):
    for _ in range(n):
        for channel in range(channels):
            mixtures(channel, heads, hidden, own, m)


@compiled
def many_tiles(n, source, places, weights, stream, shift, target):
    """Products of one tile, whose operands stay in the first cache."""
    pairs, no, one = weights.shape[1], np.int64(0), np.int64(1)
    for _ in range(n):
        wide_tile(
            source.ctypes.data, source.shape[1] * 2, places.ctypes.data, np.int64(_ROWS - 1), one,
            weights.ctypes.data, pairs * _COLUMNS * 4, pairs * _COLUMNS * 4 * _GROUPS, pairs,
            stream.ctypes.data, stream.shape[1] * 4, shift.ctypes.data, shift.ctypes.data, one,
            no, target.shape[1] * 2, places.ctypes.data, one, one, no,
        )  # fmt: skip


def seconds(call: Callable[[int], Any]) -> float:
    """The least seconds of one turn of a kernel that runs n turns."""
    call(1)
    n, best = 1, float("inf")
    while True:
        start = time.perf_counter()
        call(n)
        spent = time.perf_counter() - start
        if spent > 0.1:
            break
        n *= 2
    for _ in range(5):
        start = time.perf_counter()
        call(n)
        best = min(best, (time.perf_counter() - start) / n)
    return best


def limit() -> float:
    """Multiply-adds a second of one core in the kernel's own instructions."""
    pairs = 64
    source = np.ones((ROWS, 2 * pairs), np.int16)
    weights = np.ones((GROUPS, pairs, COLUMNS, 2), np.int16)
    stream, shift = np.zeros((ROWS, GROUPS * COLUMNS), np.int32), np.zeros(GROUPS * COLUMNS, np.int32)
    places, target = np.arange(ROWS)[:, None], np.zeros((1, GROUPS * COLUMNS), np.int16)
    took = seconds(lambda n: many_tiles(n, source, places, weights, stream, shift, target))
    return ROWS * GROUPS * COLUMNS * 2 * pairs / took


def profile(name: str, picture: Any) -> dict[str, Any]:
    """Nanoseconds a pixel of each part."""
    model = library.find(name)
    engine, forms = WavefrontEngine(model), operands(model)
    samples = to_coding_order(picture, model.order)
    w = CompiledWavefront(model.config, forms, [samples.shape[:2]])
    w.view(w.pixels, 0)[...] = samples
    m, _, _ = places.fill(w.places, w.steps // 2, 0, 1, w.rings.shape[1] - 1, w.step_pixels)
    p = places.StepPixels(*(field[:m] for field in w.step_pixels))
    s, x = w.scratch, w.mixtures
    own = Scratch(*(field[:m] for field in s[:-1]), s.repeated)
    mine = Mixtures(*(field[:m] for field in x))
    parts = {
        "inputs": seconds(lambda n: many_features(n, w.pixels, w.places, p, s.repeated[0], mine.centre, own.features)),
        "trunk": seconds(lambda n: many_trunks(n, forms.trunk, w.rings, p.taps, own)),
        "heads and mixtures": seconds(
            lambda n: many_mixtures(n, model.channels, forms.heads, own.hidden, own.own, mine)
        ),
    }
    found = {part: spent / m * 1e9 for part, spent in parts.items()}
    (payload,) = engine.encode([Job.encoding(samples)])
    whole = seconds(lambda n: [engine.decode([Job.decoding(payload, *samples.shape[:2])]) for _ in range(n)])
    total = whole / samples.shape[0] / samples.shape[1] * 1e9
    found["search, coder and loop"] = total - sum(found.values())
    trunk_adds = sum(
        tensor.size for key, tensor in model.tensors.items()
        if key.endswith(".weight") and not key.startswith(("out", "known"))
    )  # fmt: skip
    return {"parts_ns": found, "total_ns": total, "trunk_multiply_adds": trunk_adds}


@click.command()
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option("--model", "models", default="base,fast", show_default=True, help="Names, comma-separated.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(image: Path, models: str, out: Path | None) -> None:
    """Profile decoding IMAGE, or the first image of a tar or folder, in one thread."""
    set_threads(1)
    _, picture = load(image, 1)[0]
    result = {"benchmark": "profile", **provenance([image], models.split(","), 1)}
    result["limit_multiply_adds_per_s"] = limit()
    result["models"] = {name: profile(name, picture) for name in models.split(",")}
    write(out, result)


if __name__ == "__main__":
    main()
