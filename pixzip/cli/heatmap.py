"""`pixzip heatmap`: where the bits of an image go."""

import io
from pathlib import Path
from typing import Any

import click
from pixcodecs.container import limits, signature
from pixcodecs.errors import PixzipError

from pixzip.cli.options import device_option, force_option, model_option, no_limit_option, weights_for
from pixzip.cli.progress import Bar
from pixzip.io import files, streams
from pixzip.models import library

_FORMATS = (".png", ".svg", ".pdf", ".npy")


@click.command()
@click.argument("image", metavar="IMG|FILE.pxz")
@click.option(
    "-o", "--output", "out", help="A .png, .svg or .pdf; or .npy, the numbers alone (default: IMG.heatmap.png)."
)
@model_option
@device_option
@force_option
@click.option("--models-only", is_flag=True, help="Let the model code what it can, even where WebP is smaller.")
@no_limit_option
def heatmap(
    image: str, out: str | None, model: str, device: str, force: bool, models_only: bool, no_pixel_limit: bool
) -> None:
    """Draw how many bits each pixel takes, beside the image.

    All together they are the file without its header. WebP and PNG have no bits of single pixels: those of tiles that
    they coded are spread evenly.
    """
    if out is None:
        if image == streams.STANDARD:
            raise PixzipError("standard input has no name to be written under: -o FILE gives one")
        out = f"{image}.heatmap.png"
    suffix = Path(out).suffix.lower()
    if suffix not in _FORMATS:
        raise PixzipError(f"output format {suffix or 'without a suffix'!r} is not one of {' '.join(_FORMATS)}")
    files.check_writable(out, force)
    from pixzip.codec import describe

    limit = None if no_pixel_limit else limits.MAX_PIXELS
    picture, file = _coded(streams.read(image), model, device, limit, models_only)
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
    from pixzip import codec
    from pixzip import image as image_files

    where = codec.resolve_device(device)
    if data.startswith(signature.SIGNATURE):
        with Bar("decompressing") as bar:
            return codec.decompress([data], library.with_model(model), where, max_pixels=limit, progress=bar)[0], data
    picture = image_files.load(data, limit).picture
    choices: dict[str, Any] = {"graphics": library.graphics_beside(model), "models_only": models_only}
    with Bar("compressing") as bar:
        return picture, codec.compress([picture], weights_for(model), where, **choices, progress=bar)[0]


def _bits(file: bytes, model: str, device: str) -> Any:
    from pixzip import codec
    from pixzip.codec.bits_map import pixel_bits

    with Bar("measuring") as bar:
        return pixel_bits(file, library.with_model(model), codec.resolve_device(device), max_pixels=None, progress=bar)


def _numbers(bits: Any) -> bytes:
    """An `.npy` file."""
    import numpy as np

    out = io.BytesIO()
    np.save(out, bits)
    return out.getvalue()


def _figure(picture: Any, bits: Any, title: str, suffix: str) -> bytes:
    from pixzip.report import figure

    return figure.draw(picture, bits, title, suffix.removeprefix("."))
