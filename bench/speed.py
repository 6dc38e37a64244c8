"""Measure the time of one photograph with pixzip and libjxl in turn, so that both have the same conditions.

python bench/speed.py photos.tar --out bench/results/speed.json
python bench/speed.py photos.tar --isa AVX2 --out bench/results/speed-avx2.json
python bench/speed.py photos.tar --joined 4 --repeats 1 --out bench/results/speed-joined.json
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from common import JXL, load, peers, pixzip_codec, provenance, round_trip, set_threads, warm_up, write

#: Environment variables that keep the compiled kernels from newer instructions; libjxl is not affected.
ISA_VARIABLES = {
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2"},
    "SSE4.2": {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2"},
}


def _joined(images: list[tuple[str, Any]], side: int) -> tuple[str, Any]:
    """`side` rows of so many (H, W, C) images, as one; images whose sides are exchanged are turned."""
    if side == 1:
        return images[0]
    shape = images[0][1].shape
    samples = [x if x.shape == shape else x.transpose(1, 0, 2) for _, x in images]
    if len(samples) < side**2 or len({x.shape for x in samples}) > 1:
        raise SystemExit(f"--joined {side} takes {side**2} images of one size, here are {len(samples)}")
    rows = [np.concatenate(samples[i : i + side], 1) for i in range(0, side**2, side)]
    return f"{side} x {side} images", np.concatenate(rows)


@click.command()
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--codecs", "chosen", default="base:1,base:5,base:7,fast:1", show_default=True,
    help="MODEL:EFFORT, comma-separated: on a photograph 1 is without a stage, 5 with light, 7 with full.",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", default=2, show_default=True, help="Of libjxl and pixzip.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--joined", default=1, show_default=True, help="Join N x N images of one size, the first ones, to one.")
@click.option("--isa", type=click.Choice(list(ISA_VARIABLES)), help="Measure in a child process, limited to these.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(
    image: Path, chosen: str, device: str, threads: int, repeats: int, joined: int, isa: str | None, out: Path | None
) -> None:
    """Measure medians over repeats on IMAGE, or on the first image of a tar or folder."""
    wanted = ISA_VARIABLES.get(isa or "", {})
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        # These are read once, when numba is loaded: too late for this process.
        raise SystemExit(subprocess.run([sys.executable, *sys.argv], env={**os.environ, **wanted}).returncode)

    set_threads(threads)
    name, picture = _joined(load(image, joined**2), joined)
    height, width, _ = picture.shape
    codecs = [peer for peer in peers(threads) if peer.name == JXL]
    pairs = [pair.split(":") for pair in chosen.split(",")]
    ours = [pixzip_codec(model, int(effort), device) for model, effort in pairs]
    codecs += ours
    if threads > 1:
        codecs += [replace(codec, name=f"{codec.name}, one thread") for codec in ours]
    counts = {codec.name: 1 if codec.name.endswith(", one thread") else threads for codec in codecs}
    result: dict[str, Any] = {
        "benchmark": "speed",
        **provenance([image], list(dict.fromkeys(model for model, _ in pairs)), threads),
        "device": device,
        "isa": isa or "all",
        "image": name,
        "width": width,
        "height": height,
        **({"joined": joined} if joined > 1 else {}),
    }
    warm_up(codecs)
    times: dict[str, list[tuple[int, float, float]]] = {codec.name: [] for codec in codecs}
    for repeat in range(repeats):
        for codec in codecs:
            set_threads(counts[codec.name])
            times[codec.name].append(round_trip(codec, picture))
            click.echo(f"{repeat} {codec.name:14} {times[codec.name][-1]}", err=True)
    peer_s = median(encode for _, encode, _ in times[JXL])
    result["codecs"] = {}
    for codec in codecs:
        (size, *_), encode_s, decode_s = zip(*times[codec.name], strict=True)
        result["codecs"][codec.name] = {
            "bytes": size,
            "threads": counts[codec.name],
            "encode_s": median(encode_s),
            "decode_s": median(decode_s),
            "encode_mps": width * height / median(encode_s) / 1e6,
            "decode_mps": width * height / median(decode_s) / 1e6,
            "decode_mps_per_thread": width * height / median(decode_s) / 1e6 / counts[codec.name],
            "encode_ratio": median(encode_s) / peer_s,
            "decode_ratio": median(decode_s) / peer_s,
            "all_encode_s": encode_s,
            "all_decode_s": decode_s,
        }
    write(out, result)


if __name__ == "__main__":
    main()
