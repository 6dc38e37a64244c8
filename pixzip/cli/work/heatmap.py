"""The work of `pixzip heatmap`."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from pixcodecs.container import signature

from pixzip import codec
from pixzip import image as image_files
from pixzip.cli.progress import Bar
from pixzip.codec import describe
from pixzip.codec.bits_map import picture_and_bits, pixel_bits
from pixzip.image.picture import Picture
from pixzip.io import files, streams
from pixzip.report import figure


def draw(
    image: str, out: str, suffix: str, model: str, device: str, *, force: bool, models_only: bool,
    max_pixels: int | None,
) -> None:  # fmt: skip
    """Write the map of an image or a `.pxz` file.

    Args:
        suffix: suffix of `out`, in lower case.
    Raises:
        PixzipError, OSError: an image or map cannot be read, coded or written.
    """
    options = codec.Options.of(model, codec.resolve_device(device), models_only=models_only, max_pixels=max_pixels)
    picture, bits, file = _coded(streams.read(image), options)
    even = [kind for kind in describe.facts(file)["blocks"] if kind in ("WEBP", "WEBP_BODY", "PNG")]
    if even:
        click.echo(
            f"pixzip: {image}: warning: spread evenly, for a tile was coded by {even[0]}: --models-only maps all",
            err=True,
        )
    files.write(out, _numbers(bits) if suffix == ".npy" else _figure(picture, bits, Path(image).name, suffix), force)


def _coded(data: bytes, options: codec.Options) -> tuple[Picture, Any, bytes]:
    """The picture of an image or `.pxz` file, the bits of its pixels, and its `.pxz` file."""
    if data.startswith(signature.SIGNATURE):
        with Bar("measuring") as bar:
            return *picture_and_bits(data, options, bar), data
    picture = image_files.load(data, options.max_pixels).picture
    with Bar("compressing") as bar:
        (file,) = codec.compress([picture], options, bar)
    with Bar("measuring") as bar:
        return picture, pixel_bits(file, replace(options, max_pixels=None), bar), file


def _numbers(bits: Any) -> bytes:
    """The bytes of an `.npy` file."""
    out = io.BytesIO()
    np.save(out, bits)
    return out.getvalue()


def _figure(picture: Any, bits: Any, title: str, suffix: str) -> bytes:
    return figure.draw(picture, bits, title, suffix.removeprefix("."))
