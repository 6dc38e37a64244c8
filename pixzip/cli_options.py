"""What several commands share: options, and how an input becomes a picture."""

from collections.abc import Callable
from typing import Any

import click
from pixcodecs import container

from pixzip import files

device_option = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
force_option = click.option("-f", "--force", is_flag=True, help="Overwrite outputs that exist.")
no_limit_option = click.option(
    "--no-pixel-limit",
    is_flag=True,
    help=f"Take images of more than {container.MAX_PIXELS} pixels: trusted files only.",
)
model_option = click.option(
    "--model", default="base", show_default=True, metavar="base|fast|PATH", help="Shipped model or weights file."
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def load_image(name: str, max_pixels: int | None, strip: bool = False) -> Any:
    """The picture of an input, with a warning for what will not be kept."""
    import dataclasses

    from pixzip import image

    loaded = image.load(files.read(name), max_pixels)
    if loaded.dropped:
        click.echo(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}", err=True)
    return dataclasses.replace(loaded.picture, metadata=()) if strip else loaded.picture


def weights_for(model: str) -> Callable[[int], Any]:
    from pixzip import library

    return lambda channels: library.resolve(model, channels)
