"""Loading of the pictures and models in arguments that several commands share."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.cli.entries import Entry
from pixzip.cli.options import Manner
from pixzip.cli.say import say
from pixzip.codec import kept
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


def load_image(name: str, max_pixels: int | None, manner: Manner, *, pixels: bool = True) -> Any:
    """Read an image, and warn about content that a picture does not hold, unless quiet.

    Args:
        pixels: take the pixels of a JPEG, too.
    Raises:
        UnsupportedImageError, PixzipError, OSError: the image cannot be read.
    """
    with streams.Input(name) as source:
        if not pixels and kept.is_jpeg(source.head(HEAD_BYTES)):
            raise UnsupportedImageError("a JPEG is kept as a file, no model codes it: --pixels takes its pixels")
        loaded = load(source, max_pixels)
    if loaded.dropped and not manner.quiet:
        say(f"pixzip: {name}: warning: not kept: {', '.join(loaded.dropped)}")
    return loaded.picture


def say_embedded(entries: Sequence[Entry]) -> None:
    """Print what embedded models add to files."""
    found = [(entry.model_bytes, entry.bytes_after or 0) for entry in entries if entry.model_bytes]
    if found:
        taken, total = (sum(column) for column in zip(*found, strict=True))
        what = "the embedded model takes" if len(found) == 1 else "embedded models take"
        files = "" if len(found) == 1 else f" in {len(found)} files: -r and --stack store a model once"
        say(f"pixzip: {what} {taken:,} of {total:,} bytes{files}")


def say_written(manner: Manner, source: str, out: str, data: bytes, began: float) -> None:
    """Print the line of `-v` about an output.

    Args:
        source: name of the input or model.
        began: result of `time.perf_counter` at the start.
    """
    if manner.verbose:
        say(f"{source} -> {out}: {len(data):,} bytes, {time.perf_counter() - began:.2f} s")
