"""The command line.

Errors are one line each on standard error and exit code 2.  A bad file among many is reported and the
others are coded.  PyTorch is imported by the commands that need it.
"""

from functools import partial
from pathlib import Path
from typing import Any

import click
from pixcodecs import container
from pixcodecs.errors import PixzipError

from pixzip import files
from pixzip.cli_bench import bench
from pixzip.cli_heatmap import heatmap
from pixzip.cli_jobs import EXIT_ERROR, EXIT_PIPE, FILE_ERRORS, Bar, Jobs, report, targets_of
from pixzip.cli_options import device_option, force_option, load_image, model_option, no_limit_option, weights_for
from pixzip.cli_report import evaluate, info, models
from pixzip.cli_sample import complete, sample
from pixzip.cli_train import train


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


for _command in (info, evaluate, models, heatmap, bench, train, sample, complete):
    main.add_command(_command)


@main.command()
@click.argument("images", nargs=-1, required=True, metavar="IMG...")
@click.option("-o", "--output", "out", help="Output file, folder for many inputs, or - (default: IMG.pxz).")
@click.option(
    "--stack", is_flag=True, help="Make one file of all: images, folders of them, and uint8 .npy (N,H,W[,C])."
)
@click.option("--no-names", is_flag=True, help="Leave the images' names out of a stack.")
@model_option
@device_option
@force_option
@click.option("--verify", is_flag=True, help="Decode and compare before writing.")
@click.option("--strip", is_flag=True, help="Leave out metadata (profiles, EXIF, texts).")
@click.option("--models-only", is_flag=True, help="Let the model code what it can, even where WebP or PNG is smaller.")
@no_limit_option
def compress(
    images: tuple[str, ...], out: str | None, stack: bool, no_names: bool, model: str, device: str, force: bool,
    verify: bool, strip: bool, models_only: bool, no_pixel_limit: bool,
) -> None:  # fmt: skip
    """Compress images to IMG.pxz; - is standard input."""
    if stack or no_names:
        from pixzip import cli_stack

        if not stack:
            raise click.UsageError("--no-names is for --stack")
        most = None if no_pixel_limit else container.MAX_PIXELS
        choices = {"names": not no_names, "strip": strip, "verify": verify, "force": force}
        cli_stack.compress(images, out, model, device, **choices, max_pixels=most)
        return
    named = files.outputs(images, out, [files.pxz_name(name) for name in images])
    from pixzip import cli_large, codec, library

    where, limit = codec.resolve_device(device), None if no_pixel_limit else container.MAX_PIXELS

    def work(pictures: list[Any]) -> list[bytes]:
        with Bar("compressing") as bar:
            return codec.compress(
                pictures,
                weights_for(model),
                where,
                graphics=library.graphics_beside(model),
                verify=verify,
                models_only=models_only,
                progress=bar,
            )

    def read(name: str) -> Any:
        rows = cli_large.reader(name, limit)
        if rows is None:
            return load_image(name, limit, strip)
        options = {"strip": strip, "verify": verify, "models_only": models_only, "force": force}
        return cli_large.compress(name, rows, targets[name], model, where, **options)

    jobs = Jobs(work, lambda name, data: files.write(targets[name], data, force))
    targets = targets_of(jobs, images, named, force)
    for name in targets:
        picture = jobs.attempt(name, partial(read, name))
        if picture is not None:
            jobs.add(name, picture, picture.pixels)
    jobs.exit()


@main.command()
@click.argument("inputs", nargs=-1, required=True, metavar="FILE.pxz...")
@click.option("-o", "--output", "out", help="Output image, folder for many inputs, or - (default: PNG beside FILE).")
@click.option("--model", "extra", multiple=True, type=click.Path(path_type=Path), help="Weights file to use too.")
@device_option
@force_option
@click.option("--region", type=_Region(), metavar="X,Y,W,H", help="Decode this part, and only the tiles it needs.")
@click.option("--salvage", is_flag=True, help="Recover what is whole; damaged tiles become zeros.")
@no_limit_option
def decompress(
    inputs: tuple[str, ...], out: str | None, extra: tuple[Path, ...], device: str, force: bool,
    region: tuple[int, int, int, int] | None, salvage: bool, no_pixel_limit: bool,
) -> None:  # fmt: skip
    """Decompress to PNG, or to the lossless format that the output's suffix names; a stack to a folder or .npy."""
    alone = files.is_one_stack(inputs)
    named = [] if alone else files.outputs(inputs, out, [files.image_name(name) for name in inputs])
    from pixzip import bands, cli_large, cli_stack, codec, image, library
    from pixzip.tiles import Window

    limit = None if no_pixel_limit else container.MAX_PIXELS
    model_of = partial(library.by_id, extra=extra)
    unstack = partial(
        cli_stack.decompress, out=out, model_of=model_of, device=device, force=force, max_pixels=limit,
        whole=not (region or salvage),
    )  # fmt: skip
    if alone:
        unstack(inputs[0], files.read_pxz(inputs[0]))
        return
    where = codec.resolve_device(device)
    window = Window(*region) if region else None

    def read(name: str) -> tuple[Any, int] | None:
        data = files.read_pxz(name)
        if cli_stack.is_stack(data):
            if len(inputs) > 1:
                raise PixzipError("a stack of images is decompressed by itself, not among other inputs")
            unstack(name, data)
            return None
        header = container.read_header(data, limit) if salvage or window else codec.parse(data, limit)
        transparent = any(kind is container.Extra.TRANSPARENCY for kind, _ in header.extras)
        image.check_suffix(suffix(name), header.layout, header.depth, transparent)
        if not (salvage or window) and header.width * header.height > bands.LARGE_PIXELS:
            frame = cli_large.decompress(
                data, targets[name], suffix(name), model_of, where, max_pixels=limit, force=force
            )
            if frame:
                warn(name, frame)
                return None
        return (name, data), window.pixels if window else header.width * header.height

    def suffix(name: str) -> str:
        return ".png" if targets[name] == files.STANDARD else Path(targets[name]).suffix

    def work(items: list[tuple[str, Any]]) -> list[Any]:
        with Bar("decompressing") as bar:
            if not (salvage or window):
                data = [file for _, file in items]
                return codec.decompress(data, model_of, where, max_pixels=limit, progress=bar)
            return [part(name, data, bar) for name, data in items]

    def part(name: str, data: Any, bar: Bar) -> Any:
        found = codec.recover(data, model_of, where, region=window, salvage=salvage, max_pixels=limit, progress=bar)
        for tile in found.damaged:
            place = f"{tile.width}x{tile.height} pixels at {tile.x},{tile.y}"
            click.echo(f"pixzip: {name}: damaged tile of {place}: zeros in its place", err=True)
        jobs.failed |= bool(found.damaged)
        return found.picture

    def done(name: str, picture: Any) -> None:
        files.write(targets[name], image.write(picture, suffix(name)), force)
        warn(name, picture)

    def warn(name: str, picture: Any) -> None:
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
