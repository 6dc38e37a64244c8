"""Measure models of the PixelRNN family on a test set: bits, bytes and speed, with other formats on the same images.

python -m bench.family.measure runs/*-cifar10 --data cifar10=cifar10-test.npy --images 2000 --out ...
python -m bench.family.measure runs/ablation-* --ablation --data cifar10=cifar10-test.npy --images 1000 --out ...
python -m bench.family.page

A RUN is a folder written by `pixzip train`.  Its row in the JSON file is added or replaced, so that runs can be
measured one after another, as they finish.

Bits are those of the stored fixed-point model, which codes the images; training keeps no other weights.  They are
added up while the images are coded, and the size is that of the file, a stack of all measured images.  The first
images make a second stack, which is decoded and compared.  Times are those of this stack, and of a third one whose
images are coded one by one.
"""

import json
from pathlib import Path
from typing import Any

import click

from bench.common import provenance, set_threads, write
from bench.family.data import Measured, take
from bench.family.peers import measure as measure_peers
from bench.family.runs import describe, fits, model_name, prepare
from pixzip.engine.device import resolve_device

#: List in the JSON file -> fields that identify its entries.
LISTS = {
    "rows": ("run", "data"),
    "ablations": ("run", "data"),
    "peers": ("data", "images"),
    "photographs": ("run", "data"),
    "stacks": ("run", "data"),
}


def named_paths(_: Any, __: Any, values: tuple[str, ...]) -> dict[str, Path]:
    """Parse click's NAME=PATH values."""
    found = dict(value.partition("=")[::2] for value in values)
    for name, path in found.items():
        if not name or not Path(path).exists():
            raise click.BadParameter(f"{name}={path}: expected NAME=PATH of a data set that is there")
    return {name: Path(path) for name, path in found.items()}


def read(out: Path) -> dict[str, Any]:
    """Read the earlier results."""
    empty: dict[str, Any] = {"benchmark": "family", **{name: [] for name in LISTS}}
    return {**empty, **json.loads(out.read_text())} if out.exists() else empty


def put(result: dict[str, Any], where: str, entry: dict[str, Any]) -> None:
    """Add an entry to a list, or replace the entry with the same identity."""
    keys = [tuple(each[k] for k in LISTS[where]) for each in result[where]]
    key = tuple(entry[k] for k in LISTS[where])
    if key in keys:
        result[where][keys.index(key)] = entry
    else:
        result[where].append(entry)


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", "sets", multiple=True, required=True, metavar="NAME=PATH", callback=named_paths,
              help="Data sets, of which test images are taken; a run is measured on the one of its name.")  # fmt: skip
@click.option("--images", type=click.IntRange(min=1), help="Test images measured, evenly spaced; all without it.")
@click.option("--verify-images", default=256, show_default=True, help="Decoded, compared and timed, 256 at a time.")
@click.option("--speed-images", default=2, show_default=True, help="Coded and timed one by one.")
@click.option("--ablation", is_flag=True, help="The runs belong in the list of ablations.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="PNG, WebP and JPEG XL, where missing.")
@click.option("--trained-on", default="not recorded", help="Where runs were trained that do not say so themselves.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON file to add to.")
def main(
    runs: tuple[Path, ...],
    sets: dict[str, Path],
    images: int | None,
    verify_images: int,
    speed_images: int,
    ablation: bool,
    peers: bool,
    trained_on: str,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Measure RUNS; without any, measure only the other formats."""
    set_threads(threads)
    device = resolve_device(device)
    origins = {
        name: {**provenance([path], [], threads), "device": device} for name, path in sets.items()
    }  # for everything that this command measures
    taken: dict[tuple[str, int], Measured] = {}

    def images_of(name: str, levels: int) -> Measured:
        if (name, levels) not in taken:
            taken[name, levels] = take(name, sets[name], levels, images)
        return taken[name, levels]

    def add(where: str, entry: dict[str, Any]) -> None:
        result = read(out)  # another process may have changed the file
        put(result, where, entry)
        write(out, result)

    def other_formats(test: Measured) -> None:
        result = read(out)
        known = {(p["data"], p["images"], p["sha256"]) for p in result["peers"]}
        if peers and not ablation and (test.name, len(test.images), test.sha256) not in known:
            click.echo(f"{test.name}: other formats on {len(test.images)} images", err=True)
            add("peers", {**measure_peers(test, threads), "measured": origins[test.source]})

    for folder in runs:
        run = prepare(folder, trained_on)
        test = images_of(fits(run, sets), run.weights.levels)
        row = describe(run, test, verify_images, speed_images, device)
        add("ablations" if ablation else "rows", {**row, "measured": origins[test.source]})
        rate = f"{row['nll']:.4f} {row['unit']}, {row['size']:.4f} in the file"
        click.echo(f"{folder.name}: {model_name(run)}, {rate}", err=True)
        other_formats(test)
    if not runs:
        for name in sets:
            other_formats(images_of(name, 2 if name == "mnist-binary" else 256))


if __name__ == "__main__":
    main()
