"""What the benchmarks share: the codecs behind one interface, images, clocks, and where a figure came from."""

import gc
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image, features

from pixzip import codec as pxz
from pixzip import library
from pixzip.train.data import read_images

Picture = NDArray[np.uint8]  # (H, W, 3)

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
#: The peer that every speed is also given as a ratio to.
JXL = "JPEG XL e9"


@dataclass(frozen=True)
class Codec:
    """One image in, one file out, and back."""

    name: str
    encode: Callable[[Picture], bytes]
    decode: Callable[[bytes], Picture]


def _pillow(name: str, **options: Any) -> Codec:
    def encode(picture: Picture) -> bytes:
        out = io.BytesIO()
        Image.fromarray(picture).save(out, **options)
        return out.getvalue()

    def decode(data: bytes) -> Picture:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))

    return Codec(name, encode, decode)


def peers(threads: int) -> list[Codec]:
    """PNG, WebP and JPEG XL, each at its densest common lossless setting; only libjxl uses the threads."""
    return [
        _pillow("PNG", format="PNG", optimize=True),
        _pillow("WebP", format="WebP", lossless=True, method=6, quality=100),
        Codec(
            JXL,
            lambda p: imagecodecs.jpegxl_encode(p, lossless=True, effort=9, numthreads=threads),
            lambda data: imagecodecs.jpegxl_decode(data, numthreads=threads),
        ),
    ]


def pixzip_codec(model: str, device: str = "cpu") -> Codec:
    """One of our models, called with one image at a time."""
    extra = [] if model in library.shipped_paths() else [Path(model)]
    return Codec(
        f"pixzip {Path(model).stem}",
        lambda p: pxz.compress(
            [p], lambda channels: library.resolve(model, channels), device, graphics=library.graphics_beside(model)
        )[0],
        lambda data: pxz.as_array(pxz.decompress([data], lambda model_id: library.by_id(model_id, extra), device)[0]),
    )


def timed(function: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    """(result, seconds), with the garbage collector off."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        result = function(*args)
        return result, time.perf_counter() - start
    finally:
        gc.enable()


def round_trip(codec: Codec, picture: Picture) -> tuple[int, float, float]:
    """(file bytes, encoding seconds, decoding seconds).

    Raises:
        SystemExit: a pixel came back changed.
    """
    data, encode_s = timed(codec.encode, picture)
    again, decode_s = timed(codec.decode, data)
    if again.shape != picture.shape or not np.array_equal(again, picture):
        raise SystemExit(f"{codec.name} did not give the image back")
    return len(data), encode_s, decode_s


def warm_up(codecs: Sequence[Codec]) -> None:
    """Load models, compile kernels, start threads."""
    ramp = np.add.outer(np.arange(48), np.arange(64))[..., None] * np.array([1, 2, 3])
    for codec in codecs:
        round_trip(codec, ramp.astype(np.uint8))


def load(path: Path, limit: int | None = None) -> list[tuple[str, Picture]]:
    """The RGB images of a tar, a folder or a file, in order of name."""
    pictures = sorted(read_images([path], 3), key=lambda named: named[0])
    if not pictures:
        raise SystemExit(f"no readable image in {path}")
    return [(Path(name).name, picture) for name, picture in pictures[:limit]]


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)


def _sha256(path: Path) -> str:
    h = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        h.update(file.read_bytes())
    return h.hexdigest()


def _git(*args: str) -> str:
    try:
        return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _bare(argument: str) -> str:
    """Paths of other machines tell a reader nothing: keep the files' names, of NAME=PATH too."""
    parts = [part.rpartition("=") for part in argument.split(",")]
    return ",".join(
        head + equals + (Path(path).name if Path(path).is_absolute() else path) for head, equals, path in parts
    )


def provenance(data: Sequence[Path], models: Sequence[str], threads: int) -> dict[str, Any]:
    """Where a result came from: command, commit, machine, versions, models, data."""
    names = ["torch", "numpy", "numba", "constriction", "pillow", "imagecodecs"]
    versions = {name: importlib.metadata.version(name) for name in names}
    versions["libjxl"] = imagecodecs.version(dict)["libjxl"]
    versions["libwebp"] = features.version("webp")
    versions["python"] = platform.python_version()
    return {
        "command": shlex.join(["python", *(_bare(arg) for arg in [str(Path(sys.argv[0])), *sys.argv[1:]])]),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--", "pixzip", "codecs")),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "platform": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]),
            "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        },
        "threads": threads,
        "versions": versions,
        "models": {Path(model).stem: library.resolve(model, 3).model_id.hex() for model in models},
        "data": {path.name: _sha256(path) for path in data},
    }


def write(out: Path | None, result: dict[str, Any]) -> None:
    """To a file, or to standard output."""
    text = json.dumps(result, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table of two columns of text and others of figures."""
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def origin(result: dict[str, Any]) -> str:
    """One line: command, commit, machine."""
    machine, versions = result["machine"], result["versions"]
    commit = result["commit"][:12] + (" with changes" if result["uncommitted_changes"] else "")
    return (
        f"<sub>`{result['command']}` at {commit or 'an unknown commit'}; {machine['cpu']}, {machine['cores']} cores, "
        f"{result['threads']} thread(s), {result['device']}; torch {versions['torch']}, libjxl {versions['libjxl']}, "
        f"Pillow {versions['pillow']}</sub>"
    )
