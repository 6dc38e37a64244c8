"""Time this checkout against an older commit, in turn, so that both have the same conditions.

python bench/versus.py 25db182 kodak.tar --out bench/results/versus.json

The interpreter must have what both need: commits before PyTorch became optional need it, SciPy and threadpoolctl.
"""

import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from common import ROOT, load, provenance, write
from PIL import Image

#: Run in a checkout: seconds to encode and to decode an image in one process, the best of some after a small one.
CHILD = """
import sys, time
import numpy as np
import pixzip
from PIL import Image
from pixcodecs import threads
model, count, path, repeats = sys.argv[1:]
threads.set_threads(int(count))
picture = np.asarray(Image.open(path))
best = [9e9, 9e9]
pixzip.decode(pixzip.encode(picture[:200, :200], model))
for _ in range(int(repeats)):
    start = time.perf_counter()
    data = pixzip.encode(picture, model)
    middle = time.perf_counter()
    assert (pixzip.decode(data) == picture).all()
    best = [min(best[0], middle - start), min(best[1], time.perf_counter() - middle)]
print(*best, len(data))
"""
#: Side and number of the small images, and side of the square beside a column of as many pixels.
SMALL, FILES, SQUARE = 48, 200, 256


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


class Side:
    """A checkout, and commands that run in it."""

    def __init__(self, root: Path, kernels: Path, variables: dict[str, str]) -> None:
        """
        Args:
            root: folder of the checkout, where commands run.
            kernels: folder for compiled kernels.
            variables: of the environment.
        """
        path = os.pathsep.join([str(root), str(root / "codecs")])
        self.env = os.environ | {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(kernels)} | variables
        self.root = root

    def code(self, model: str, threads: int, image: Path, repeats: int = 1) -> dict[str, float]:
        """Seconds to encode and decode an image, and bytes."""
        command = [sys.executable, "-c", CHILD, model, str(threads), str(image), str(repeats)]
        done = subprocess.run(command, env=self.env, cwd=self.root, check=True, stdout=subprocess.PIPE, text=True)
        return dict(zip(("encode_s", "decode_s", "bytes"), map(float, done.stdout.split()), strict=True))

    def processor_s(self, *args: str) -> float:
        """Processor seconds of a command of pixzip."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "pixzip", *args], stdout=subprocess.DEVNULL, env=self.env, cwd=self.root, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def first_s(self, *args: str) -> float:
        """Processor seconds of a command that compiles its kernels."""
        with tempfile.TemporaryDirectory() as empty:
            fresh, self.env = self.env, self.env | {"NUMBA_CACHE_DIR": empty}
            try:
                return self.processor_s(*args)
            finally:
                self.env = fresh


def images(pictures: list[tuple[str, Any]], folder: Path) -> dict[str, Path]:
    """The images that are timed: a photograph, a large one of several, a small one, many small ones, a column."""
    photos = [picture for _, picture in pictures]
    shape = photos[0].shape
    same = [p for p in photos if p.shape == shape]
    rows = [np.concatenate([same[(4 * r + i) % len(same)] for i in range(4)], 1) for r in range(8)]
    square = np.ascontiguousarray(photos[0][:SQUARE, :SQUARE])
    made = {
        "photograph": photos[0], "large": np.concatenate(rows), "64 x 64": photos[0][100:164, 100:164],
        "square": square, "column": square.reshape(-1, 1, 3)[:65535],
    }  # fmt: skip
    paths = {}
    for name, picture in made.items():
        paths[name] = folder / f"{name.replace(' ', '')}.png"
        Image.fromarray(picture).save(paths[name])
    (many := folder / "many").mkdir()
    rng = np.random.default_rng(0)
    for i in range(FILES):
        photo = photos[i % len(photos)]
        y, x = (int(rng.integers(0, side - SMALL)) for side in photo.shape[:2])
        Image.fromarray(photo[y : y + SMALL, x : x + SMALL]).save(many / f"{i:03}.png")
    return paths | {"many": many}


def measured(side: Side, paths: dict[str, Path], out: Path, models: list[str], only: str) -> dict[str, Any]:
    """One round of the figures of a checkout whose names contain `only`."""
    packed, again, archive = (str(out / name) for name in ("x.pxz", "x.png", f"archive-{time.monotonic_ns()}"))

    def command(*args: str) -> dict[str, float]:
        return {"processor_s": side.processor_s(*args)}

    def compressed(image: str, first: bool = False) -> dict[str, float]:
        args = ("compress", "-q", "-f", str(paths[image]), "-o", packed)
        return {"processor_s": side.first_s(*args) if first else side.processor_s(*args)}

    def decompressed() -> dict[str, float]:
        args = ("decompress", "-q", "-f", packed, "-o", again)
        side.processor_s("compress", "-q", "-f", str(paths["64 x 64"]), "-o", packed)
        side.processor_s(*args)
        return command(*args)

    def described() -> dict[str, float]:
        compressed("64 x 64")
        return command("info", packed)

    def archived() -> dict[str, float]:
        spent = command("compress", "-q", "-r", str(paths["many"]), "-o", archive)
        return spent | {"bytes": sum(file.stat().st_size for file in Path(archive).rglob("*.pxz"))}

    def coded(image: str, model: str, threads: int, repeats: int = 1) -> Callable[[], dict[str, float]]:
        return lambda: side.code(model, threads, paths[image], repeats)

    figures: dict[str, Callable[[], dict[str, float]]] = {}
    for model in models:
        for image, repeats in (("photograph", 3), ("large", 1)):
            for threads in (1, 2):
                figures[f"{model}, {image}, {threads} thread(s)"] = coded(image, model, threads, repeats)
    for image in ("square", "column"):
        figures[f"{models[0]}, {image}"] = coded(image, models[0], 1)
    figures["first compress, 64 x 64"] = lambda: compressed("64 x 64", first=True)
    figures["first compress, photograph"] = lambda: compressed("photograph", first=True)
    figures["compress, 64 x 64"] = lambda: compressed("64 x 64")
    figures["decompress, 64 x 64"] = decompressed
    figures["info"] = described
    figures[f"compress -r, {FILES} of {SMALL} x {SMALL}"] = archived
    return {name: figure() for name, figure in figures.items() if only in name}


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every figure."""
    return {name: {key: median(r[name][key] for r in rounds) for key in figures} for name, figures in rounds[0].items()}


@click.command()
@click.argument("commit")
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--models", default="base,fast", show_default=True, help="Names, comma-separated.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--only", default="", metavar="TEXT", help="Only figures whose names contain TEXT.")
@click.option("--set", "variables", multiple=True, metavar="NAME=VALUE", help="Environment of both.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(
    commit: str, data: Path, models: str, repeats: int, only: str, variables: tuple[str, ...], out: Path | None
) -> None:
    """Time this checkout against COMMIT on the photographs of DATA."""
    chosen = dict(variable.split("=", 1) for variable in variables)
    names = models.split(",")
    with checkout(commit) as tree, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = images(load(data, 24), folder)
        sides = {
            "before": Side(tree, folder / "kernels-before", chosen), "after": Side(ROOT, folder / "kernels", chosen),
        }  # fmt: skip
        rounds: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        for turn in range(repeats):
            for name, side in sides.items():
                rounds[name].append(measured(side, paths, folder, names, only))
                click.echo(f"{turn} {name} {json.dumps(rounds[name][-1])}", err=True)
    found = {name: medians(some) for name, some in rounds.items()}
    result = {
        "benchmark": "versus", **provenance([data], names, 2), "before": commit, "variables": chosen,
        "figures": {
            name: {
                key: {"before": found["before"][name][key], "after": value,
                      "ratio": value / found["before"][name][key]}
                for key, value in figures.items()
            }
            for name, figures in found["after"].items()
        },
    }  # fmt: skip
    write(out, result)


if __name__ == "__main__":
    main()
