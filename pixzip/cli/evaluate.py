"""`pixzip eval`."""

import click
from pixcodecs.container import limits

from pixzip.cli.options import as_json_option, complete_paths, device_option, model_option, no_limit_option


@click.command("eval")
@click.argument("images", nargs=-1, required=True, metavar="IMG...", shell_complete=complete_paths)
@model_option
@device_option
@as_json_option
@no_limit_option
def evaluate(images: tuple[str, ...], model: str, device: str, as_json: bool, no_pixel_limit: bool) -> None:
    """Compare the model's own bits with a real file's; nothing is written."""
    from pixzip.cli.work import evaluate as work

    limit = None if no_pixel_limit else limits.MAX_PIXELS
    work.evaluate(images, model, device, as_json=as_json, max_pixels=limit)
