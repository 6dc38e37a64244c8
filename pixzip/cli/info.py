"""Commands that tell something and write no file."""

import json
from functools import partial
from typing import Any

import click
from pixcodecs.container import limits

from pixzip.cli.jobs import Jobs
from pixzip.cli.options import (
    as_json_option,
    complete_paths,
    device_option,
    load_image,
    model_option,
    no_limit_option,
    weights_for,
)  # fmt: skip
from pixzip.cli.progress import Bar
from pixzip.io import streams


@click.command()
@click.argument("file", metavar="FILE", shell_complete=complete_paths)
@as_json_option
def info(file: str, as_json: bool) -> None:
    """Describe a .pxz file, after checking its header and blocks."""
    from pixzip.codec import describe

    facts = {"file": file, **describe.facts(streams.read_pxz(file))}
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, text in describe.lines(facts):
        click.echo(f"{key:<15}{text}")


@click.command("eval")
@click.argument("images", nargs=-1, required=True, metavar="IMG...", shell_complete=complete_paths)
@model_option
@device_option
@as_json_option
@no_limit_option
def evaluate(images: tuple[str, ...], model: str, device: str, as_json: bool, no_pixel_limit: bool) -> None:
    """Compare the model's own bits with a real file's; nothing is written."""
    from pixzip import codec

    where, limit = codec.resolve_device(device), None if no_pixel_limit else limits.MAX_PIXELS
    rows: list[dict[str, Any]] = []

    def work(pictures: list[Any]) -> list[dict[str, Any]]:
        with Bar("evaluating") as bar:
            return codec.evaluate(pictures, weights_for(model), where, progress=bar)

    jobs = Jobs(work, lambda name, picture, result, seconds: rows.append({"image": name, **result}))
    for name in images:
        picture = jobs.attempt(name, partial(load_image, name, limit))
        if picture is not None:
            jobs.add(name, picture, picture.pixels)
    jobs.flush()
    total = _total(rows)
    if as_json:
        click.echo(json.dumps({"images": rows, "total": total}))
    elif rows:
        click.echo(f"{'model bits':>14} {'file bits':>12} {'ratio':>8} {'bits/dim':>9} {'bpsp':>9}  image")
        for row in [*rows, {"image": "total", **total}]:
            click.echo(
                f"{row['model_bits']:14.1f} {row['file_bits']:12d} {row['ratio']:8.5f}"
                f" {row['bits_per_dim']:9.5f} {row['bpsp']:9.5f}  {row['image']}"
            )
    jobs.exit()


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    if not rows:
        return {}
    model_bits, file_bits = sum(r["model_bits"] for r in rows), sum(r["file_bits"] for r in rows)
    subpixels = sum(r["width"] * r["height"] * r["channels"] for r in rows)
    return {
        "model_bits": model_bits,
        "file_bits": file_bits,
        "ratio": file_bits / model_bits,
        "bits_per_dim": model_bits / subpixels,
        "bpsp": file_bits / subpixels,
    }
