"""Loading of the pictures and models in arguments that several commands share."""

from pathlib import Path
from typing import Any

import click

from pixzip import image
from pixzip.io import streams
from pixzip.models import library


def extra_paths(extra: tuple[str, ...]) -> list[Path]:
    """The paths of the models that `--model` names, whether or not they exist."""
    return [library.path_of(name) for name in extra]


def load_image(name: str, max_pixels: int | None) -> Any:
    """Read an image, and warn about content that a picture does not hold.

    Raises:
        UnsupportedImageError, OSError: the image cannot be read.
    """
    loaded = image.load(streams.read(name), max_pixels)
    if loaded.dropped:
        click.echo(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}", err=True)
    return loaded.picture
