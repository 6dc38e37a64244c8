"""Measure trees of many files: workers, shards, batches, and the planning of a million files.

python -m bench.scale photos-train-0.tar --out bench/results/scale.json   # some four minutes on two idle cores
"""

import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from pixcodecs import threads

from bench.common import provenance, write
from pixzip import api, codec, image
from pixzip.cli import compress as command
from pixzip.cli import inputs
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import Manner
from pixzip.image.sources import sources
from pixzip.trees import clusters, manifest, shards, sizes
from pixzip.trees.manifest import Record
from pixzip.trees.pools import Event
from pixzip.trees.shards import Task

#: Shards without work, to measure what a shard costs.
EMPTY_SHARDS = 300
FOLDER_FILES = 1000


def crops(tar: Path, count: int) -> list[bytes]:
    """The first image files of a tar."""
    found = []
    for source in sources([tar]):
        if source.name.endswith((".webp", ".png")):
            found.append(source.read())
        if len(found) == count:
            return found
    raise SystemExit(f"{tar} has {len(found)} images, expected {count}")


def median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return round(statistics.median(a / b for a, b in pairs), 3)


def measure_batches(files: list[bytes], rounds: int, effort: int) -> dict[str, Any]:
    """Time of the batches of `-r` beside one batch of all, by the clock and of the processor."""
    pictures = [image.load(data).picture for data in files]
    options = codec.Options.of(None, "cpu", effort)
    count = 2
    threads.set_threads(count)

    def run(limit: int) -> tuple[float, float, list[bytes]]:
        began, cpu = time.perf_counter(), time.process_time()
        found: list[bytes] = []
        batch: list[Any] = []
        for picture in pictures:
            batch.append(picture)
            if sum(p.pixels for p in batch) >= limit and not len(batch) % count:
                found += codec.compress(batch, options)
                batch = []
        found += codec.compress(batch, options) if batch else []
        return time.perf_counter() - began, time.process_time() - cpu, found

    run(1 << 40)
    small = shards.SOON_PIXELS * count
    runs = []
    for i in range(rounds):
        order = [small, 1 << 40] if i % 2 else [1 << 40, small]
        found = {limit: run(limit) for limit in order}
        if found[small][2] != found[1 << 40][2]:
            raise SystemExit("files depend on their batches")
        runs.append((found[small][:2], found[1 << 40][:2]))
    return {
        "files": len(files), "pixels": sum(p.pixels for p in pictures), "effort": effort, "threads": count,
        "batch_pixels": small, "rounds": rounds,
        "clock_ratio": median_ratio([(a[0], b[0]) for a, b in runs]),
        "processor_ratio": median_ratio([(a[1], b[1]) for a, b in runs]),
    }  # fmt: skip


def measure_workers(files: list[bytes], rounds: int, effort: int) -> dict[str, Any]:
    """Images a second of one worker and of two, in turns, and what a shard costs that has nothing to do."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        source = Path(place) / "source"
        source.mkdir()
        for i, data in enumerate(files):
            (source / f"{i:04}.webp").write_bytes(data)
        pools = {n: stack.enter_context(clusters.Embedded(n)) for n in (1, 2)}
        expected: set[bytes] = set()
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for i in range(rounds + 1):  # the first warms up
            for n in (1, 2) if i % 2 else (2, 1):
                target = Path(place) / f"{n}-{i}"
                began = time.perf_counter()
                done = api.compress_tree(source, target, pools[n].client, effort=effort)
                if i:
                    seconds[n].append(time.perf_counter() - began)
                found = {p.read_bytes() for p in target.rglob("*.pxz")}
                expected = expected or found
                if done.done != len(files) or found != expected:
                    raise SystemExit("files depend on the workers")
        began = time.perf_counter()
        heard: list[Event] = []
        tasks = [[Task(str(i), None, None, 0)] for i in range(EMPTY_SHARDS)]
        pools[1].run(nothing, tasks, heard.append, lambda name, why: None)
        empty = (time.perf_counter() - began) / EMPTY_SHARDS
    return {
        "files": len(files), "effort": effort, "rounds": rounds, "two_workers_over_one":
        median_ratio([(b, a) for a, b in zip(seconds[2], seconds[1], strict=True)]),
        "images_a_second": {n: round(len(files) / statistics.median(took), 2) for n, took in seconds.items()},
        "empty_shards": EMPTY_SHARDS, "empty_shard_ms": round(1000 * empty, 2),
    }  # fmt: skip


def nothing(tasks: Sequence[Task], tell: Callable[[Event], None]) -> None:
    """The work of an empty shard."""
    for task in tasks:
        tell({"name": task.name})


def plan(source: Path, target: Path) -> dict[str, Any]:
    """Plan a run of `pixzip compress -r SOURCE -o TARGET --workers 2` in this process: all but the work."""
    began, cpu = time.perf_counter(), time.process_time()
    ledger = Ledger("", Manner(recursive=True, workers=2))
    inputs.plan(ledger, (str(source),), str(target), command.KIND)
    planned, planned_cpu = time.perf_counter() - began, time.process_time() - cpu
    names = ledger.planned()
    pixels = sizes.work([sizes.Given(name, ledger[name].bytes_before) for name in names])
    entries = [ledger[name] for name in names]
    tasks = [Task(e.name, e.output, e.bytes_before, n) for e, n in zip(entries, pixels, strict=True)]
    count = sum(1 for _ in shards.cut(tasks, 2))
    return {
        "files": len(ledger.entries), "missing": len(names), "shards": count,
        "clock_s": round(time.perf_counter() - began, 1), "processor_s": round(time.process_time() - cpu, 1),
        "of_which_inputs_and_manifest_s": round(planned_cpu, 1), "clock_inputs_s": round(planned, 1),
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }  # fmt: skip


def archive(place: Path, data: bytes, files: int) -> tuple[Path, Path]:
    """A folder of links to one image, and a folder of outputs with a manifest in which every other one is done."""
    source, target = place / "source", place / "target"
    place.mkdir(exist_ok=True)
    (place / "image.webp").write_bytes(data)
    (place / "image.pxz").write_bytes(codec.compress([image.load(data).picture], codec.Options.of(None, "cpu", 1))[0])
    given = (place / "image.webp").stat()
    size = (place / "image.pxz").stat().st_size
    lines = []
    one, packed, inputs, outputs = (str(place / name) for name in ("image.webp", "image.pxz", "source", "target"))
    for i in range(files):
        inner = f"{i // FOLDER_FILES:04}/{i % FOLDER_FILES:03}.webp"
        if not i % FOLDER_FILES:
            (source / inner).parent.mkdir(parents=True)
            (target / inner).parent.mkdir(parents=True)
        os.link(one, f"{inputs}/{inner}")
        if i % 2:
            os.link(packed, f"{outputs}/{inner}.pxz")
            found = Record(inner, given.st_size, given.st_mtime_ns, f"{inner}.pxz", size, "ab" * 32, "done")
            lines.append(found.line() + "\n")
    manifest.path_in(target).write_text("".join(lines))
    return source, target


def measure_planning(data: bytes, files: int, place: Path) -> dict[str, Any]:
    """Time and memory of planning, in a process of its own."""
    folder = Path(tempfile.mkdtemp(dir=place))
    try:
        source, target = archive(folder / "archive", data, files)
        lines = manifest.path_in(target).stat().st_size
        command_line = [sys.executable, "-m", "bench.scale", "--plan", str(source), str(target)]
        done = subprocess.run(command_line, stdout=subprocess.PIPE, text=True, check=True)
        return {**json.loads(done.stdout), "manifest_bytes": lines}
    finally:
        shutil.rmtree(folder)


@click.command()
@click.argument("tar", type=click.Path(exists=True, path_type=Path), required=False)
@click.option("--files", default=1_000_000, show_default=True, help="Files to plan.")
@click.option("--images", default=40, show_default=True, help="Images to compress.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--effort", default=1, show_default=True, help="The fastest, of which batches and shards cost most.")
@click.option("--place", type=click.Path(path_type=Path), default=Path("/dev/shm"), help="Where the files to plan are.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file to write.")
@click.option("--plan", "planned", type=click.Path(path_type=Path), nargs=2, hidden=True)
def main(
    tar: Path | None, files: int, images: int, rounds: int, effort: int, place: Path, out: Path | None,
    planned: tuple[Path, Path] | None,
) -> None:  # fmt: skip
    """Measure; TAR holds small photographs."""
    if planned:
        print(json.dumps(plan(*planned)))
        return
    if tar is None:
        raise click.UsageError("TAR is missing")
    given = crops(tar, images)
    result: dict[str, Any] = {"benchmark": "scale", **provenance([tar], ["base", "fast"], 1)}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "workers": lambda: measure_workers(given, rounds, effort),
        "batches": lambda: measure_batches(given, rounds, effort),
        "planning": lambda: measure_planning(given[0], files, place),
    }
    for name, measure in parts.items():
        began = time.monotonic()
        result[name] = measure()
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        write(out, result)


if __name__ == "__main__":
    main()
