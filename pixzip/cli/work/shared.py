"""Pictures and models of the arguments that several commands take."""

from pathlib import Path
from typing import Any

import click

from pixzip import image
from pixzip.io import streams
from pixzip.models import library


def extra_paths(extra: tuple[str, ...]) -> list[Path]:
    """Where the models are that `--model` gives."""
    return [library.path_of(name) for name in extra]


def load_image(name: str, max_pixels: int | None) -> Any:
    """The picture of an input, with a warning for what it does not hold of it."""
    loaded = image.load(streams.read(name), max_pixels)
    if loaded.dropped:
        click.echo(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}", err=True)
    return loaded.picture
