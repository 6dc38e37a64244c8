"""`pixzip eval`."""

import click
from pixcodecs.container import limits

from pixzip.cli.options import (
    Manner,
    as_json_option,
    complete_paths,
    computing_options,
    device_option,
    model_option,
    no_limit_option,
    pixels_option,
)  # fmt: skip


@click.command("eval")
@click.argument("images", nargs=-1, required=True, metavar="IMG...", shell_complete=complete_paths)
@model_option
@device_option
@pixels_option
@as_json_option
@no_limit_option
@computing_options
def evaluate(
    images: tuple[str, ...], model: str, device: str, pixels: bool, as_json: bool, no_pixel_limit: bool,
    manner: Manner,
) -> None:  # fmt: skip
    """Compare the model's own bits, without a stage, with a real file's; nothing is written."""
    from pixzip.cli.work import evaluate as work

    limit = None if no_pixel_limit else limits.MAX_PIXELS
    work.evaluate(images, model, device, pixels=pixels, as_json=as_json, max_pixels=limit, manner=manner)
