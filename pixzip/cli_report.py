"""Commands that tell something and write no file."""

import json
from functools import partial
from typing import Any

import click
from pixcodecs import container

from pixzip import files
from pixzip.cli_jobs import Bar, Jobs
from pixzip.cli_options import as_json_option, device_option, load_image, model_option, no_limit_option, weights_for


@click.command()
@click.argument("file", metavar="FILE")
@as_json_option
def info(file: str, as_json: bool) -> None:
    """Describe a .pxz file, after checking its header and blocks."""
    from pixzip import describe

    facts = {"file": file, **describe.facts(files.read_pxz(file))}
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, text in describe.lines(facts):
        click.echo(f"{key:<15}{text}")


@click.command("eval")
@click.argument("images", nargs=-1, required=True, metavar="IMG...")
@model_option
@device_option
@as_json_option
@no_limit_option
def evaluate(images: tuple[str, ...], model: str, device: str, as_json: bool, no_pixel_limit: bool) -> None:
    """Compare the model's own bits with a real file's; nothing is written."""
    from pixzip import codec

    where, limit = codec.resolve_device(device), None if no_pixel_limit else container.MAX_PIXELS
    rows: list[dict[str, Any]] = []

    def work(pictures: list[Any]) -> list[dict[str, Any]]:
        with Bar("evaluating") as bar:
            return codec.evaluate(pictures, weights_for(model), where, progress=bar)

    jobs = Jobs(work, lambda name, result: rows.append({"image": name, **result}))
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


@click.command()
@as_json_option
def models(as_json: bool) -> None:
    """List the shipped models."""
    from pixzip import library

    rows = [
        {
            "name": m.name,
            "model_id": m.weights.model_id.hex(),
            "channels": m.weights.config.channels,
            "architecture": m.weights.architecture,
            "bytes": m.path.stat().st_size,
            "multiply_adds_per_pixel": m.weights.multiply_adds,
        }
        for m in library.list_models()
    ]
    if as_json:
        click.echo(json.dumps(rows))
    for row in [] if as_json else rows:
        kind = "RGB" if row["channels"] == 3 else "grey"
        click.echo(
            f"{row['name']:<16}{row['model_id']}  {kind:<5}{row['bytes']:>9} bytes"
            f"{row['multiply_adds_per_pixel']:>10} multiply-adds/pixel  {row['architecture']}"
        )
