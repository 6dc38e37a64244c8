"""The work of `pixzip heatmap`."""

import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pixcodecs.container import signature
from pixcodecs.errors import UnsupportedImageError

from pixzip import codec
from pixzip.cli.errors import naming
from pixzip.cli.options import Manner
from pixzip.cli.progress import Bar
from pixzip.cli.say import say
from pixzip.cli.work.shared import load, say_written
from pixzip.cli.work.threads import set_threads
from pixzip.codec import describe, kept
from pixzip.codec.bits_map import NO_MAP, picture_and_bits, pixel_bits
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.image.picture import Picture
from pixzip.io import files, streams
from pixzip.report import figure


def draw(
    image: str, out: str, suffix: str, model: str, device: str, *, pixels: bool, models_only: bool,
    max_pixels: int | None, manner: Manner,
) -> None:  # fmt: skip
    """Write the map of an image or a `.pxz` file.

    Args:
        suffix: suffix of `out`, in lower case.
        pixels: whether to map the pixels of a JPEG, which is kept as a file otherwise.
        manner: only `force`, `quiet`, `verbose` and `threads` are used.
    Raises:
        PixzipError, OSError: an image or map cannot be read, coded or written.
    """
    began, bars = time.perf_counter(), not manner.quiet
    set_threads(manner.threads)
    options = codec.Options.of(model, codec.resolve_device(device), models_only=models_only, max_pixels=max_pixels)
    with naming(image), streams.Input(image) as source:
        picture, bits, file = _coded(source, options, pixels, bars)
    even = [kind for kind in describe.facts(file)["blocks"] if kind in ("WEBP", "WEBP_BODY", "PNG")]
    if even and not manner.quiet:
        say(f"pixzip: {image}: warning: spread evenly, for a tile was coded by {even[0]}: --models-only maps all")
    data = _numbers(bits) if suffix == ".npy" else _figure(picture, bits, Path(image).name, suffix)
    files.write(out, data, manner.force, source.stat, dated=False)
    say_written(manner, image, out, data, began)


def _coded(
    source: streams.Input, options: codec.Options, pixels: bool, bars: bool
) -> tuple[Picture, Any, signature.Buffer]:  # fmt: skip
    """The picture of an image or `.pxz` file, the bits of its pixels, and its `.pxz` file."""
    if source.head(len(signature.SIGNATURE)) == signature.SIGNATURE:
        data = source.pxz()
        file = codec.opened(data, options.max_pixels, streams.folder_of(source.name))
        with Bar("measuring", bars) as bar:
            return *picture_and_bits(file, options, bar), data
    if not pixels and kept.is_jpeg(source.head(HEAD_BYTES)):
        raise UnsupportedImageError(NO_MAP)
    picture = load(source, options.max_pixels).picture
    with Bar("compressing", bars) as bar:
        (file,) = codec.compress([picture], options, bar)
    with Bar("measuring", bars) as bar:
        return picture, pixel_bits(file, replace(options, max_pixels=None), bar), file


def _numbers(bits: Any) -> bytes:
    """The bytes of an `.npy` file."""
    out = io.BytesIO()
    np.save(out, bits)
    return out.getvalue()


def _figure(picture: Any, bits: Any, title: str, suffix: str) -> bytes:
    return figure.draw(picture, bits, title, suffix.removeprefix("."))
