"""The command line.

Errors are one line each on standard error and exit code 2.  A bad file among many is reported and the
others are coded.  PyTorch is imported by the commands that need it.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from pixcodecs import container

from pixzip import files
from pixzip.cli_jobs import EXIT_ERROR, EXIT_PIPE, FILE_ERRORS, Bar, Jobs, report, targets_of
from pixzip.cli_train import train

_device = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
_force = click.option("-f", "--force", is_flag=True, help="Overwrite outputs that exist.")
_no_limit = click.option(
    "--no-pixel-limit",
    is_flag=True,
    help=f"Take images of more than {container.MAX_PIXELS} pixels: trusted files only.",
)
_model = click.option(
    "--model", default="base", show_default=True, metavar="base|fast|PATH", help="Shipped model or weights file."
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _Group(click.Group):
    """Turns errors into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # as `| head` does: nothing is wrong
            ctx.exit(EXIT_PIPE)
        except FILE_ERRORS as e:
            report(None, e)
            ctx.exit(EXIT_ERROR)
        finally:
            files.settle_stdout()


class _Region(click.ParamType[tuple[int, ...]]):
    """X,Y,W,H in pixels."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            x, y, w, h = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not X,Y,W,H in whole pixels", param, ctx)
        if min(x, y) < 0 or min(w, h) < 1:
            self.fail(f"{value!r} has a negative corner or no pixels", param, ctx)
        return x, y, w, h


def _print_version(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib import metadata

        try:
            version = metadata.version("pixzip")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        click.echo(f"pixzip {version}, format version {container.VERSION}")
        ctx.exit()


_EPILOG = """\b
Exit codes:
  0    everything was done
  1    pixzip itself failed: please report it
  2    wrong usage, or an input or output with an error, each named in a line on standard error
  141  the reader of standard output went away
  129, 130, 143  ended by SIGHUP, SIGINT (Ctrl-C) or SIGTERM, as a shell reports it

An output is there as a whole or not at all, whatever the exit code.
"""


@click.group(
    cls=_Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show versions."
)
def main() -> None:
    """Lossless image compression by a learned model, decoded bit for bit on any machine."""


main.add_command(train)


def _load_image(name: str, no_limit: bool, strip: bool = False) -> Any:
    """The picture of an input, with a warning for what will not be kept."""
    import dataclasses

    from pixzip import image

    loaded = image.load(files.read(name), None if no_limit else container.MAX_PIXELS)
    if loaded.dropped:
        click.echo(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}", err=True)
    return dataclasses.replace(loaded.picture, metadata=()) if strip else loaded.picture


def _weights_for(model: str) -> Callable[[int], Any]:
    from pixzip import library

    return lambda channels: library.resolve(model, channels)


@main.command()
@click.argument("images", nargs=-1, required=True, metavar="IMG...")
@click.option("-o", "--output", "out", help="Output file, folder for many inputs, or - (default: IMG.pxz).")
@_model
@_device
@_force
@click.option("--verify", is_flag=True, help="Decode and compare before writing.")
@click.option("--strip", is_flag=True, help="Leave out metadata (profiles, EXIF, texts).")
@_no_limit
def compress(
    images: tuple[str, ...], out: str | None, model: str, device: str, force: bool, verify: bool, strip: bool,
    no_pixel_limit: bool,
) -> None:  # fmt: skip
    """Compress images to IMG.pxz; - is standard input."""
    named = files.outputs(images, out, [files.pxz_name(name) for name in images])
    from pixzip import codec

    where = codec.resolve_device(device)

    def work(pictures: list[Any]) -> list[bytes]:
        with Bar("compressing") as bar:
            return codec.compress(pictures, _weights_for(model), where, verify=verify, progress=bar)

    jobs = Jobs(work, lambda name, data: files.write(targets[name], data, force))
    targets = targets_of(jobs, images, named, force)
    for name in targets:
        picture = jobs.attempt(name, partial(_load_image, name, no_pixel_limit, strip))
        if picture is not None:
            jobs.add(name, picture, picture.pixels)
    jobs.exit()


@main.command()
@click.argument("inputs", nargs=-1, required=True, metavar="FILE.pxz...")
@click.option("-o", "--output", "out", help="Output image, folder for many inputs, or - (default: PNG beside FILE).")
@click.option("--model", "models", multiple=True, type=click.Path(path_type=Path), help="Weights file to use too.")
@_device
@_force
@click.option("--region", type=_Region(), metavar="X,Y,W,H", help="Decode this part, and only the tiles it needs.")
@click.option("--salvage", is_flag=True, help="Recover what is whole; damaged tiles become zeros.")
@_no_limit
def decompress(
    inputs: tuple[str, ...], out: str | None, models: tuple[Path, ...], device: str, force: bool,
    region: tuple[int, int, int, int] | None, salvage: bool, no_pixel_limit: bool,
) -> None:  # fmt: skip
    """Decompress to PNG, or to the lossless format that the output's suffix names."""
    named = files.outputs(inputs, out, [files.image_name(name) for name in inputs])
    from pixzip import codec, image, library
    from pixzip.tiles import Window

    where = codec.resolve_device(device)
    limit = None if no_pixel_limit else container.MAX_PIXELS
    window = Window(*region) if region else None
    weights_for = lambda model_id: library.by_id(model_id, models)  # noqa: E731

    def read(name: str) -> tuple[Any, int]:
        data = files.read_pxz(name)
        header = container.read_header(data, limit) if salvage or window else codec.parse(data, limit)
        transparent = any(kind is container.Extra.TRANSPARENCY for kind, _ in header.extras)
        image.check_suffix(suffix(name), header.layout, header.depth, transparent)
        return (name, data), window.pixels if window else header.width * header.height

    def suffix(name: str) -> str:
        return ".png" if targets[name] == files.STANDARD else Path(targets[name]).suffix

    def work(items: list[tuple[str, Any]]) -> list[Any]:
        with Bar("decompressing") as bar:
            if not (salvage or window):
                data = [file for _, file in items]
                return codec.decompress(data, weights_for, where, max_pixels=limit, progress=bar)
            return [part(name, data, bar) for name, data in items]

    def part(name: str, data: Any, bar: Bar) -> Any:
        found = codec.recover(data, weights_for, where, region=window, salvage=salvage, max_pixels=limit, progress=bar)
        for tile in found.damaged:
            place = f"{tile.width}x{tile.height} pixels at {tile.x},{tile.y}"
            click.echo(f"pixzip: {name}: damaged tile of {place}: zeros in its place", err=True)
        jobs.failed |= bool(found.damaged)
        return found.picture

    def done(name: str, picture: Any) -> None:
        files.write(targets[name], image.write(picture, suffix(name)), force)
        lost = image.lost(picture, suffix(name))
        if lost:
            click.echo(f"pixzip: {name}: warning: {suffix(name)} does not hold {', '.join(lost)}", err=True)

    jobs = Jobs(work, done)
    targets = targets_of(jobs, inputs, named, force)
    for name in targets:
        found = jobs.attempt(name, partial(read, name))
        if found is not None:
            jobs.add(name, *found)
    jobs.exit()


@main.command()
@click.argument("file", metavar="FILE")
@_as_json
def info(file: str, as_json: bool) -> None:
    """Describe a .pxz file, after checking its header and blocks."""
    from pixzip import describe

    facts = {"file": file, **describe.facts(files.read_pxz(file))}
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, text in describe.lines(facts):
        click.echo(f"{key:<15}{text}")


@main.command("eval")
@click.argument("images", nargs=-1, required=True, metavar="IMG...")
@_model
@_device
@_as_json
@_no_limit
def evaluate(images: tuple[str, ...], model: str, device: str, as_json: bool, no_pixel_limit: bool) -> None:
    """Compare the model's own bits with a real file's; nothing is written."""
    from pixzip import codec

    where = codec.resolve_device(device)
    rows: list[dict[str, Any]] = []

    def work(pictures: list[Any]) -> list[dict[str, Any]]:
        with Bar("evaluating") as bar:
            return codec.evaluate(pictures, _weights_for(model), where, progress=bar)

    jobs = Jobs(work, lambda name, result: rows.append({"image": name, **result}))
    for name in images:
        picture = jobs.attempt(name, partial(_load_image, name, no_pixel_limit))
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


@main.command()
@_as_json
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
