"""Loading of the pictures and models in arguments that several commands share."""

from pathlib import Path
from typing import Any

import click

from pixzip import image
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.io import streams
from pixzip.models import library


def extra_paths(extra: tuple[str, ...]) -> list[Path]:
    """The paths of the models that `--model` names, whether or not they exist."""
    return [library.path_of(name) for name in extra]


def load(source: streams.Input, max_pixels: int | None) -> image.Loaded:
    """The picture in an input, which is read to its end only if it starts like an image.

    Raises:
        UnsupportedImageError, PixzipError, OSError: the image cannot be read.
    """
    image.check_head(source.head(HEAD_BYTES))
    return image.load(source.read(), max_pixels)


def load_image(name: str, max_pixels: int | None) -> Any:
    """Read an image, and warn about content that a picture does not hold.

    Raises:
        UnsupportedImageError, PixzipError, OSError: the image cannot be read.
    """
    with streams.Input(name) as source:
        loaded = load(source, max_pixels)
    if loaded.dropped:
        click.echo(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}", err=True)
    return loaded.picture
