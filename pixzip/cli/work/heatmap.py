"""The work of `pixzip heatmap`."""

import io
from pathlib import Path
from typing import Any

import click
import numpy as np
from pixcodecs.container import signature

from pixzip import codec
from pixzip import image as image_files
from pixzip.cli.progress import Bar
from pixzip.cli.work.shared import weights_for
from pixzip.codec import describe
from pixzip.codec.bits_map import pixel_bits
from pixzip.io import files, streams
from pixzip.models import library
from pixzip.report import figure


def draw(
    image: str, out: str, suffix: str, model: str, device: str, *, force: bool, models_only: bool,
    max_pixels: int | None,
) -> None:  # fmt: skip
    """Write the map of an image or a `.pxz` file.

    Args:
        suffix: of `out`, in lower case.
    Raises:
        PixzipError, OSError: it cannot be read, coded or written.
    """
    picture, file = _coded(streams.read(image), model, device, max_pixels, models_only)
    bits = _bits(file, model, device)
    even = [kind for kind in describe.facts(file)["blocks"] if kind in ("WEBP", "WEBP_BODY", "PNG")]
    if even:
        click.echo(
            f"pixzip: {image}: warning: spread evenly, for a tile was coded by {even[0]}: --models-only maps all",
            err=True,
        )
    files.write(out, _numbers(bits) if suffix == ".npy" else _figure(picture, bits, Path(image).name, suffix), force)


def _coded(data: bytes, model: str, device: str, limit: int | None, models_only: bool) -> tuple[Any, bytes]:
    """The picture of an image or `.pxz` file, and its `.pxz` file."""
    where = codec.resolve_device(device)
    if data.startswith(signature.SIGNATURE):
        with Bar("decompressing") as bar:
            return codec.decompress([data], library.with_model(model), where, max_pixels=limit, progress=bar)[0], data
    picture = image_files.load(data, limit).picture
    choices: dict[str, Any] = {"graphics": library.graphics_beside(model), "models_only": models_only}
    with Bar("compressing") as bar:
        return picture, codec.compress([picture], weights_for(model), where, **choices, progress=bar)[0]


def _bits(file: bytes, model: str, device: str) -> Any:
    with Bar("measuring") as bar:
        return pixel_bits(file, library.with_model(model), codec.resolve_device(device), max_pixels=None, progress=bar)


def _numbers(bits: Any) -> bytes:
    """An `.npy` file."""
    out = io.BytesIO()
    np.save(out, bits)
    return out.getvalue()


def _figure(picture: Any, bits: Any, title: str, suffix: str) -> bytes:
    return figure.draw(picture, bits, title, suffix.removeprefix("."))
