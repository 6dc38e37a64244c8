"""`pixzip sample` and `pixzip complete`: draw images from a family model."""

from pathlib import Path
from typing import Any

import click
from pixcodecs.container import limits
from pixcodecs.errors import PixzipError

from pixzip.cli.options import (
    FAMILY_MODELS,
    MOST_SIDE,
    Manner,
    complete_models,
    complete_paths,
    device_option,
    no_limit_option,
    writing_options,
)  # fmt: skip
from pixzip.io import files, streams


class _Size(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT in pixels."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        try:
            width, height = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is not WIDTHxHEIGHT in whole pixels", param, ctx)
        if not (1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE):
            self.fail(f"{value!r} has a side that is not 1 to {MOST_SIDE}", param, ctx)
        return width, height


class _FamilyModel(click.types.StringParamType):
    """A model that draws images."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return FAMILY_MODELS[0].upper() + FAMILY_MODELS[1:]


_model = click.option(
    "--model", type=_FamilyModel(), required=True, metavar="NAME|PATH", shell_complete=complete_models,
    help="Model of the PixelRNN family: a shipped one (see `pixzip models`), or one from `pixzip train`.",
)  # fmt: skip
_temperature = click.option(
    "--temperature", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
    help="Below 1 keeps to what is likely.",
)  # fmt: skip
_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another one, other images."
)
_output = click.option(
    "-o", "--output", "out", required=True, metavar="FILE.png", shell_complete=complete_paths,
    help="A grid of images, or -.",
)  # fmt: skip


@click.command()
@_model
@click.option("-n", "--count", type=click.IntRange(1, 4096), default=64, show_default=True, help="Images to draw.")
@click.option("--size", type=_Size(), default="32x32", show_default=True, metavar="WxH", help="Of an image.")
@_temperature
@_seed
@device_option
@_output
@writing_options
def sample(
    model: str, count: int, size: tuple[int, int], temperature: float, seed: int, device: str, out: str, manner: Manner
) -> None:
    """Draw images from a model."""
    _check_output(out, manner.force)
    from pixzip.cli.work import sampling as work

    work.sample(model, count, size, temperature, seed, device, out, manner)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMG...", shell_complete=complete_paths)
@click.option("--keep-rows", type=click.IntRange(min=0), required=True, metavar="N", help="Rows to keep, from the top.")
@_model
@click.option("-n", "--count", type=click.IntRange(1, 64), default=7, show_default=True, help="Completions an image.")
@_temperature
@_seed
@device_option
@_output
@no_limit_option
@writing_options
def complete(
    images: tuple[str, ...], keep_rows: int, model: str, count: int, temperature: float, seed: int, device: str,
    out: str, no_pixel_limit: bool, manner: Manner,
) -> None:  # fmt: skip
    """Keep the first rows of images of one size and draw the rest: a row of the grid each, the original first."""
    _check_output(out, manner.force)
    from pixzip.cli.work import sampling as work

    limit = None if no_pixel_limit else limits.MAX_PIXELS
    work.complete(images, keep_rows, model, count, temperature, seed, device, out, max_pixels=limit, manner=manner)


def _check_output(out: str, force: bool) -> None:
    if out != streams.STANDARD and Path(out).suffix.lower() != ".png":
        raise PixzipError(f"{out}: the grid is a PNG")
    files.check_writable(out, force)
