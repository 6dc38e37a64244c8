"""The provenance of figures: command, commit, machine, versions, models, data."""

import datetime
import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import psutil
from PIL import features

from pixzip.models import library

#: Root of the checkout, if there is one.
ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ["torch", "numpy", "numba", "constriction", "pillow", "imagecodecs"]
_LIBRARIES = ["libjxl", "libpng", "charls", "openjpeg", "libavif", "qoi"]


def provenance(command: Sequence[str], data: Sequence[Path], models: Sequence[str], threads: int) -> dict[str, Any]:
    """
    Args:
        command: words of the command line; absolute paths are reduced to their last part.
        data: files and folders to hash by SHA-256.
        models: names or paths of models.
    """
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    known = imagecodecs.version(dict)
    versions |= {name: known[name] for name in _LIBRARIES if name in known}
    versions["libwebp"] = features.version("webp") or ""
    versions["python"] = platform.python_version()
    return {
        "command": shlex.join(_bare(word) for word in command),
        "version": _version(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
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
        "models": {Path(model).stem: library.find(model).model_id.hex() for model in models},
        "data": {path.name: _sha256(path) for path in data},
    }


def _version() -> str:
    try:
        return importlib.metadata.version("pixzip")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _sha256(path: Path) -> str:
    h = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                h.update(block)
    return h.hexdigest()


def _git(*args: str) -> str:
    if not (ROOT / ".git").exists():  # installed, perhaps within another project's checkout
        return ""
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
    """Reduce absolute paths, also in NAME=PATH and NAME:PATH, to file names: other machines' paths mean nothing."""
    parts = []
    for part in argument.split(","):
        head, separator, path = next((part.rpartition(s) for s in "=:" if s in part), ("", "", part))
        parts.append(head + separator + (Path(path).name if Path(path).is_absolute() else path))
    return ",".join(parts)
