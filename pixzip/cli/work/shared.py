"""Pictures and models of the arguments that several commands take."""

from pathlib import Path
from typing import Any

import click

from pixzip import image
from pixzip.io import streams
from pixzip.models import library


def extra_paths(extra: tuple[str, ...]) -> list[Path]:
    """Paths of the models that `--model` names, whether or not they are there."""
    return [library.path_of(name) for name in extra]


def load_image(name: str, max_pixels: int | None) -> Any:
    """Read an image, and warn about the parts of it that a picture does not hold.

    Raises:
        UnsupportedImageError, OSError: it cannot be read.
    """
    loaded = image.load(streams.read(name), max_pixels)
    if loaded.dropped:
        click.echo(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}", err=True)
    return loaded.picture
