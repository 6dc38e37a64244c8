"""Common code of the benchmarks: images, codecs and timing as in `pixzip bench`, and Markdown."""

import contextlib
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs import threads as own_threads

from pixzip import codec as pxz
from pixzip.image.picture import Picture as AnyPicture
from pixzip.report import measure
from pixzip.report.codecs import MeasuredCodec, jpeg_xl, pixzip, png, webp
from pixzip.train.data import read_images

Picture = NDArray[np.uint8]  # (H, W, 3)

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
#: Peer to which speeds are also given as ratios.
JXL = "JPEG XL e9"

pixzip_codec, timed, warm_up = pixzip, measure.timed, measure.warm_up


def peers(threads: int) -> list[MeasuredCodec]:
    """PNG, WebP and JPEG XL, each at its densest common lossless setting; only libjxl uses `threads`."""
    return [png(), webp(), jpeg_xl(9, threads)]


def round_trip(codec: MeasuredCodec, picture: Picture | AnyPicture) -> tuple[int, float, float]:
    """(file bytes, encoding seconds, decoding seconds).

    Raises:
        SystemExit: there is no file, or a decoded pixel differs.
    """
    found = measure.round_trip(codec, pxz.as_picture(picture))
    if found["status"] == measure.LOSSY:
        raise SystemExit(f"{codec.name} did not give the image back")
    if found["status"] != measure.LOSSLESS:
        raise SystemExit(f"{codec.name}: {found['reason']}")
    return found["bytes"], found["encode_s"], found["decode_s"]


def load(path: Path, limit: int | None = None) -> list[tuple[str, Picture]]:
    """The RGB images of a tar, a folder or a file, sorted by name."""
    pictures = sorted(read_images([path], 3), key=lambda named: named[0])
    if not pictures:
        raise SystemExit(f"no readable image in {path}")
    return [(Path(name).name, picture) for name, picture in pictures[:limit]]


def set_threads(threads: int) -> None:
    """Set the number of threads of pixzip and, where it is installed, of PyTorch."""
    with contextlib.suppress(ImportError):
        importlib.import_module("torch").set_num_threads(threads)
    own_threads.set_threads(threads)


def provenance(data: Sequence[Path], models: Sequence[str], threads: int) -> dict[str, Any]:
    """The provenance of a result: command, commit, machine, versions, models, data."""
    from pixzip.report import provenance as origins  # needs what the plain package does not install

    return origins.provenance(["python", *sys.argv], data, models, threads)


def write(out: Path | None, result: dict[str, Any]) -> None:
    """Write a result to a file, or to standard output."""
    text = json.dumps(result, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with two columns of text, then columns of figures."""
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def costs_table(rows: list[dict[str, Any]]) -> str:
    """The Markdown table of `bench/costs.py`: of each file the most that a reader took."""
    lines = ["| file | bytes | processor s | MiB | slowest | outcomes |", "|---|--:|--:|--:|---|---|"]
    for row in rows:
        found = row["readers"]
        slowest = max(found, key=lambda reader: found[reader]["cpu_s"])
        peak = max(run["peak_bytes"] for run in found.values())
        outcomes = [run["outcome"] for run in found.values()]
        told = ", ".join(f"{outcomes.count(kind)} {kind}" for kind in dict.fromkeys(outcomes))
        seconds = f"{found[slowest]['cpu_s']:.1f}"
        lines.append(f"| {row['file']} | {row['bytes']:,} | {seconds} | {peak >> 20} | {slowest} | {told} |")
    return "\n".join(lines)


def origin(result: dict[str, Any]) -> str:
    """One line on provenance: command, commit, machine."""
    machine, versions = result["machine"], result["versions"]
    commit = result["commit"][:12] + (" with changes" if result["uncommitted_changes"] else "")
    return (
        f"<sub>`{result['command']}` at {commit or 'an unknown commit'}; {machine['cpu']}, {machine['cores']} cores, "
        f"{result['threads']} thread(s), {result.get('device', 'cpu')}; torch {versions['torch']}, "
        f"libjxl {versions['libjxl']}, Pillow {versions['pillow']}</sub>"
    )


def rewrite(page: Path, start: str, end: str, text: str) -> None:
    """Replace the text between the markers of a page.

    Raises:
        SystemExit: the page has not just one of each.
    """
    before = page.read_text("utf-8")
    if before.count(start) != 1 or before.count(end) != 1:
        raise SystemExit(f"{page} needs one {start} and one {end}")
    head, tail = before[: before.index(start) + len(start)], before[before.index(end) :]
    page.write_text(f"{head}\n\n{text}\n\n{tail}", "utf-8")
