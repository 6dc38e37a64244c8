"""Loading of the pictures and models in arguments that several commands share."""

import time
from pathlib import Path
from typing import Any

from pixzip import image
from pixzip.cli.options import Manner
from pixzip.cli.say import say
from pixzip.io import streams
from pixzip.models import library


def extra_paths(extra: tuple[str, ...]) -> list[Path]:
    """The paths of the models that `--model` names, whether or not they exist."""
    return [library.path_of(name) for name in extra]


def load_image(name: str, max_pixels: int | None, manner: Manner) -> Any:
    """Read an image, and warn about content that a picture does not hold, unless quiet.

    Raises:
        UnsupportedImageError, OSError: the image cannot be read.
    """
    loaded = image.load(streams.read(name), max_pixels)
    if loaded.dropped and not manner.quiet:
        say(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}")
    return loaded.picture


def say_written(manner: Manner, source: str, out: str, data: bytes, began: float) -> None:
    """Print the line of `-v` about an output.

    Args:
        source: name of the input or model.
        began: result of `time.perf_counter` at the start.
    """
    if manner.verbose:
        say(f"{source} -> {out}: {len(data):,} bytes, {time.perf_counter() - began:.2f} s")
